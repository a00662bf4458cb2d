/** Use cases of purchases, prices and usage. */
import type { PurchaseRequest } from './schemas/purchases.ts'
import type { Service } from './service.ts'
import { failure } from '../core/errors.ts'
import { record } from '../state/events.ts'
import { once } from '../state/idempotency.ts'
import {
  buy,
  cancelPurchase,
  currentPrices,
  enterPrices,
  findPurchase,
  listPurchases,
  wakeTenants,
  type NewPurchase,
} from '../state/purchases.ts'
import { ledgerOf, usageOf } from '../state/usage.ts'
import { refreshCapacity } from './capacity.ts'
import { found, listed, timeOf, type Context } from './context.ts'

type Part = Pick<
  Service,
  'buy' | 'listPurchases' | 'getPurchase' | 'cancelPurchase' | 'usage' | 'ledger' | 'prices' | 'setPrices'
>

export function purchaseCases({ gate, capacity, now }: Context): Part {
  const list = (tenantId: string): string => `/api/v1/tenants/${tenantId}/purchases`
  return {
    async buy(by, tenantId, key, body) {
      const purchase = purchaseOf(body)
      await refreshCapacity({ gate, capacity })
      // Runs as the service, not as the tenant: whether units are free depends on what others bought.
      const answer = await gate.transact((tx) =>
        once(tx, { tenantId, key, request: { purchase: body } }, async () => {
          const bought = await buy(tx, { tenantId, purchase, capacity, actor: by.name, now: now() })
          return { status: 201, body: bought }
        }),
      )
      await gate.transact((tx) => wakeTenants(tx, [tenantId]))
      return answer
    },
    async listPurchases(tenantId, { after, limit }) {
      return listed(
        await gate.readAs(tenantId, (db) => listPurchases(db, tenantId, { after, limit })),
        limit,
        (purchase) => purchase.purchase_id,
      )
    },
    async getPurchase(tenantId, purchaseId) {
      return found(
        await gate.readAs(tenantId, (db) => findPurchase(db, tenantId, purchaseId)),
        'purchase',
        purchaseId,
        list(tenantId),
      )
    },
    cancelPurchase: (by, tenantId, purchaseId) =>
      gate.writeAs(tenantId, (tx) =>
        cancelPurchase(tx, { tenantId, purchaseId, actor: by.name, now: now() }),
      ),
    usage: (tenantId) => gate.readAs(tenantId, (db) => usageOf(db, tenantId, now())),
    async ledger(tenantId, { after, limit, execution_id: executionId }) {
      return listed(
        await gate.readAs(tenantId, (db) =>
          ledgerOf(db, tenantId, {
            before: after === undefined ? undefined : BigInt(after),
            executionId,
            limit,
          }),
        ),
        limit,
        (entry) => entry.entry_id,
      )
    },
    prices: () => currentPrices(gate.service),
    async setPrices(by, body) {
      const { currency, ...prices } = body
      return gate.transact(async (tx) => {
        await enterPrices(tx, { currency, prices, actor: by.name })
        await record(tx, { tenantId: null, actor: by.name, event: 'prices.changed', data: body })
        return currentPrices(tx)
      })
    },
  }
}

function purchaseOf(body: PurchaseRequest): NewPurchase {
  const [from, until] = [timeOf(body.valid_from, 'valid_from'), timeOf(body.valid_until, 'valid_until')]
  if (until <= from) throw failure('request_invalid', { reason: 'valid_until must be after valid_from.' })
  if (from.getTime() < Date.UTC(2000, 0) || until.getTime() > Date.UTC(2200, 0))
    throw failure('request_invalid', { reason: 'valid_from and valid_until must lie between 2000 and 2200.' })
  return {
    resource_type: body.resource_type,
    quantity: body.quantity,
    time_period: body.time_period ?? 'monthly',
    valid_from: from,
    valid_until: until,
  }
}
