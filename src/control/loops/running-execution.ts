/** An execution whose process runs: what is known of it, what it used, and how it is told to end. */
import type { ChildProcess } from 'node:child_process'
import type { CpuMicros } from '../../core/service/amounts.ts'
import type { TenantLimits } from '../../core/service/tenant-limits.ts'
import type { ServiceReason } from '../../scheduling/reasons.ts'
import type { Claimed } from '../../state/runs/claim.ts'
import type { Used } from '../../state/runs/consumption.ts'
import type { StopAsked } from '../../state/runs/heartbeat.ts'
import type { FromChild, ToExecution } from '../../executions/work.ts'

export interface Running {
  claimed: Claimed
  child: ChildProcess
  startedMs: number
  /** The most seen: it never goes back when a child of the child ends. */
  cpuMicros: bigint
  memoryByteMs: number
  measuredMs: number
  peakBytes: number
  progress: Extract<FromChild, { type: 'progress' }> | undefined
  result: Exclude<FromChild, { type: 'progress' }> | undefined
  stopFor: ServiceReason | StopAsked | 'handover' | undefined
  held: CpuMicros
  /** Of a stream: when it holds the next slot, and what was entered until the last time. */
  rolling: Rolling | undefined
  worstFreshnessMs: number
  limits: {
    memoryBytes: number
    runtimeMs: number
    freshnessMs: number
    overage: 'stop' | 'debt'
    quota: TenantLimits
  }
  ended: Promise<void>
}

export interface Rolling {
  /** Monotonic. */
  atMs: number
  ahead: CpuMicros
  entered: { cpuMicros: bigint; memoryByteMs: number }
  last: Date | null
  /** What a try entered whose answer was lost: the next one says the same. */
  trying: { used: Used; measured: Rolling['entered'] } | undefined
  busy: boolean
}

/**
 * A stream that is told to stop has this long to end with a commit: with the heartbeat that tells it, less
 * than the 30 s that are promised.
 */
const STOP_MS = 25_000

/** What it used since use was last entered: all of it, unless it is a stream. */
export function unentered(one: Running): Used {
  const entered = one.rolling?.entered ?? { cpuMicros: 0n, memoryByteMs: 0 }
  return {
    cpuMicros: one.cpuMicros - entered.cpuMicros,
    memoryGbSeconds: BigInt(Math.ceil((one.memoryByteMs - entered.memoryByteMs) / 1_000 / 1024 ** 3)),
  }
}

/** Ends it: a stream after a commit, anything else, and a stream that takes too much, at once. */
export function stop(one: Running, why: Running['stopFor']): void {
  if (one.stopFor !== undefined || one.result !== undefined) return
  one.stopFor = why
  if (
    one.rolling === undefined ||
    why === 'lost' ||
    (typeof why === 'object' && why.code === 'execution_memory_exceeded')
  ) {
    one.child.kill('SIGKILL')
    return
  }
  one.child.send({ type: 'stop' } satisfies ToExecution, () => undefined)
  setTimeout(() => one.child.kill('SIGKILL'), STOP_MS).unref()
}

export const mib = (bytes: number): number => Math.round(bytes / 1024 / 1024)
