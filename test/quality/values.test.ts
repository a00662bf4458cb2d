/** Text to values: right, or refused; nothing is coerced. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { daysOf } from '../../src/core/calendar.ts'
import { bigFromWords, ensureRows } from '../../src/core/rows.ts'
import { checkDataset } from '../../src/dataset/check.ts'
import type { Dataset } from '../../src/dataset/declaration.ts'
import { compareDecimals } from '../../src/quality/canonical.ts'
import { compileColumn } from '../../src/quality/column-check.ts'
import { timestampReader } from '../../src/quality/temporal.ts'
import {
  NO_DECIMAL,
  SPAN_OF_TEXT,
  booleanOf,
  decimalInto,
  decimalText,
  doubleOf,
  integerOf,
  longInto,
  uuidKind,
} from '../../src/quality/values.ts'

/** The text somewhere inside of bytes, where what stands around it must not matter. */
function spanned<T>(text: string, read: (b: Uint8Array, start: number, length: number) => T): T {
  const bytes = Buffer.from(`9-${text}9.5`)
  return read(bytes, 2, Buffer.byteLength(text))
}

const integer = (text: string): number => spanned(text, integerOf)
const long = (text: string): bigint | undefined => {
  const words = new Int32Array(4)
  return spanned(text, (b, start, length) => longInto(b, start, length, { words, row: 1 }))
    ? bigFromWords(words, 1)
    : undefined
}
const decimalOf = (text: string, precision: number, scale: number): string | undefined =>
  spanned(text, (b, start, length) => {
    const spans = new Int32Array(2)
    const kind = decimalInto(b, start, length, { whole: precision - scale, scale, spans, row: 0 })
    if (kind === NO_DECIMAL) return undefined
    return kind === SPAN_OF_TEXT
      ? Buffer.from(b).toString('utf8', spans[0], spans[0] + spans[1])
      : decimalText(b, start, length)
  })

test.each([
  ['12', 12],
  ['-7', -7],
  ['+7', 7],
  ['00123', 123],
  ['0', 0],
  ['-0', 0],
  [`${'0'.repeat(40)}12`, 12],
])('reads %s as the integer %d', (text, value) => {
  expect(integer(text)).toBe(value)
})

test.each(['', '-', '1.0', '1e5', '0x1F', '1 2', '١', '12345678901234567890', 'NaN', '1_000'])(
  'refuses %j as an integer',
  (text) => {
    expect(integer(text)).toBeNaN()
  },
)

test('integers survive the way from number to text and back', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -999_999_999_999_999, max: 999_999_999_999_999 }),
      (value) => integer(String(value)) === value || Object.is(value, -0),
    ),
  )
})

test('longs are exact to the last of 64 bits, and no further', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), fc.nat(30), (value, zeros) => {
      const text = `${value < 0n ? '-' : ''}${'0'.repeat(zeros)}${value < 0n ? -value : value}`
      return long(text) === (BigInt.asIntN(64, value) === value ? value : undefined)
    }),
  )
  for (const value of [2n ** 63n - 1n, -(2n ** 63n), 2n ** 32n, 2n ** 53n + 1n, -1n, -(2n ** 32n)])
    expect(long(String(value))).toBe(value)
  for (const text of [
    '9223372036854775808',
    '-9223372036854775809',
    '',
    '+',
    '1.0',
    '1e3',
    '99999999999999999999',
  ])
    expect(long(text)).toBeUndefined()
})

test.each([
  ['12.50', 6, 2, '12.5'],
  ['-0.01', 4, 2, '-0.01'],
  ['007', 3, 0, '7'],
  ['-007.10', 3, 1, '-7.1'],
  ['.5', 3, 1, '0.5'],
  ['-.5', 3, 1, '-0.5'],
  ['5.', 3, 1, '5'],
  ['-0.00', 3, 1, '0'],
  ['-00.5', 3, 1, '-0.5'],
  ['+0.5', 3, 3, '0.5'],
  ['99999999999999999999999999999999999.999', 38, 3, '99999999999999999999999999999999999.999'],
])('reads %s as decimal(%d,%d) %s', (text, precision, scale, value) => {
  expect(decimalOf(text, precision, scale)).toBe(value)
})

test.each([
  ['12.345', 6, 2],
  ['12345', 6, 2],
  ['1e3', 6, 2],
  ['', 6, 2],
  ['.', 6, 2],
  ['-', 6, 2],
  ['1.2.3', 6, 4],
  ['1', 3, 3],
])('refuses %s as decimal(%d,%d)', (text, precision, scale) => {
  expect(decimalOf(text, precision, scale)).toBeUndefined()
})

test('decimals are compared by all of their digits', () => {
  const decimal = fc.tuple(fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }), fc.constantFrom(0, 5, 20))
  fc.assert(
    fc.property(decimal, decimal, ([a, aScale], [b, bScale]) => {
      const text = (value: bigint, scale: number): string => {
        const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
        const whole = `${value < 0n ? '-' : ''}${digits.slice(0, digits.length - scale)}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`
        return decimalText(Buffer.from(whole), 0, whole.length)
      }
      const order = a * 10n ** BigInt(20 - aScale) - b * 10n ** BigInt(20 - bScale)
      return (
        Math.sign(compareDecimals(text(a, aScale), text(b, bScale))) ===
        Number(order > 0n) - Number(order < 0n)
      )
    }),
  )
})

