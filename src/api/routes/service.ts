/** Health, readiness and events. */
import { Type } from 'typebox'
import type { Route } from '../route.ts'
import { Event } from '../../control/schemas/events.ts'
import { TenantPath, page } from '../../control/schemas/fields.ts'

const eventQuery = Type.Object({
  after: Type.Optional(Type.String({ pattern: '^[0-9]{1,18}$', default: '0' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
})
const lastOf = (items: Record<string, unknown>[]): string | undefined =>
  items.at(-1)?.event_id as string | undefined

export const SERVICE_ROUTES: Route[] = [
  {
    method: 'GET',
    path: '/health',
    summary: 'Check that the process is alive',
    tag: 'service',
    needs: 'anyone',
    answer: Type.Object({ status: Type.String(), version: Type.String() }),
    status: 200,
    run: async (service) => ({ body: { status: 'ok', version: service.version } }),
  },
  {
    method: 'GET',
    path: '/ready',
    summary: 'Check that the service is ready (database and roles)',
    tag: 'service',
    needs: 'anyone',
    answer: Type.Object({ ready: Type.Boolean(), checks: Type.Object({}, { additionalProperties: true }) }),
    status: 200,
    run: async (service) => {
      const body = await service.ready()
      return { body, status: body.ready ? 200 : 503 }
    },
  },
  {
    method: 'GET',
    path: '/me',
    summary: 'Get the name, role and tenant of the token',
    tag: 'service',
    needs: 'viewer',
    answer: Type.Object({
      name: Type.String(),
      role: Type.String(),
      tenant_id: Type.Union([Type.String(), Type.Null()]),
    }),
    status: 200,
    run: async (_, { by }) => ({ body: { name: by.name, role: by.role, tenant_id: by.tenantId ?? null } }),
  },
  {
    method: 'GET',
    path: '/events',
    summary: 'List events of all tenants, oldest first',
    tag: 'events',
    needs: 'operator',
    query: eventQuery,
    answer: page(Event),
    status: 200,
    run: async (service, { query }) => {
      const items = await service.events(undefined, query.after ?? '0', query.limit)
      return { body: { items, next: lastOf(items) } }
    },
  },
  {
    method: 'GET',
    path: '/tenants/:tenant_id/events',
    summary: 'List events of a tenant (its audit log), oldest first',
    tag: 'events',
    needs: 'viewer',
    params: Type.Object(TenantPath),
    query: eventQuery,
    answer: page(Event),
    status: 200,
    run: async (service, { tenantId, query }) => {
      const items = await service.events(tenantId, query.after ?? '0', query.limit)
      return { body: { items, next: lastOf(items) } }
    },
  },
]
