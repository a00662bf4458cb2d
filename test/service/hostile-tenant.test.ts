/**
 * A tenant that sends the most expensive requests there are, beside one that works: answers by name and of
 * bounded size, and no lease is lost.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRunner } from '../../src/control/loops/runner.ts'
import { startScheduler, type Loop } from '../../src/control/loops/scheduler.ts'
import { RUN_SEED } from '../support/chance.ts'
import { hostileRequests } from '../support/hostile-tenant.ts'
import { JOB, testService, type TestService } from '../support/service.ts'
import { until } from '../support/system.ts'

/** Of the combinations of fields and values; 1 for all of them. */
const SHARE = Number(process.env.HEADRACE_TEST_HOSTILE_SHARE ?? 0.01)
/** What is left then is not asked: routes come first, then whole declarations, then their fields. */
const MOST_MS = SHARE === 1 ? Infinity : 25_000
const ANSWER_BYTES = 6_000_000
const PROBLEM_BYTES = 100_000

let service: TestService
let evil: Awaited<ReturnType<TestService['tenant']>>
let good: Awaited<ReturnType<TestService['tenant']>>
let loops: Loop[]

beforeAll(async () => {
  service = await testService()
  evil = await service.tenant('evil')
  good = await service.tenant('good')
  const log = (): void => undefined
  loops = [startScheduler(service.context, log), startRunner(service.context, log)]
  const folder = join(service.context.home, 'tenants', good.id, 'in')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'a.csv'), 'id\n1\n')
})

afterAll(async () => {
  for (const loop of loops.toReversed()) await loop.stop()
  await service.close()
})

/** What must not be answered: a failure of ours, and more than one may ask for. */
function oddIn(what: string, { statusCode, body }: { statusCode: number; body: string }): string[] {
  const most = statusCode < 400 ? ANSWER_BYTES : PROBLEM_BYTES
  const isFine = statusCode < 500 && body.length <= most
  return isFine ? [] : [`${what}: ${statusCode}, ${body.length} bytes, ${body.slice(0, 300)}`]
}

test('every route and every field of a declaration at its most expensive', async () => {
  const job = async (tenant: typeof evil, body: object): Promise<string> =>
    (
      await service.call<{ job_id: string }>('POST', `/tenants/${tenant.id}/jobs`, {
        token: tenant.editor,
        body,
      })
    ).body.job_id
  const requests = hostileRequests(RUN_SEED, SHARE, { tenant: evil.id, job: await job(evil, JOB) })
  const work = await job(good, {
    ...JOB,
    job_name: 'works',
    source_type: 'files',
    source_config: { path: 'in/*.csv', format: 'csv' },
    destination_config: { type: 'local', path: 'out' },
    resource_requirements: { cpu_cores: 1, memory_gb: 1, estimated_runtime_minutes: 1 },
  })
  await until('a leader', async () => ((await lead()) === undefined ? undefined : true), 30_000)
  const before = await lead()
  let open = true
  const neighbour = neighbourOf(() => open, work)
  const begun = performance.now()
  const odd: string[] = []
  let asked = 0
  const ask = async (): Promise<void> => {
    for (let next = requests.shift(); next !== undefined; next = requests.shift()) {
      if (performance.now() - begun > MOST_MS) return
      asked += 1
      const { what, method, url } = next
      const payload = next.payload()
      const answer = await service.api.inject({
        method,
        url,
        headers: {
          authorization: `Bearer ${evil.owner}`,
          ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
        },
        payload,
      })
      odd.push(...oddIn(what, answer))
    }
  }
  await Promise.all(Array.from({ length: 4 }, ask))
  open = false
  const { statuses, runs } = await neighbour
  process.stderr.write(
    `${asked} hostile requests, ${statuses.length} of the neighbour, ${runs.length} of its executions\n`,
  )
  expect(odd).toEqual([])
  expect(asked).toBeGreaterThan(20)
  expect(new Set(statuses)).toEqual(new Set([200]))
  expect(statuses.length).toBeGreaterThan(10)
  // Neither the scheduler's lead nor a run was taken over: nobody was silent for longer than its lease.
  expect(await lead()).toEqual(before)
  expect(runs.length).toBeGreaterThan(0)
  expect(runs.filter(({ status, attempt }) => status !== 'succeeded' || attempt !== 1)).toEqual([])
})

const lead = async (): Promise<object | undefined> =>
  (await sql<object>`SELECT lease_name, holder, generation FROM leases`.execute(service.context.gate.service))
    .rows[0]

/** Reads all the time, and runs a job again and again. */
async function neighbourOf(
  goesOn: () => boolean,
  job: string,
): Promise<{ statuses: number[]; runs: { status: string; attempt: number }[] }> {
  const statuses: number[] = []
  const runs: { status: string; attempt: number }[] = []
  const read = async (): Promise<void> => {
    while (goesOn()) {
      statuses.push((await service.call('GET', `/tenants/${good.id}/jobs`, { token: good.viewer })).status)
      await new Promise((done) => setTimeout(done, 20))
    }
  }
  const execute = async (): Promise<void> => {
    while (goesOn()) {
      const { body } = await service.call<{ execution_id: string }>(
        'POST',
        `/tenants/${good.id}/jobs/${job}/run`,
        { token: good.editor },
      )
      runs.push(
        await until(
          'its end',
          async () => {
            const { body: execution } = await service.call<{ status: string; attempt: number }>(
              'GET',
              `/tenants/${good.id}/executions/${body.execution_id}`,
              { token: good.viewer },
            )
            return ['scheduled', 'booked', 'running'].includes(execution.status)
              ? undefined
              : { status: execution.status, attempt: execution.attempt }
          },
          60_000,
        ),
      )
    }
  }
  await Promise.all([read(), execute()])
  return { statuses, runs }
}
