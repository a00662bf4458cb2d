/** Runs whose runner fell silent: found by their leases, and ended as the runner would have ended them. */
import type { ServiceReason } from '../../scheduling/reasons.ts'
import type { SlotSettings } from '../capacity.ts'
import type { Db, Tx } from '../database.ts'
import { finish, type Ending } from './ending.ts'

/** The running executions and the present ends of their leases. */
export async function leasesOf(
  db: Db,
): Promise<{ execution_id: string; generation: bigint; lease_until: Date }[]> {
  const rows = await db
    .selectFrom('bookings as b')
    .innerJoin('job_executions as x', 'x.execution_id', 'b.execution_id')
    .select(['x.execution_id', 'x.generation', 'x.lease_until'])
    .where('x.status', '=', 'running')
    .execute()
  return rows.map((row) => ({ ...row, lease_until: row.lease_until as Date }))
}

/**
 * Ends a run that its runner lost, by its lease: its hold goes back, and it is tried again, at most three
 * times. False if the lease was renewed meanwhile. One per transaction: an end locks lots before the
 * capacity, and a second end would lock lots after it.
 */
export async function reap(
  tx: Tx,
  silent: { execution_id: string; lease_until: Date },
  { now, settings, attempts }: { now: Date; settings: SlotSettings; attempts: number },
): Promise<boolean> {
  const run = await lockSilent(tx, silent)
  if (run === undefined) return false
  const progress = (run.progress ?? {}) as { cpu_us?: string; memory_gb_s?: string; booked_us?: string }
  const reason: ServiceReason = {
    code: 'runner_lost',
    params: { runner: run.runner ?? 'unknown', attempt: run.attempt },
  }
  await finish(
    tx,
    {
      executionId: run.execution_id,
      generation: run.generation,
      outcome: lostOutcome(run, attempts),
      used: {
        cpuMicros: BigInt(progress.cpu_us ?? '0'),
        memoryGbSeconds: BigInt(progress.memory_gb_s ?? '0'),
        bookedMicros: BigInt(progress.booked_us ?? '0'),
      },
      reason,
      receipt: {},
      tryAfter: new Date(now.getTime() + 1_000 * 2 ** run.attempt),
    },
    { actor: 'scheduler', now, settings },
  )
  return true
}

/** The run, locked, unless another transaction holds it or its lease is another one by now. */
async function lockSilent(tx: Tx, silent: { execution_id: string; lease_until: Date }) {
  const run = await tx
    .selectFrom('job_executions')
    .select([
      'execution_id',
      'generation',
      'runner',
      'attempt',
      'progress',
      'cancel_requested',
      'lease_until',
    ])
    .where('status', '=', 'running')
    .where('execution_id', '=', silent.execution_id)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst()
  return run?.lease_until?.getTime() === silent.lease_until.getTime() ? run : undefined
}

function lostOutcome(
  { cancel_requested, attempt }: { cancel_requested: boolean; attempt: number },
  attempts: number,
): Ending['outcome'] {
  if (cancel_requested) return 'cancelled'
  return attempt < attempts ? 'requeued' : 'failed'
}
