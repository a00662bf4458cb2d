/**
 * Types of drafts: each gives every text of the sample back, and a text that none gives back stays a text.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Writing } from '../../src/core/outline.ts'
import { instantOf } from '../../src/dataset/infer-temporal.ts'
import { inferType, type TypeDraft } from '../../src/dataset/infer-type.ts'
import { normalizeColumn } from '../../src/dataset/normalize.ts'
import { compileColumn } from '../../src/quality/column-check.ts'

const settingsOf = ({ type, settings }: TypeDraft): string =>
  [type, ...Object.entries(settings).map(([name, value]) => `${name}=${String(value)}`)].join(' ')

const TEXTS: [values: string[], wanted: string][] = [
  [['1', '2', '-3', '0'], 'integer'],
  [['1', '0', '1'], 'integer'],
  [['123456789', '1234567890'], 'long'],
  [['9223372036854775807', '-9223372036854775808'], 'long'],
  [['9223372036854775808'], 'decimal precision=23 scale=0'],
  [['4111111111111111', '5500005555555559'], 'long'],
  [['1'.repeat(38)], 'decimal precision=38 scale=0'],
  [['1'.repeat(39)], 'string'],
  [['02116', '10001'], 'string'],
  [['10001', '10002', '007'], 'string'],
  [['+491512345', '+491598765'], 'string'],
  [['-0', '1'], 'string'],
  [['-0.0', '1.5'], 'string'],
  [['1.', '2.5'], 'string'],
  [['3.50', '10.25'], 'decimal precision=18 scale=2'],
  [['5', '3.50'], 'decimal precision=18 scale=4'],
  [['1.5', '2.25', '3'], 'decimal precision=18 scale=4'],
  [['1.0', '2.5', '3.25'], 'decimal precision=18 scale=4'],
  [['1', '1.0', '2.5'], 'string'],
  [['1.10', '1.9', '1.1'], 'string'],
  [['.5', '1.25'], 'decimal precision=18 scale=4'],
  [['.5', '0.5'], 'string'],
  [['0.1234567890123456789012', '12345678901234567890.5'], 'string'],
  [['1e5', '2.5E-3'], 'double'],
  [['1e5', '2'], 'string'],
  [['1e400'], 'string'],
  [['1.00000000000000000001e0'], 'string'],
  [['0x1F', '12'], 'string'],
  [['1_000', '12'], 'string'],
  [['1,5', '2,5'], 'string'],
  [['NaN', '1.5'], 'string'],
  [['1', 'NA', '3'], 'string'],
  [['1', '', '3'], 'integer'],
  [[' 1', '2 '], 'integer'],
  [[' a', 'b'], 'string trim=false'],
  [['a', ''], 'string nulls='],
  [['', ''], 'string nulls='],
  [[], 'string'],
  [['true', 'FALSE'], 'boolean'],
  [['true', '1'], 'string'],
  [['yes', 'no'], 'string'],
  [['550e8400-e29b-41d4-a716-446655440000'], 'uuid'],
  [['550E8400-E29B-41D4-A716-446655440000'], 'string'],
  [['2024-02-29', '2023-01-01'], 'date'],
  [['2023-02-29', '2023-01-01'], 'string'],
  [['2024-01-01T10:00:00Z', '2024-01-01 10:00:00.123456+02:00'], 'timestamp'],
  [['2024-01-01T10:00:00.123456789Z'], 'string'],
  [['2024-01-01T24:00:00Z'], 'string'],
  [['2024-01-01T10:00:60Z'], 'string'],
  [['2024-01-01T10:00', '2024-01-02T11:30'], 'timestamp timezone=UTC'],
  [['2024-01-01T10:00Z', '2024-01-02T11:30'], 'string'],
  [['2024-01-01', '2024-01-02T11:30Z'], 'string'],
  [['0001-01-01T00:00:00+01:00'], 'string'],
  [['13/01/2024', '02/03/2024'], 'date format=dd/MM/yyyy'],
  [['01/13/2024', '02/03/2024'], 'date format=MM/dd/yyyy'],
  [['1/13/2024', '12/3/2024'], 'date format=M/d/yyyy'],
  [['01/02/2024', '03/04/2024'], 'string'],
  [['13/01/2024', '01/13/2024'], 'string'],
  [['31.12.2024 23:59', '01.01.2025 00:00'], 'timestamp format=dd.MM.yyyy HH:mm timezone=UTC'],
  [['20240115', '20240116'], 'integer'],
  [['Jan 1 2000'], 'string'],
  [['10:30', '11:45'], 'string'],
]

describe('text', () => {
  test.each(TEXTS)('%j is %s', (values, wanted) => {
    expect(settingsOf(inferType(values))).toBe(wanted)
  })

  test.each([
    ['zip_code', ['10001', '94110'], 'string'],
    ['phone', ['4915112345', '4915198765'], 'string'],
    ['order_date', ['20240115', '20240116', '20240117'], 'date format=yyyyMMdd'],
    ['order_date', ['20240115', '20241301', '20240117'], 'integer'],
    ['order_no', ['20240115', '20240116', '20240117'], 'integer'],
  ])('a column named %s with %j is %s', (name, values, wanted) => {
    expect(settingsOf(inferType(values, { name }))).toBe(wanted)
  })
})

describe('JSON', () => {
  test.each<[Writing, string[], string]>([
    ['string', ['007', '008'], 'string'],
    ['string', ['1', '2'], 'string'],
    ['string', ['true'], 'boolean'],
    ['string', ['2024-01-01'], 'date'],
    ['string', ['2024-01-01', ''], 'string nulls='],
    ['number', ['1.10', '2.5'], 'decimal precision=18 scale=4'],
    ['number', ['1', '2.5', '0'], 'decimal precision=18 scale=3'],
    ['number', ['1', '5e-7'], 'double'],
    ['number', ['12345678901234567890'], 'decimal precision=24 scale=0'],
    ['number', ['1e400'], 'string'],
    ['number', ['-0'], 'string'],
    ['boolean', ['true', 'false'], 'boolean'],
    ['json', ['{"a":1}'], 'string'],
  ])('%s %j is %s', (writing, values, wanted) => {
    expect(settingsOf(inferType(values, { writing }))).toBe(wanted)
  })
})

const digits = fc.stringMatching(/^\d{1,40}$/)
const text = fc.oneof(
  digits,
  fc
    .tuple(
      fc.constantFrom('', '-', '+'),
      digits,
      fc.constantFrom('', '.', '.0', '.10', '.125'),
      fc.constantFrom('', '', '', 'e5', 'E-3', 'e400'),
    )
    .map((parts) => parts.join('')),
  fc.integer().map(String),
  fc.double({ noNaN: true }).map(String),
  fc
    .date({ noInvalidDate: true, min: new Date('0001-01-01'), max: new Date('9999-12-31') })
    .map((date) => date.toISOString()),
  fc
    .date({ noInvalidDate: true, min: new Date('0001-01-01'), max: new Date('9999-12-31') })
    .map((date) => date.toISOString().slice(0, 10).split('-').toReversed().join('/')),
  fc.constantFrom('', ' ', 'NA', 'null', 'true', 'FALSE', '0x1F', ' x ', '2024-02-30', '24:00', 'é'),
)
const TEXTS_OF = {
  integer: fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }).map(String),
  decimal: fc
    .tuple(fc.integer(), fc.integer({ min: 0, max: 9999 }))
    .map(([whole, part]) => `${whole}.${part}`),
  iso: fc
    .date({ noInvalidDate: true, min: new Date('0001-01-02'), max: new Date('9999-12-30') })
    .map((date) => date.toISOString()),
}
/** Mostly of one kind, as columns are. */
const column = fc.oneof(
  fc.array(text, { minLength: 1, maxLength: 8 }),
  fc
    .constantFrom('integer', 'decimal', 'iso')
    .chain((kind) => fc.array(TEXTS_OF[kind], { minLength: 1, maxLength: 8 })),
)

