/**
 * Decides what follows when the process of an execution ends: done, failed, cancelled, or another attempt.
 */
import { hostname } from 'node:os'
import { ERRORS, type ErrorCode } from '../../core/errors.ts'
import type { Receipt } from '../../executions/work.ts'
import type { ServiceReason } from '../../scheduling/reasons.ts'
import type { Ending } from '../../state/runs/ending.ts'
import { mib, reportOf, stopCauseOf, type Running, type StopCause } from './running-execution.ts'

const ATTEMPTS = 3
/** A stream that ran this long was healthy, so its next restart comes at once. */
const HEALTHY_MS = 600_000
/** Pauses grow up to this number of restarts. */
const RESTARTS_COUNTED = 7

export type Outcome = Pick<Ending, 'outcome' | 'reason' | 'errorMessage' | 'receipt' | 'cursor' | 'tryAfter'>

export function outcomeOf(run: Running, now: Date): Outcome {
  const { claimed } = run
  const receipt = receiptOf(run)
  const requeued = (reason: ServiceReason, pauseMs: number): Outcome => ({
    outcome: 'requeued',
    reason,
    receipt,
    tryAfter: new Date(now.getTime() + pauseMs),
  })
  const cause = stopCauseOf(run)
  if (cause !== undefined) return stopped(run, cause, requeued)
  const report = reportOf(run)
  if (report?.type === 'done') return { outcome: 'succeeded', receipt, cursor: report.cursor }
  // A stream has no limit of attempts: it is restarted, with growing pauses unless it ran well for a while.
  const mayRetry = run.rolling !== undefined || claimed.attempt < ATTEMPTS
  if (report === undefined) {
    const reason = processDied(run)
    return mayRetry ? requeued(reason, 1_000 * 2 ** restartsOf(run)) : { outcome: 'failed', reason, receipt }
  }
  const code = report.code as ErrorCode
  const reason = { code, params: report.params } as unknown as ServiceReason
  if (ERRORS[code]?.class === 'transient' && mayRetry) return requeued(reason, 2_000 * 2 ** restartsOf(run))
  return { outcome: 'failed', reason, errorMessage: report.message.slice(0, 2_000), receipt }
}

/** The runner stopped it. */
function stopped(
  run: Running,
  cause: StopCause,
  requeued: (reason: ServiceReason, pauseMs: number) => Outcome,
): Outcome {
  const { claimed } = run
  const receipt = receiptOf(run)
  if (typeof cause === 'object')
    return { outcome: cause.code === 'runtime_exceeded' ? 'timed_out' : 'failed', reason: cause, receipt }
  if (cause === 'cancelled') {
    const reason: ServiceReason = {
      code: 'cancelled',
      params: { actor: 'request', job: claimed.job_id },
    }
    return { outcome: 'cancelled', reason, receipt }
  }
  if (cause === 'recalled') return requeued({ code: 'lender_called', params: { lender: 'their owner' } }, 0)
  return requeued({ code: 'runner_lost', params: { runner: hostname(), attempt: claimed.attempt } }, 0)
}

function receiptOf(run: Running): Record<string, unknown> {
  const report = reportOf(run)
  return {
    ...(report?.type === 'done' ? (report.receipt satisfies Receipt) : {}),
    runner: hostname(),
    peak_memory_mib: mib(run.peakBytes),
    attempt: run.claimed.attempt,
    held_vcpu_hours: Number(run.held / 3_600_000n) / 1_000,
  }
}

function restartsOf(run: Running): number {
  if (run.rolling === undefined) return run.claimed.attempt
  const ranWell = performance.now() - run.startedMs > HEALTHY_MS
  return ranWell ? 0 : Math.min(run.claimed.attempt, RESTARTS_COUNTED)
}

const processDied = ({ child, claimed }: Running): ServiceReason => ({
  code: 'runner_lost',
  params: {
    runner: `child (${child.signalCode ?? child.exitCode ?? 'not started'})`,
    attempt: claimed.attempt,
  },
})
