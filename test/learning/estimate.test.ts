/**
 * The estimator on executions that a fixed script makes: intervals that hold, answers that never fall as a job
 * grows, floors, and the rule wherever the model has not seen enough or was wrong.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { learnCorrection } from '../../src/learning/correction.ts'
import { estimate, type Estimate } from '../../src/learning/estimate.ts'
import { LEVELS } from '../../src/learning/ladder.ts'
import { LEAST_RUNS, learn, type Model } from '../../src/learning/model.ts'
import type { PastRun, RunFeatures } from '../../src/learning/past-run.ts'
import { FLOORS, estimateByRule, needByRule } from '../../src/learning/rules.ts'
import { median } from '../../src/learning/track-record.ts'
import { createChance } from '../support/chance.ts'
import { job, scriptedRuns } from '../support/past-runs.ts'

const learned = (runs: PastRun[], seed = 1): Model | undefined =>
  learn('postgres', runs, { chance: createChance(seed) })

const ask = (
  model: Model | undefined,
  features: RunFeatures,
  more: Partial<Parameters<typeof estimate>[0]> = {},
): Estimate =>
  estimate({ type: 'postgres', tenantId: 'own', features, model, runs: 0, correction: undefined, ...more })

test.each([11, 12, 13, 14])(
  'runs of 0.1 to 1,000 GB that script %i held out: 75 to 88 of a hundred lie in the interval, and the median error is at most a fifth and half of that of the rule',
  (seed) => {
    const runs = scriptedRuns({ seed, runs: 1_000 })
    const model = learned(runs.slice(0, 600), seed + 100)
    const outcomes = runs.slice(600).flatMap((run) => {
      const { by, runtimeInterval, expectedMinutes } = ask(model, run)
      if (by === 'rule') return []
      const { low, high } = runtimeInterval as { low: number; high: number }
      return {
        inside: low <= run.runtimeMinutes && run.runtimeMinutes <= high,
        error: Math.abs(expectedMinutes / run.runtimeMinutes - 1),
        rule: Math.abs(
          needByRule('postgres', run.dataVolumeGb, run.complexity).minutes / run.runtimeMinutes - 1,
        ),
      }
    })
    const coverage = outcomes.filter((outcome) => outcome.inside).length / outcomes.length
    const [error, rule] = [
      median(outcomes.map((outcome) => outcome.error)),
      median(outcomes.map((outcome) => outcome.rule)),
    ]
    process.stderr.write(
      `seed ${seed}: coverage ${coverage.toFixed(3)}, median error ${error.toFixed(3)}, of the rule ${rule.toFixed(2)}\n`,
    )
    expect(outcomes.length).toBeGreaterThan(350)
    expect(coverage).toBeGreaterThanOrEqual(0.75)
    expect(coverage).toBeLessThanOrEqual(0.88)
    expect(error).toBeLessThanOrEqual(0.2)
    expect(error).toBeLessThanOrEqual(rule / 2)
  },
)

/** Like the rule, but for noise that no model can know. */
const likeTheRule = (run: PastRun, i: number): PastRun => ({
  ...run,
  runtimeMinutes:
    needByRule('postgres', run.dataVolumeGb, run.complexity).minutes * (0.9 + 0.2 * ((i * 0.618) % 1)),
})

const wide = scriptedRuns({ seed: 5, runs: 200 })
const noise = createChance(7)
const MODELS: Record<string, Model | undefined> = {
  none: undefined,
  'of four decades': learned(wide),
  'of few small jobs': learned(scriptedRuns({ seed: 6, runs: 50, fromGb: 0.5, toGb: 2, jobs: 3 })),
  'doubted in the middle': learned(
    wide.map((run, i) => (run.dataVolumeGb > 1 && run.dataVolumeGb < 10 ? likeTheRule(run, i) : run)),
  ),
  'doubted at the ends': learned(
    wide.map((run, i) => (run.dataVolumeGb < 1 || run.dataVolumeGb > 10 ? likeTheRule(run, i) : run)),
  ),
  'much slower than the rule, without high complexity': learned(
    scriptedRuns({ seed: 8, runs: 200, slower: 300 }).filter((run) => run.complexity !== 'high'),
  ),
  'with a gap of three decades': learned(
    scriptedRuns({ seed: 9, runs: 300 }).filter((run) => run.dataVolumeGb < 0.5 || run.dataVolumeGb > 500),
  ),
  'of nothing but noise': learned(
    wide.map((run) => ({ ...run, runtimeMinutes: 10 ** (noise() * 4 - 1), cpuCores: noise() * 9 })),
  ),
}
const correction = learnCorrection(
  'postgres',
  Array.from({ length: 30 }, (_, i) =>
    scriptedRuns({ seed: i, runs: 30, tenantId: `t${i}`, slower: i % 3 === 0 ? 20 : 1 }),
  ).flat(),
)

