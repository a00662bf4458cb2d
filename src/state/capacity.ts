/** Capacity over time in the database: what an operator offers, and the slots computed in advance from it. */
import { sql } from 'kysely'
import {
  NAMESPACES,
  forNamespaces,
  type Namespace,
  type OfferedCapacity,
} from '../core/service/namespaces.ts'
import type { Snapshot } from '../scheduling/snapshot.ts'
import { emptyLane, type SlotGrid } from '../scheduling/slots.ts'
import type { Db, Tx } from './database.ts'
import { record } from './events.ts'

export interface SlotSettings {
  slotMinutes: number
  horizonHours: number
  /** A stream holds its next slot this long before the present one ends. */
  rollAheadMs: number
}

export const SLOTS: SlotSettings = { slotMinutes: 15, horizonHours: 48, rollAheadMs: 60_000 }

/** The grid of slots that starts with the one containing `nowMs`. */
export function gridAt(nowMs: number, { slotMinutes, horizonHours }: SlotSettings): SlotGrid {
  const slotMs = slotMinutes * 60_000
  return {
    originMs: Math.floor(nowMs / slotMs) * slotMs,
    slotMs,
    count: Math.ceil((horizonHours * 60) / slotMinutes),
  }
}

/**
 * Every change of the allocated capacity takes this one lock until its transaction ends, after locks of
 * executions and lots.
 */
export async function lockCapacity(tx: Db): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtext('headrace.capacity'))`.execute(tx)
}

/**
 * The capacity that an operator set. Other namespaces keep the values with which the installation was
 * started.
 */
export async function readCapacity(db: Db): Promise<Partial<OfferedCapacity>> {
  return (await db.selectFrom('installation').select('capacity').executeTakeFirstOrThrow()).capacity
}

export async function writeCapacity(tx: Tx, capacity: OfferedCapacity, actor: string): Promise<void> {
  await tx
    .updateTable('installation')
    .set({ capacity: JSON.stringify(capacity) })
    .execute()
  await record(tx, { tenantId: null, actor, event: 'capacity.changed', data: { ...capacity } })
}

/** Creates the missing slots of the horizon, and applies a changed capacity as far as bookings allow. */
export async function ensureSlots(tx: Tx, capacity: OfferedCapacity, grid: SlotGrid): Promise<void> {
  // A conflict locks the existing row, in the order of this statement and not of the others.
  await lockCapacity(tx)
  const end = new Date(grid.originMs + (grid.count - 1) * grid.slotMs)
  const minutes = grid.slotMs / 60_000
  for (const namespace of NAMESPACES) {
    const { cpuCores, memoryGb } = capacity[namespace]
    await sql`
      INSERT INTO capacity_slots (
        namespace, time_slot, slot_duration_minutes, total_cpu_capacity, total_memory_capacity
      )
      SELECT ${namespace}, at, ${minutes}::int, ${cpuCores}::int, ${memoryGb}::int
      FROM generate_series(
        ${new Date(grid.originMs)}::timestamptz,
        ${end}::timestamptz,
        make_interval(mins => ${minutes}::int)
      ) AS at
      ON CONFLICT (namespace, time_slot, slot_duration_minutes) DO UPDATE
      SET
        total_cpu_capacity = greatest(excluded.total_cpu_capacity, capacity_slots.allocated_cpu),
        total_memory_capacity = greatest(excluded.total_memory_capacity, capacity_slots.allocated_memory)
      WHERE capacity_slots.total_cpu_capacity <> excluded.total_cpu_capacity
        OR capacity_slots.total_memory_capacity <> excluded.total_memory_capacity
    `.execute(tx)
  }
}

/** Free capacity of all namespaces in the slots of the grid. A missing slot has none. */
export async function readSlots(db: Db, grid: SlotGrid): Promise<Snapshot['free']> {
  const minutes = grid.slotMs / 60_000
  const rows = await db
    .selectFrom('capacity_slots')
    .select([
      'namespace',
      'time_slot',
      'total_cpu_capacity',
      'total_memory_capacity',
      'allocated_cpu',
      'allocated_memory',
    ])
    .where('slot_duration_minutes', '=', minutes)
    .where('time_slot', '>=', new Date(grid.originMs))
    .where('time_slot', '<', new Date(grid.originMs + grid.count * grid.slotMs))
    .execute()
  const free: Snapshot['free'] = forNamespaces(() => emptyLane(grid.count))
  for (const row of rows) {
    const slot = (row.time_slot.getTime() - grid.originMs) / grid.slotMs
    const lane = free[row.namespace as Namespace]
    lane.cpu[slot] = row.total_cpu_capacity - row.allocated_cpu
    lane.memory[slot] = row.total_memory_capacity - row.allocated_memory
  }
  return free
}

/** Slots that start between `from` and `until`, of one namespace or of all. */
export async function listSlots(
  db: Db,
  {
    namespace,
    from,
    until,
    limit,
  }: { namespace: string | undefined; from: Date; until: Date; limit: number },
) {
  let query = db
    .selectFrom('capacity_slots')
    .select([
      'slot_id',
      'namespace',
      'time_slot',
      'slot_duration_minutes',
      'total_cpu_capacity',
      'total_memory_capacity',
      'allocated_cpu',
      'allocated_memory',
      'region',
    ])
    .where('time_slot', '>=', from)
    .where('time_slot', '<', until)
    .orderBy('namespace')
    .orderBy('time_slot')
    .limit(limit)
  if (namespace !== undefined) query = query.where('namespace', '=', namespace)
  return query.execute()
}

/** Slots of all namespaces that have not started: none if no scheduler runs. */
export async function countSlotsAhead(db: Db): Promise<number> {
  const { rows } = await sql<{ slots: number }>`
    SELECT count(*)::int AS slots
    FROM capacity_slots
    WHERE time_slot > now()
  `.execute(db)
  return rows[0].slots
}

export async function dropSlotsBefore(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('capacity_slots').where('time_slot', '<', before).execute()
}

export interface DailyPeak {
  namespace: string
  /** As YYYY-MM-DD, in UTC. */
  day: string
  /** The most cores that were allocated in one slot. */
  peak: number
}

/** Daily peaks of each namespace from `from` to `until`, in order. */
export async function dailyPeaks(db: Db, from: Date, until: Date): Promise<DailyPeak[]> {
  const { rows } = await sql<DailyPeak>`
    SELECT
      namespace,
      to_char(time_slot AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day,
      max(allocated_cpu)::int AS peak
    FROM capacity_slots
    WHERE time_slot >= ${from}
      AND time_slot < ${until}
    GROUP BY 1, 2
    ORDER BY 2
  `.execute(db)
  return rows
}