test('doubles are the nearest ones, and know no other words', () => {
  const double = (text: string): number => spanned(text, doubleOf)
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (value) => double(String(value)) === value,
    ),
  )
  fc.assert(
    fc.property(
      fc.stringMatching(/^[+-]?\d{1,25}\.\d{0,25}(e[+-]?\d{1,2})?$/),
      (text) => double(text) === Number(text),
    ),
  )
  expect(Object.is(double('-0.0'), 0)).toBe(true)
  expect(Object.is(double('-1e-400'), 0)).toBe(true)
  for (const text of [
    'NaN',
    'Infinity',
    '0x10',
    '1,5',
    '',
    '1e400',
    '-1e999',
    '1e',
    '.',
    '.e5',
    '1_0',
    '1e5.5',
    '1d',
    '1f',
  ])
    expect(double(text)).toBeNaN()
})

test('booleans: two words in any case, and two digits', () => {
  expect(
    ['TRUE', 'false', 'tRuE', '1', '0', 'yes', 't', '', '2', 'truE '].map((text) => spanned(text, booleanOf)),
  ).toEqual([1, 0, 1, 1, 0, -1, -1, -1, -1, -1])
})

test('uuids: canonical, with capitals, or none', () => {
  const kind = (text: string): number => spanned(text, uuidKind)
  expect(kind('3f0ae2be-81a2-4ac7-9a33-eec256613c57')).toBe(1)
  expect(kind('3F0AE2BE-81a2-4ac7-9a33-eec256613c57')).toBe(2)
  for (const text of [
    '3f0ae2be81a24ac79a33eec256613c57',
    '3f0ae2be-81a2-4ac7-9a33-eec256613c5',
    'gf0ae2be-81a2-4ac7-9a33-eec256613c57',
    '3f0ae2be-81a2-4ac7-9a33eec256613c57-',
  ])
    expect(kind(text)).toBe(0)
})

test('calendar days agree with the platform, and there is no 30 February', () => {
  fc.assert(
    fc.property(
      fc.date({
        min: new Date('0001-01-01T00:00:00Z'),
        max: new Date('9999-12-31T00:00:00Z'),
        noInvalidDate: true,
      }),
      (date) =>
        daysOf(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()) ===
        Math.floor(date.getTime() / 86_400_000),
    ),
  )
  for (const [year, month, day] of [
    [2023, 2, 29],
    [2024, 2, 30],
    [2024, 13, 1],
    [2024, 4, 31],
    [1900, 2, 29],
    [0, 1, 1],
    [10_000, 1, 1],
  ])
    expect(daysOf(year, month, day)).toBeNaN()
})

test('timestamps: ISO with offset, patterns, zones, and the clock changes of Berlin', () => {
  const at = (format: string, zone: string, text: string): string => {
    const words = new Int32Array(2)
    const isRead = spanned(text, (b, start, length) =>
      timestampReader(format, zone)(b, start, length, { words, row: 0 }),
    )
    return isRead ? new Date(Number(bigFromWords(words, 0)) / 1000).toISOString() : 'refused'
  }
  expect(at('iso', '', '2026-03-29T10:00:00+02:00')).toBe('2026-03-29T08:00:00.000Z')
  expect(at('iso', '', '2026-03-29T10:00:00')).toBe('refused')
  expect(at('dd.MM.yyyy HH:mm', 'Europe/Berlin', '01.07.2026 12:00')).toBe('2026-07-01T10:00:00.000Z')
  expect(at('dd.MM.yyyy HH:mm', 'Europe/Berlin', '01.01.2026 12:00')).toBe('2026-01-01T11:00:00.000Z')
  // 02:30 is skipped on 29 March 2026: it moves forward by the hour that is missing.
  expect(at('yyyy-MM-dd HH:mm', 'Europe/Berlin', '2026-03-29 02:30')).toBe('2026-03-29T01:30:00.000Z')
  // 02:30 comes twice on 25 October 2026: the first is meant.
  expect(at('yyyy-MM-dd HH:mm', 'Europe/Berlin', '2026-10-25 02:30')).toBe('2026-10-25T00:30:00.000Z')
  expect(at('iso', '', '2026-13-01T00:00:00Z')).toBe('refused')
  expect(at('iso', '', '2026-12-01T24:00:00Z')).toBe('refused')
  expect(at('EEE, d MMM yyyy HH:mm:ss Z', '', 'Wed, 2 Oct 2002 13:00:00 GMT')).toBe(
    '2002-10-02T13:00:00.000Z',
  )
  expect(at('EEE, d MMM yyyy HH:mm:ss Z', '', 'Wed, 02 Oct 2002 08:00:00 EST')).toBe(
    '2002-10-02T13:00:00.000Z',
  )
  expect(at('EEE, d MMM yyyy HH:mm:ss Z', '', 'Thu, 02 Oct 2002 13:00:00 GMT')).toBe('refused')
  expect(at('epoch_ms', '', '-1')).toBe('1969-12-31T23:59:59.999Z')
})

test.each([
  ['string', 'abcde'],
  ['uuid', '3f0ae2be-81a2-4ac7-9a33-eec256613c57'],
  ['integer', '12345'],
  ['long', '12345'],
])('length limits hold for a column of type %s, in bulk as for one value', (type, value) => {
  const { columns } = checkDataset(
    `dataset: d\nsource: { files: { path: in } }\nrecord: { format: xml, path: /a/b }\ncolumns:\n  - { name: c, type: ${type}, max_length: 4 }\n`,
  ).dataset as Dataset
  const check = compileColumn(columns[0])
  ensureRows(check.values, 1)
  const broken: string[] = []
  check.checkAll(
    {
      text: { bytes: Buffer.from(value), append: () => ({ start: 0, length: 0 }) },
      cells: Int32Array.of(0, value.length),
      index: 0,
      width: 1,
      rows: 1,
      skip: new Uint8Array(1),
    },
    (_, rule) => broken.push(rule),
  )
  expect(broken).toEqual(['format.length'])
})
