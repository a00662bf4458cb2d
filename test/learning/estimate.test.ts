/**
 * The estimator on executions that a fixed script makes: what it did not see, predicted with its interval,
 * against the rule.
 */
import { expect, test } from 'vitest'
import { LEAST_RUNS, estimate, learn, type PastRun } from '../../src/learning/estimate.ts'
import { growForest } from '../../src/learning/forest.ts'
import { estimateByRule, type Complexity } from '../../src/learning/rules.ts'
import { createChance } from '../support/chance.ts'

const LEVELS: Complexity[] = ['low', 'medium', 'high']

/**
 * Runs of a machine that reads 3.5 GB a minute at best, with noise, a start-up, slow links and jobs that
 * differ.
 */
function runsOf(count: number, seed: number): PastRun[] {
  const chance = createChance(seed)
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance())
  const jobs = Array.from({ length: 25 }, () => ({
    volume: Math.exp(normal() * 1.3 + 1.5),
    tables: 1 + Math.floor(chance() * 5),
    complexity: LEVELS[Math.floor(chance() * 3)],
    latency: Math.exp(normal() + 1),
    speed: Math.exp(normal() * 0.35),
    done: [] as number[],
  }))
  return Array.from({ length: count }, (): PastRun => {
    const job = jobs[Math.floor(chance() * jobs.length)]
    const dataVolumeGb = job.volume * Math.exp(normal() * 0.3)
    const factor = { low: 0.8, medium: 1, high: 1.6 }[job.complexity]
    const runtimeMinutes =
      (0.3 + (dataVolumeGb / 3.5) * factor * job.speed + (job.tables * job.latency) / 200) *
      Math.exp(normal() * 0.12)
    const similar =
      job.done.length === 0 ? undefined : job.done.reduce((sum, perGb) => sum + perGb, 0) / job.done.length
    job.done.push(runtimeMinutes / dataVolumeGb)
    return {
      dataVolumeGb,
      tableCount: job.tables,
      complexity: job.complexity,
      connectionLatencyMs: job.latency,
      similarMinutesPerGb: similar,
      runtimeMinutes,
      cpuCores: 1 + 0.5 * factor * Math.exp(normal() * 0.1),
      memoryGb: 1 + 0.02 * dataVolumeGb,
    }
  })
}

const middle = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

test.each([11, 12, 13])(
  "held-out runs of script %i: four of five actuals lie in its interval (75 to 88 of a hundred), its median error is at most 0.20 and half of the rule's",
  (seed) => {
    const runs = runsOf(1_000, seed)
    const [past, later] = [runs.slice(0, 600), runs.slice(600)]
    const model = learn(past, createChance(seed + 100))
    const outcomes = later.map((run) => {
      const { runtimeInterval: interval } = estimate(model, 'postgres', run)
      // The exact median, not the whole minutes of the answer.
      const predicted = model!.predict(run)
      return {
        inside: interval!.low <= run.runtimeMinutes && run.runtimeMinutes <= interval!.high,
        error: Math.abs(
          Math.sqrt(predicted.runtimeInterval.low * predicted.runtimeInterval.high) / run.runtimeMinutes - 1,
        ),
        rule: Math.abs(
          estimateByRule('postgres', run.dataVolumeGb, run.complexity).runtime_minutes / run.runtimeMinutes -
            1,
        ),
      }
    })
    const coverage = outcomes.filter((outcome) => outcome.inside).length / outcomes.length
    const [error, rule] = [
      middle(outcomes.map((outcome) => outcome.error)),
      middle(outcomes.map((outcome) => outcome.rule)),
    ]
    process.stderr.write(
      `seed ${seed}: coverage ${coverage.toFixed(3)}, median error ${error.toFixed(3)}, of the rule ${rule.toFixed(2)}, confidence ${model!.confidence}\n`,
    )
    expect(coverage).toBeGreaterThanOrEqual(0.75)
    expect(coverage).toBeLessThanOrEqual(0.88)
    expect(error).toBeLessThanOrEqual(0.2)
    expect(error).toBeLessThanOrEqual(rule / 2)
  },
)

test('before there are enough runs the rule answers, with its confidence', () => {
  expect(learn(runsOf(LEAST_RUNS - 1, 1), createChance(1))).toBeUndefined()
  expect(
    estimate(undefined, 'postgres', {
      dataVolumeGb: 100,
      tableCount: 1,
      complexity: 'medium',
      connectionLatencyMs: 0,
      similarMinutesPerGb: undefined,
    }),
  ).toEqual({
    resources: { cpu_cores: 12, memory_gb: 24, runtime_minutes: 210 },
    confidence: 0.6,
    by: 'rule',
  })
})

test('the same chance grows the same forest; targets that are all equal are predicted so', () => {
  const samples = Array.from({ length: 60 }, (_, i) => ({ x: [i % 7, i], y: 5 }))
  expect(growForest(samples, { chance: createChance(1) }).predict([3, 30])).toEqual({
    median: 5,
    low: 5,
    high: 5,
  })
  const noisy = samples.map((sample, i) => ({ ...sample, y: i * 2 }))
  expect(growForest(noisy, { chance: createChance(1) }).predict([3, 30])).toEqual(
    growForest(noisy, { chance: createChance(1) }).predict([3, 30]),
  )
})
