/**
 * The part of tenants in a decision: units that they own and use, slot by slot, the balance of their lots,
 * and whether they lend.
 */
import { sql } from 'kysely'
import { DEDICATED } from '../core/service/namespaces.ts'
import type { TenantState } from '../scheduling/snapshot.ts'
import { emptyLane, type SlotGrid } from '../scheduling/slots.ts'
import { lockCapacity } from './capacity.ts'
import type { Db } from './database.ts'

/**
 * Units, use and balance of tenants, and of all lenders. With `lock`, locks their lots, in the same order
 * everywhere, and then the capacity. Without, a caller that changes the capacity already holds its lock. With
 * `dedicated`, reads units only of these tenants.
 */
export async function readTenants(
  db: Db,
  grid: SlotGrid,
  tenantIds: string[],
  { nowMs, lock, dedicated }: { nowMs: number; lock: boolean; dedicated?: string[] },
): Promise<Map<string, TenantState>> {
  const lending = await readLenders(db, nowMs)
  const ids = [...new Set([...tenantIds, ...lending])]
  const owners = new Set([...(dedicated ?? ids), ...lending])
  // Tenants without units share empty lanes: they would take 2 KB per tenant, thousands of them per cycle.
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
  await addLots(db, states, lock)
  // Read the use of units under the lock: otherwise, another transaction could book them in between.
  if (lock) await lockCapacity(db)
  if (owners.size === 0) return states
  await addUnits(db, states, [...owners], { grid, nowMs })
  await addUse(db, states, [...owners], grid)
  return states
}

/**
 * Tenants that lend idle units. A tenant with work for its units lends nothing: recalled units must not be
 * lent again.
 */
async function readLenders(db: Db, nowMs: number): Promise<Set<string>> {
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
  return new Set(lenders.map((lender) => lender.tenant_id))
}

/** Adds the open lots of each tenant, the one that ends first at the front. */
async function addLots(db: Db, states: Map<string, TenantState>, lock: boolean): Promise<void> {
  const lots = db
    .selectFrom('ledger_lots')
    .select(['tenant_id', 'lot_id', 'available', 'valid_from', 'valid_until'])
    .where('closed', '=', false)
    .where('purchase_id', 'is not', null)
    .where(sql<boolean>`tenant_id = ANY(${[...states.keys()]}::uuid[])`)
    .orderBy('valid_until')
    .orderBy('lot_id')
  for (const lot of await (lock ? lots.forUpdate() : lots).execute())
    states.get(lot.tenant_id)?.lots.push({
      lotId: lot.lot_id,
      available: lot.available,
      fromMs: lot.valid_from.getTime(),
      untilMs: lot.valid_until.getTime(),
    })
}

/** Adds the units that each owner bought, slot by slot. */
async function addUnits(
  db: Db,
  states: Map<string, TenantState>,
  owners: string[],
  { grid, nowMs }: { grid: SlotGrid; nowMs: number },
): Promise<void> {
  const purchases = await db
    .selectFrom('resource_purchases')
    .select(['tenant_id', 'quantity', 'valid_from', 'valid_until'])
    .where('resource_type', '=', 'dedicated_units')
    .where('status', 'in', ['active', 'scheduled'])
    .where(sql<boolean>`tenant_id = ANY(${owners}::uuid[])`)
    .where('valid_from', '<', new Date(grid.originMs + grid.count * grid.slotMs))
    .where('valid_until', '>', new Date(grid.originMs))
    .execute()
  const slotsUntil = (time: Date): number => (time.getTime() - grid.originMs) / grid.slotMs
  for (const { tenant_id, quantity, valid_from, valid_until } of purchases) {
    // A slot counts if the purchase covers it completely; the present slot, from now on.
    const first = valid_from.getTime() <= nowMs ? 0 : Math.ceil(slotsUntil(valid_from))
    const end = Math.min(grid.count, Math.floor(slotsUntil(valid_until)))
    const { units } = states.get(tenant_id) as TenantState
    for (let slot = first; slot < end; slot += 1) units[slot] += quantity
  }
}

/** Adds the use of each owner's units by bookings, slot by slot. */
async function addUse(
  db: Db,
  states: Map<string, TenantState>,
  owners: string[],
  grid: SlotGrid,
): Promise<void> {
  const used = await db
    .selectFrom('tenant_slots as t')
    .innerJoin('capacity_slots as s', 's.slot_id', 't.slot_id')
    .select(['t.tenant_id', 's.time_slot', 't.allocated_cpu', 't.allocated_memory'])
    .where(sql<boolean>`t.tenant_id = ANY(${owners}::uuid[])`)
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
}
