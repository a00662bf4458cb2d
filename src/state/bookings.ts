/**
 * Changes bookings after the cycle that made them: moves them into room that became free, extends them for
 * runs that take longer, and gives them back. Each change also updates the slots of the capacity.
 */
import { sql } from 'kysely'
import type { Namespace } from '../core/service/namespaces.ts'
import { advance, extendRunning, type Advance, type Later, type Outrunning } from '../scheduling/booked.ts'
import { allocate } from './allocation.ts'
import { gridAt, lockCapacity, readSlots, type SlotSettings } from './capacity.ts'
import type { Tx } from './database.ts'
import { holdsOf } from './holds.ts'
import { readTenants } from './tenant-capacity.ts'

/** Most bookings of one round: enough to fill a machine, few enough to take milliseconds. */
const ADVANCED_AT_ONCE = 200

/** Moves later bookings into the room that is free now. Returns how many. */
export async function advanceBookings(
  tx: Tx,
  { settings, now }: { settings: SlotSettings; now: Date },
): Promise<number> {
  const rows = await lockMovable(tx, now)
  if (rows.length === 0) return 0
  const starts = await startsOfLots(tx, rows)
  await lockCapacity(tx)
  const grid = gridAt(now.getTime(), settings)
  const owners = rows.flatMap((row) => row.unit_owner ?? [])
  const tenants = await readTenants(tx, grid, owners, { nowMs: now.getTime(), lock: false })
  const later = rows.map((row): Later => ({
    executionId: row.execution_id,
    namespace: row.namespace as Namespace,
    owner: row.unit_owner ?? undefined,
    cpuCores: row.cpu_cores,
    memoryGb: row.memory_gb,
    preferredMs: row.scheduled_time.getTime(),
    fromMs: (row.booked_from as Date).getTime(),
    untilMs: (row.booked_until as Date).getTime(),
    paidFromMs: Math.max(0, ...holdsOf(row.holds).map((hold) => starts.get(hold.lotId) ?? 0)),
  }))
  const moves = advance({ nowMs: now.getTime(), grid, free: await readSlots(tx, grid), tenants }, later)
  if (moves.length === 0) return 0
  const before = moves.map(
    (move) => later.find((booking) => booking.executionId === move.executionId) as Later,
  )
  const after = before.map((booking, i) => ({
    ...booking,
    fromMs: moves[i].fromMs,
    untilMs: moves[i].untilMs,
  }))
  await allocate(tx, grid, before, -1)
  await allocate(tx, grid, after, 1)
  await enterMoves(tx, before, moves)
  return moves.length
}

/** Later bookings of executions that may start now, locked. */
async function lockMovable(tx: Tx, now: Date) {
  return (
    tx
      .selectFrom('bookings as b')
      .innerJoin('job_executions as x', 'x.execution_id', 'b.execution_id')
      .select([
        'x.execution_id',
        'x.tenant_id',
        'x.namespace',
        'x.cpu_cores',
        'x.memory_gb',
        'x.scheduled_time',
        'x.booked_from',
        'x.booked_until',
        'x.unit_owner',
        'x.holds',
      ])
      .where('b.booked_from', '>', now)
      .where('x.status', '=', 'booked')
      .where('x.scheduled_time', '<=', now)
      // The owner of units comes before borrowers: recalled units must not go to the next loan.
      .orderBy(sql`x.unit_owner IS NOT NULL AND x.unit_owner <> x.tenant_id`)
      .orderBy('x.fair_tag')
      .orderBy('x.execution_id')
      .limit(ADVANCED_AT_ONCE)
      .forUpdate('x')
      .skipLocked()
      .execute()
  )
}

/** The start of each lot that is held from. */
async function startsOfLots(tx: Tx, rows: { holds: unknown }[]): Promise<Map<string, number>> {
  const lotIds = [...new Set(rows.flatMap((row) => holdsOf(row.holds).map((hold) => hold.lotId)))]
  if (lotIds.length === 0) return new Map()
  const lots = await tx
    .selectFrom('ledger_lots')
    .select(['lot_id', 'valid_from'])
    .where('lot_id', 'in', lotIds)
    .execute()
  return new Map(lots.map((lot) => [lot.lot_id, lot.valid_from.getTime()]))
}

