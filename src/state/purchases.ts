/**
 * Purchases: what a tenant bought and for which time, the lots of vCPU-hours that they bring, and the
 * dedicated units that they reserve.
 */
import { sql } from 'kysely'
import { VCPU_HOUR } from '../core/service/amounts.ts'
import { failure } from '../core/errors.ts'
import type { OfferedCapacity } from '../core/service/namespaces.ts'
import { periodStart, wholePeriods, type TimePeriod } from '../core/periods.ts'
import { FIRST_PRICE_LIST, priceOf } from '../scheduling/prices.ts'
import type { Price, PriceList, ResourceType } from '../scheduling/terms.ts'
import type { Db, Tx } from './database.ts'
import { record } from './events.ts'
import { closeLots, grant } from './lots.ts'
import { updateWeight } from './tenant-weight.ts'
import { reserveUnits } from './units-sold.ts'

export interface NewPurchase {
  resource_type: ResourceType
  quantity: number
  time_period: TimePeriod
  valid_from: Date
  valid_until: Date
}

/** Lots are opened this far ahead, so that an execution can be booked into a period that has not started. */
const AHEAD_MS = 49 * 3_600_000

/**
 * A lot that started more recently may not have been noticed yet: several rounds of a scheduler, and a change
 * of the leader.
 */
const JUST_BEGUN_MS = 180_000

const COLUMNS = [
  'purchase_id',
  'tenant_id',
  'resource_type',
  'quantity',
  'time_period',
  'valid_from',
  'valid_until',
  'status',
  'created_at',
  'price',
] as const

/** Checks and enters a purchase. Its vCPU-hours can be used from the commit on. */
export async function buy(
  tx: Tx,
  {
    tenantId,
    purchase,
    capacity,
    actor,
    now,
  }: { tenantId: string; purchase: NewPurchase; capacity: OfferedCapacity; actor: string; now: Date },
) {
  const price = await quotePrice(tx, purchase)
  if (purchase.resource_type === 'dedicated_units') await reserveUnits(tx, purchase, capacity)
  const row = await tx
    .insertInto('resource_purchases')
    .values({
      tenant_id: tenantId,
      ...purchase,
      status: purchase.valid_from > now ? 'scheduled' : 'active',
      price: JSON.stringify(price),
    })
    .returning(COLUMNS)
    .executeTakeFirstOrThrow()
  if (purchase.resource_type === 'vcpu_hours') await openLots(tx, row, now)
  await updateWeight(tx, tenantId, now)
  await record(tx, {
    tenantId,
    actor,
    event: 'purchase.created',
    subject: row.purchase_id,
    data: { ...purchase, price },
  })
  return row
}

/** The cost of a purchase. Throws `validity_not_whole` with possible ends. */
export async function quotePrice(db: Db, purchase: NewPurchase): Promise<Price> {
  const { valid_from: from, valid_until: until, time_period: period } = purchase
  const whole = wholePeriods(from, until, period)
  if ('ends' in whole)
    throw failure('validity_not_whole', {
      from: from.toISOString(),
      until: until.toISOString(),
      period,
      ends: whole.ends.map((end) => end.toISOString()).join(' or '),
    })
  return priceOf(await currentPrices(db), {
    resourceType: purchase.resource_type,
    quantity: purchase.quantity,
    period,
    periods: whole.count,
  })
}

