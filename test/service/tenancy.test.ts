/** Who may see what: every route against strangers, other tenants, lower roles and deleted tenants. */
import { afterAll, expect, test } from 'vitest'
import { ROUTES } from '../../src/api/server.ts'
import { hasDryRun, type Route } from '../../src/api/route.ts'
import { JOB, dumpOf, purchase } from '../support/service.ts'
import { CANARY, twoTenants } from '../support/two-tenants.ts'

const { service, a, b, ids } = await twoTenants()
afterAll(() => service.close())

/** A body that each route with one accepts. A route that is not here fails the test below. */
const BODIES: Record<string, unknown> = {
  'POST /tenants': { tenant_name: 'x' },
  'PATCH /tenants/:tenant_id': { tenant_name: 'y' },
  'POST /tenants/:tenant_id/tokens': { token_name: 'x', role: 'viewer' },
  'POST /tenants/:tenant_id/webhooks': { url: 'https://example.com', events: ['*'] },
  'POST /webhooks': { url: 'https://example.com', events: ['*'] },
  'PUT /tenants/:tenant_id/secrets/:name': { value: { password: 'x' } },
  'POST /tenants/:tenant_id/purchases': purchase('vcpu_hours', 1),
  'PUT /prices': {
    currency: 'EUR',
    dedicated_units: { hourly: 1, daily: 1, monthly: 1, yearly: 1 },
    vcpu_hours: { hourly: 1, daily: 1, monthly: 1, yearly: 1 },
    volume_discounts: [],
    term_discounts: [],
  },
  'PUT /sla-tiers': { tiers: { gold: { priority: 'high' } } },
  'PUT /capacity': { 'draft-ingestion-ns': { cpu_cores: 8, memory_gb: 16 } },
  'POST /estimation/calculate': { source_type: 'postgres' },
  'POST /tenants/:tenant_id/jobs': { ...JOB, job_name: 'another' },
  'PATCH /tenants/:tenant_id/jobs/:job_id': { job_name: 'renamed' },
  'POST /tenants/:tenant_id/quotes': JOB,
}
const nameOf = (route: Route): string => `${route.method} ${route.path}`
/**
 * The route's path about tenant `of`, with the ids of things of tenant `things`, or of the operator's where
 * it is about no tenant.
 */
const pathOf = (route: Route, of: { id: string }, things: 'a' | 'b'): string =>
  route.path.replace(':tenant_id', of.id).replace(
    /:(\w+)/g,
    (_, key: string) =>
      ids[`${route.path.includes(':tenant_id') ? things : 'operator'}.${key}`] ??
      (() => {
        throw new Error(`no id for ${key} of ${nameOf(route)}`)
      })(),
  )
const send = (route: Route, path: string, token: string) =>
  service.call<{ code?: string }>(route.method, path, {
    token,
    body:
      route.body === undefined
        ? undefined
        : (BODIES[nameOf(route)] ??
          (() => {
            throw new Error(`no body for ${nameOf(route)}`)
          })()),
  })

const guarded = ROUTES.filter((route) => route.needs !== 'anyone')
const ofTenants = guarded.filter((route) => route.path.includes(':tenant_id'))

test.each(guarded.map((route) => [nameOf(route), route] as const))(
  '%s: nobody without a token',
  async (_, route) => {
    for (const token of ['', 'hr_wrong', 'x'.repeat(5_000)])
      expect(await send(route, pathOf(route, a, 'a'), token)).toMatchObject({
        status: 401,
        body: { code: 'unauthenticated' },
      })
  },
)

test.each(ofTenants.map((route) => [nameOf(route), route] as const))(
  "%s: another tenant's things look like nothing",
  async (_, route) => {
    const answers = [
      await send(route, pathOf(route, b, 'b'), a.owner),
      await send(route, pathOf(route, { id: '00000000-0000-4000-8000-000000000000' }, 'a'), a.owner),
    ]
    for (const answer of answers) {
      expect(answer.status).toBe(404)
      expect(JSON.stringify(answer.body)).not.toContain(CANARY)
    }
    // Under its own path, with the id of the other's thing: the same as an id that is nobody's.
    if (!/:\w+_id\/?.*:\w+_id/.test(route.path)) return
    const own = await send(route, pathOf(route, a, 'b'), a.owner)
    expect(own.status, `${nameOf(route)} ${JSON.stringify(own.body).slice(0, 200)}`).toBe(404)
    expect(JSON.stringify(own.body)).not.toContain(CANARY)
  },
)

