/**
 * Who may see what: every route against strangers, other tenants, lower roles and deleted tenants; and the
 * database's own check.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import pg from 'pg'
import { sql } from 'kysely'
import { ROUTES } from '../../src/api/server.ts'
import { hasDryRun, type Route } from '../../src/api/route.ts'
import type { Db } from '../../src/state/database.ts'
import { enqueue } from '../../src/state/queue.ts'
import { JOB, dumpOf, purchase, testService, type TestService } from '../support/service.ts'

let service: TestService
let a: Awaited<ReturnType<TestService['tenant']>>
let b: Awaited<ReturnType<TestService['tenant']>>
const ids: Record<string, string> = {}
const CANARY = 'canary-of-b'

beforeAll(async () => {
  service = await testService({
    capacity: {
      'dedicated-cpu-ns': { cpuCores: 400, memoryGb: 800 },
      'vcpu-hours-ns': { cpuCores: 100, memoryGb: 200 },
      'draft-ingestion-ns': { cpuCores: 8, memoryGb: 16 },
    },
  })
  ;[a, b] = [await service.tenant('a'), await service.tenant(CANARY)]
  for (const [who, prefix] of [
    [a, 'a'],
    [b, 'b'],
  ] as const) {
    const post = async (path: string, body: unknown): Promise<Record<string, string>> =>
      (
        await service.call<Record<string, string>>('POST', `/tenants/${who.id}${path}`, {
          token: who.owner,
          body,
        })
      ).body
    ids[`${prefix}.purchase_id`] = (await post('/purchases', purchase('vcpu_hours', 10))).purchase_id
    ids[`${prefix}.job_id`] = (
      await post('/jobs', { ...JOB, job_name: `${CANARY}-${prefix}`, schedule_cron: null })
    ).job_id
    ids[`${prefix}.webhook_id`] = (
      await post('/webhooks', { url: 'https://example.com/hook', events: ['*'] })
    ).webhook_id
    ids[`${prefix}.token_id`] = (await post('/tokens', { token_name: CANARY, role: 'viewer' })).token_id
    await service.call('PUT', `/tenants/${who.id}/secrets/${CANARY}`, {
      token: who.owner,
      body: { value: { password: CANARY } },
    })
    ids[`${prefix}.execution_id`] = (await service.context.gate.transact((tx) =>
      enqueue(tx, {
        jobId: ids[`${prefix}.job_id`],
        tenantId: who.id,
        namespace: 'vcpu-hours-ns',
        cpuCores: 1,
        memoryGb: 1,
        estimatedMinutes: 1,
        priority: 'medium',
        preferred: new Date(),
        deadline: new Date(Date.now() + 3_600_000),
      }),
    )) as string
    ids[`${prefix}.name`] = CANARY
  }
  ids['operator.webhook_id'] = (
    await service.call<{ webhook_id: string }>('POST', '/webhooks', {
      body: { url: 'https://example.com/operator', events: ['*'] },
    })
  ).body.webhook_id
})
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

const TABLES = [
  'tenants',
  'access_tokens',
  'resource_purchases',
  'ledger_lots',
  'ledger_entries',
  'ingestion_jobs',
  'job_executions',
  'queued_executions',
  'bookings',
  'resource_consumption',
  'tenant_slots',
  'tenant_shares',
  'idempotency_keys',
  'events',
  'webhooks',
]

test('the database itself gives a session only the rows of its tenant, none without one, and the role may do nothing else', async () => {
  for (const table of TABLES) {
    const seen = await service.context.gate.readAs(
      a.id,
      async (db) =>
        (
          await sql<{ tenant_id: string }>`SELECT DISTINCT tenant_id::text FROM ${sql.table(table)}`.execute(
            db,
          )
        ).rows,
    )
    expect(
      seen.filter((row) => row.tenant_id !== a.id),
      table,
    ).toEqual([])
  }
  for (const setting of ['', null])
    for (const table of TABLES) {
      const client = new pg.Client({ connectionString: service.url, options: '-c role=headrace_app' })
      await client.connect()
      if (setting !== null)
        await client.query("SELECT set_config('headrace.tenant_id', $1, false)", [setting])
      expect((await client.query(`SELECT count(*)::int AS n FROM ${table}`)).rows[0], table).toEqual({ n: 0 })
      await client.end()
    }
  const { rows } = await sql<{
    super: boolean
    bypass: boolean
    owns: string
  }>`SELECT rolsuper AS super, rolbypassrls AS bypass, (SELECT count(*) FROM pg_class WHERE relowner = r.oid)::text AS owns FROM pg_roles r WHERE rolname IN ('headrace_app', 'headrace_service')`.execute(
    service.context.gate.service,
  )
  expect(rows).toEqual([
    { super: false, bypass: false, owns: '0' },
    { super: false, bypass: false, owns: '0' },
  ])
})

test('reads and writes of both take turns on the same sessions: each sees its own rows from its first statement to its last', async () => {
  const { gate } = service.context
  const tenantsOf = async (db: Db): Promise<unknown[]> =>
    (await sql<{ tenant_id: string }>`SELECT tenant_id::text FROM tenants`.execute(db)).rows
  await Promise.all(
    Array.from({ length: 400 }, async (_, i) => {
      const me = i % 2 === 0 ? a : b
      const seen = await (i % 3 === 0 ? gate.writeAs : gate.readAs)(me.id, async (db) => [
        ...(await tenantsOf(db)),
        ...(await tenantsOf(db)),
      ])
      expect(seen).toEqual([{ tenant_id: me.id }, { tenant_id: me.id }])
    }),
  )
  // One whose first statement fails leaves nothing behind for the next.
  await expect(gate.writeAs(a.id, (tx) => sql`SELECT 1 / 0`.execute(tx))).rejects.toThrow('division by zero')
  await expect(gate.readAs(a.id, (db) => sql`SELECT 1 / 0`.execute(db))).rejects.toThrow('division by zero')
  for (let i = 0; i < 20; i += 1) expect(await gate.readAs(b.id, tenantsOf)).toEqual([{ tenant_id: b.id }])
})

test('every table with a tenant is under the check', async () => {
  const { rows } = await sql<{
    name: string
    forced: boolean
  }>`SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 1`.execute(
    service.context.gate.service,
  )
  expect(rows.map((row) => row.name)).toEqual(TABLES.toSorted())
  expect(rows.every((row) => row.forced)).toBe(true)
})

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
