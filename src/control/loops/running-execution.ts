/** An execution whose process runs: its state, its use, and how to stop it. */
import type { ChildProcess } from 'node:child_process'
import { chargeOf, type CpuMicros } from '../../core/service/amounts.ts'
import type { TenantLimits } from '../../core/service/tenant-limits.ts'
import type { FromChild, ToExecution } from '../../executions/work.ts'
import type { ServiceReason } from '../../scheduling/reasons.ts'
import type { Claimed } from '../../state/runs/claim.ts'
import type { Used } from '../../state/runs/consumption.ts'
import type { StopAsked } from '../../state/runs/heartbeat.ts'

/** The last message of a run's process: how it ended. */
export type RunReport = Exclude<FromChild, { type: 'progress' }>

/** Why a run is stopped: it exceeded a limit, somebody asked for it, or this runner ends. */
export type StopCause = ServiceReason | StopAsked | 'handover'

/**
 * The state of a run, as its runner knows it. It goes from `running` to `stopping`, to `reported`, or to both
 * in this order. A process that exits without a report has died.
 */
export type RunState =
  | { name: 'running' }
  | { name: 'stopping'; cause: StopCause }
  | { name: 'reported'; report: RunReport; cause: StopCause | undefined }

export interface Running {
  claimed: Claimed
  child: ChildProcess
  state: RunState
  startedMs: number
  /** Once its process has ended: what follows is our own time. */
  endedMs?: number
  /** The highest value measured: it does not drop when a grandchild ends. */
  cpuMicros: bigint
  memoryByteMs: number
  measuredMs: number
  peakBytes: number
  progress: Extract<FromChild, { type: 'progress' }> | undefined
  held: CpuMicros
  /** Only a stream has them. */
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

interface Measured {
  cpuMicros: bigint
  memoryByteMs: number
  bookedMicros: bigint
}

/** Use of a stream that is not yet in the ledger. */
export interface SlotUse {
  used: Used
  measured: Measured
}

/**
 * Whether a stream's use is being recorded. If the answer was lost, the next attempt records the same use
 * again, so that it counts once.
 */
export type SlotEntry =
  | { name: 'none' }
  | { name: 'entering'; use: SlotUse }
  | { name: 'unanswered'; use: SlotUse }

/** The slots of a stream: when it holds the next one, and the use recorded up to the last one. */
export interface Rolling {
  /** Monotonic time. */
  atMs: number
  ahead: CpuMicros
  entered: Measured
  last: Date | null
  entry: SlotEntry
}

/**
 * A stopped stream has this long to end with a commit. Together with the heartbeat that tells it to stop,
 * this is less than the promised 30 s.
 */
const STOP_MS = 25_000

export const stopCauseOf = ({ state }: Pick<Running, 'state'>): StopCause | undefined =>
  state.name === 'running' ? undefined : state.cause

export const reportOf = ({ state }: Pick<Running, 'state'>): RunReport | undefined =>
  state.name === 'reported' ? state.report : undefined

export const isEntering = ({ rolling }: Pick<Running, 'rolling'>): boolean =>
  rolling?.entry.name === 'entering'

/** Use since the last record; for anything but a stream, all of it. */
export function unentered(run: Running, measured = measuredOf(run)): Used {
  const entered = run.rolling?.entered ?? NOTHING_MEASURED
  const { cpuMicros, memoryByteMs, bookedMicros } = measured
  return {
    cpuMicros: cpuMicros - entered.cpuMicros,
    memoryGbSeconds: BigInt(Math.ceil((memoryByteMs - entered.memoryByteMs) / 1_000 / 1024 ** 3)),
    bookedMicros: bookedMicros - entered.bookedMicros,
  }
}

export const NOTHING_MEASURED: Measured = { cpuMicros: 0n, memoryByteMs: 0, bookedMicros: 0n }

/** All until now. Time is that of a clock that only goes forward: no clock that jumps makes a run dearer. */
export const measuredOf = ({ claimed, cpuMicros, memoryByteMs, startedMs, endedMs }: Running): Measured => ({
  cpuMicros,
  memoryByteMs,
  bookedMicros: chargeOf(claimed.cpu_cores, (endedMs ?? performance.now()) - startedMs),
})

/** Handles a message from the process. */
export function hear(run: Running, message: FromChild): void {
  if (message.type === 'progress') {
    run.progress = message
    run.worstFreshnessMs = Math.max(run.worstFreshnessMs, message.freshnessMs ?? 0)
  } else run.state = { name: 'reported', report: message, cause: stopCauseOf(run) }
}

/** Stops a run. A stream stops after a commit, unless it exceeds a limit; any other run stops at once. */
export function stop(run: Running, cause: StopCause): void {
  if (run.state.name !== 'running') return
  run.state = { name: 'stopping', cause }
  if (run.rolling === undefined || endsAtOnce(cause)) {
    run.child.kill('SIGKILL')
    return
  }
  run.child.send({ type: 'stop' } satisfies ToExecution, () => undefined)
  setTimeout(() => run.child.kill('SIGKILL'), STOP_MS).unref()
}

const endsAtOnce = (cause: StopCause): boolean =>
  cause === 'lost' || (typeof cause === 'object' && cause.code === 'execution_memory_exceeded')

export const mib = (bytes: number): number => Math.round(bytes / 1024 / 1024)