const anyFeatures = fc.record({
  dataVolumeGb: fc.double({ min: -4, max: 5, noNaN: true }).map((log) => 10 ** log),
  tableCount: fc.integer({ min: 1, max: 8 }),
  complexity: fc.constantFrom(...LEVELS),
  connectionLatencyMs: fc.double({ min: 0, max: 100, noNaN: true }),
  similarMinutesPerGb: fc.option(fc.double({ min: 0.01, max: 10, noNaN: true }), { nil: undefined }),
})

/** All that must not fall; the bounds only between two answers that have them. */
const heights = ({ resources, expectedMinutes, runtimeInterval }: Estimate): number[] => [
  ...Object.values(resources),
  expectedMinutes,
  ...(runtimeInterval === undefined ? [] : [runtimeInterval.low, runtimeInterval.high]),
]

test.each(Object.keys(MODELS))(
  'a model %s: a greater volume, more tables or a higher complexity never lower an answer, and no answer is below the floors',
  (name) => {
    const model = MODELS[name]
    fc.assert(
      fc.property(
        anyFeatures,
        fc.double({ min: 1, max: 100, noNaN: true }),
        fc.nat(3),
        fc.constantFrom(...LEVELS),
        (small, times, more, level) => {
          const complexity =
            LEVELS.indexOf(level) < LEVELS.indexOf(small.complexity) ? small.complexity : level
          const { dataVolumeGb, tableCount } = small
          for (const great of [
            { ...small, dataVolumeGb: dataVolumeGb * 2 },
            { ...small, dataVolumeGb: dataVolumeGb * times },
            { ...small, complexity },
            { ...small, tableCount: tableCount + more },
            { ...small, dataVolumeGb: dataVolumeGb * times, tableCount: tableCount + more, complexity },
          ]) {
            const [less, greater] = [ask(model, small, { correction }), ask(model, great, { correction })]
            const [before, after] = [heights(less), heights(greater)]
            for (let i = 0; i < Math.min(before.length, after.length); i += 1)
              expect(
                after[i],
                `${i} of ${JSON.stringify([small, less, great, greater])}`,
              ).toBeGreaterThanOrEqual(before[i] - 1e-9)
            expect(greater.resources.cpu_cores).toBeGreaterThanOrEqual(FLOORS.cpuCores)
            expect(greater.resources.memory_gb).toBeGreaterThanOrEqual(FLOORS.memoryGb)
            expect(greater.resources.runtime_minutes).toBeGreaterThanOrEqual(FLOORS.minutes)
          }
        },
      ),
      { numRuns: 40 },
    )
  },
)

test('the models are what they are called', () => {
  const trusted = Object.entries(MODELS).map(([name, model]) => [
    name,
    model?.record.decades.map((decade) => (decade.trusted ? 'model' : 'rule')).join(' '),
  ])
  expect(Object.fromEntries(trusted)).toEqual({
    none: undefined,
    'of four decades': 'model model model model model',
    'of few small jobs': 'model model',
    'doubted in the middle': 'model rule model model model',
    'doubted at the ends': 'rule model rule rule rule',
    'much slower than the rule, without high complexity': 'model model model model',
    'with a gap of three decades': 'model model model',
    'of nothing but noise': 'model rule model model model',
  })
})

test('from 100 KB to 100 PB, doubling by doubling, nothing falls; the bounds not either, across what the rule answers', () => {
  for (const [name, model] of Object.entries(MODELS)) {
    let [before, bounds] = [
      [0, 0, 0, 0],
      [0, 0],
    ]
    for (let gb = 1e-4; gb < 1e8; gb *= 2) {
      const found = ask(model, job(gb))
      const after = heights(found).slice(0, 4)
      const { low = bounds[0], high = bounds[1] } = found.runtimeInterval ?? {}
      for (const [i, height] of after.entries())
        expect(height, `${name}, ${gb} GB`).toBeGreaterThanOrEqual(before[i])
      expect([low >= bounds[0], high >= bounds[1]], `${name}, ${gb} GB`).toEqual([true, true])
      ;[before, bounds] = [after, [low, high]]
    }
  }
})

