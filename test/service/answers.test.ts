/**
 * What each route answers against its schema: no field is missing, and none is there that the schema does not
 * name, which the server would strip. test/support/answers.ts holds every answer of a test service to that.
 */
import { afterAll, expect, test } from 'vitest'
import { Type } from 'typebox'
import { PREFIX, noContent, route, type Asked } from '../../src/api/route.ts'
import { ROUTES } from '../../src/api/server.ts'
import { NamedPageQuery, TenantPath, page } from '../../src/control/schemas/fields.ts'
import { Job, JobRequest } from '../../src/control/schemas/jobs.ts'
import { Purchase } from '../../src/control/schemas/purchases.ts'
import type { Service } from '../../src/control/service.ts'
import type { NamedPage } from '../../src/core/service/nouns.ts'
import { finish } from '../../src/state/runs/ending.ts'
import { queueWorld } from '../support/queue-world.ts'
import { JOB, purchase } from '../support/service.ts'

const world = await queueWorld()
const { service, now } = world
afterAll(() => service.close())

/** Sends a request that must succeed. */
async function ask(method: string, path: string, body?: unknown): Promise<Record<string, never>> {
  const answer = await service.call(method, path, { body })
  expect(answer.status, `${method} ${path} ${JSON.stringify(answer.body)}`).toBeLessThan(300)
  return answer.body
}

/** Lets what is queued run, and end after 10 s of work that was estimated to take as long. */
async function runQueued(): Promise<void> {
  await world.round()
  for (const { execution_id: executionId, generation } of await world.take())
    await service.context.gate.transact((tx) =>
      finish(
        tx,
        {
          executionId,
          generation,
          outcome: 'succeeded',
          used: { cpuMicros: 10_000_000n, memoryGbSeconds: 20n },
          receipt: { work_seconds: 10, estimated_seconds: 10, bytes_read: 1_000_000 },
        },
        { actor: 'test', now: now(), settings: service.context.slots },
      ),
    )
}

test('every route answers with the fields of its schema and no others', async () => {
  const { id, jobs } = await world.buyer({ hours: 100, units: 1 })
  const of = `/tenants/${id}`
  const job = `${of}/jobs/${jobs[0]}`
  await ask('PATCH', of, { policy: { overage: 'debt', lends: true, limits: { jobs: 10 } } })
  await ask('POST', `${of}/webhooks`, { url: 'https://example.com/hook', events: ['*'] })
  await ask('POST', '/webhooks', { url: 'https://example.com/hook', events: ['tenant.created'] })
  await ask('PUT', `${of}/secrets/login`, { value: { password: 'x' } })
  await ask('PUT', '/sla-tiers', { tiers: { gold: { max_runtime_minutes: 60, priority: 'high' } } })
  await ask('PUT', '/prices', await ask('GET', '/prices'))
  await ask('PUT', '/capacity', { 'draft-ingestion-ns': { cpu_cores: 9, memory_gb: 17 } })
  await ask('PATCH', job, { schedule_cron: '0 2 * * *', sla_requirements: { tier: 'gold' } })
  const { execution_id: first } = await ask('POST', `${job}/run`)
  const waiting = `${of}/executions/${first}`
  await ask('GET', `${waiting}/why`)
  await runQueued()
  await ask('GET', `${job}/evaluation`)
  await ask('POST', `${job}/promote`)
  const { execution_id: second } = await ask('POST', `${job}/run`)
  await world.round()
  await ask('GET', `${of}/executions/${second}`)
  await ask('POST', `${of}/executions/${second}/cancel`)
  await ask('POST', `${job}/pause`)
  await ask('POST', `${job}/resume`)
  await ask('POST', `${job}/demote`)
  const { purchase_id: bought } = await ask('POST', `${of}/purchases`, purchase('vcpu_hours', 1, now()))
  await ask('POST', `${of}/purchases/${bought}/cancel`)
  await ask('POST', `${of}/quotes`, { ...JOB, destination_config: { type: 'zones' } })
  await ask('POST', '/estimation/calculate', { source_type: 'postgres', data_volume_gb: 10 })
  for (const read of READS) await ask('GET', read.replace(':tenant_id', id))
  for (const read of ['', '/why', '/log']) await ask('GET', `${waiting}${read}`)
  await ask('GET', `${of}/purchases/${bought}`)
  await ask('GET', job)
  const answering = ROUTES.filter((candidate) => candidate.answer !== undefined)
  expect(answering.length).toBeGreaterThan(40)
  const silent = answering.map(({ method, path }) => `${method} ${PREFIX}${path}`)
  expect(silent.filter((name) => !service.answered.has(name))).toEqual([])
})

/** Lists, and what needs no id. */
const READS = ROUTES.filter(
  ({ method, path }) => method === 'GET' && !path.replace(':tenant_id', '').includes(':'),
).map((read) => read.path)

/** For the compiler: an `@ts-expect-error` is an error itself when the line below it compiles. */
test('a route that does not keep to its schemas does not compile', () => {
  const about = { method: 'POST', path: '/x', summary: '', tag: '', needs: 'viewer', status: 200 } as const
  const [named, tenant] = [Type.Object(NamedPageQuery), Type.Object(TenantPath)]
  const list = async (on: Service, { query }: Asked<unknown, NamedPage>) => ({
    body: await on.listJobs('', query),
  })
  const make = (on: Service, { by, body }: Asked<unknown, unknown, JobRequest>) =>
    on.createJob(by, '', undefined, body)
  const drop = (on: Service, { by, path }: Asked<{ job_id: string }>) =>
    noContent(on.deleteJob(by, '', path.job_id))
  const routes = [
    route({ ...about, query: named, answer: page(Job), run: list }),
    route({ ...about, body: JobRequest, answer: Job, run: make }),
    // @ts-expect-error A job is no purchase.
    route({ ...about, query: named, answer: page(Purchase), run: list }),
    // @ts-expect-error A route without an answer gives none.
    route({ ...about, body: JobRequest, run: make }),
    // @ts-expect-error A route with an answer gives it.
    route({ ...about, answer: Job, run: drop }),
    // @ts-expect-error A tenant is no job.
    route({ ...about, body: tenant, answer: Job, run: make }),
    // @ts-expect-error The path names no job.
    route({ ...about, params: tenant, run: drop }),
  ]
  expect(routes).toHaveLength(7)
})