export async function currentPrices(db: Db): Promise<PriceList> {
  const row = await db
    .selectFrom('price_lists')
    .select(['currency', 'prices'])
    .where('valid_from', '<=', new Date())
    .orderBy('valid_from', 'desc')
    .orderBy('price_list_id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row === undefined ? FIRST_PRICE_LIST : { ...row.prices, currency: row.currency }
}

/** Enters a price list, valid from now on. Earlier purchases keep their price. */
export async function enterPrices(
  tx: Tx,
  { currency, prices, actor }: { currency: string; prices: object; actor: string },
): Promise<void> {
  await tx
    .insertInto('price_lists')
    .values({ currency, prices: JSON.stringify(prices), created_by: actor })
    .execute()
}

/** Opens the lots of a purchase whose periods start soon. Safe to repeat. */
export async function openLots(
  tx: Tx,
  row: {
    purchase_id: string
    tenant_id: string
    quantity: number
    time_period: TimePeriod
    valid_from: Date
    valid_until: Date
  },
  now: Date,
): Promise<void> {
  const period = row.time_period
  for (let i = 0; ; i += 1) {
    const [from, until] = [periodStart(row.valid_from, period, i), periodStart(row.valid_from, period, i + 1)]
    if (from >= row.valid_until || from.getTime() > now.getTime() + AHEAD_MS) return
    if (until > now)
      await grant(tx, {
        tenantId: row.tenant_id,
        purchaseId: row.purchase_id,
        from,
        until,
        amount: BigInt(row.quantity) * VCPU_HOUR,
        at: now,
      })
  }
}

/**
 * After new balance or units: tries executions again that sleep for lack of them. In a separate transaction,
 * after the one that brought them: executions are locked before lots everywhere.
 */
export async function wakeTenants(db: Db, tenantIds: string[]): Promise<void> {
  if (tenantIds.length > 0)
    await db
      .updateTable('queued_executions')
      .set({ ready: true })
      .where('tenant_id', 'in', tenantIds)
      .where('ready', '=', false)
      .execute()
}

export async function findPurchase(db: Db, tenantId: string, purchaseId: string) {
  return db
    .selectFrom('resource_purchases')
    .select(COLUMNS)
    .where('tenant_id', '=', tenantId)
    .where('purchase_id', '=', purchaseId)
    .executeTakeFirst()
}

export async function listPurchases(
  db: Db,
  tenantId: string,
  { after, limit }: { after: string | undefined; limit: number },
) {
  let query = db
    .selectFrom('resource_purchases')
    .select(COLUMNS)
    .where('tenant_id', '=', tenantId)
    .orderBy('purchase_id')
    .limit(limit)
  if (after !== undefined) query = query.where('purchase_id', '>', after)
  return query.execute()
}

/** Ends a purchase early. Its rest is gone. Running executions keep their holds. */
export async function cancelPurchase(
  tx: Tx,
  { tenantId, purchaseId, actor, now }: { tenantId: string; purchaseId: string; actor: string; now: Date },
) {
  const row = await tx
    .selectFrom('resource_purchases')
    .select(['status'])
    .where('tenant_id', '=', tenantId)
    .where('purchase_id', '=', purchaseId)
    .forUpdate()
    .executeTakeFirst()
  if (row === undefined)
    throw failure('not_found', {
      what: 'purchase',
      id: purchaseId,
      list: `GET /api/v1/tenants/${tenantId}/purchases`,
    })
  if (row.status !== 'active' && row.status !== 'scheduled')
    throw failure('purchase_state', {
      status: row.status,
      action: 'cancelled',
      list: `GET /api/v1/tenants/${tenantId}/purchases`,
    })
  await closeLots(tx, { purchaseId }, now)
  const changed = await tx
    .updateTable('resource_purchases')
    .set((row) => ({ status: 'cancelled', version: row('version', '+', 1) }))
    .where('purchase_id', '=', purchaseId)
    .returning(COLUMNS)
    .executeTakeFirstOrThrow()
  await updateWeight(tx, tenantId, now)
  await record(tx, { tenantId, actor, event: 'purchase.cancelled', subject: purchaseId })
  return changed
}

/**
 * Applies the clock: purchases and periods that start or end. Returns the tenants that may have more than
 * before.
 */
export async function turnPeriods(tx: Tx, now: Date): Promise<string[]> {
  const begun = await tx
    .updateTable('resource_purchases')
    .set({ status: 'active' })
    .where('status', '=', 'scheduled')
    .where('valid_from', '<=', now)
    .returning(['tenant_id'])
    .execute()
  const ended = await tx
    .updateTable('resource_purchases')
    .set({ status: 'expired' })
    .where('status', '=', 'active')
    .where('valid_until', '<=', now)
    .returning(['tenant_id', 'purchase_id'])
    .execute()
  await closeLots(tx, { endedBefore: now }, now)
  // Only purchases whose last lot ends before the time that is opened ahead: an hourly purchase once per
  // hour, not in every round.
  const due = await tx
    .selectFrom('resource_purchases as p')
    .select(COLUMNS)
    .where('resource_type', '=', 'vcpu_hours')
    .where('status', 'in', ['active', 'scheduled'])
    .where('valid_until', '>', now)
    .where(
      sql<boolean>`
        coalesce(
          (
            SELECT max(l.valid_until)
            FROM ledger_lots l
            WHERE l.purchase_id = p.purchase_id
          ),
          p.valid_from
        ) < least(p.valid_until, ${new Date(now.getTime() + AHEAD_MS)}::timestamptz)`,
    )
    .execute()
  for (const purchase of due) await openLots(tx, purchase, now)
  for (const tenantId of new Set([...begun, ...ended].map((purchase) => purchase.tenant_id)))
    await updateWeight(tx, tenantId, now)
  await record(
    tx,
    ...ended.map((purchase) => ({
      tenantId: purchase.tenant_id,
      actor: 'scheduler',
      event: 'purchase.expired',
      subject: purchase.purchase_id,
    })),
  )
  const fresh = await tx
    .selectFrom('ledger_lots')
    .select('tenant_id')
    .distinct()
    .where('closed', '=', false)
    .where('valid_from', '<=', now)
    .where('valid_from', '>', new Date(now.getTime() - JUST_BEGUN_MS))
    .execute()
  return [...new Set([...begun, ...due, ...fresh].map((row) => row.tenant_id))]
}
