/** Rejects of arrays name the item; rules compare exactly, to the last digit and microsecond. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkDataset, mistakeText } from '../../src/dataset/check.ts'
import type { Dataset } from '../../src/dataset/declaration.ts'
import { compileChecks, type Reject } from '../../src/quality/record-check.ts'
import { read } from '../../src/quality/text-bytes.ts'
import { laidOut } from '../support/laid-out-texts.ts'

const JSON_RECORD = 'record: { format: json, path: $ }'

function datasetOf(columns: string, more = '', record = JSON_RECORD): Dataset {
  const { dataset, mistakes } = checkDataset(
    `dataset: d\nsource: { files: { path: in } }\n${record}\ncolumns:\n${columns}\n${more}`,
  )
  expect(mistakes.map(mistakeText)).toEqual([])
  return dataset as Dataset
}

/** Texts of the first column, a row each. */
function check(dataset: Dataset, texts: string[]): { rejects: Reject[]; values: (string | null)[] } {
  const checker = compileChecks(dataset, dataset.columns)
  const { text, cells } = laidOut(texts)
  const rejects = checker.check(text, { cells, rows: texts.length, issues: [] }, new Uint8Array(texts.length))
  const { values } = checker.columns[0]
  return {
    rejects,
    values: texts.map((_, row) =>
      values.kind !== 'text' || values.valid[row] === 0
        ? null
        : read(text, values.spans[row * 2], values.spans[row * 2 + 1]),
    ),
  }
}

const faults = (dataset: Dataset, ...texts: string[]): string[][] =>
  check(dataset, texts).rejects.map(({ rule, path, value, reason }) => [rule, path, value, reason])

test('a wrong item is named by its place and value', () => {
  const longs = datasetOf('  - { name: a, path: in.a, type: long, array: true }')
  expect(faults(longs, '[1, 2.5, 3]')).toEqual([['type.long', 'in.a[1]', '2.5', 'a[1] is not of type long']])
  expect(faults(longs, '[1,')).toEqual([['type.long', 'in.a', '[1,', 'a is not an array of long']])
  expect(faults(longs, '["\\u0031", [1]]')).toEqual([
    ['type.long', 'in.a[1]', '[1]', 'a[1] is not of type long'],
  ])
  const limited = datasetOf(
    '  - { name: a, array: true, required: true, max_length: 3, pattern: "[a-z]+", nulls: ["", none] }',
  )
  expect(faults(limited, '["abcd"]', '["ab","A"]', '["a",null]', '["none"]')).toEqual([
    ['format.length', 'a[0]', 'abcd', 'a[0] must have 0 to 3 characters'],
    ['format.pattern', 'a[1]', 'A', 'a[1] does not match [a-z]+'],
    ['schema.missing', 'a[1]', '', 'a[1] is required and has no value'],
    ['schema.missing', 'a[0]', 'none', 'a[0] is required and has no value'],
  ])
  expect(faults(datasetOf('  - { name: a, array: true, values: [x, y] }'), '["x","z"]')).toEqual([
    ['format.values', 'a[1]', 'z', 'a[1] is not one of x, y'],
  ])
})

test('a lone surrogate in an item is refused: no engine takes it', () => {
  expect(faults(datasetOf('  - { name: a, array: true }'), '["\\ud800"]', '["\\ud83d\\ude00"]')).toEqual([
    ['type.string', 'a[0]', '"\\ud800"', 'a[0] is not of type string'],
  ])
})

test('sub-fields are found by their path in JSON and by their name in what the XML scanner made', () => {
  const columns =
    '  - { name: lines, path: order/lines, array: true, fields: [{ name: price, path: "p/amount", type: decimal, precision: 9, scale: 2 }, { name: n, path: "@n", type: integer, required: true }] }'
  const json = datasetOf(columns)
  const good = check(json, ['[{"p":{"amount":1.50},"@n":1},{"@n":"2","p":null}]'])
  expect(good).toEqual({ rejects: [], values: ['[{"price":"1.5","n":"1"},{"price":null,"n":"2"}]'] })
  expect(
    faults(json, '[{"@n":1},{"p":{"amount":1.505},"@n":1}]', '[{"p":{}}]', '[7]', '[{"p":5,"@n":1}]'),
  ).toEqual([
    ['type.decimal', 'order/lines[1].p/amount', '1.505', 'lines[1].p/amount is not a decimal(9,2)'],
    ['schema.missing', 'order/lines[0].@n', '', 'lines[0].@n is required and has no value'],
    ['type.object', 'order/lines[0]', '7', 'lines[0] is not an object'],
    ['type.object', 'order/lines[0].p/amount', '5', 'lines[0].p/amount is not an object'],
  ])
  const xml = datasetOf(columns, '', 'record: { format: xml, path: /a/b }')
  expect(check(xml, ['[{"price":"1.50","n":"1"}]'])).toEqual({
    rejects: [],
    values: ['[{"price":"1.5","n":"1"}]'],
  })
  expect(faults(xml, '[{"price":"x","n":"1"}]')).toEqual([
    ['type.decimal', 'order/lines[0]/p/amount', 'x', 'lines[0]/p/amount is not a decimal(9,2)'],
  ])
})

test('cleaning is of items, not of the JSON around them', () => {
  expect(
    check(datasetOf('  - { name: a, array: true, case: upper, collapse: true }'), [
      '["a  b", "\\u00e9\\n", null, true]',
    ]).values,
  ).toEqual(['["A B","É",null,"TRUE"]'])
})

