/**
 * Capacity over time in the database: slots computed in advance, the snapshot that a decision is made of, and
 * what a decision changes. Whoever changes allocations holds one lock until its transaction ends, taken after
 * rows of executions and lots.
 */
import { sql } from 'kysely'
import { UNIT } from '../core/amounts.ts'
import { DEDICATED, NAMESPACES, type Namespace, type OfferedCapacity } from '../core/namespaces.ts'
import type { Booking, Lot, Snapshot, TenantState } from '../scheduling/cycle.ts'
import { emptyLane, type SlotGrid } from '../scheduling/slots.ts'
import type { Db, Tx } from './database.ts'
import { record } from './events.ts'

export interface SlotSettings {
  slotMinutes: number
  horizonHours: number
  /** A stream holds its next slot so long before the last one ends. */
  rollAheadMs: number
}

export const SLOTS: SlotSettings = { slotMinutes: 15, horizonHours: 48, rollAheadMs: 60_000 }

/** The grid of slots that begins with the one that holds `nowMs`. */
export function gridAt(nowMs: number, { slotMinutes, horizonHours }: SlotSettings): SlotGrid {
  const slotMs = slotMinutes * 60_000
  return {
    originMs: Math.floor(nowMs / slotMs) * slotMs,
    slotMs,
    count: Math.ceil((horizonHours * 60) / slotMinutes),
  }
}

