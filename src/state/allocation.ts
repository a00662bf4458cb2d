/**
 * Bookings' use of the slots of the capacity: stored as sums, in total and per owner of dedicated units, and
 * checked against the bookings themselves.
 */
import { sql, type RawBuilder } from 'kysely'
import { UNIT } from '../core/service/amounts.ts'
import { DEDICATED } from '../core/service/namespaces.ts'
import type { Booking } from '../scheduling/snapshot.ts'
import type { SlotGrid } from '../scheduling/slots.ts'
import { lockCapacity } from './capacity.ts'
import type { Tx } from './database.ts'

export interface Span {
  namespace: string
  cpuCores: number
  memoryGb: number
  fromMs: number
  untilMs: number
  owner: string | undefined
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
 * Adds the use of spans to the slots that they touch (with -1, gives it back), summed per slot and per owner
 * of dedicated units.
 */
export async function allocate(tx: Tx, grid: SlotGrid, spans: Span[], sign: 1 | -1): Promise<void> {
  const minutes = grid.slotMs / 60_000
  await addToSlots(
    tx,
    minutes,
    slotUses(grid, spans, sign, (span) => span.namespace),
  )
  const owned = slotUses(grid, spans, sign, (span) => span.owner)
  if (owned.length === 0) return
  if (sign === 1) await addToOwners(tx, minutes, owned)
  else await takeFromOwners(tx, minutes, owned)
}

/** A change in the use of a slot, by a namespace or by an owner of units. */
interface SlotUse {
  of: string
  at: Date
  cpu: number
  memory: number
}

/** The use of each slot by spans, summed by `nameOf`. A span without a name is left out. */
function slotUses(
  grid: SlotGrid,
  spans: Span[],
  sign: 1 | -1,
  nameOf: (span: Span) => string | undefined,
): SlotUse[] {
  const uses = new Map<string, SlotUse>()
  for (const span of spans) {
    const of = nameOf(span)
    if (of === undefined) continue
    const first = Math.floor(span.fromMs / grid.slotMs)
    for (let slot = first; slot * grid.slotMs < span.untilMs; slot += 1) {
      const key = `${of} ${slot}`
      let use = uses.get(key)
      if (use === undefined) {
        use = { of, at: new Date(slot * grid.slotMs), cpu: 0, memory: 0 }
        uses.set(key, use)
      }
      use.cpu += span.cpuCores * sign
      use.memory += span.memoryGb * sign
    }
  }
  return [...uses.values()]
}

/** Uses as columns of a statement: owner, time, cores, memory. */
function columnsOf(uses: SlotUse[], type: 'text' | 'uuid'): RawBuilder<unknown> {
  return sql`
    ${uses.map((use) => use.of)}::${sql.raw(type)}[],
    ${uses.map((use) => use.at)}::timestamptz[],
    ${uses.map((use) => use.cpu)}::int[],
    ${uses.map((use) => use.memory)}::int[]
  `
}

async function addToSlots(tx: Tx, minutes: number, uses: SlotUse[]): Promise<void> {
  await sql`
    UPDATE capacity_slots s
    SET
      allocated_cpu = s.allocated_cpu + d.cpu,
      allocated_memory = s.allocated_memory + d.memory
    FROM unnest(${columnsOf(uses, 'text')}) AS d (namespace, at, cpu, memory)
    WHERE s.namespace = d.namespace
      AND s.time_slot = d.at
      AND s.slot_duration_minutes = ${minutes}::int
  `.execute(tx)
}

async function takeFromOwners(tx: Tx, minutes: number, uses: SlotUse[]): Promise<void> {
  await sql`
    UPDATE tenant_slots t
    SET
      allocated_cpu = t.allocated_cpu + d.cpu,
      allocated_memory = t.allocated_memory + d.memory
    FROM unnest(${columnsOf(uses, 'uuid')}) AS d (tenant, at, cpu, memory)
    JOIN capacity_slots s
      ON s.namespace = ${DEDICATED}
      AND s.time_slot = d.at
      AND s.slot_duration_minutes = ${minutes}::int
    WHERE t.slot_id = s.slot_id
      AND t.tenant_id = d.tenant
  `.execute(tx)
}

/**
 * A slot that an owner has not used until now is stored with the units that the owner has bought at that
 * time.
 */
async function addToOwners(tx: Tx, minutes: number, uses: SlotUse[]): Promise<void> {
  await sql`
    INSERT INTO tenant_slots AS t (
      slot_id, tenant_id, entitled_cpu, entitled_memory, allocated_cpu, allocated_memory
    )
    SELECT
      s.slot_id, d.tenant,
      u.units * ${UNIT.cpuCores}::int,
      u.units * ${UNIT.memoryGb}::int,
      d.cpu, d.memory
    FROM unnest(${columnsOf(uses, 'uuid')}) AS d (tenant, at, cpu, memory)
    JOIN capacity_slots s
      ON s.namespace = ${DEDICATED}
      AND s.time_slot = d.at
      AND s.slot_duration_minutes = ${minutes}::int,
    LATERAL (
      SELECT coalesce(sum(quantity), 0)::int AS units
      FROM resource_purchases p
      WHERE p.tenant_id = d.tenant
        AND p.resource_type = 'dedicated_units'
        AND p.status IN ('active', 'scheduled', 'expired')
        AND p.valid_from < d.at + make_interval(mins => ${minutes}::int)
        AND p.valid_until > d.at
    ) u
    ON CONFLICT (slot_id, tenant_id) DO UPDATE
    SET
      allocated_cpu = t.allocated_cpu + excluded.allocated_cpu,
      allocated_memory = t.allocated_memory + excluded.allocated_memory
  `.execute(tx)
}

export interface CorrectedSlot {
  namespace: string
  time_slot: Date
  allocated_cpu: number
  was_cpu: number
}

/**
 * Checks the slots: compares the use by open bookings in slots that are not over with the stored sums.
 * Corrects and returns differences. There are none, unless a clock jumped or something wrote past this
 * module.
 */
export async function correctSlots(tx: Tx, grid: SlotGrid): Promise<CorrectedSlot[]> {
  await lockCapacity(tx)
  const minutes = grid.slotMs / 60_000
  const from = new Date(grid.originMs)
  // A booking uses each slot that it touches.
  const touches = sql`
    k.booked_from < s.time_slot + make_interval(mins => ${minutes}::int)
    AND x.booked_until > s.time_slot`
  const { rows } = await sql<CorrectedSlot>`
    WITH booked AS (
      SELECT
        s.slot_id,
        s.allocated_cpu AS was_cpu,
        coalesce(sum(x.cpu_cores), 0)::int AS cpu,
        coalesce(sum(x.memory_gb), 0)::int AS memory
      FROM capacity_slots s
      LEFT JOIN (bookings k JOIN job_executions x USING (execution_id))
        ON x.namespace = s.namespace
        AND ${touches}
      WHERE s.time_slot >= ${from}
        AND s.slot_duration_minutes = ${minutes}::int
      GROUP BY s.slot_id
    )
    UPDATE capacity_slots s
    SET allocated_cpu = b.cpu, allocated_memory = b.memory
    FROM booked b
    WHERE s.slot_id = b.slot_id
      AND (s.allocated_cpu <> b.cpu OR s.allocated_memory <> b.memory)
    RETURNING s.namespace, s.time_slot, s.allocated_cpu, b.was_cpu
  `.execute(tx)
  await sql`
    WITH booked AS (
      SELECT
        t.slot_id,
        t.tenant_id,
        coalesce(sum(x.cpu_cores), 0)::int AS cpu,
        coalesce(sum(x.memory_gb), 0)::int AS memory
      FROM tenant_slots t
      JOIN capacity_slots s USING (slot_id)
      LEFT JOIN (bookings k JOIN job_executions x USING (execution_id))
        ON x.unit_owner = t.tenant_id
        AND ${touches}
      WHERE s.time_slot >= ${from}
        AND s.slot_duration_minutes = ${minutes}::int
      GROUP BY t.slot_id, t.tenant_id
    )
    UPDATE tenant_slots t
    SET allocated_cpu = b.cpu, allocated_memory = b.memory
    FROM booked b
    WHERE t.slot_id = b.slot_id
      AND t.tenant_id = b.tenant_id
      AND (t.allocated_cpu <> b.cpu OR t.allocated_memory <> b.memory)
  `.execute(tx)
  return rows
}
