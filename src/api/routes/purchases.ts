/** Purchases, prices, usage and the ledger behind it, metrics, capacity and estimation. */
import type { Route } from '../route.ts'
import { CapacityChange, CapacityOffer, CapacityPlan, Estimation, EstimationRequest, Id, LedgerEntry, Metrics, PageQuery, Prices, Purchase, PurchaseRequest, SlaTiers, Slot, TenantPath, Type, Usage, page } from '../schemas.ts'

const tenantPath = Type.Object(TenantPath)
const purchasePath = Type.Object({ ...TenantPath, purchase_id: Id('The purchase.') })
const ledgerQuery = Type.Object({ ...PageQuery, after: Type.Optional(Type.String({ pattern: '^[0-9]{1,18}$' })), execution_id: Type.Optional(Id('Only entries of this execution.')) })
const slotQuery = Type.Object({ namespace: Type.Optional(Type.String({ pattern: '^[a-z-]{1,100}$' })), from: Type.Optional(Type.String({ format: 'date-time' })), hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 168, default: 24 })) })

const planQuery = Type.Object({ days: Type.Optional(Type.Integer({ minimum: 1, maximum: 365, default: 90, description: 'How far to look.' })) })

export const PURCHASE_ROUTES: Route[] = [
  { method: 'POST', path: '/tenants/:tenant_id/purchases', summary: 'Buy dedicated units or vCPU-hours', tag: 'purchases', needs: 'owner', params: tenantPath, body: PurchaseRequest, answer: Purchase, status: 201, repeatable: true, run: (service, { by, tenantId, key, body }) => service.buy(by, tenantId, key, body) },
  { method: 'GET', path: '/tenants/:tenant_id/purchases', summary: 'List purchases', tag: 'purchases', needs: 'viewer', params: tenantPath, query: Type.Object(PageQuery), answer: page(Purchase), status: 200, run: async (service, { tenantId, query }) => ({ body: await service.listPurchases(tenantId, query as never) }) },
  { method: 'GET', path: '/tenants/:tenant_id/purchases/:purchase_id', summary: 'A purchase', tag: 'purchases', needs: 'viewer', params: purchasePath, answer: Purchase, status: 200, run: async (service, { tenantId, path }) => ({ body: await service.getPurchase(tenantId, path.purchase_id) }) },
  { method: 'POST', path: '/tenants/:tenant_id/purchases/:purchase_id/cancel', summary: 'End a purchase; what is left of it is gone', tag: 'purchases', needs: 'owner', params: purchasePath, answer: Purchase, status: 200, run: async (service, { by, tenantId, path }) => ({ body: await service.cancelPurchase(by, tenantId, path.purchase_id) }) },
  { method: 'GET', path: '/tenants/:tenant_id/usage', summary: 'What is bought, used and left now', tag: 'purchases', needs: 'viewer', params: tenantPath, answer: Usage, status: 200, run: async (service, { tenantId }) => ({ body: await service.usage(tenantId) }) },
  {
    method: 'GET', path: '/tenants/:tenant_id/ledger', summary: 'Entries behind the usage, newest first', tag: 'purchases', needs: 'viewer', params: tenantPath, query: ledgerQuery, answer: page(LedgerEntry), status: 200,
    run: async (service, { tenantId, query }) => ({ body: await service.ledger(tenantId, { ...(query as object), executionId: query.execution_id } as never) }),
  },
  { method: 'GET', path: '/tenants/:tenant_id/metrics', summary: 'Utilization, job performance and cost of 30 days', tag: 'purchases', needs: 'viewer', params: tenantPath, answer: Metrics, status: 200, run: async (service, { tenantId }) => ({ body: await service.metrics(tenantId) }) },
  { method: 'GET', path: '/prices', summary: 'The price list', tag: 'purchases', needs: 'viewer', answer: Prices, status: 200, run: async (service) => ({ body: await service.prices() }) },
  { method: 'PUT', path: '/prices', summary: 'Set a new price list; old ones are kept', tag: 'purchases', needs: 'operator', body: Prices, answer: Prices, status: 200, run: async (service, { by, body }) => ({ body: await service.setPrices(by, body) }) },
  { method: 'GET', path: '/slots', summary: 'Capacity over time', tag: 'capacity', needs: 'viewer', query: slotQuery, answer: page(Slot), status: 200, run: async (service, { query }) => ({ body: await service.slots(query as never) }) },
  { method: 'GET', path: '/capacity', summary: 'What the installation offers, and the overcommit that it is', tag: 'capacity', needs: 'operator', answer: CapacityOffer, status: 200, run: async (service) => ({ body: await service.capacity() }) },
  { method: 'PUT', path: '/capacity', summary: 'Set what namespaces offer; those that are not named stay', tag: 'capacity', needs: 'operator', body: CapacityChange, answer: CapacityOffer, status: 200, run: async (service, { by, body }) => ({ body: await service.setCapacity(by, body) }) },
  { method: 'GET', path: '/sla-tiers', summary: 'Tiers of service that jobs may name', tag: 'jobs', needs: 'viewer', answer: SlaTiers, status: 200, run: async (service) => ({ body: await service.slaTiers() }) },
  { method: 'PUT', path: '/sla-tiers', summary: 'Set all tiers; jobs that are there keep what they took over', tag: 'jobs', needs: 'operator', body: SlaTiers, answer: SlaTiers, status: 200, run: async (service, { by, body }) => ({ body: await service.setSlaTiers(by, body) }) },
  { method: 'GET', path: '/capacity/plan', summary: 'When capacity will be short, and what tenants could buy instead', tag: 'capacity', needs: 'operator', query: planQuery, answer: CapacityPlan, status: 200, run: async (service, { query }) => ({ body: await service.capacityPlan(query.days as unknown as number) }) },
  { method: 'POST', path: '/estimation/calculate', summary: 'What a job will need', tag: 'capacity', needs: 'viewer', body: EstimationRequest, answer: Estimation, status: 200, reads: true, run: async (service, { tenantId, body }) => ({ body: await service.estimate(tenantId, body) }) },
]
