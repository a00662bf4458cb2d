/**
 * Charges executions to the lots of their tenant: the use of an ended one, or more for one that continues.
 * Lots that end first are used first. Use that no lot covers becomes a debt.
 */
import type { CpuMicros } from '../core/service/amounts.ts'
import type { Db, Tx } from './database.ts'
import { enter, type Hold, type Move } from './ledger.ts'
import { debtLot, lockLots, type Lot } from './lots.ts'

/**
 * Charges the use of an execution to its hold; the rest goes back, or to `expired` if the lot has ended
 * meanwhile. Use beyond the hold is charged to the tenant's balance, and the uncovered part becomes a debt.
 * Returns that debt.
 */
export async function settle(
  tx: Tx,
  {
    tenantId,
    executionId,
    holds,
    used,
    at,
  }: { tenantId: string; executionId: string; holds: Hold[]; used: CpuMicros; at: Date },
): Promise<CpuMicros> {
  const lots = await lockLots(tx, tenantId)
  const of = { tenantId, executionId }
  const moves: Move[] = []
  let left = used
  for (const { lotId, amount } of holds) {
    const taken = left < amount ? left : amount
    left -= taken
    const ended = lots.find((lot) => lot.lot_id === lotId)?.closed ?? true
    const rest = ended ? 'expired' : 'available'
    moves.push({ ...of, lotId, act: 'settle', debit: 'held', credit: 'consumed', amount: taken })
    moves.push({ ...of, lotId, act: 'release', debit: 'held', credit: rest, amount: amount - taken })
  }
  for (const { lotId, amount } of draw(lots, left, at)) {
    left -= amount
    moves.push({ ...of, lotId, act: 'settle', debit: 'available', credit: 'consumed', amount })
  }
  if (left > 0n) {
    const lotId = await debtLot(tx, tenantId, at)
    moves.push({ ...of, lotId, act: 'settle', debit: 'granted', credit: 'consumed', amount: left })
  }
  await enter(tx, moves, at)
  return left
}

/**
 * Holds more for an execution that exceeds its hold, from lots that are valid now. Returns the amount that
 * was available, possibly nothing.
 */
export async function extend(
  tx: Tx,
  {
    tenantId,
    executionId,
    amount,
    at,
  }: { tenantId: string; executionId: string; amount: CpuMicros; at: Date },
): Promise<Hold[]> {
  const holds = draw(await lockLots(tx, tenantId), amount, at)
  await enter(
    tx,
    holds.map((hold): Move => ({
      tenantId,
      ...hold,
      executionId,
      act: 'hold',
      debit: 'available',
      credit: 'held',
    })),
    at,
  )
  return holds
}

/** What a tenant could hold now. */
export async function availableTo(db: Db, tenantId: string, at: Date): Promise<CpuMicros> {
  const row = await db
    .selectFrom('ledger_lots')
    .select(({ fn }) => fn.sum<string>('available').as('available'))
    .where('tenant_id', '=', tenantId)
    .where('closed', '=', false)
    .where('purchase_id', 'is not', null)
    .where('valid_from', '<=', at)
    .where('valid_until', '>', at)
    .executeTakeFirstOrThrow()
  return BigInt(row.available ?? 0)
}

/** Up to `amount` from the rest of lots that are valid now, the one that ends first at the front. */
function draw(lots: Lot[], amount: CpuMicros, at: Date): Hold[] {
  let left = amount
  return lots
    .filter((lot) => !lot.closed && lot.valid_from <= at && lot.valid_until > at && lot.purchase_id !== null)
    .flatMap((lot) => {
      const taken = left < lot.available ? left : lot.available
      left -= taken
      return taken > 0n ? [{ lotId: lot.lot_id, amount: taken }] : []
    })
}