test.each(
  guarded.filter((route) => route.needs !== 'viewer').map((route) => [nameOf(route), route] as const),
)('%s: a lower role is refused by name', async (_, route) => {
  const lower = { editor: a.viewer, owner: a.editor, operator: a.owner }[
    route.needs as 'editor' | 'owner' | 'operator'
  ]
  expect(await send(route, pathOf(route, a, 'a'), lower)).toMatchObject({
    status: 403,
    body: { code: 'forbidden' },
  })
})

test.each(
  guarded
    .filter((route) => route.method === 'GET' && route.needs === 'viewer')
    .map((route) => [nameOf(route), route] as const),
)('%s: a viewer sees its own and no canary', async (_, route) => {
  const answer = await send(route, pathOf(route, a, 'a').replace('/evaluation', ''), a.viewer)
  expect(answer.status).toBe(200)
  expect(JSON.stringify(answer.body)).not.toContain(b.id)
})

test("a deleted tenant's tokens are refused, a suspended one's are told why", async () => {
  const gone = await service.tenant('gone')
  await service.call('PATCH', `/tenants/${gone.id}`, { body: { status: 'suspended' } })
  expect(await service.call('GET', `/tenants/${gone.id}/usage`, { token: gone.owner })).toMatchObject({
    status: 403,
    body: { code: 'tenant_suspended' },
  })
  await service.call('PATCH', `/tenants/${gone.id}`, { body: { status: 'deleted' } })
  expect(await service.call('GET', `/tenants/${gone.id}/usage`, { token: gone.owner })).toMatchObject({
    status: 401,
  })
  expect((await service.call('GET', `/tenants/${gone.id}`)).status).toBe(404)
})

test('secrets are stored and never given back, not even to the operator; what is no field of text is refused', async () => {
  for (const value of [{ Password: 'x' }, { password: 1 }, { 'a b': 'x' }, {}])
    expect((await service.call('PUT', `/tenants/${b.id}/secrets/odd`, { body: { value } })).status).toBe(400)
  const { body } = await service.call('GET', `/tenants/${b.id}/secrets`)
  expect(body).toEqual({ items: [{ name: CANARY }] })
  expect((await service.call('GET', `/tenants/${b.id}/secrets/${CANARY}`)).status).toBe(404)
})

/**
 * What stands in the way of some, as it does without a dry run: the draft never ran, the job is no production
 * job and was not paused.
 */
const REFUSED: Record<string, string> = { promote: 'draft_missing', demote: 'job_state', resume: 'job_state' }

test.each(guarded.filter(hasDryRun).map((route) => [nameOf(route), route] as const))(
  '%s: a dry run answers as it would, and changes nothing',
  async (_, route) => {
    const state = async (): Promise<string> =>
      `${await dumpOf(service.url)} ${JSON.stringify((await service.call('GET', `/tenants/${b.id}/secrets`)).body)} ${JSON.stringify((await service.call('GET', '/capacity')).body)}`
    const before = await state()
    const { status, body, headers } = await send(
      route,
      `${pathOf(route, b, 'b')}?dry_run=true`,
      service.operator,
    )
    const refused = REFUSED[route.path.split('/').at(-1) as string]
    if (refused === undefined)
      expect({ status, dry: headers['headrace-dry-run'] }, JSON.stringify(body)).toEqual({
        status: route.status,
        dry: 'true',
      })
    else expect(body.code).toBe(refused)
    expect((await state()) === before, 'the same rows, secrets and capacity').toBe(true)
  },
)

test('5,000 interleaved requests of both on one pool: no row crosses', async () => {
  const paths = ['/usage', '/purchases', '/jobs', '/executions', '/ledger', '/events?limit=500']
  for (let turn = 0; turn < 50; turn += 1) {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => {
        const [me, other] = i % 2 === 0 ? [a, b] : [b, a]
        return service
          .call('GET', `/tenants/${me.id}${paths[(turn + i) % paths.length]}`, { token: me.viewer })
          .then((answer) => ({ answer, other }))
      }),
    )
    for (const { answer, other } of answers) {
      expect(answer.status).toBe(200)
      expect(JSON.stringify(answer.body)).not.toContain(other.id)
    }
  }
})
