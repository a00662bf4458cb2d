/**
 * What a tenant may have: refused by name at the limit, and right beside requests that come at the same
 * moment.
 */
import { existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TENANT_LIMITS, tenantLimits } from '../../src/core/service/tenant-limits.ts'
import { settingsFrom } from '../../src/core/setting-values.ts'
import { startRunner } from '../../src/control/loops/runner.ts'
import { schedulerRound, startScheduler } from '../../src/control/loops/scheduler.ts'
import { purchase, run, testService, type TestService } from '../support/service.ts'
import { until } from '../support/system.ts'
import { logPath } from '../../src/control/execution-logs.ts'
import { boundLog, dropLogsBeyond } from '../../src/control/execution-logs.ts'

let service: TestService
let tenant: Awaited<ReturnType<TestService['tenant']>>

beforeAll(async () => {
  service = await testService()
  tenant = await service.tenant('greedy')
})

afterAll(() => service.close())

const REQUIREMENTS = { cpu_cores: 1, memory_gb: 1, estimated_runtime_minutes: 1 }
const job = (name: string, more: object = {}): object => ({
  job_name: name,
  source_type: 'files',
  source_config: { path: 'in/x.csv', format: 'csv', ...more },
  destination_config: { type: 'local', path: 'y' },
  resource_requirements: REQUIREMENTS,
})
const path = (rest: string): string => `/tenants/${tenant.id}/${rest}`
const allow = (limits: object): Promise<{ status: number }> =>
  service.call('PATCH', `/tenants/${tenant.id}`, { body: { policy: { limits } } })
interface Refused {
  status: number
  body: { code: string; params: { count: number; limit: string }; next: string; job_id: string }
}
const post = (what: string, body?: unknown): Promise<Refused> =>
  service.call('POST', path(what), { token: tenant.owner, body })
const statuses = (answers: Refused[]): number[] => answers.map((answer) => answer.status).toSorted()

function expectLimit({ status, body }: Refused, name: keyof typeof TENANT_LIMITS): void {
  expect([status, body.code, body.params.limit]).toEqual([409, 'limit_reached', name])
  expect(body.next).toContain(`HEADRACE_LIMIT_${name.toUpperCase()}`)
}

test('jobs, however many come at once; one that is deleted makes room', async () => {
  await allow({ jobs: 3 })
  const made = await Promise.all(Array.from({ length: 8 }, (_, i) => post('jobs', job(`j${i}`))))
  expect(statuses(made)).toEqual([201, 201, 201, 409, 409, 409, 409, 409])
  expectLimit(made.find(({ status }) => status === 409) as Refused, 'jobs')
  await service.call('DELETE', path(`jobs/${made.find(({ status }) => status === 201)?.body.job_id}`), {
    token: tenant.owner,
  })
  expect((await post('jobs', job('again'))).status).toBe(201)
})

test('settings of all jobs together, when they are made and when they are changed', async () => {
  await allow({ jobs: 100, job_settings_kb: 64 })
  const first = await post('jobs', job('large 1', { note: 'x'.repeat(40_000) }))
  expect(first.status).toBe(201)
  expectLimit(await post('jobs', job('large 2', { note: 'x'.repeat(40_000) })), 'job_settings_kb')
  expectLimit(
    await service.call('PATCH', path(`jobs/${first.body.job_id}`), {
      token: tenant.owner,
      body: { source_config: { path: 'x', format: 'csv', note: 'x'.repeat(70_000) } },
    }),
    'job_settings_kb',
  )
  // What was changed is told without what is long.
  expect(
    (
      await service.call('PATCH', path(`jobs/${first.body.job_id}`), {
        token: tenant.owner,
        body: { source_config: { path: 'x', format: 'csv', note: 'y'.repeat(40_000) } },
      })
    ).status,
  ).toBe(200)
  const {
    body: { items },
  } = await service.call<{ items: { event: string; data: { source_config: unknown } }[] }>(
    'GET',
    path('events?limit=500'),
    { token: tenant.viewer },
  )
  expect(items.find(({ event }) => event === 'job.changed')?.data.source_config).toEqual({
    left_out_characters: expect.any(Number),
  })
  expect(JSON.stringify(items).length).toBeLessThan(20_000)
})

