/**
 * Estimates from this installation's own runs: one model per source type, with an interval and its track
 * record. Until there are enough runs, the rule answers.
 */
import { growForest, type Forest, type Prediction } from './forest.ts'
import {
  COMPLEXITY,
  RULE_CONFIDENCE,
  estimateByRule,
  type Complexity,
  type Resources,
  type SourceType,
} from './rules.ts'

/** With fewer runs of a type, the rule answers. */
export const LEAST_RUNS = 50
/**
 * Only the newest runs count: machines and sources change, and growing a model stays at a tenth of a second.
 */
export const MOST_RUNS = 1_000

export interface RunFeatures {
  dataVolumeGb: number
  tableCount: number
  complexity: Complexity
  connectionLatencyMs: number
  /** Mean minutes per GB of earlier runs of the same job. Undefined for a first run. */
  similarMinutesPerGb: number | undefined
}

export interface PastRun extends RunFeatures {
  runtimeMinutes: number
  cpuCores: number
  memoryGb: number
}

export interface Model {
  predict(features: RunFeatures): { resources: Resources; runtimeInterval: { low: number; high: number } }
  /** Share of its own unseen runs that it predicted within a fifth. */
  confidence: number
  runs: number
}

/** Grows a model. Undefined if there are too few runs. */
export function learn(runs: PastRun[], chance: () => number): Model | undefined {
  const newest = runs.slice(-MOST_RUNS)
  if (newest.length < LEAST_RUNS) return undefined
  // Logarithms: the factor by which an estimate is wrong matters.
  const grow = (target: (run: PastRun) => number): Forest =>
    growForest(
      newest.map((run) => ({ x: vector(run), y: Math.log(Math.max(1e-3, target(run))) })),
      { chance },
    )
  const [runtime, cpu, memory] = [
    grow((run) => run.runtimeMinutes),
    grow((run) => run.cpuCores),
    grow((run) => run.memoryGb),
  ]
  const close = runtime.unseen.filter(
    ({ actual, predicted }) => Math.abs(Math.exp(predicted.median - actual) - 1) <= 0.2,
  ).length
  return {
    runs: newest.length,
    confidence: Math.round((close / newest.length) * 100) / 100,
    predict(features) {
      const x = vector(features)
      const of = ({ median, low, high }: Prediction): Prediction => ({
        median: Math.exp(median),
        low: Math.exp(low),
        high: Math.exp(high),
      })
      const time = of(runtime.predict(x))
      return {
        resources: {
          cpu_cores: Math.max(1, Math.ceil(of(cpu.predict(x)).high - 1e-9)),
          memory_gb: Math.max(1, Math.ceil(of(memory.predict(x)).high - 1e-9)),
          runtime_minutes: Math.max(1, Math.ceil(time.median - 1e-9)),
        },
        runtimeInterval: { low: Math.round(time.low * 100) / 100, high: Math.round(time.high * 100) / 100 },
      }
    },
  }
}

function vector(run: RunFeatures): number[] {
  return [
    Math.log(Math.max(1e-6, run.dataVolumeGb)),
    run.tableCount,
    COMPLEXITY[run.complexity],
    Math.log1p(run.connectionLatencyMs),
    run.similarMinutesPerGb === undefined ? -10 : Math.log(Math.max(1e-6, run.similarMinutesPerGb)),
  ]
}

/** By the model if there is one, else by rule. */
export function estimate(
  model: Model | undefined,
  type: SourceType,
  features: RunFeatures,
  speed = 1,
): {
  resources: Resources
  confidence: number
  by: 'model' | 'rule'
  runtimeInterval?: { low: number; high: number }
} {
  if (model === undefined)
    return {
      resources: estimateByRule(type, features.dataVolumeGb, features.complexity, speed),
      confidence: RULE_CONFIDENCE,
      by: 'rule',
    }
  return { ...model.predict(features), confidence: model.confidence, by: 'model' }
}
