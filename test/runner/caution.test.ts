/** How a range gets narrower after deaths, and wider after commits. */
import { expect, test } from 'vitest'
import {
  NO_CAUTION,
  afterCommit,
  afterIsolation,
  afterSilentDeath,
  type Caution,
} from '../../src/runner/caution.ts'

/** Bounds after each of `count` applications of a step. */
const bounds = (start: Caution, count: number, step: (caution: Caution) => Caution): number[] => {
  let caution = start
  return Array.from({ length: count }, () => (caution = step(caution)).batchMessages)
}

test.each([
  [Infinity, [1_024, 128, 16, 2, 1]],
  [100_000, [1_024, 128, 16, 2, 1]],
  [750, [93, 11, 1, 1, 1]],
  [8, [1, 1, 1, 1, 1]],
])('with %d messages waiting each death leads to the bounds %j', (waiting, expected) => {
  expect(bounds(NO_CAUTION, 5, (caution) => afterSilentDeath(caution, waiting))).toEqual(expected)
})

test('eight commits in a row let the bound grow by eight, until there is none; the turn passes each time', () => {
  const initial = afterSilentDeath(NO_CAUTION, 1)
  expect(bounds(initial, 8 * 4, afterCommit).filter((_, i) => i % 8 >= 6)).toEqual([
    1, 8, 8, 64, 64, 512, 512, 0,
  ])
  let caution = initial
  for (let i = 0; i < 16; i += 1) caution = afterCommit(caution)
  expect(caution.turn).toBe(2)
})

test('once the message is known the next commit grows; a death after it begins anew', () => {
  const isolated = afterIsolation({ ...afterSilentDeath(NO_CAUTION, 8), suspected: true })
  expect(isolated).toMatchObject({ batchMessages: 1, suspected: false })
  const grown = afterCommit(isolated)
  expect(grown).toMatchObject({ batchMessages: 8, successes: 0 })
  expect(afterSilentDeath(grown, 40)).toMatchObject({ batchMessages: 1, successes: 0 })
})
