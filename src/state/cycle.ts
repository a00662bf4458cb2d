/**
 * A cycle of the scheduler in the database: one transaction reads the snapshot for scheduling/cycle.ts and
 * stores its decision. Its locks keep the snapshot true, so a second scheduler, or one that slept for an
 * hour, can decide nothing twice.
 */
import { sql } from 'kysely'
import { failpoint } from '../core/failpoint.ts'
import { DEDICATED, type Namespace, type OfferedCapacity } from '../core/service/namespaces.ts'
import { decide } from '../scheduling/cycle.ts'
import type { Queued } from '../scheduling/snapshot.ts'
import { allocate, spanOf } from './allocation.ts'
import { gridAt, readSlots, type SlotSettings } from './capacity.ts'
import type { Tx } from './database.ts'
import { bookAll, endMissed, letWait } from './decisions.ts'
import { readTenants } from './tenant-capacity.ts'

/**
 * Most executions of one cycle: more bookings of a tenant share the cost of a lot, but the locks are held for
 * 0.3 s then.
 */
export const CYCLE_HEADS = 4_000

export interface CycleReport {
  booked: number
  waiting: number
}

/**
 * One cycle: takes the heads of the queue, reads what is free, decides, and stores everything: bookings,
 * holds, slots, reasons, events.
 */
export async function runCycle(
  tx: Tx,
  {
    capacity,
    settings,
    now,
    heads,
    spillover,
  }: { capacity: OfferedCapacity; settings: SlotSettings; now: Date; heads: number; spillover: boolean },
): Promise<CycleReport> {
  await wakeUp(tx, now)
  const rows = await lockHeads(tx, heads)
  if (rows.length === 0) return { booked: 0, waiting: 0 }
  const grid = gridAt(now.getTime(), settings)
  const tenantIds = rows.map((row) => row.tenant_id)
  const dedicated = rows.filter((row) => row.namespace === DEDICATED).map((row) => row.tenant_id)
  const tenants = await readTenants(tx, grid, tenantIds, { nowMs: now.getTime(), lock: true, dedicated })
  const { bookings, waits } = decide({
    nowMs: now.getTime(),
    grid,
    free: await readSlots(tx, grid),
    total: capacity,
    tenants,
    queue: rows.map(queuedOf),
    spillover,
  })
  await bookAll(tx, bookings, new Map(rows.map((row) => [row.execution_id, row.place])), now)
  if (bookings.length > 0) await allocate(tx, grid, bookings.map(spanOf), 1)
  const missed = waits.filter((wait) => wait.over)
  const waiting = waits.filter((wait) => !wait.over)
  await letWait(tx, waiting)
  await endMissed(tx, missed, now)
  const served = new Set(bookings.map((booking) => booking.executionId))
  const servedTags = rows.filter((row) => served.has(row.execution_id)).map((row) => row.fair_tag)
  await moveVirtualTime(tx, servedTags)
  if (bookings.length > 0) failpoint('cycle.deciding')
  return { booked: bookings.length, waiting: waits.length }
}

/** Wakes executions that slept and whose time to try again has come. */
async function wakeUp(tx: Tx, now: Date): Promise<void> {
  await sql`
    UPDATE queued_executions
    SET ready = true
    WHERE execution_id IN (
      SELECT execution_id
      FROM queued_executions
      WHERE NOT ready
        AND try_after <= ${now}
      ORDER BY execution_id
      LIMIT 5000
      FOR UPDATE SKIP LOCKED
    )
  `.execute(tx)
}

/** The executions whose turn it is, locked. `place`: the place of the row, which the lock keeps. */
async function lockHeads(tx: Tx, heads: number) {
  return tx
    .selectFrom('queued_executions')
    .select([
      sql<string>`ctid`.as('place'),
      'execution_id',
      'tenant_id',
      'namespace',
      'cpu_cores',
      'memory_gb',
      'estimated_minutes',
      'preferred',
      'deadline',
      'fair_tag',
    ])
    .where('ready', '=', true)
    .orderBy('fair_tag')
    .orderBy('execution_id')
    .limit(heads)
    .forUpdate()
    .skipLocked()
    .execute()
}

function queuedOf(row: Awaited<ReturnType<typeof lockHeads>>[number]): Queued {
  return {
    executionId: row.execution_id,
    tenantId: row.tenant_id,
    namespace: row.namespace as Namespace,
    cpuCores: row.cpu_cores,
    memoryGb: row.memory_gb,
    estimatedMinutes: row.estimated_minutes,
    preferredMs: row.preferred.getTime(),
    deadlineMs: row.deadline.getTime(),
  }
}

/** Virtual time is how far the queue has been served: a new tenant starts there. */
async function moveVirtualTime(tx: Tx, servedTags: number[]): Promise<void> {
  if (servedTags.length === 0) return
  await sql`
    UPDATE installation
    SET virtual_time = greatest(virtual_time, ${Math.max(0, ...servedTags)}::float8)
  `.execute(tx)
}
