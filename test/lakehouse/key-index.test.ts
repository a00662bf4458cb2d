/** The key index: sorting, probing and merging against a plain set. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { compactRuns, probeRuns, writeRun } from '../../src/lakehouse/key-index.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { createKeyCollector, type ArrivedKeys } from '../../src/planning/sorted-keys.ts'
import type { KeyRun } from '../../src/lakehouse/key-run.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-keys-'))
const store = createLocalStore(folder)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Keys from small numbers: first words collide often, negative words too. */
function wordsOf(keys: number[]): Int32Array {
  return Int32Array.from(keys.flatMap((key) => [(key % 5) - 2, key, ~key, key * 3]))
}

function sorted(keys: number[]): ArrivedKeys {
  const collector = createKeyCollector(1)
  for (let from = 0; from < keys.length; from += 70) {
    const part = keys.slice(from, from + 70)
    collector.add(
      wordsOf(part),
      Float64Array.from(part, (_, i) => from + i),
      part.length,
    )
  }
  return collector.sorted()
}

test('sorts by all four words and keeps the first row of each key', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 300 }), (keys) => {
      const { words, positions, count } = sorted(keys)
      for (let i = 1; i < count; i += 1) {
        const [a, b] = [words.subarray(i * 4 - 4, i * 4), words.subarray(i * 4, i * 4 + 4)]
        const k = a.findIndex((word, at) => word !== b[at])
        expect(k >= 0 && a[k] < b[k]).toBe(true)
      }
      expect(new Set(positions)).toEqual(new Set([...new Set(keys)].map((key) => keys.indexOf(key))))
      expect([...words]).toEqual([...positions].flatMap((at) => [...wordsOf([keys[at]])]))
    }),
  )
})

test('finds exactly the keys that some run holds, before and after merging', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 80 }), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 120 }),
      async (runs, asked) => {
        let written: KeyRun[] = []
        for (const keys of runs) {
          written.push(await writeRun(store, sorted(keys), 0))
        }
        const published = new Set(runs.flat())
        const wanted = sorted(asked)
        for (let pass = 0; pass < 2; pass += 1) {
          const found = new Uint8Array(asked.length)
          expect(await probeRuns(store, written, wanted, found)).toBe(true)
          expect([...wanted.positions].map((at, i) => [asked[at], found[i] === 1])).toEqual(
            [...wanted.positions].map((at) => [asked[at], published.has(asked[at])]),
          )
          written = (await compactRuns(store, written)).runs
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('a run that is missing or cut short is noticed', async () => {
  const keys = sorted([1, 2, 3])
  const run = await writeRun(store, keys, 0)
  const found = new Uint8Array(3)
  expect(await probeRuns(store, [{ ...run, count: 4 }], keys, found)).toBe(false)
  expect(await probeRuns(store, [{ ...run, name: 'nowhere.keys' }], keys, found)).toBe(false)
})
