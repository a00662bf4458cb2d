/**
 * What tenants without a model of their own are told: other tenants' runs correct the rule, and none of them
 * moves the answer by more than a tenth, whatever it runs.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MOST_MOVED, learnCorrection, type TenantRun } from '../../src/learning/correction.ts'
import { LEVELS } from '../../src/learning/ladder.ts'
import { needByRule } from '../../src/learning/rules.ts'
import { scriptedRuns } from '../support/past-runs.ts'

const rule = (gb: number): number => needByRule('postgres', gb, 'medium').minutes
/** What a tenant is told for each of some volumes. */
function told(runs: TenantRun[], volumes: number[], by = 'victim'): number[] {
  const correction = learnCorrection('postgres', runs)
  return volumes.map((gb) => correction.minutes(by, gb, 'medium', 1).minutes)
}
/** By which factor they differ most. */
const moved = (before: number[], after: number[]): number =>
  Math.max(...before.map((was, i) => Math.max(was / after[i], after[i] / was)))

/** Tenants that differ, each with runs of about 10 GB. */
const tenants = (count: number, runs = 25): TenantRun[] =>
  Array.from({ length: count }, (_, i) =>
    scriptedRuns({ seed: i + 1, runs, tenantId: `t${i}`, fromGb: 5, toGb: 20 }),
  ).flat()

const LIMIT = MOST_MOVED + 1e-9
const VOLUMES = [0.001, 0.1, 1, 4, 5, 7.7, 10, 19, 20, 21, 100, 10_000]

const STRATEGIES: Record<string, (i: number) => [gb: number, minutes: number]> = {
  tiny: (i) => [1e-6 * (i + 1), 0.001],
  huge: (i) => [1e6 + i, 1],
  'huge and slow': (i) => [1e6 + i, 1e6],
  'fast, near the victim': (i) => [9 + (i % 20) / 10, 1e-3],
  'slow, near the victim': (i) => [9 + (i % 20) / 10, 1e5],
  'slow at the lower edge': (i) => [5 + i / 1e4, 1e5],
  'fast at the upper edge': (i) => [20 - i / 1e4, 1e-3],
  'slow everywhere': (i) => [10 ** ((i % 130) / 10 - 6), 1e5],
  'fast everywhere': (i) => [10 ** ((i % 130) / 10 - 6), 1e-3],
  'now fast, now slow': (i) => [10, i % 2 === 0 ? 1e-3 : 1e5],
}

const hostile = (strategy: string, runs: number): TenantRun[] =>
  Array.from({ length: runs }, (_, i) => {
    const [dataVolumeGb, runtimeMinutes] = STRATEGIES[strategy](i)
    return { tenantId: 'hostile', dataVolumeGb, runtimeMinutes, complexity: 'medium' as const }
  })

test.each([0, 1, 2, 3, 10, 40])(
  'beside %i others, a hostile tenant moves nobody by more than a tenth, from any strategy to any other or to none',
  (honest) => {
    for (const own of [0, 30]) {
      const others = [
        ...tenants(honest),
        ...scriptedRuns({ seed: 99, runs: own, tenantId: 'victim', fromGb: 5, toGb: 20 }),
      ]
      const outcomes = [
        told(others, VOLUMES),
        ...Object.keys(STRATEGIES).flatMap((strategy) =>
          [1, 20, 2_000].map((runs) => told([...others, ...hostile(strategy, runs)], VOLUMES)),
        ),
      ]
      const least = VOLUMES.map((_, i) => Math.min(...outcomes.map((minutes) => minutes[i])))
      const most = VOLUMES.map((_, i) => Math.max(...outcomes.map((minutes) => minutes[i])))
      expect(moved(least, most), `${own} runs of its own`).toBeLessThan(LIMIT)
    }
  },
)

const anyRun = (tenantId: string) =>
  fc.record({
    tenantId: fc.constant(tenantId),
    dataVolumeGb: fc.double({ min: -3, max: 5, noNaN: true }).map((log) => 10 ** log),
    runtimeMinutes: fc.double({ min: -3, max: 5, noNaN: true }).map((log) => 10 ** log),
    complexity: fc.constantFrom(...LEVELS),
  })

const GRID = Array.from({ length: 40 }, (_, i) => 10 ** (i / 4 - 4))

test('whatever one tenant runs, instead of whatever it ran: at most a tenth; and minutes climb', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'victim').chain(anyRun), { maxLength: 150 }),
      fc.array(anyRun('hostile'), { maxLength: 60 }),
      fc.array(anyRun('hostile'), { maxLength: 60 }),
      (honest, before, after) => {
        const [was, is] = [before, after].map((own) => told([...honest, ...own], GRID))
        expect(moved(was, is)).toBeLessThan(LIMIT)
        expect(is).toEqual(is.toSorted((a, b) => a - b))
      },
    ),
    { numRuns: 40 },
  )
})

test('where slow tenants have small jobs and fast tenants great ones, minutes climb all the same', () => {
  const slow = tenants(30).map((run) => ({ ...run, runtimeMinutes: run.runtimeMinutes * 100 }))
  const fast = tenants(60).map((run) => ({
    ...run,
    tenantId: `fast ${run.tenantId}`,
    dataVolumeGb: run.dataVolumeGb * 8,
  }))
  const climbing = told([...slow, ...fast], GRID)
  expect(climbing).toEqual(climbing.toSorted((a, b) => a - b))
})

test('fewer than 50 runs leave the rule exactly as it is', () => {
  const few = Array.from({ length: 49 }, (_, i) =>
    scriptedRuns({ seed: i, runs: 1, tenantId: `t${i}`, fromGb: 10, toGb: 10 }),
  ).flat()
  expect(told(few, VOLUMES)).toEqual(VOLUMES.map(rule))
})

test('many tenants that agree prevail; a volume that none has seen keeps the rule; one tenant alone changes nothing', () => {
  // They take some 3 minutes for 10 GB, the rule says 30.
  const [[few], [many, unseen]] = [told(tenants(6), [10]), told(tenants(80), [10, 1_000])]
  expect(few).toBeLessThan(rule(10))
  expect(few).toBeGreaterThan(20)
  expect(many).toBeLessThan(4.5)
  expect(many).toBeGreaterThan(2)
  expect(unseen).toBe(rule(1_000))
  expect(told(tenants(1, 2_000), VOLUMES)).toEqual(VOLUMES.map(rule))
  const said = learnCorrection('postgres', tenants(80)).minutes('t0', 10, 'high', 1)
  expect(said.tenants).toBe(79)
  expect(said.minutes).toBeCloseTo(said.factor * needByRule('postgres', 10, 'high').minutes, 9)
})
