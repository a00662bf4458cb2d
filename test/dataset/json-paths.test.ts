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
    '  6:22  a..b is not a path into JSON: a step is empty at position 3. Did you mean a.b?',
  ],
  ['{ name: a, path: ".a" }', '  6:22  .a is not a path into JSON: it starts with .. Did you mean a?'],
  [
    '{ name: a, path: "a[\'b c\']" }',
    `  6:22  a['b c'] is not a path into JSON: brackets hold one key as a JSON string, like ["a.b"]. Did you mean a["b c"]?`,
  ],
  [
    '{ name: a, path: "a[0].b" }',
    '  6:22  a[0].b is not a path into JSON: brackets hold one key as a JSON string, like ["a.b"]. A path does not go into the items of an array: declare the array with array: true, and fields for objects in it.',
  ],
  ['{ name: a, path: "$" }', '  6:22  $ is the whole message, and a column takes a field of it.'],
  [
    '{ name: a, path: "$.books.x" }',
    '  6:22  $.books.x lies inside of the records. From the record it is x.',
  ],
  ['{ name: a, path: "$.books" }', '  6:22  $.books holds the records themselves.'],
  [
    '{ name: a, path: \'["id"]\' }',
    '  6:22  ["id"] is the path of column id already. One value goes into one column; leave one of them out.',
  ],
  [
    '{ name: a, array: true, fields: [{ name: b, path: "c." }] }',
    '  6:55  c. is not a path into JSON: it ends with .. Did you mean c?',
  ],
  [
    '{ name: a, array: true, fields: [{ name: b, path: "$.c" }] }',
    '  6:55  $.c is a path from the root of the message, and a sub-field is taken from an item.',
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
    '  7:22  a/b is the path of column a already. One value goes into one column; leave one of them out.',
    '  8:22  $.a.b is the path of column a already. One value goes into one column; leave one of them out.',
  ])
  expect(check('{ format: ndjson }', '{ name: l, array: true }', '{ name: b, path: l.sku }')).toEqual([
    '  7:22  l.sku goes into the items of l, which is an array. Declare it in fields of l.',
  ])
  expect(check('{ format: ndjson }', '{ name: o, path: o }', '{ name: b, path: o.sku }')).toEqual([])
})

test.each([
  [
    '{ format: json, path: "books[*]" }',
    '  3:31  a JSON record path looks like $ or $.books[*], found books[*]: it does not start with $. Did you mean $.books[*]?',
  ],
  [
    '{ format: json, path: "$.a..b" }',
    '  3:31  a JSON record path looks like $ or $.books[*], found $.a..b: a step is empty at position 5. Did you mean $.a.b?',
  ],
  [
    '{ format: json, path: "$.a[*].b[*]" }',
    '  3:31  a JSON record path looks like $ or $.books[*], found $.a[*].b[*]: brackets hold one key as a JSON string, like ["a.b"]. A path does not go into the items of an array: declare the array with array: true, and fields for objects in it.',
  ],
  ['{ format: json }', '  3:9  a JSON record path looks like $ or $.books[*], found none: it is empty.'],
  [
    '{ format: ndjson, ignore: ["*", "a..b"] }',
    '  3:41  a..b is not a path into JSON: a step is empty at position 3. Did you mean a.b?',
  ],
  [
    '{ format: ndjson, ignore: ["id"] }',
    '  3:36  id is ignored and is the path of column id. Leave one of them out.',
  ],
  [
    '{ format: json, path: "$[*]", ignore: ["$.x"] }',
    '  3:48  $.x is outside of the records, where nothing needs to be ignored. Leave it out.',
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
