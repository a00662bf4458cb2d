/**
 * Chance that can be repeated: a run prints its seed when it starts (vitest.config.ts), and HEADRACE_TEST_SEED gives
 * it back.
 */

export interface Chance {
  /** A number from 0 up to 1. */
  (): number
  readonly seed: number
}

/** The seed of this run; a benchmark, which the test runner does not start, draws its own. */
export const RUN_SEED = Number(process.env.HEADRACE_TEST_SEED ?? Date.now() % 1_000_000)

/** Numerical Recipes' linear congruential generator: spread well enough to choose moments. */
export function createChance(seed = RUN_SEED): Chance {
  let state = seed
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
  return Object.assign(next, { seed })
}

/** Some of many cases, others in each run; a long suite takes them all. */
export function sampled<T>(all: readonly T[], count: number, chance: Chance = createChance()): T[] {
  if (process.env.HEADRACE_TEST_LONG_SUITE !== undefined) return [...all]
  const ordered = all.map((value) => ({ value, at: chance() }))
  return ordered
    .toSorted((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ value }) => value)
}