test('executions that wait: by hand refused, by schedule left out until there is room', async () => {
  await allow({ waiting_executions: 2, jobs: 100, job_settings_kb: 10_000 })
  const made = await post('jobs', job('waits'))
  expect(made.status).toBe(201)
  const runs = await Promise.all(Array.from({ length: 6 }, () => post(`jobs/${made.body.job_id}/run`)))
  expect(statuses(runs)).toEqual([202, 202, 409, 409, 409, 409])
  expectLimit(runs.find(({ status }) => status === 409) as Refused, 'waiting_executions')
  await run(
    service.url,
    `UPDATE ingestion_jobs
     SET status = 'active', namespace = 'vcpu-hours-ns', schedule_cron = '* * * * *',
       next_run_at = now() - interval '1 minute'
     WHERE job_id = '${made.body.job_id}'`,
  )
  // The tick alone: a whole round would also place what waits.
  await schedulerRound(service.context)
  const {
    body: { items },
  } = await service.call<{ items: { event: string }[] }>('GET', path('events?limit=500'), {
    token: tenant.viewer,
  })
  expect(items.filter(({ event }) => event === 'job.tick_skipped')).toHaveLength(1)
})

test('webhooks, secrets, the size of a secret, and tokens', async () => {
  await allow({ webhooks: 2, secrets: 2, secret_kb: 1, tokens: 5 })
  const hooks = await Promise.all(
    Array.from({ length: 5 }, () => post('webhooks', { url: 'https://example.com', events: ['*'] })),
  )
  expect(statuses(hooks)).toEqual([201, 201, 409, 409, 409])
  expectLimit(hooks.find(({ status }) => status === 409) as Refused, 'webhooks')
  const put = (name: string, key: string): Promise<Refused> =>
    service.call('PUT', path(`secrets/${name}`), { token: tenant.owner, body: { value: { key } } })
  expect([
    (await put('a', 'k')).status,
    (await put('b', 'k')).status,
    (await put('a', 'again')).status,
  ]).toEqual([204, 204, 204])
  expectLimit(await put('c', 'k'), 'secrets')
  expectLimit(await put('a', 'k'.repeat(2_000)), 'secret_kb')
  const tokens = await Promise.all(
    Array.from({ length: 5 }, (_, i) => post('tokens', { token_name: `t${i}`, role: 'viewer' })),
  )
  // Three are there from the beginning.
  expect(statuses(tokens)).toEqual([201, 201, 409, 409, 409])
})

test('a page of jobs ends where their settings are too large together, and the next one goes on', async () => {
  await allow({ jobs: 1_000, job_settings_kb: 100_000 })
  for (let i = 0; i < 14; i += 1)
    expect((await post('jobs', job(`page ${i}`, { note: 'x'.repeat(600_000) }))).status).toBe(201)
  const seen: string[] = []
  let pages = 0
  for (let after: string | undefined = ''; after !== undefined; pages += 1) {
    const page: { body: { items: { job_id: string }[]; next?: string } } = await service.call(
      'GET',
      path(`jobs?limit=500${after === '' ? '' : `&after=${after}`}`),
      { token: tenant.viewer },
    )
    expect(JSON.stringify(page.body).length).toBeLessThan(6_000_000)
    seen.push(...page.body.items.map((listed) => listed.job_id))
    after = page.body.next
  }
  expect(pages).toBeGreaterThan(1)
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen.length).toBeGreaterThanOrEqual(14)
})