async function enterMoves(tx: Tx, before: Later[], moves: Advance[]): Promise<void> {
  await sql`
    WITH m AS (
      SELECT *
      FROM unnest(
        ${moves.map((move) => move.executionId)}::uuid[],
        ${moves.map((move) => new Date(move.fromMs))}::timestamptz[],
        ${moves.map((move) => new Date(move.untilMs))}::timestamptz[],
        ${before.map((booking) => new Date(booking.fromMs))}::timestamptz[]
      ) AS m (execution_id, booked_from, booked_until, was_from)
    ),
    moved AS (
      UPDATE bookings b
      SET booked_from = m.booked_from
      FROM m
      WHERE b.booked_from = m.was_from
        AND b.execution_id = m.execution_id
    )
    UPDATE job_executions x
    SET booked_from = m.booked_from, booked_until = m.booked_until
    FROM m
    WHERE x.execution_id = m.execution_id
  `.execute(tx)
}

/** A run's booking is extended this long before it ends: two rounds of a busy scheduler. */
const EXTEND_AHEAD_MS = 60_000

/**
 * Extends bookings by one slot for runs that are about to exceed them, if the slot is free, so that nothing
 * else is planned there. If it is not, the run continues, and the executions booked there wait (see claim).
 * Returns how many were extended.
 */
export async function extendBookings(
  tx: Tx,
  { now, settings }: { now: Date; settings: SlotSettings },
): Promise<number> {
  const running = await lockOutrunning(tx, now)
  if (running.length === 0) return 0
  await lockCapacity(tx)
  const nowMs = now.getTime()
  const grid = gridAt(nowMs, settings)
  const free = await readSlots(tx, grid)
  const owners = running.flatMap((run) => run.owner ?? [])
  const tenants = await readTenants(tx, grid, owners, { nowMs, lock: false })
  const extended = extendRunning({ nowMs, grid, free, tenants }, running)
  const runs = new Map(running.map((run) => [run.executionId, run]))
  const added = extended
    .filter((extension) => extension.fromMs < extension.untilMs)
    .map((extension) => ({ ...(runs.get(extension.executionId) as Outrunning), ...extension }))
  await allocate(tx, grid, added, 1)
  for (const { executionId, untilMs } of extended)
    await tx
      .updateTable('job_executions')
      .set({ booked_until: new Date(untilMs) })
      .where('execution_id', '=', executionId)
      .execute()
  return extended.length
}

/** Runs whose bookings end soon, locked. */
async function lockOutrunning(tx: Tx, now: Date): Promise<Outrunning[]> {
  const rows = await tx
    .selectFrom('bookings as b')
    .innerJoin('job_executions as x', 'x.execution_id', 'b.execution_id')
    .select(['x.execution_id', 'x.namespace', 'x.cpu_cores', 'x.memory_gb', 'x.booked_until', 'x.unit_owner'])
    .where('x.status', '=', 'running')
    .where('x.booked_until', '<=', new Date(now.getTime() + EXTEND_AHEAD_MS))
    .orderBy('x.execution_id')
    .limit(500)
    .forUpdate('x')
    .skipLocked()
    .execute()
  return rows.map((row) => ({
    executionId: row.execution_id,
    namespace: row.namespace as Namespace,
    owner: row.unit_owner ?? undefined,
    cpuCores: row.cpu_cores,
    memoryGb: row.memory_gb,
    untilMs: (row.booked_until as Date).getTime(),
  }))
}

interface Booked {
  namespace: string
  cpu_cores: number
  memory_gb: number
  booked_from: Date | null
  booked_until: Date | null
  unit_owner: string | null
}

/** Gives back a booking's part of slots that are not over. Slots that are over stay unchanged, as history. */
export async function giveBack(tx: Tx, row: Booked, now: Date, settings: SlotSettings): Promise<void> {
  if (row.booked_from === null || row.booked_until === null) return
  const grid = gridAt(now.getTime(), settings)
  const fromMs = Math.max(row.booked_from.getTime(), grid.originMs)
  const untilMs = row.booked_until.getTime()
  if (fromMs >= untilMs) return
  const span = {
    namespace: row.namespace,
    cpuCores: row.cpu_cores,
    memoryGb: row.memory_gb,
    fromMs,
    untilMs,
    owner: row.unit_owner ?? undefined,
  }
  await allocate(tx, grid, [span], -1)
}

/** Deletes the booking of an execution that has ended or returns to the queue. */
export async function unbook(tx: Tx, row: { execution_id: string; booked_from: Date | null }): Promise<void> {
  if (row.booked_from === null) return
  await tx
    .deleteFrom('bookings')
    .where('booked_from', '=', row.booked_from)
    .where('execution_id', '=', row.execution_id)
    .execute()
}