test('with discard_value a wrong item costs its array only', () => {
  const { rejects } = check(datasetOf('  - { name: a, type: long, array: true }', 'drift: discard_value'), [
    '[1,"x"]',
  ])
  expect(rejects.map((reject) => [reject.kind, reject.path])).toEqual([['note', 'a[1]']])
})

/** Rows of one column that break a between rule, by a checker and by exact comparison. */
function outside(type: string, more: string, [min, max]: [string, string], texts: string[]): string[] {
  const dataset = datasetOf(
    `  - { name: c, type: ${type}${more} }`,
    `rules: [{ expect_column_values_to_be_between: { column: c, min_value: ${min}, max_value: ${max} } }]`,
  )
  return check(dataset, texts).rejects.map((reject) => reject.value)
}

test('bounds hold to the last digit of 64 bits, also where YAML reads a double', () => {
  const bound = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  const near = fc
    .tuple(bound, fc.bigInt({ min: -3n, max: 3n }))
    .map(([at, by]) => (BigInt.asIntN(64, at + by) === at + by ? at + by : at))
  fc.assert(
    fc.property(bound, near, fc.array(near, { minLength: 1 }), (a, b, values) => {
      const [min, max] = a < b ? [a, b] : [b, a]
      const around = [...values, min, max, min - 1n, max + 1n].filter(
        (value) => BigInt.asIntN(64, value) === value,
      )
      const wanted = around.filter((value) => value < min || value > max).map(String)
      return (
        JSON.stringify(outside('long', '', [String(min), String(max)], around.map(String))) ===
        JSON.stringify(wanted)
      )
    }),
    { numRuns: 60 },
  )
})

test('bounds hold to the last of 38 digits, the day and the microsecond', () => {
  const digits = '1234567890123456789012345678901234567'
  expect(
    outside(
      'decimal',
      ', precision: 38, scale: 1',
      [`${digits}.1`, `${digits}.3`],
      [`${digits}.0`, `${digits}.1`, `${digits}.30`, `${digits}.4`],
    ),
  ).toEqual([digits, `${digits}.4`])
  expect(
    outside('decimal', ', precision: 9, scale: 2', ['-1', '0.10'], ['-1.01', '-1', '.1', '0.11']),
  ).toEqual(['-1.01', '0.11'])
  expect(
    outside(
      'date',
      '',
      ['2024-02-29', '2024-03-01'],
      ['2024-02-28', '2024-02-29', '2024-03-01', '2024-03-02'],
    ),
  ).toEqual(['2024-02-28', '2024-03-02'])
  expect(
    outside(
      'timestamp',
      '',
      ['9999-01-01T00:00:00.000001Z', '9999-12-31T23:59:59.999998Z'],
      ['9999-01-01T00:00:00Z', '9999-01-01T00:00:00.000001Z', '9999-12-31T23:59:59.999999Z'],
    ),
  ).toEqual(['9999-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z'])
  expect(
    outside(
      'timestamp',
      ', timezone: Europe/Berlin',
      ['2024-07-01', '2024-07-02'],
      ['2024-06-30T21:59:59Z', '2024-06-30T22:00:00Z'],
    ),
  ).toEqual(['2024-06-30T21:59:59Z'])
  expect(
    outside(
      'uuid',
      '',
      ['10000000-0000-0000-0000-000000000000', 'F0000000-0000-0000-0000-000000000000'],
      ['3f0ae2be-81a2-4ac7-9a33-eec256613c57', 'ff0ae2be-81a2-4ac7-9a33-eec256613c57'],
    ),
  ).toEqual(['ff0ae2be-81a2-4ac7-9a33-eec256613c57'])
})

test.each([
  ['long', '9223372036854775807, 5', ['9223372036854775807', '9223372036854775806', '05']],
  [
    'decimal, precision: 20, scale: 2',
    '1.50, 12345678901234567.89',
    ['1.5', '1.51', '12345678901234567.89', '12345678901234567.88'],
  ],
  ['date', '2024-02-29', ['2024-02-29', '2024-03-01']],
  ['timestamp', '"2024-02-29T01:00:00+01:00"', ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000001Z']],
  ['boolean', 'true', ['1', '0']],
  ['double', '0.1, 5', ['0.10', '0.2', '5.0']],
  ['string', 'a, 5', ['a', '5', '5.0']],
])('a set of type %s holds values, not spellings', (type, set, texts) => {
  const dataset = datasetOf(
    `  - { name: c, type: ${type} }`,
    `rules: [{ expect_column_values_to_be_in_set: { column: c, value_set: [${set}] } }]`,
  )
  const wrong = type === 'string' ? ['5.0'] : [texts[1]]
  const broken = check(dataset, texts).rejects.map((reject) => texts[reject.row])
  expect(broken).toEqual(type.startsWith('decimal') ? [texts[1], texts[3]] : wrong)
})

test('a long value is quoted up to a whole character, in a type, an item and a rule', () => {
  // The character of four bytes begins at each of the last four places.
  for (let before = 252; before <= 256; before += 1) {
    const text = `${'x'.repeat(before)}\u{1f600}\u{1f600}`
    const whole = 'x'.repeat(before) + (before === 252 ? '\u{1f600}' : '')
    expect(faults(datasetOf('  - { name: a, type: long }'), text)[0][2]).toBe(whole)
    const items = datasetOf('  - { name: a, type: long, array: true }')
    expect(faults(items, JSON.stringify([text]))[0][2]).toBe(whole)
    const rule = 'rules:\n  - expect_column_values_to_match_regex: { column: a, regex: "y" }'
    const ruled = faults(datasetOf('  - { name: a }', rule), text)[0][2]
    expect(ruled.isWellFormed() && text.startsWith(ruled) && ruled.length >= before).toBe(true)
  }
})
