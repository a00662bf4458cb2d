/**
 * Ends a run, whatever its outcome: one transaction settles its use, gives back its capacity and stores its
 * outcome.
 */
import { sql } from 'kysely'
import { thousandths, vcpuHours, type CpuMicros } from '../../core/service/amounts.ts'
import { failpoint } from '../../core/failpoint.ts'
import { failure } from '../../core/errors.ts'
import type { ServiceReason } from '../../scheduling/reasons.ts'
import type { ResourceUsed } from '../../scheduling/terms.ts'
import { giveBack, unbook } from '../bookings.ts'
import { lockCapacity, type SlotSettings } from '../capacity.ts'
import type { Tx } from '../database.ts'
import { record } from '../events.ts'
import { holdsOf, isPaid } from '../holds.ts'
import { settle } from '../settlement.ts'
import { queueUp } from '../queue.ts'
import { LATE_MARK } from './late-starts.ts'
import { consume, consumedBy, type Consumed, type Used } from './consumption.ts'

export interface Ending {
  executionId: string
  generation: bigint
  outcome: 'succeeded' | 'failed' | 'cancelled' | 'timed_out' | 'requeued'
  /** Use since the last record. */
  used: Used
  reason?: ServiceReason
  errorMessage?: string
  receipt: Record<string, unknown>
  /** Where the job continues: stored with a success, or not at all. */
  cursor?: unknown
  /** When a requeued execution may be tried again. */
  tryAfter?: Date
  /** Whether it kept its promise, if that is not about its run time. */
  slaMet?: boolean
}

/** Ends a run. Throws `lease_lost` if it is another run by now. */
export async function finish(
  tx: Tx,
  ending: Ending,
  { actor, now, settings }: { actor: string; now: Date; settings: SlotSettings },
): Promise<void> {
  const run = await lockRun(tx, ending)
  const debt = await settleRun(tx, run, ending.used.bookedMicros, now)
  await lockCapacity(tx)
  await giveBack(tx, run, now, settings)
  const started = run.actual_start_time ?? now
  const ended = now < started ? started : now
  const minutes = (ended.getTime() - started.getTime()) / 60_000
  await consume(tx, run, ending.used, { from: run.rolled_at ?? started, until: ended })
  const total = await consumedBy(tx, run.execution_id)
  const { outcome, reason } = outcomeOf(run, ending)
  await tx
    .updateTable('job_executions')
    .set({
      ...(outcome === 'requeued'
        ? anotherAttempt(run, now)
        : {
            status: outcome,
            actual_end_time: ended,
            sla_met:
              !run.warned.includes(LATE_MARK) &&
              (ending.slaMet ?? (outcome === 'succeeded' && isInTime(run, minutes))),
          }),
      ...NOT_RUNNING,
      reason: reason === undefined ? null : JSON.stringify(reason),
      error_message: ending.errorMessage ?? null,
      resource_used: JSON.stringify(resourceUsed(total)),
      receipt: JSON.stringify({
        ...ending.receipt,
        runtime_minutes: thousandths(minutes),
        start_delay_seconds: startDelaySeconds(run),
        ...(debt > 0n ? { debt_vcpu_hours: vcpuHours(debt) } : {}),
      }),
    })
    .where('execution_id', '=', run.execution_id)
    .execute()
  await unbook(tx, run)
  if (outcome === 'requeued') await queueUp(tx, run.execution_id, ending.tryAfter ?? now)
  await tellJob(tx, run.job_id, ending)
  await record(tx, {
    tenantId: run.tenant_id,
    actor,
    event: `execution.${outcome}`,
    subject: run.execution_id,
    data: { job_id: run.job_id, ...(reason === undefined ? {} : { reason }) },
  })
  failpoint('run.settling')
}

const RUN = [
  'x.execution_id',
  'x.job_id',
  'x.tenant_id',
  'x.namespace',
  'x.status',
  'x.generation',
  'x.runner',
  'x.holds',
  'x.actual_start_time',
  'x.rolled_at',
  'x.booked_from',
  'x.booked_until',
  'x.cpu_cores',
  'x.memory_gb',
  'x.unit_owner',
  'x.attempt',
  'x.cancel_requested',
  'x.warned',
  'j.sla_requirements',
  'j.namespace as home',
] as const

