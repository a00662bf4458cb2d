/** Which files are merged, which expire, which are dead. */
import { expect, test } from 'vitest'
import {
  compactionGroups,
  deadFiles,
  expiredFiles,
  keepFrom,
  type KnownFile,
} from '../../src/planning/upkeep.ts'

const MIB = 1024 * 1024
const target = { fileBytes: 100 * MIB, rowsPerFile: 1_000 }
const file = (path: string, mib: number, rows = 1, date = '2026-11-01'): KnownFile => ({
  path,
  size: mib * MIB,
  rows,
  partitionValues: { outcome: 'accepted', ingest_date: date },
})
const paths = (groups: KnownFile[][]): string[][] => groups.map((group) => group.map((member) => member.path))

test('neighbours of one table partition are merged up to the target, in their order', () => {
  const files = ['a', 'b', 'c', 'd', 'e', 'f'].map((path) => file(path, 30))
  expect(paths(compactionGroups(files, target))).toEqual([
    ['a', 'b', 'c'],
    ['d', 'e', 'f'],
  ])
  expect(
    paths(
      compactionGroups(
        [
          file('a', 30),
          file('x', 30, 1, '2026-11-02'),
          file('b', 30),
          file('y', 30, 1, '2026-11-02'),
          file('c', 30),
          file('z', 30, 1, '2026-11-02'),
        ],
        target,
      ),
    ),
  ).toEqual([
    ['a', 'b', 'c'],
    ['x', 'y', 'z'],
  ])
})

test('full files stay; so do a few small ones, until there are enough of them', () => {
  expect(
    compactionGroups(
      [file('full', 60), file('rows', 1, 600), file('a', 1), file('b', 1), file('c', 1)],
      target,
    ),
  ).toEqual([])
  expect(
    paths(
      compactionGroups([file('full', 60), file('a', 1), file('b', 1), file('c', 1), file('d', 1)], target),
    ),
  ).toEqual([['a', 'b', 'c', 'd']])
})

test('no merged file has more rows than the target', () => {
  const files = Array.from({ length: 10 }, (_, i) => file(String(i), 1, 300))
  expect(
    compactionGroups(files, target).map((group) =>
      group.reduce((sum, member) => sum + (member.rows ?? 0), 0),
    ),
  ).toEqual([900, 900, 900])
})

test('what was merged once is not merged again with each new file', () => {
  let files = Array.from({ length: 8 }, (_, i) => file(`a${i}`, 2))
  let written = 0
  for (let round = 0; round < 50; round += 1) {
    for (const group of compactionGroups(files, target)) {
      const size = group.reduce((sum, member) => sum + member.size, 0)
      written += size
      files = [
        ...files.filter((kept) => !group.includes(kept)),
        { ...group[0], path: `m${round}-${written}`, size },
      ]
    }
    files.push(...Array.from({ length: 4 }, (_, i) => file(`b${round}-${i}`, 2)))
  }
  // 416 MiB arrived; rewriting the half-full file each round would have written thousands.
  expect(written / MIB).toBeLessThan(416 * 8)
  expect(files.length).toBeLessThan(20)
})

test('days that are over leave, but for files that somebody still needs', () => {
  const files = [
    file('old', 1, 1, '2026-10-01'),
    file('held', 1, 1, '2026-10-02'),
    file('young', 1, 1, '2026-11-01'),
  ]
  const { expired, waiting } = expiredFiles(files, '2026-10-20', (knownFile) => knownFile.path === 'held')
  expect([expired.map((knownFile) => knownFile.path), waiting.map((knownFile) => knownFile.path)]).toEqual([
    ['old'],
    ['held'],
  ])
  expect(keepFrom(Date.UTC(2026, 10, 21, 0, 30), 30)).toBe('2026-10-22')
})

test('dead files: nothing live, needed, young or lately removed is among them', () => {
  const stored = ['live', 'needed', 'young', 'lately', 'orphan', 'removed'].map((path) => ({
    path,
    size: 1,
    modifiedMs: path === 'young' ? 2_000 : 100,
  }))
  const dead = deadFiles(stored, {
    live: (path) => path === 'live',
    needed: (path) => path === 'needed',
    removedMs: (path) => ({ lately: 1_500, removed: 500 })[path],
    beforeMs: 1_000,
  })
  expect(dead.map((deadFile) => deadFile.path)).toEqual(['orphan', 'removed'])
})
