/** The key index: sorting, probing and merging against a plain set. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { compactRuns, probeRuns, writeRun, type KeyRun } from '../../src/lakehouse/key-index.ts'
import { gather, sortOrder } from '../../src/lakehouse/key-runs.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { createKeyPicker } from '../../src/runner/key-picker.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-keys-'))
const store = createLocalStore(folder)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Keys from small numbers: first words collide often, negative words too. */
function wordsOf(keys: number[]): Int32Array {
  return Int32Array.from(keys.flatMap((key) => [(key % 5) - 2, key, ~key, key * 3]))
}

test('sorts by all four words', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 200 }), (keys) => {
      const words = wordsOf(keys)
      const order = [...sortOrder(words, keys.length)]
      for (let i = 1; i < order.length; i += 1) {
        const [a, b] = [words.subarray(order[i - 1] * 4, order[i - 1] * 4 + 4), words.subarray(order[i] * 4, order[i] * 4 + 4)]
        const k = a.findIndex((word, at) => word !== b[at])
        expect(k < 0 || a[k] < b[k]).toBe(true)
      }
    }),
  )
})

test('finds exactly the keys that some run holds, before and after merging', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 80 }), { minLength: 1, maxLength: 6 }), fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 120 }), async (runs, asked) => {
      let written: KeyRun[] = []
      for (const keys of runs) {
        const words = wordsOf(keys)
        written.push(await writeRun(store, gather(words, sortOrder(words, keys.length)), 0))
      }
      const published = new Set(runs.flat())
      const words = wordsOf(asked)
      const order = sortOrder(words, asked.length)
      const sorted = gather(words, order)
      for (let pass = 0; pass < 2; pass += 1) {
        const found = new Uint8Array(asked.length)
        expect(await probeRuns(store, written, sorted, found)).toBe(true)
        expect([...order].map((at, i) => [asked[at], found[i] === 1])).toEqual([...order].map((at) => [asked[at], published.has(asked[at])]))
        written = (await compactRuns(store, written)).runs
      }
    }),
    { numRuns: 60 },
  )
})

test('a run that is missing or cut short is noticed', async () => {
  const words = wordsOf([1, 2, 3])
  const run = await writeRun(store, gather(words, sortOrder(words, 3)), 0)
  const found = new Uint8Array(3)
  expect(await probeRuns(store, [{ ...run, count: 4 }], gather(words, sortOrder(words, 3)), found)).toBe(false)
  expect(await probeRuns(store, [{ ...run, name: 'nowhere.keys' }], gather(words, sortOrder(words, 3)), found)).toBe(false)
})

test('the picker keeps the first of each key, in order, while it grows', () => {
  const picker = createKeyPicker(1)
  const keys = Array.from({ length: 5_000 }, (_, i) => i % 3_000)
  for (let from = 0; from < keys.length; from += 500) {
    const part = keys.slice(from, from + 500)
    picker.add(wordsOf(part), Float64Array.from(part, (_, i) => from + i), part.length)
  }
  expect(picker.rows).toBe(5_000)
  expect(picker.distinct).toBe(3_000)
  expect([...picker.positions.subarray(0, 3_000)]).toEqual(Array.from({ length: 3_000 }, (_, i) => i))
})