export async function lockCapacity(tx: Db): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtext('headrace.capacity'))`.execute(tx)
}

/** What an operator set; namespaces that are not named are as the installation was started with. */
export async function readCapacity(db: Db): Promise<Partial<OfferedCapacity>> {
  return (await db.selectFrom('installation').select('capacity').executeTakeFirstOrThrow())
    .capacity as Partial<OfferedCapacity>
}

export async function writeCapacity(tx: Tx, capacity: OfferedCapacity, actor: string): Promise<void> {
  await tx
    .updateTable('installation')
    .set({ capacity: JSON.stringify(capacity) })
    .execute()
  await record(tx, { tenantId: null, actor, event: 'capacity.changed', data: { ...capacity } })
}

/**
 * Makes the slots of the horizon that are missing, and follows a changed capacity as far as bookings allow.
 */
export async function ensureSlots(tx: Tx, capacity: OfferedCapacity, grid: SlotGrid): Promise<void> {
  // A conflict locks the row that is there, in the order of this statement and not of the others'.
  await lockCapacity(tx)
  const end = new Date(grid.originMs + (grid.count - 1) * grid.slotMs)
  const minutes = grid.slotMs / 60_000
  for (const namespace of NAMESPACES) {
    const { cpuCores, memoryGb } = capacity[namespace]
    await sql`
      INSERT INTO capacity_slots (namespace, time_slot, slot_duration_minutes, total_cpu_capacity, total_memory_capacity)
      SELECT ${namespace}, at, ${minutes}::int, ${cpuCores}::int, ${memoryGb}::int FROM generate_series(${new Date(grid.originMs)}::timestamptz, ${end}::timestamptz, make_interval(mins => ${minutes}::int)) at
      ON CONFLICT (namespace, time_slot, slot_duration_minutes) DO UPDATE
        SET total_cpu_capacity = greatest(excluded.total_cpu_capacity, capacity_slots.allocated_cpu), total_memory_capacity = greatest(excluded.total_memory_capacity, capacity_slots.allocated_memory)
        WHERE capacity_slots.total_cpu_capacity <> excluded.total_cpu_capacity OR capacity_slots.total_memory_capacity <> excluded.total_memory_capacity`.execute(
      tx,
    )
  }
}

/** Free capacity of all namespaces in the slots of the grid; a slot that is missing has none. */
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
  const free = Object.fromEntries(NAMESPACES.map((name) => [name, emptyLane(grid.count)])) as Snapshot['free']
  for (const row of rows) {
    const slot = (row.time_slot.getTime() - grid.originMs) / grid.slotMs
    const lane = free[row.namespace as Namespace]
    lane.cpu[slot] = row.total_cpu_capacity - row.allocated_cpu
    lane.memory[slot] = row.total_memory_capacity - row.allocated_memory
  }
  return free
}

/**
 * Units, use and balance of tenants, and of all that lend. With `lock`, their lots are locked, in one order
 * everywhere, and then the capacity; without, whoever goes on to change it holds its lock already. Units are
 * read of `dedicated` only, when it is given.
 */
export async function readTenants(
  db: Db,
  grid: SlotGrid,
  tenantIds: string[],
  { nowMs, lock, dedicated }: { nowMs: number; lock: boolean; dedicated?: string[] },
): Promise<Map<string, TenantState>> {
  const endMs = grid.originMs + grid.count * grid.slotMs
  // Who has work of its own for its units lends nothing: what was called back must not be lent again.
  const lenders = await db
    .selectFrom('tenants')
    .select('tenant_id')
    .where(sql<boolean>`policy->>'lends' = 'true'`)
    .where('status', '=', 'active')
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('queued_executions as q')
            .select('q.execution_id')
            .whereRef('q.tenant_id', '=', 'tenants.tenant_id')
            .where('q.namespace', '=', DEDICATED)
            .where('q.preferred', '<=', new Date(nowMs)),
        ),
      ),
    )
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('bookings as k')
            .innerJoin('job_executions as x', 'x.execution_id', 'k.execution_id')
            .select('k.execution_id')
            .whereRef('k.tenant_id', '=', 'tenants.tenant_id')
            .whereRef('x.unit_owner', '=', 'tenants.tenant_id')
            .where('k.booked_from', '>', new Date(nowMs))
            .where('x.status', '=', 'booked')
            .where('x.scheduled_time', '<=', new Date(nowMs)),
        ),
      ),
    )
    .execute()
  const lending = new Set(lenders.map((one) => one.tenant_id))
  const ids = [...new Set([...tenantIds, ...lending])]
  const owners = new Set([...(dedicated ?? ids), ...lending])
  // Who owns no units shares lanes that stay empty: 2 KB a tenant, thousands of them a cycle.
  const none = { units: new Int32Array(grid.count), used: emptyLane(grid.count) }
  const states = new Map<string, TenantState>(
    ids.map((id) => [
      id,
      {
        ...(owners.has(id) ? { units: new Int32Array(grid.count), used: emptyLane(grid.count) } : none),
        lots: [],
        lends: lending.has(id),
      },
    ]),
  )
  if (ids.length === 0) return states
  let lots = db
    .selectFrom('ledger_lots')
    .select(['tenant_id', 'lot_id', 'available', 'valid_from', 'valid_until'])
    .where('closed', '=', false)
    .where('purchase_id', 'is not', null)
    .where(sql<boolean>`tenant_id = ANY(${ids}::uuid[])`)
    .orderBy('valid_until')
    .orderBy('lot_id')
  if (lock) lots = lots.forUpdate()
  for (const lot of await lots.execute())
    states.get(lot.tenant_id)?.lots.push({
      lotId: lot.lot_id,
      available: lot.available,
      fromMs: lot.valid_from.getTime(),
      untilMs: lot.valid_until.getTime(),
    } satisfies Lot)
  // What is used of units is read under the lock: between, another could have booked it.
  if (lock) await lockCapacity(db)
  if (owners.size === 0) return states
  const units = await db
    .selectFrom('resource_purchases')
    .select(['tenant_id', 'quantity', 'valid_from', 'valid_until'])
    .where('resource_type', '=', 'dedicated_units')
    .where('status', 'in', ['active', 'scheduled'])
    .where(sql<boolean>`tenant_id = ANY(${[...owners]}::uuid[])`)
    .where('valid_from', '<', new Date(endMs))
    .where('valid_until', '>', new Date(grid.originMs))
    .execute()
  for (const one of units) {
    // A slot counts where the purchase covers it whole; the one that has begun, from now on.
    const first =
      one.valid_from.getTime() <= nowMs
        ? 0
        : Math.ceil((one.valid_from.getTime() - grid.originMs) / grid.slotMs)
    const last =
      Math.min(grid.count, Math.floor((one.valid_until.getTime() - grid.originMs) / grid.slotMs)) - 1
    for (let slot = first; slot <= last; slot += 1)
      (states.get(one.tenant_id) as TenantState).units[slot] += one.quantity
  }
  const used = await db
    .selectFrom('tenant_slots as t')
    .innerJoin('capacity_slots as s', 's.slot_id', 't.slot_id')
    .select(['t.tenant_id', 's.time_slot', 't.allocated_cpu', 't.allocated_memory'])
    .where(sql<boolean>`t.tenant_id = ANY(${[...owners]}::uuid[])`)
    .where('s.time_slot', '>=', new Date(grid.originMs))
    .where('s.slot_duration_minutes', '=', grid.slotMs / 60_000)
    .execute()
  for (const row of used) {
    const slot = (row.time_slot.getTime() - grid.originMs) / grid.slotMs
    const lane = states.get(row.tenant_id)?.used
    if (lane === undefined || slot >= grid.count) continue
    lane.cpu[slot] = row.allocated_cpu
    lane.memory[slot] = row.allocated_memory
  }
  return states
}

export interface Span {
  namespace: string
  cpuCores: number
  memoryGb: number
  fromMs: number
  untilMs: number
  owner: string | undefined
}

/**
 * Adds (or with -1 gives back) what spans use of the slots they touch, summed up per slot and per owner of
 * dedicated units.
 */
export async function allocate(tx: Tx, grid: SlotGrid, spans: Span[], sign: 1 | -1): Promise<void> {
  const slots = new Map<string, { namespace: string; at: Date; cpu: number; memory: number }>()
  const owned = new Map<string, { tenant: string; at: Date; cpu: number; memory: number }>()
  for (const span of spans) {
    const first = Math.floor(span.fromMs / grid.slotMs)
    for (let slot = first; slot * grid.slotMs < span.untilMs; slot += 1) {
      const at = new Date(slot * grid.slotMs)
      add(slots, `${span.namespace} ${slot}`, {
        namespace: span.namespace,
        at,
        cpu: span.cpuCores * sign,
        memory: span.memoryGb * sign,
      })
      if (span.owner !== undefined)
        add(owned, `${span.owner} ${slot}`, {
          tenant: span.owner,
          at,
          cpu: span.cpuCores * sign,
          memory: span.memoryGb * sign,
        })
    }
  }
  const minutes = grid.slotMs / 60_000
  const all = [...slots.values()]
  await sql`
    UPDATE capacity_slots s SET allocated_cpu = s.allocated_cpu + d.cpu, allocated_memory = s.allocated_memory + d.memory
    FROM unnest(${all.map((one) => one.namespace)}::text[], ${all.map((one) => one.at)}::timestamptz[], ${all.map((one) => one.cpu)}::int[], ${all.map((one) => one.memory)}::int[]) d (namespace, at, cpu, memory)
    WHERE s.namespace = d.namespace AND s.time_slot = d.at AND s.slot_duration_minutes = ${minutes}::int`.execute(
    tx,
  )
  const mine = [...owned.values()]
  if (mine.length === 0) return
  if (sign === -1) {
    await sql`
      UPDATE tenant_slots t SET allocated_cpu = t.allocated_cpu + d.cpu, allocated_memory = t.allocated_memory + d.memory
      FROM unnest(${mine.map((one) => one.tenant)}::uuid[], ${mine.map((one) => one.at)}::timestamptz[], ${mine.map((one) => one.cpu)}::int[], ${mine.map((one) => one.memory)}::int[]) d (tenant, at, cpu, memory)
      JOIN capacity_slots s ON s.namespace = ${DEDICATED} AND s.time_slot = d.at AND s.slot_duration_minutes = ${minutes}::int
      WHERE t.slot_id = s.slot_id AND t.tenant_id = d.tenant`.execute(tx)
    return
  }
  await sql`
    INSERT INTO tenant_slots AS t (slot_id, tenant_id, entitled_cpu, entitled_memory, allocated_cpu, allocated_memory)
    SELECT s.slot_id, d.tenant, u.units * ${UNIT.cpuCores}::int, u.units * ${UNIT.memoryGb}::int, d.cpu, d.memory
    FROM unnest(${mine.map((one) => one.tenant)}::uuid[], ${mine.map((one) => one.at)}::timestamptz[], ${mine.map((one) => one.cpu)}::int[], ${mine.map((one) => one.memory)}::int[]) d (tenant, at, cpu, memory)
    JOIN capacity_slots s ON s.namespace = ${DEDICATED} AND s.time_slot = d.at AND s.slot_duration_minutes = ${minutes}::int,
    LATERAL (SELECT coalesce(sum(quantity), 0)::int AS units FROM resource_purchases p WHERE p.tenant_id = d.tenant AND p.resource_type = 'dedicated_units' AND p.status IN ('active', 'scheduled', 'expired')
      AND p.valid_from < d.at + make_interval(mins => ${minutes}::int) AND p.valid_until > d.at) u
    ON CONFLICT (slot_id, tenant_id) DO UPDATE SET allocated_cpu = t.allocated_cpu + excluded.allocated_cpu, allocated_memory = t.allocated_memory + excluded.allocated_memory`.execute(
    tx,
  )
}

function add<T extends { cpu: number; memory: number }>(sums: Map<string, T>, key: string, one: T): void {
  const known = sums.get(key)
  if (known === undefined) sums.set(key, one)
  else {
    known.cpu += one.cpu
    known.memory += one.memory
  }
}

export function spanOf(booking: Booking): Span {
  return {
    namespace: booking.namespace,
    cpuCores: booking.cpuCores,
    memoryGb: booking.memoryGb,
    fromMs: booking.fromMs,
    untilMs: booking.untilMs,
    owner: booking.owner,
  }
}

/**
 * The check against reality: what open bookings use of slots that are not over, against what the slots say.
 * Differences are corrected and returned; there are none unless a clock jumped or something wrote past this
 * module.
 */
export async function correctSlots(
  tx: Tx,
  grid: SlotGrid,
): Promise<{ namespace: string; time_slot: Date; allocated_cpu: number; was_cpu: number }[]> {
  await lockCapacity(tx)
  const minutes = grid.slotMs / 60_000
  const from = new Date(grid.originMs)
  const booked = sql`SELECT s.slot_id, s.allocated_cpu AS was_cpu, coalesce(sum(x.cpu_cores), 0)::int AS cpu, coalesce(sum(x.memory_gb), 0)::int AS memory FROM capacity_slots s
    LEFT JOIN (bookings k JOIN job_executions x USING (execution_id)) ON x.namespace = s.namespace AND k.booked_from < s.time_slot + make_interval(mins => ${minutes}::int) AND x.booked_until > s.time_slot
    WHERE s.time_slot >= ${from} AND s.slot_duration_minutes = ${minutes}::int GROUP BY s.slot_id`
  const { rows } = await sql<{ namespace: string; time_slot: Date; allocated_cpu: number; was_cpu: number }>`
    WITH booked AS (${booked})
    UPDATE capacity_slots s SET allocated_cpu = b.cpu, allocated_memory = b.memory FROM booked b WHERE s.slot_id = b.slot_id AND (s.allocated_cpu <> b.cpu OR s.allocated_memory <> b.memory)
    RETURNING s.namespace, s.time_slot, s.allocated_cpu, b.was_cpu`.execute(tx)
  await sql`
    UPDATE tenant_slots t SET allocated_cpu = b.cpu, allocated_memory = b.memory FROM (
      SELECT t.slot_id, t.tenant_id, coalesce(sum(x.cpu_cores), 0)::int AS cpu, coalesce(sum(x.memory_gb), 0)::int AS memory FROM tenant_slots t JOIN capacity_slots s USING (slot_id)
      LEFT JOIN (bookings k JOIN job_executions x USING (execution_id)) ON x.unit_owner = t.tenant_id AND k.booked_from < s.time_slot + make_interval(mins => ${minutes}::int) AND x.booked_until > s.time_slot
      WHERE s.time_slot >= ${from} AND s.slot_duration_minutes = ${minutes}::int GROUP BY t.slot_id, t.tenant_id
    ) b WHERE t.slot_id = b.slot_id AND t.tenant_id = b.tenant_id AND (t.allocated_cpu <> b.cpu OR t.allocated_memory <> b.memory)`.execute(
    tx,
  )
  return rows
}