test('a floor is of what is booked; the interval says how long it takes', () => {
  const { resources, expectedMinutes, runtimeInterval } = ask(
    MODELS['of four decades'],
    job(1, { tableCount: 3 }),
  )
  expect(resources.runtime_minutes).toBe(5)
  expect(expectedMinutes).toBeLessThan(3)
  expect(runtimeInterval!.high).toBeLessThan(5)
})

test('before there are enough runs the rule answers, and says how many there are', () => {
  expect(learned(scriptedRuns({ seed: 1, runs: LEAST_RUNS - 1 }))).toBeUndefined()
  expect(ask(undefined, job(100), { runs: 49 })).toEqual({
    resources: { cpu_cores: 12, memory_gb: 24, runtime_minutes: 210 },
    confidence: 0.6,
    by: 'rule',
    expectedMinutes: 210,
    reason: { code: 'too_few_runs', runs: 49, needed: 50 },
  })
})

test('outside of what it has seen the rule answers, with what was seen: 50 small runs say nothing of 10,000 GB', () => {
  const runs = scriptedRuns({ seed: 6, runs: 50, fromGb: 0.5, toGb: 2, jobs: 3 }).map((run, i) => ({
    ...run,
    complexity: i % 2 === 0 ? ('low' as const) : ('medium' as const),
  }))
  const model = learned(runs)
  const volumes = runs.map((run) => run.dataVolumeGb)
  const [from, to] = [Math.min(...volumes), Math.max(...volumes)]
  expect(ask(model, { ...runs[9], dataVolumeGb: to }).by).toBe('model')
  for (const gb of [to * 1.01, 10_000]) {
    const found = ask(model, job(gb))
    expect(found).toMatchObject({
      by: 'rule',
      confidence: 0.6,
      resources: estimateByRule('postgres', gb, 'medium'),
      reason: { code: 'volume_not_seen', seen_from_gb: from, seen_to_gb: to },
    })
    expect(found.runtimeInterval).toBeUndefined()
  }
  // The rule says 10 minutes for nothing at all; larger jobs took less.
  expect(ask(model, job(from / 2))).toMatchObject({
    by: 'rule',
    heldByModel: true,
    reason: { seen_from_gb: from },
  })
  const tables = Math.max(...runs.map((run) => run.tableCount))
  expect(ask(model, job(1, { tableCount: tables + 1 })).reason).toMatchObject({
    code: 'tables_not_seen',
    seen_to_tables: tables,
  })
  expect(ask(model, { ...runs[9], complexity: 'high' })).toMatchObject({
    by: 'rule',
    reason: { code: 'complexity_not_seen', seen_complexity: ['low', 'medium'] },
  })
})

test('where its record is worse than that of the rule, the rule answers, with both errors; elsewhere the model', () => {
  const worse = learned(wide.map(likeTheRule))
  expect(worse!.record.factorError).toBeGreaterThan(worse!.record.ruleFactorError)
  const found = ask(worse, job(20, { tableCount: 3 }))
  expect(found).toMatchObject({ by: 'rule', reason: { code: 'rule_was_closer' }, record: { trusted: false } })
  const { reason } = found
  if (reason?.code !== 'rule_was_closer') throw new TypeError('another reason')
  expect(reason.model_factor_error).toBeGreaterThan(reason.rule_factor_error)
  expect(reason.judged_runs).toBeGreaterThanOrEqual(20)
  const middle = MODELS['doubted in the middle']
  expect([0.5, 3, 50].map((gb) => ask(middle, job(gb, { tableCount: 3 })).by)).toEqual([
    'model',
    'rule',
    'model',
  ])
})

test('the record is of what it had not seen: noise is predicted badly, though the trees have seen each run', () => {
  const { record } = MODELS['of nothing but noise'] as Model
  expect(record.factorError).toBeGreaterThan(3)
  expect(record.coverage).toBeGreaterThan(0.75)
  expect(record.newest).toHaveLength(20)
  expect(record.newest[0].run.executionId).toBe('own 199')
})
