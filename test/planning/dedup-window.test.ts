/** The window against a model: a list of the newest N identities. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  createDedupWindow,
  fitWindow,
  hashBytes,
  hashHigh,
  hashLow,
  windowBytes,
} from '../../src/planning/dedup-window.ts'

test('behaves like a list of the newest N, whatever the order', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 1 })), { maxLength: 400 }),
      (capacity, stream) => {
        const window = createDedupWindow(capacity)
        const model: [number, number][] = []
        for (const [id, content] of stream) {
          const known = model.find(([knownId]) => knownId === id)
          const again = known?.[1] === content ? 'duplicate' : 'conflict'
          const expected = known === undefined ? 'new' : again
          if (known === undefined) {
            model.push([id, content])
            if (model.length > capacity) model.shift()
          }
          // Low words collide on purpose, so that probing and forgetting are exercised.
          expect(window.see(id, id % 4, content)).toBe(expected)
        }
        expect(window.size).toBe(model.length)
      },
    ),
  )
})

test('a large window grows to its capacity, forgets the oldest, and keeps its memory', () => {
  const window = createDedupWindow(50_000)
  for (let i = 0; i < 120_000; i += 1) expect(window.see(i * 7, Math.imul(i, 2654435761), 0)).toBe('new')
  expect(window.see(119_999 * 7, Math.imul(119_999, 2654435761), 0)).toBe('duplicate')
  expect(window.see(70_000 * 7, Math.imul(70_000, 2654435761), 0)).toBe('duplicate')
  expect(window.see(69_000 * 7, Math.imul(69_000, 2654435761), 0)).toBe('new')
  expect(window.bytes).toBe(windowBytes(50_000))
})

test('the hash spreads: no collision among a million keys that differ in one digit', () => {
  const seen = new Set<bigint>()
  for (let i = 0; i < 200_000; i += 1) {
    const key = Buffer.from(`order-${i}`)
    hashBytes(key, 0, key.length)
    seen.add((BigInt(hashHigh >>> 0) << 32n) | BigInt(hashLow >>> 0))
  }
  expect(seen.size).toBe(200_000)
})

test('windows shrink to the memory that all partitions share', () => {
  expect(fitWindow(1_000_000, 4, 128 * 1024 * 1024)).toBe(1_000_000)
  const each = fitWindow(1_000_000, 64, 128 * 1024 * 1024)
  expect(each).toBeLessThan(200_000)
  expect(windowBytes(each) * 64).toBeLessThanOrEqual(128 * 1024 * 1024)
})
