/** The forest: the same chance grows the same, and what a tree saw it does not judge. */
import { expect, test } from 'vitest'
import { growForest } from '../../src/learning/forest.ts'
import { createChance } from '../support/chance.ts'

const samples = Array.from({ length: 60 }, (_, i) => ({ x: [i % 7, i], y: i * 2 }))

test('targets that are all equal are predicted so; the same chance grows the same forest', () => {
  const equal = growForest(
    samples.map((sample) => ({ ...sample, y: 5 })),
    { chance: createChance(1) },
  )
  expect(equal.predict([3, 30])).toEqual({ median: 5, low: 5, high: 5 })
  const grow = () => growForest(samples, { chance: createChance(1) }).predict([3, 30])
  expect(grow()).toEqual(grow())
})

test('it follows a line, with low and high around the middle', () => {
  const forest = growForest(samples, { chance: createChance(1) })
  for (const [, i] of samples.map((sample) => sample.x).filter(([, at]) => at > 8 && at < 52)) {
    const { low, median, high } = forest.predict([i % 7, i])
    expect(low <= median && median <= high).toBe(true)
    expect(Math.abs(median - i * 2)).toBeLessThan(12)
  }
})

test('a row is judged by trees that did not see it: an odd one out is not known to them', () => {
  const odd = samples.map((sample, i) => (i === 30 ? { ...sample, y: 10_000 } : sample))
  const forest = growForest(odd, { chance: createChance(1), minLeaf: 1 })
  expect(forest.predict(odd[30].x).high).toBe(10_000)
  expect(forest.predict(odd[30].x, 30).high).toBeLessThan(200)
  const lone = growForest(odd, { chance: () => 0.5, trees: 1 })
  expect(lone.predict(odd[30].x, 30).median).toBeNaN()
})

test('features that are the same in all rows do not take the place of those that vary', () => {
  const wide = samples.map(({ x, y }) => ({ x: [1, 2, 3, x[1], 4, 5, 6], y }))
  const forest = growForest(wide, { chance: createChance(1) })
  for (const i of [10, 30, 50]) {
    const { low, high } = forest.predict([1, 2, 3, i, 4, 5, 6])
    expect(high - low).toBeLessThan(30)
  }
})
