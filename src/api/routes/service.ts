/** Health, readiness and events. */
import { Type } from 'typebox'
import { route, type Route } from '../route.ts'
import { Event, EventQuery } from '../../control/schemas/events.ts'
import { TenantPath, page } from '../../control/schemas/fields.ts'
import { Health, Readiness, TokenHolder } from '../../control/schemas/service.ts'

export const SERVICE_ROUTES: Route[] = [
  route({
    method: 'GET',
    path: '/health',
    summary: 'Check that the process is alive',
    tag: 'service',
    needs: 'anyone',
    answer: Health,
    status: 200,
    run: async (service) => ({ body: { status: 'ok', version: service.version } }),
  }),
  route({
    method: 'GET',
    path: '/ready',
    summary: 'Check that the service is ready (database and roles)',
    tag: 'service',
    needs: 'anyone',
    answer: Readiness,
    status: 200,
    run: async (service) => {
      const body = await service.ready()
      return { body, status: body.ready ? 200 : 503 }
    },
  }),
  route({
    method: 'GET',
    path: '/me',
    summary: 'Get the name, role and tenant of the token',
    tag: 'service',
    needs: 'viewer',
    answer: TokenHolder,
    status: 200,
    run: async (_, { by }) => ({ body: { name: by.name, role: by.role, tenant_id: by.tenantId ?? null } }),
  }),
  route({
    method: 'GET',
    path: '/events',
    summary: 'List events of all tenants, oldest first',
    tag: 'events',
    needs: 'operator',
    query: EventQuery,
    answer: page(Event),
    status: 200,
    run: async (service, { query }) => {
      const items = await service.events(undefined, query.after, query.limit)
      return { body: { items, next: items.at(-1)?.event_id } }
    },
  }),
  route({
    method: 'GET',
    path: '/tenants/:tenant_id/events',
    summary: 'List events of a tenant (its audit log), oldest first',
    tag: 'events',
    needs: 'viewer',
    params: Type.Object(TenantPath),
    query: EventQuery,
    answer: page(Event),
    status: 200,
    run: async (service, { tenantId, query }) => {
      const items = await service.events(tenantId, query.after, query.limit)
      return { body: { items, next: items.at(-1)?.event_id } }
    },
  }),
]