test('logs: one that grows too long begins anew, and the oldest of a tenant go', async () => {
  const { home, gate, limits } = service.context
  const made = sql<{ id: string }>`
    INSERT INTO job_executions (
      job_id, tenant_id, namespace, scheduled_time, cpu_cores, memory_gb, estimated_minutes, fair_tag,
      deadline, status
    )
    SELECT
      (SELECT job_id FROM ingestion_jobs WHERE tenant_id = ${tenant.id} LIMIT 1), ${tenant.id},
      'vcpu-hours-ns', now(), 1, 1, 1, 0, now(), 'succeeded'
    FROM generate_series(1, 4)
    RETURNING execution_id AS id`
  const { rows: ids } = await made.execute(gate.service)
  mkdirSync(dirname(logPath(home, 'x')), { recursive: true })
  // Each of another time, all older than what is cut off now: file systems keep times in steps.
  for (const [i, { id }] of ids.entries()) {
    writeFileSync(logPath(home, id), 'x'.repeat(700_000))
    utimesSync(logPath(home, id), i + 1, i + 1)
  }
  await boundLog(home, ids[0].id, { ...limits, execution_log_kb: 600 })
  expect(statSync(logPath(home, ids[0].id)).size).toBe(0)
  await boundLog(home, ids[1].id, { ...limits, execution_log_kb: 800 })
  expect(statSync(logPath(home, ids[1].id)).size).toBe(700_000)
  await allow({ logs_mb: 1 })
  expect(await dropLogsBeyond(service.context)).toBe(2)
  expect(ids.filter(({ id }) => existsSync(logPath(home, id)))).toHaveLength(2)
})

test('the folder of a tenant: an execution is not started beyond it, and says why', async () => {
  const full = await service.tenant('full')
  await service.call('POST', `/tenants/${full.id}/purchases`, {
    token: full.owner,
    body: purchase('vcpu_hours', 10),
  })
  const folder = join(service.context.home, 'tenants', full.id)
  mkdirSync(join(folder, 'in'), { recursive: true })
  writeFileSync(join(folder, 'in', 'x.csv'), 'id\n1\n')
  const made = await service.call<{ job_id: string }>('POST', `/tenants/${full.id}/jobs`, {
    token: full.owner,
    body: job('fills'),
  })
  const loops = [
    startScheduler(
      { ...service.context, limits: { ...service.context.limits, storage_gb: 1e-9 } },
      () => undefined,
    ),
    startRunner(
      { ...service.context, limits: { ...service.context.limits, storage_gb: 1e-9 } },
      () => undefined,
    ),
  ]
  const { body } = await service.call<{ execution_id: string }>(
    'POST',
    `/tenants/${full.id}/jobs/${made.body.job_id}/run`,
    { token: full.owner },
  )
  await until(
    'the end',
    async () =>
      ['succeeded', 'failed'].includes(
        (
          await service.call<{ status: string }>(
            'GET',
            `/tenants/${full.id}/executions/${body.execution_id}`,
            { token: full.owner },
          )
        ).body.status,
      )
        ? true
        : undefined,
    30_000,
  )
  const why = await service.call<{ status: string; code: string; message: string }>(
    'GET',
    `/tenants/${full.id}/executions/${body.execution_id}/why`,
    { token: full.owner },
  )
  expect(why.body).toMatchObject({
    status: 'failed',
    code: 'limit_reached',
    message: expect.stringContaining('GB in the folder of the tenant'),
  })
  for (const loop of loops.toReversed()) await loop.stop()
})

test('limits of the installation come from its settings, and are documented', () => {
  expect(tenantLimits(settingsFrom({ HEADRACE_LIMIT_JOBS: '7' }))).toMatchObject({
    jobs: 7,
    webhooks: TENANT_LIMITS.webhooks.usual,
  })
  for (const text of ['0', '-1', '1.5', 'x', '1e3'])
    expect(() => settingsFrom({ HEADRACE_LIMIT_JOBS: text }), text).toThrow(/HEADRACE_LIMIT_JOBS must be/)
  const page = readFileSync('docs/service.md', 'utf8')
  for (const [name, { usual }] of Object.entries(TENANT_LIMITS))
    expect(page).toContain(`| \`${name}\` | ${usual.toLocaleString('en')} |`)
})
