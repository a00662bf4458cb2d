/** Cancels an execution: at once while it waits or is booked, through its runner when it runs. */
import { failure } from '../../core/errors.ts'
import { giveBack, unbook } from '../bookings.ts'
import { lockCapacity, type SlotSettings } from '../capacity.ts'
import type { Tx } from '../database.ts'
import { record } from '../events.ts'
import { holdsOf } from '../holds.ts'
import { settle } from '../settlement.ts'

interface Cancellation {
  tenantId: string
  executionId: string
  actor: string
  now: Date
  settings: SlotSettings
}

/** Throws `execution_state` if it has ended. */
export async function cancel(tx: Tx, cancellation: Cancellation): Promise<void> {
  const { tenantId, executionId, actor } = cancellation
  const reason = JSON.stringify({ code: 'cancelled', params: { actor, job: '' } })
  if (await cancelWaiting(tx, cancellation, reason)) return
  const row = await lockExecution(tx, cancellation)
  if (row.status === 'running') {
    await tx
      .updateTable('job_executions')
      .set({ cancel_requested: true, reason })
      .where('execution_id', '=', executionId)
      .execute()
    await record(tx, { tenantId, actor, event: 'execution.cancel_requested', subject: executionId })
    return
  }
  if (row.status !== 'booked')
    throw failure('execution_state', { status: row.status, action: 'cancelled', id: executionId })
  await cancelBooked(tx, row, cancellation, reason)
}

/** Removes it from the queue. False if it is not there. */
async function cancelWaiting(
  tx: Tx,
  { tenantId, executionId, actor, now }: Cancellation,
  reason: string,
): Promise<boolean> {
  const waited = await tx
    .deleteFrom('queued_executions')
    .where('tenant_id', '=', tenantId)
    .where('execution_id', '=', executionId)
    .returning('execution_id')
    .executeTakeFirst()
  if (waited === undefined) return false
  await tx
    .updateTable('job_executions')
    .set({ status: 'cancelled', actual_end_time: now, reason })
    .where('execution_id', '=', executionId)
    .execute()
  await record(tx, { tenantId, actor, event: 'execution.cancelled', subject: executionId })
  return true
}

async function lockExecution(tx: Tx, { tenantId, executionId }: Cancellation) {
  const row = await tx
    .selectFrom('job_executions')
    .select([
      'execution_id',
      'tenant_id',
      'status',
      'namespace',
      'cpu_cores',
      'memory_gb',
      'booked_from',
      'booked_until',
      'unit_owner',
      'holds',
    ])
    .where('tenant_id', '=', tenantId)
    .where('execution_id', '=', executionId)
    .forUpdate()
    .executeTakeFirst()
  if (row !== undefined) return row
  throw failure('not_found', {
    what: 'execution',
    id: executionId,
    list: `GET /api/v1/tenants/${tenantId}/executions`,
  })
}

/** Gives back its hold and its part of the capacity. */
async function cancelBooked(
  tx: Tx,
  row: Awaited<ReturnType<typeof lockExecution>>,
  { tenantId, executionId, actor, now, settings }: Cancellation,
  reason: string,
): Promise<void> {
  const holds = holdsOf(row.holds)
  if (holds.length > 0) await settle(tx, { tenantId, executionId, holds, used: 0n, at: now })
  await lockCapacity(tx)
  await giveBack(tx, row, now, settings)
  await unbook(tx, row)
  await tx
    .updateTable('job_executions')
    .set({ status: 'cancelled', holds: JSON.stringify([]), actual_end_time: now, reason })
    .where('execution_id', '=', executionId)
    .execute()
  await record(tx, { tenantId, actor, event: 'execution.cancelled', subject: executionId })
}
