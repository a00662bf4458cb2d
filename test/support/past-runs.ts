/** Past runs that a fixed script makes: of jobs that differ, over any range of volumes, with noise. */
import type { PastRun, RunFeatures } from '../../src/learning/past-run.ts'
import { LEVELS } from '../../src/learning/ladder.ts'
import type { Complexity } from '../../src/learning/rules.ts'
import { createChance } from './chance.ts'
import { createDraw } from './draw.ts'

export interface Script {
  seed: number
  runs: number
  tenantId?: string
  /** Volumes of jobs, evenly by their logarithm. */
  fromGb?: number
  toGb?: number
  /** How much slower all of it is. */
  slower?: number
  jobs?: number
}

export function scriptedRuns({
  seed,
  runs,
  tenantId = 'own',
  fromGb = 0.1,
  toGb = 1_000,
  slower = 1,
  jobs: count = 25,
}: Script): PastRun[] {
  const chance = createChance(seed)
  const draw = createDraw(chance)
  const uniform = (): number => draw.below(1_000_000) / 1_000_000
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  const jobs = Array.from({ length: count }, (_, i) => ({
    gb: fromGb * (toGb / fromGb) ** ((i + 0.5) / count),
    tables: 1 + draw.below(5),
    complexity: draw.oneOf<Complexity>(LEVELS),
    latency: Math.exp(normal() + 1),
    speed: Math.exp(normal() * 0.35),
    done: [] as number[],
  }))
  return Array.from({ length: runs }, (_, i): PastRun => {
    const job = draw.oneOf(jobs)
    const dataVolumeGb = Math.min(toGb, Math.max(fromGb, job.gb * Math.exp(normal() * 0.3)))
    const factor = { low: 0.8, medium: 1, high: 1.6 }[job.complexity]
    const runtimeMinutes =
      (0.3 + (dataVolumeGb / 3.5) * factor * job.speed + (job.tables * job.latency) / 200) *
      Math.exp(normal() * 0.12) *
      slower
    const similar = job.done.length === 0 ? undefined : mean(job.done)
    job.done.push(runtimeMinutes / dataVolumeGb)
    return {
      tenantId,
      executionId: `${tenantId} ${i}`,
      endedMs: 1_800_000_000_000 + i * 60_000,
      dataVolumeGb,
      tableCount: job.tables,
      complexity: job.complexity,
      connectionLatencyMs: job.latency,
      similarMinutesPerGb: similar,
      runtimeMinutes,
      bookedMinutes: Math.ceil(runtimeMinutes * 1.5),
      cpuCores: 1 + 0.5 * factor * Math.exp(normal() * 0.1),
      memoryGb: 1 + 0.02 * dataVolumeGb,
    }
  })
}

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** A job without a history of its own. */
export const job = (dataVolumeGb: number, more: Partial<RunFeatures> = {}): RunFeatures => ({
  dataVolumeGb,
  tableCount: 1,
  complexity: 'medium',
  connectionLatencyMs: 3,
  similarMinutesPerGb: undefined,
  ...more,
})