test('what is drafted takes each value of the sample as it is', () => {
  fc.assert(
    fc.property(column, fc.constantFrom<Writing>('text', 'string'), (values, writing) => {
      const draft = inferType(values, { writing })
      const check = compileColumn(normalizeColumn({ name: 'c', type: draft.type, ...draft.settings }))
      for (const value of values)
        expect(roundTrip(check, value), `${value} by ${settingsOf(draft)}`).toBe(true)
    }),
    { numRuns: Number(process.env.HEADRACE_TEST_PROPERTY_RUNS ?? 3_000), seed: 14 },
  )
})

/** Checks one value and says whether what the check keeps is what the text says. */
function roundTrip(check: ReturnType<typeof compileColumn>, value: string): boolean {
  let bytes = Buffer.from(value)
  const { column: declared, values } = check
  Object.assign(values, {
    valid: new Uint8Array(1),
    spans: new Int32Array(2),
    int32: new Int32Array(1),
    words: new Int32Array(2),
    double: new Float64Array(1),
  })
  const source = {
    get bytes() {
      return bytes
    },
    append(added: string) {
      const start = bytes.length
      bytes = Buffer.concat([bytes, Buffer.from(added)])
      return { start, length: bytes.length - start }
    },
  }
  if (check.check(source, 0, 0, bytes.length) !== undefined) return false
  if (values.valid[0] === 0) return value.trim() === ''
  const kept =
    values.kind === 'text' ? bytes.toString('utf8', values.spans[0], values.spans[0] + values.spans[1]) : ''
  const long = (BigInt(values.words[1]) << 32n) | BigInt(values.words[0] >>> 0)
  switch (declared.type) {
    case 'integer':
      return String(values.int32[0]) === value.trim()
    case 'long':
      return String(long) === value.trim()
    case 'decimal':
      return scaled(kept) === scaled(value.trim())
    case 'double':
      return values.double[0] === Number(value)
    case 'boolean':
      return (values.int32[0] === 1) === /true/i.test(value)
    case 'date':
      return BigInt(values.int32[0]) === instantOf(value.trim(), 'date', declared.format)
    case 'timestamp':
      return long === BigInt(Date.parse(value.trim())) * 1000n
    default:
      return kept === value
  }
}

function scaled(number: string): bigint {
  const [whole, fraction = ''] = number.split('.')
  return BigInt(`${whole === '' || whole === '-' ? `${whole}0` : whole}${fraction.padEnd(40, '0')}`)
}
