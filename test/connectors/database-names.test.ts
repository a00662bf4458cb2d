/** Names of tables as users write them, and days that never were. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isNoDay } from '../../src/connectors/mysql/file-type.ts'
import { nearNames } from '../../src/connectors/near-names.ts'
import { namesMeantBy } from '../../src/connectors/postgres/names.ts'
import { fileType } from '../../src/connectors/postgres/file-type.ts'

const part = fc.string({
  minLength: 1,
  maxLength: 12,
  unit: fc.constantFrom('a', 'B', '.', '"', ' ', 'ä', '🙂', '_'),
})
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`

test('a name in quotes means that name first, whatever is in it; without quotes too, when it has none that matter', () => {
  fc.assert(
    fc.property(part, part, (schema, table) => {
      expect(namesMeantBy(`${quoted(schema)}.${quoted(table)}`)[0]).toEqual([schema, table])
      expect(namesMeantBy(`"db".${quoted(schema)}.${quoted(table)}`, 'db')[0]).toEqual([schema, table])
      expect(namesMeantBy(quoted(table))[0]).toEqual([table])
      // However it is written, the name itself is among what it can mean.
      expect(namesMeantBy(`${schema}.${table}`)).toContainEqual([schema, table])
      expect(namesMeantBy(table)).toContainEqual([table])
    }),
  )
})

test('names that PostgreSQL would cut are none', () => {
  expect(namesMeantBy('a'.repeat(63))).toEqual([['a'.repeat(63)]])
  expect(namesMeantBy('ä'.repeat(32))).toEqual([])
})

test('what is near: another case, other signs between the words, a letter too many', () => {
  const known = ['orders_2026', 'Orders', 'customers', 'x'].map((table) => ({
    schema: 'public',
    table,
    written: `public.${table}`,
  }))
  expect(nearNames('ORDERS2026', known)).toEqual(['public.orders_2026'])
  expect(nearNames('public.order', known)).toEqual(['public.Orders'])
  expect(nearNames('costumers', known)).toEqual(['public.customers'])
  expect(nearNames('something else', known)).toEqual([])
})

test('numeric is as wide as what it can hold: scale beyond precision, a scale below zero, more than a file has', () => {
  const duck = (type: string): string => fileType(type).duckType
  expect(duck('numeric(2,5)')).toBe('DECIMAL(5, 5)')
  expect(duck('numeric(3,-2)')).toBe('DECIMAL(5, 0)')
  expect(duck('numeric(38,38)')).toBe('DECIMAL(38, 38)')
  expect(duck('numeric(2,39)')).toBe('VARCHAR')
  expect(duck('numeric(39,0)')).toBe('VARCHAR')
  expect(duck('numeric(30,-9)')).toBe('VARCHAR')
  expect(duck('numeric')).toBe('VARCHAR')
})

test('days that never were, against the calendar of this machine', () => {
  const number = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max })
  const days = fc.tuple(
    fc.oneof(number(9999), fc.constantFrom(0, 1900, 2000, 2024, 2025)),
    number(12),
    number(31),
  )
  fc.assert(
    fc.property(days, ([year, month, day]) => {
      const text = `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`
      const date = new Date(`${text}T00:00:00Z`)
      const exists = year > 0 && !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text)
      expect(isNoDay(text), text).toBe(!exists)
      expect(isNoDay(`${text} 12:00:00+00`), text).toBe(!exists)
    }),
    { numRuns: 2_000 },
  )
})
