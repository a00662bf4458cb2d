/** Holds of a run that continues: a stream's slot by slot, another run's if it exceeds its estimate. */
import { vcpuHours, type CpuMicros } from '../../core/service/amounts.ts'
import type { Tx } from '../database.ts'
import { record } from '../events.ts'
import { holdsOf, holdsText, isPaid, sumOf } from '../holds.ts'
import { availableTo, extend, settle } from '../settlement.ts'
import { consume, type Used } from './consumption.ts'

export interface Rolled {
  /** Held for the next slot. Less than requested if no more is left. */
  held: CpuMicros
  /** What could still be held for a further slot. */
  left: CpuMicros
  /** Pass it as `last` the next time. */
  at: Date
}

/**
 * Moves the hold of a stream on: settles and stores the use since the last time, returns the rest of that
 * hold, and holds the next slot. Undefined if it is another run by now. If it is not paid by the hour, only
 * use is stored. `last` identifies a repetition of the same roll, whose first answer was lost: then nothing
 * is stored again.
 */
export async function roll(
  tx: Tx,
  {
    executionId,
    generation,
    used,
    ahead,
    last,
    now,
  }: { executionId: string; generation: bigint; used: Used; ahead: CpuMicros; last: Date | null; now: Date },
): Promise<Rolled | undefined> {
  const run = await lockRun(tx, executionId, generation)
  if (run === undefined) return undefined
  const tenantId = run.tenant_id
  const holds = holdsOf(run.holds)
  const paid = isPaid(run)
  if (run.rolled_at !== null && run.rolled_at.getTime() !== last?.getTime())
    return {
      held: paid ? sumOf(holds) : ahead,
      left: paid ? await availableTo(tx, tenantId, now) : ahead,
      at: run.rolled_at,
    }
  if (paid) await settle(tx, { tenantId, executionId, holds, used: used.bookedMicros, at: now })
  const next = paid ? await extend(tx, { tenantId, executionId, amount: ahead, at: now }) : []
  await consume(tx, run, used, { from: run.rolled_at ?? run.actual_start_time ?? now, until: now })
  // The use so far is stored: a runner that dies before its next heartbeat must not be charged for it again.
  await tx
    .updateTable('job_executions')
    .set({ holds: holdsText(next), rolled_at: now, progress: null })
    .where('execution_id', '=', executionId)
    .execute()
  await forgetFailures(tx, run.job_id)
  if (!paid) return { held: ahead, left: ahead, at: now }
  const rolled = { held: sumOf(next), left: await availableTo(tx, tenantId, now), at: now }
  if (rolled.left < ahead) await warnOfBalance(tx, run, rolled, ahead)
  return rolled
}

/** Holds more for a run that exceeds its estimate. Returns whether anything was available. */
export async function extendHold(
  tx: Tx,
  {
    executionId,
    generation,
    amount,
    now,
  }: { executionId: string; generation: bigint; amount: CpuMicros; now: Date },
): Promise<boolean> {
  const run = await lockRun(tx, executionId, generation)
  if (run === undefined) return false
  const more = await extend(tx, { tenantId: run.tenant_id, executionId, amount, at: now })
  if (more.length === 0) return false
  await tx
    .updateTable('job_executions')
    .set({ holds: holdsText([...holdsOf(run.holds), ...more]) })
    .where('execution_id', '=', executionId)
    .execute()
  return true
}

/** The run, locked, unless it is another one by now. */
async function lockRun(tx: Tx, executionId: string, generation: bigint) {
  return tx
    .selectFrom('job_executions')
    .select(['execution_id', 'job_id', 'tenant_id', 'namespace', 'holds', 'actual_start_time', 'rolled_at'])
    .where('execution_id', '=', executionId)
    .where('generation', '=', generation)
    .where('status', '=', 'running')
    .forUpdate()
    .executeTakeFirst()
}

/** A stream that got as far as a roll has not failed since. */
async function forgetFailures(tx: Tx, jobId: string): Promise<void> {
  await tx
    .updateTable('ingestion_jobs')
    .set({ failures_in_a_row: 0 })
    .where('job_id', '=', jobId)
    .where('failures_in_a_row', '>', 0)
    .execute()
}

async function warnOfBalance(
  tx: Tx,
  run: { execution_id: string; job_id: string; tenant_id: string },
  { held, left }: Rolled,
  ahead: CpuMicros,
): Promise<void> {
  await record(tx, {
    tenantId: run.tenant_id,
    actor: 'runner',
    event: 'execution.balance_low',
    subject: run.execution_id,
    data: {
      job_id: run.job_id,
      needed_vcpu_hours: vcpuHours(ahead),
      held_vcpu_hours: vcpuHours(held),
      left_vcpu_hours: vcpuHours(left),
    },
  })
}
