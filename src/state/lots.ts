/**
 * Lots of the ledger: a purchase opens one for each of its periods, and it is closed when its time is over.
 */
import type { CpuMicros } from '../core/service/amounts.ts'
import type { Tx } from './database.ts'
import { enter, type Act, type Move } from './ledger.ts'

const EMPTY = { granted: 0n, available: 0n, held: 0n, consumed: 0n, expired: 0n }

/** Lots of a tenant that are open or still held from, locked in the same order everywhere. */
export async function lockLots(tx: Tx, tenantId: string) {
  return tx
    .selectFrom('ledger_lots')
    .select(['lot_id', 'purchase_id', 'available', 'held', 'closed', 'valid_from', 'valid_until'])
    .where('tenant_id', '=', tenantId)
    .where((where) => where.or([where('closed', '=', false), where('held', '>', 0n)]))
    .orderBy('valid_until')
    .orderBy('lot_id')
    .forUpdate()
    .execute()
}

export type Lot = Awaited<ReturnType<typeof lockLots>>[number]

/** The lot for debts: a lot without a purchase and without an end. The first debt creates it. */
export async function debtLot(tx: Tx, tenantId: string, at: Date): Promise<string> {
  const known = await tx
    .selectFrom('ledger_lots')
    .select('lot_id')
    .where('tenant_id', '=', tenantId)
    .where('purchase_id', 'is', null)
    .executeTakeFirst()
  if (known !== undefined) return known.lot_id
  const made = await tx
    .insertInto('ledger_lots')
    .values({
      tenant_id: tenantId,
      purchase_id: null,
      valid_from: at,
      valid_until: new Date('9999-12-31T00:00:00Z'),
      ...EMPTY,
    })
    .returning('lot_id')
    .executeTakeFirstOrThrow()
  return made.lot_id
}

/** Opens a lot and grants its amount; a debt is paid from it first. Does nothing if the lot exists. */
export async function grant(
  tx: Tx,
  {
    tenantId,
    purchaseId,
    from,
    until,
    amount,
    at,
  }: { tenantId: string; purchaseId: string; from: Date; until: Date; amount: CpuMicros; at: Date },
): Promise<void> {
  const made = await tx
    .insertInto('ledger_lots')
    .values({ tenant_id: tenantId, purchase_id: purchaseId, valid_from: from, valid_until: until, ...EMPTY })
    .onConflict((on) => on.columns(['purchase_id', 'valid_from']).doNothing())
    .returning('lot_id')
    .executeTakeFirst()
  if (made === undefined) return
  await enter(
    tx,
    [{ tenantId, lotId: made.lot_id, act: 'grant', debit: 'granted', credit: 'available', amount }],
    at,
  )
  const debt = await tx
    .selectFrom('ledger_lots')
    .select(['lot_id', 'consumed'])
    .where('tenant_id', '=', tenantId)
    .where('purchase_id', 'is', null)
    .where('consumed', '>', 0n)
    .forUpdate()
    .executeTakeFirst()
  if (debt === undefined) return
  const paid = debt.consumed < amount ? debt.consumed : amount
  await enter(
    tx,
    [
      { tenantId, lotId: made.lot_id, act: 'repay', debit: 'available', credit: 'consumed', amount: paid },
      { tenantId, lotId: debt.lot_id, act: 'repay', debit: 'consumed', credit: 'granted', amount: paid },
    ],
    at,
  )
}

/**
 * Ends lots whose time is over (or the given ones): their rest expires. Holds stay until they are settled.
 */
export async function closeLots(
  tx: Tx,
  which: { endedBefore: Date } | { purchaseId: string },
  at: Date,
): Promise<number> {
  let query = tx
    .selectFrom('ledger_lots')
    .select(['lot_id', 'tenant_id', 'available'])
    .where('closed', '=', false)
    .where('purchase_id', 'is not', null)
  query =
    'endedBefore' in which
      ? query.where('valid_until', '<=', which.endedBefore)
      : query.where('purchase_id', '=', which.purchaseId)
  const lots = await query.orderBy('valid_until').orderBy('lot_id').limit(1_000).forUpdate().execute()
  if (lots.length === 0) return 0
  const act: Act = 'endedBefore' in which ? 'expire' : 'cancel'
  await enter(
    tx,
    lots.map((lot): Move => ({
      tenantId: lot.tenant_id,
      lotId: lot.lot_id,
      act,
      debit: 'available',
      credit: 'expired',
      amount: lot.available,
    })),
    at,
  )
  await tx
    .updateTable('ledger_lots')
    .set({ closed: true })
    .where(
      'lot_id',
      'in',
      lots.map((lot) => lot.lot_id),
    )
    .execute()
  return lots.length
}
