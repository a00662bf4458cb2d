/** A run of before, and what was known of it when it began. */
import { COMPLEXITY, type Complexity } from './rules.ts'

export interface RunFeatures {
  dataVolumeGb: number
  tableCount: number
  complexity: Complexity
  connectionLatencyMs: number
  /** Mean minutes a GB of the runs of the same job before; undefined for a first run. */
  similarMinutesPerGb: number | undefined
}

export interface PastRun extends RunFeatures {
  tenantId: string
  executionId: string
  endedMs: number
  runtimeMinutes: number
  /** What was booked for it before it ran. */
  bookedMinutes: number
  cpuCores: number
  memoryGb: number
}

/** The least volume that differs from none. */
const LEAST_GB = 1e-6

/** Tenths, ones, tens: the whole part is the decade. */
export const logVolume = (gb: number): number => Math.log10(Math.max(LEAST_GB, gb))

/** Places of the features that an estimate never falls with. */
export const AT = { volume: 0, tables: 1, complexity: 2 } as const

/** The features as a forest takes them, in the order of `AT`. */
export function vectorOf(run: RunFeatures): number[] {
  return [
    logVolume(run.dataVolumeGb),
    run.tableCount,
    COMPLEXITY[run.complexity],
    Math.log1p(run.connectionLatencyMs),
    run.similarMinutesPerGb === undefined ? -10 : Math.log(Math.max(1e-6, run.similarMinutesPerGb)),
  ]
}