/** The run with its job's promise, locked. Throws `lease_lost` if it is another run by now. */
async function lockRun(tx: Tx, { executionId, generation }: Ending) {
  const run = await tx
    .selectFrom('job_executions as x')
    .innerJoin('ingestion_jobs as j', 'j.job_id', 'x.job_id')
    .select(RUN)
    .where('x.execution_id', '=', executionId)
    .forUpdate('x')
    .executeTakeFirst()
  if (run !== undefined && run.generation === generation && run.status === 'running') return run
  throw failure('lease_lost', {
    what: `execution ${executionId}`,
    holder: run?.runner ?? 'nobody',
    found: String(run?.generation ?? 'none'),
    expected: String(generation),
  })
}

type Run = Awaited<ReturnType<typeof lockRun>>

/** Returns the use that neither the run's hold nor its tenant's balance covered. */
async function settleRun(tx: Tx, run: Run, charged: CpuMicros, at: Date): Promise<CpuMicros> {
  if (!isPaid(run)) return 0n
  const { tenant_id: tenantId, execution_id: executionId } = run
  return settle(tx, { tenantId, executionId, holds: holdsOf(run.holds), used: charged, at })
}

/** A request to end it, made while it failed temporarily, must not be repeated to another attempt. */
function outcomeOf(run: Run, ending: Ending): Pick<Ending, 'outcome' | 'reason'> {
  if (ending.outcome !== 'requeued' || !run.cancel_requested)
    return { outcome: ending.outcome, reason: ending.reason }
  return {
    outcome: 'cancelled',
    reason: { code: 'cancelled', params: { actor: 'request', job: run.job_id } },
  }
}

/** Fields that only a running execution has, cleared. */
const NOT_RUNNING = {
  holds: JSON.stringify([]),
  lease_until: null,
  progress: null,
  cancel_requested: false,
  recalled: false,
}

/** Back to the queue of its job's own namespace. Its window starts again: the loss was not its fault. */
function anotherAttempt(run: Run, now: Date) {
  return {
    status: 'scheduled',
    deadline: sql<Date>`greatest(deadline, ${now}::timestamptz + interval '24 hours')`,
    attempt: run.attempt + 1,
    namespace: run.home,
    actual_start_time: null,
    rolled_at: null,
    booked_from: null,
    booked_until: null,
    lender: null,
    unit_owner: null,
  }
}

/** How long after its booking it started. */
function startDelaySeconds(run: Run): number {
  if (run.booked_from === null || run.actual_start_time === null) return 0
  return thousandths(Math.max(0, run.actual_start_time.getTime() - run.booked_from.getTime()) / 1_000)
}

function isInTime(run: Run, minutes: number): boolean {
  const most = run.sla_requirements.max_runtime_minutes
  return most === undefined || minutes <= most
}

function resourceUsed({ cpuMicros, memoryGbSeconds, bookedMicros, chargedMicros }: Consumed): ResourceUsed {
  return {
    cpu_seconds: Number(cpuMicros) / 1e6,
    memory_gb_seconds: Number(memoryGbSeconds),
    vcpu_hours: vcpuHours(bookedMicros),
    charged_vcpu_hours: vcpuHours(chargedMicros),
    ...(bookedMicros > 0n
      ? { cpu_efficiency_percent: Math.round((Number(cpuMicros) / Number(bookedMicros)) * 1_000) / 10 }
      : {}),
  }
}

/** A success moves the cursor of the job and clears its failures. A failure counts. */
async function tellJob(tx: Tx, jobId: string, ending: Ending): Promise<void> {
  if (ending.outcome === 'succeeded')
    await tx
      .updateTable('ingestion_jobs')
      .set({
        failures_in_a_row: 0,
        ...(ending.cursor === undefined ? {} : { cursor: JSON.stringify(ending.cursor) }),
      })
      .where('job_id', '=', jobId)
      .execute()
  else if (ending.outcome === 'failed' || ending.outcome === 'timed_out')
    await tx
      .updateTable('ingestion_jobs')
      .set((row) => ({ failures_in_a_row: row('failures_in_a_row', '+', 1) }))
      .where('job_id', '=', jobId)
      .execute()
}
