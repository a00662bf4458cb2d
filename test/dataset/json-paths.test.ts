/**
 * Paths into JSON: what `dataset check` says of each that leads nowhere, twice to the same place or through
 * an array.
 */
import { expect, test } from 'vitest'
import { checkDataset, mistakeText } from '../../src/dataset/check.ts'

const check = (record: string, ...columns: string[]): string[] =>
  checkDataset(`dataset: d
source: { files: { path: in } }
record: ${record}
columns:
  - { name: id }
${columns.map((column) => `  - ${column}\n`).join('')}processed: { key: [id] }
`).mistakes.map(mistakeText)

test.each([
  [
    '{ name: a, path: "a..b" }',
    '  6:22  a..b is not a JSON path: a step is empty at position 3. Did you mean a.b?',
  ],
  ['{ name: a, path: ".a" }', '  6:22  .a is not a JSON path: it starts with ".". Did you mean a?'],
  [
    '{ name: a, path: "a[\'b c\']" }',
    `  6:22  a['b c'] is not a JSON path: brackets hold one key as a JSON string, like ["a.b"]. Did you mean a["b c"]?`,
  ],
  [
    '{ name: a, path: "a[0].b" }',
    '  6:22  a[0].b is not a JSON path: brackets hold one key as a JSON string, like ["a.b"]. A path cannot enter the items of an array. Declare the array with array: true, and with fields if its items are objects.',
  ],
  ['{ name: a, path: "$" }', '  6:22  $ is the whole message, but a column reads one field.'],
  [
    '{ name: a, path: "$.books.x" }',
    '  6:22  $.books.x is inside the records, where paths start at the record. Write x.',
  ],
  ['{ name: a, path: "$.books" }', '  6:22  $.books contains the records, but a column reads one field.'],
  ['{ name: a, path: \'["id"]\' }', '  6:22  columns id and a both read ["id"]. Remove one of the two.'],
  [
    '{ name: a, array: true, fields: [{ name: b, path: "c." }] }',
    '  6:55  c. is not a JSON path: it ends with ".". Did you mean c?',
  ],
  [
    '{ name: a, array: true, fields: [{ name: b, path: "$.c" }] }',
    '  6:55  $.c starts at the root of the message, but the path of a sub-field starts at the item.',
  ],
])('%s', (column, mistake) => {
  expect(check('{ format: json, path: "$.books[*]" }', column)).toEqual([mistake])
})

test('a path twice in two ways of writing, and one through an array', () => {
  expect(
    check(
      '{ format: ndjson }',
      '{ name: a, path: a.b }',
      '{ name: b, path: a/b }',
      '{ name: c, path: $.a.b }',
    ),
  ).toEqual([
    '  7:22  columns a and b both read a/b. Remove one of the two.',
    '  8:22  columns a and c both read $.a.b. Remove one of the two.',
  ])
  expect(check('{ format: ndjson }', '{ name: l, array: true }', '{ name: b, path: l.sku }')).toEqual([
    '  7:22  l.sku is inside the items of the array l. Declare it under fields of l.',
  ])
  expect(check('{ format: ndjson }', '{ name: o, path: o }', '{ name: b, path: o.sku }')).toEqual([])
})

test.each([
  [
    '{ format: json, path: "books[*]" }',
    '  3:31  record.path of JSON must look like $ or $.books[*], found books[*]: it does not start with $. Did you mean $.books[*]?',
  ],
  [
    '{ format: json, path: "$.a..b" }',
    '  3:31  record.path of JSON must look like $ or $.books[*], found $.a..b: a step is empty at position 5. Did you mean $.a.b?',
  ],
  [
    '{ format: json, path: "$.a[*].b[*]" }',
    '  3:31  record.path of JSON must look like $ or $.books[*], found $.a[*].b[*]: brackets hold one key as a JSON string, like ["a.b"]. A path cannot enter the items of an array. Declare the array with array: true, and with fields if its items are objects.',
  ],
  ['{ format: json }', '  3:9  record.path of JSON must look like $ or $.books[*], found none: it is empty.'],
  [
    '{ format: ndjson, ignore: ["*", "a..b"] }',
    '  3:41  a..b is not a JSON path: a step is empty at position 3. Did you mean a.b?',
  ],
  [
    '{ format: ndjson, ignore: ["id"] }',
    '  3:36  record.ignore lists id, but column id reads it. Remove one of the two.',
  ],
  [
    '{ format: json, path: "$[*]", ignore: ["$.x"] }',
    '  3:48  $.x is outside the records, but record.ignore applies only inside them. Remove it.',
  ],
])('record: %s', (record, mistake) => {
  expect(check(record)).toEqual([mistake])
})

test.each(['$', '$[*]', '$.books[*]', '$["a.b"][*]', '$.data/x["*"]'])(
  'records at %s are right, with any key as a column',
  (path) => {
    expect(
      check(
        `{ format: json, path: ${JSON.stringify(path)}, ignore: ["*"] }`,
        `{ name: a, path: '["a.b"]' }`,
        `{ name: b, path: '[""]' }`,
        '{ name: c, path: "@c/$d" }',
      ),
    ).toEqual([])
  },
)
