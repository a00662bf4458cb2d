/** Keys in order, each with its first row, whatever the order in which an engine's threads deliver them. */
import { expect, test } from 'vitest'
import { createChance } from '../support/chance.ts'
import { createKeyCollector, missingKeys } from '../../src/planning/sorted-keys.ts'

const chance = createChance(7)
const word = (): number => Math.floor(chance() * 4_294_967_296) | 0

/** Rows as [four words, position], sorted and deduplicated by plain comparison. */
function oracle(rows: number[][]): string[] {
  const least = new Map<string, number>()
  const order = rows.toSorted((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3])
  for (const row of order) {
    const key = row.slice(0, 4).join()
    least.set(key, Math.min(row[4], least.get(key) ?? Infinity))
  }
  return [...least].map(([key, position]) => `${key}@${position}`)
}

function collected(rows: number[][], part = 0, of = 1): string[] {
  const collector = createKeyCollector(10)
  collector.begin(part, of)
  for (let from = 0; from < rows.length; from += 1000) {
    const chunk = rows.slice(from, from + 1000)
    collector.add(
      Int32Array.from(chunk.flatMap((row) => row.slice(0, 4))),
      Float64Array.from(chunk.map((row) => row[4])),
      chunk.length,
    )
  }
  const { words, positions, count } = collector.sorted()
  return Array.from({ length: count }, (_, i) => `${words.subarray(i * 4, i * 4 + 4).join()}@${positions[i]}`)
}

const KINDS: [string, (i: number) => number[]][] = [
  ['hashes', () => [word(), word(), word(), word()]],
  [
    'few keys, many times each',
    () => [word() % 20, 1, 2, 3].map((part, i) => (i === 0 ? part * 100_000_007 : part) | 0),
  ],
  ['one key', () => [-5, 5, -5, 5]],
  ['keys that differ in their last word only', () => [77, 77, 77, word() % 50]],
]

test.each(KINDS)('%s', (_, make) => {
  for (const size of [1, 2, 100, 30_000]) {
    const rows = Array.from({ length: size }, (_unused, i) => [...make(i), i])
    const shuffled = rows
      .map((row) => ({ row, at: chance() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ row }) => row)
    expect(collected(shuffled)).toEqual(oracle(rows))
    expect([0, 1, 2].flatMap((part) => collected(shuffled, part, 3)).toSorted()).toEqual(
      oracle(rows).toSorted(),
    )
  }
})

test('what is published is left out', () => {
  const collector = createKeyCollector(4)
  collector.add(Int32Array.from([3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]), Float64Array.from([10, 11, 12]), 3)
  const missing = missingKeys(collector.sorted(), Uint8Array.from([0, 1, 0]))
  expect([missing.count, [...missing.words], [...missing.positions]]).toEqual([
    2,
    [1, 0, 0, 0, 3, 0, 0, 0],
    [11, 10],
  ])
})
