/** Text to values: right, or refused; nothing is coerced. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ensureRows } from '../../src/core/rows.ts'
import { checkDataset } from '../../src/dataset/check.ts'
import type { Dataset } from '../../src/dataset/declaration.ts'
import { compileColumn } from '../../src/quality/column-check.ts'
import { compileTemporal } from '../../src/quality/temporal.ts'
import { booleanOf, daysOf, decimalOf, doubleOf, integerOf, longOf, uuidKind } from '../../src/quality/values.ts'

const integer = (text: string): number => integerOf(Buffer.from(text), 0, Buffer.byteLength(text))

test.each([['12', 12], ['-7', -7], ['+7', 7], ['00123', 123], ['0', 0]])('reads %s as the integer %d', (text, value) => {
  expect(integer(text)).toBe(value)
})

test.each(['', '-', '1.0', '1e5', '0x1F', '1 2', '١', '12345678901234567890', 'NaN'])('refuses %j as an integer', (text) => {
  expect(integer(text)).toBeNaN()
})

test('integers survive the way from number to text and back', () => {
  fc.assert(fc.property(fc.integer({ min: -999_999_999_999_999, max: 999_999_999_999_999 }), (value) => integer(String(value)) === value || Object.is(value, -0)))
})

test('longs are exact to the last of 64 bits, and no further', () => {
  expect(longOf('9223372036854775807')).toBe(9223372036854775807n)
  expect(longOf('-9223372036854775808')).toBe(-9223372036854775808n)
  expect(longOf('9223372036854775808')).toBeUndefined()
})

test.each([
  ['12.50', 6, 2, '12.5'],
  ['-0.01', 4, 2, '-0.01'],
  ['007', 3, 0, '7'],
  ['.5', 3, 1, '0.5'],
  ['99999999999999999999999999999999999.999', 38, 3, '99999999999999999999999999999999999.999'],
])('reads %s as decimal(%d,%d) %s', (text, precision, scale, value) => {
  expect(decimalOf(text, precision, scale)).toBe(value)
})

test.each([['12.345', 6, 2], ['12345', 6, 2], ['1e3', 6, 2], ['', 6, 2], ['.', 6, 2]])('refuses %s as decimal(%d,%d)', (text, precision, scale) => {
  expect(decimalOf(text, precision, scale)).toBeUndefined()
})

test('doubles and booleans know their own words only', () => {
  expect(doubleOf('1e5')).toBe(100_000)
  expect(Object.is(doubleOf('-0.0'), 0)).toBe(true)
  for (const text of ['NaN', 'Infinity', '0x10', '1,5', '']) expect(doubleOf(text)).toBeNaN()
  expect([booleanOf('TRUE'), booleanOf('0'), booleanOf('yes')]).toEqual([true, false, undefined])
})

test('uuids: canonical, with capitals, or none', () => {
  const kind = (text: string): number => uuidKind(Buffer.from(text), 0, Buffer.byteLength(text))
  expect(kind('3f0ae2be-81a2-4ac7-9a33-eec256613c57')).toBe(1)
  expect(kind('3F0AE2BE-81a2-4ac7-9a33-eec256613c57')).toBe(2)
  for (const text of ['3f0ae2be81a24ac79a33eec256613c57', '3f0ae2be-81a2-4ac7-9a33-eec256613c5', 'gf0ae2be-81a2-4ac7-9a33-eec256613c57', '3f0ae2be-81a2-4ac7-9a33eec256613c57-']) expect(kind(text)).toBe(0)
})

test('calendar days agree with the platform, and there is no 30 February', () => {
  fc.assert(fc.property(fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true }), (date) => daysOf(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()) === Math.floor(date.getTime() / 86_400_000)))
  for (const [year, month, day] of [[2023, 2, 29], [2024, 2, 30], [2024, 13, 1], [2024, 4, 31], [1900, 2, 29]]) expect(daysOf(year, month, day)).toBeNaN()
})

test('timestamps: ISO with offset, patterns, zones, and the clock changes of Berlin', () => {
  const at = (format: string, zone: string, text: string): string => {
    const micros = compileTemporal(format, zone).timestamp(text)
    return Number.isNaN(micros) ? 'refused' : new Date(micros / 1000).toISOString()
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
})

test.each(['string', 'uuid', 'integer', 'long'])('length limits hold for a column of type %s, in bulk as for one value', (type) => {
  const value = type === 'string' ? 'abcde' : type === 'uuid' ? '3f0ae2be-81a2-4ac7-9a33-eec256613c57' : '12345'
  const { columns } = checkDataset(`dataset: d\nsource: { files: { path: in } }\nrecord: { format: xml, path: /a/b }\ncolumns:\n  - { name: c, type: ${type}, max_length: 4 }\n`).dataset as Dataset
  const check = compileColumn(columns[0])
  ensureRows(check.values, 1)
  const broken: string[] = []
  check.checkAll({ bytes: Buffer.from(value), append: () => ({ start: 0, length: 0 }) }, Int32Array.of(0, value.length), 0, 1, 1, new Uint8Array(1), (_, rule) => broken.push(rule))
  expect(broken).toEqual(['format.length'])
})
