/** Keys of drafts: what the sample proves, in the order in which people would choose, or none and a word. */
import { expect, test } from 'vitest'
import { inferKey, inferPartition, type KeyCandidate } from '../../src/dataset/infer-key.ts'

const columns = (
  table: Record<string, [type: KeyCandidate['type'], values: string[] | undefined]>,
): KeyCandidate[] =>
  Object.entries(table).map(([name, [type, values]], position) => ({
    name,
    type,
    format: 'iso',
    position,
    values,
  }))
const keyOf = (table: Parameters<typeof columns>[0], records: number): string[] =>
  inferKey(columns(table), records).key

test('a key is unique and always there, an identifier before another column, one before two', () => {
  expect(
    keyOf(
      {
        airport: ['string', ['A', 'A', 'B']],
        date: ['date', ['2024-01-01', '2024-01-02', '2024-01-01']],
        cost: ['integer', ['10', '20', '5']],
      },
      3,
    ),
  ).toEqual(['airport', 'date'])
  expect(
    keyOf({ name: ['string', ['a', 'b']], order_id: ['integer', ['1', '2']], ref: ['uuid', ['u', 'v']] }, 2),
  ).toEqual(['ref'])
  expect(keyOf({ name: ['string', ['a', 'b']], order_id: ['integer', ['1', '2']] }, 2)).toEqual(['order_id'])
  expect(keyOf({ name: ['string', ['a', 'b']], order_id: ['integer', ['1', '1']] }, 2)).toEqual(['name'])
  expect(
    keyOf(
      {
        a: ['string', ['x', 'x', 'x', 'y']],
        b: ['string', ['1', '1', '2', '1']],
        c: ['string', ['p', 'q', 'p', 'p']],
      },
      4,
    ),
  ).toEqual(['a', 'b', 'c'])
})

test('two columns are told apart whatever signs they hold', () => {
  const parts = { a: ['x\u0000y', 'x', 'x', 'x\u0000y'], b: ['z', 'y\u0000z', 'z', 'y\u0000z'] }
  expect(keyOf({ a: ['string', parts.a], b: ['string', parts.b] }, 4)).toEqual(['a', 'b'])
})

test('no key where the sample disproves all, or proves nothing', () => {
  expect(
    keyOf(
      {
        a: ['string', ['x', 'x']],
        items: ['string', undefined],
        price: ['decimal', ['1.5', '2.5']],
        flag: ['boolean', ['true', 'false']],
      },
      2,
    ),
  ).toEqual([])
  expect(keyOf({ first_name: ['string', ['Ann', 'Bob']], comment: ['string', ['p', 'q']] }, 2)).toEqual([])
  expect(keyOf({ id: ['integer', ['1']] }, 1)).toEqual([])
  expect(inferKey([], 0).reason).toMatch(/no record/)
  // Two texts of one instant are one key.
  expect(keyOf({ at: ['timestamp', ['2024-01-01T10:00:00Z', '2024-01-01T11:00:00+01:00']] }, 2)).toEqual([])
})

test('a partition has enough records, by day, month or year', () => {
  const days = (count: number, each: number): string[] =>
    Array.from({ length: count * each }, (_, i) =>
      new Date(Math.floor(i / each) * 86_400_000).toISOString().slice(0, 10),
    )
  const of = (values: string[] | undefined, records: number): string | undefined =>
    inferPartition(columns({ at: ['date', values] }), records)?.transform
  expect(of(days(5, 20), 100)).toBe('identity')
  expect(of(days(300, 1), 300)).toBe('month')
  expect(of(days(1000, 1), 1000)).toBe('month')
  expect(of(days(5000, 1), 5000)).toBe('month')
  expect(of(days(10, 1), 10)).toBe('month')
  expect(of(days(3, 1), 3)).toBeUndefined()
  expect(of(undefined, 100)).toBeUndefined()
})
