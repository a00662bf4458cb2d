/**
 * The control database as it was some executions ago, beside outputs and zones that went on: nothing is lost
 * and nothing comes twice.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRunner } from '../../src/control/loops/runner.ts'
import { startScheduler } from '../../src/control/loops/scheduler.ts'
import { booksOf, IN_ORDER } from '../support/books-of-capacity.ts'
import {
  freshDatabase,
  openFolder,
  purchase,
  run,
  testService,
  type TestService,
} from '../support/service.ts'
import { deltalake, until } from '../support/system.ts'
import { rowsOf } from '../support/transfers.ts'

const home = openFolder('headrace-restored-')
let url: string
let tenant: Awaited<ReturnType<TestService['tenant']>>
let jobs: { rows: string; words: string }

beforeAll(async () => {
  url = await freshDatabase()
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
})
afterAll(() => delete process.env.HEADRACE_ALLOW_HOSTS)

/** The service on a database, for as long as the action takes. */
async function serving<T>(database: string, action: (service: TestService) => Promise<T>): Promise<T> {
  const service = await testService({ url: database, home })
  const log = (event: unknown): void => void process.stderr.write(`${JSON.stringify(event)}\n`)
  const loops = [startScheduler(service.context, log), startRunner(service.context, log)]
  try {
    return await action(service)
  } finally {
    for (const loop of loops.toReversed()) await loop.stop()
    await service.close()
  }
}

async function runJob(service: TestService, jobId: string): Promise<{ rows: number; output: string[] }> {
  const at = (path: string): string => `/tenants/${tenant.id}/${path}`
  const { execution_id: id } = (
    await service.call<{ execution_id: string }>('POST', at(`jobs/${jobId}/run`), { token: tenant.editor })
  ).body
  const ended = await until(`the end of ${id}`, async () => {
    const { body } = await service.call<{ status: string; receipt: { rows: number; output: string[] } }>(
      'GET',
      at(`executions/${id}`),
      { token: tenant.viewer },
    )
    return ['scheduled', 'booked', 'running'].includes(body.status) ? undefined : body
  })
  expect(ended.status, JSON.stringify(ended)).toBe('succeeded')
  return ended.receipt
}

const DECLARATION = `dataset: words
source: { files: { path: words, pattern: "*.json" } }
record: { format: json, path: $ }
columns: [{ name: id, type: long, path: id, required: true }]
processed: { key: [id] }
`
let words = 0
/** One more row in the table, and one more file in the folder. */
async function more(): Promise<void> {
  words += 1
  writeFileSync(join(home, 'tenants', tenant.id, 'words', `${words}.json`), JSON.stringify({ id: words }))
  await run(
    url,
    `INSERT INTO source.rows SELECT i FROM generate_series(${words} * 100, ${words} * 100 + 99) i`,
  )
}

/** A job that is active at once; returns its id. */
async function createActive(service: TestService, body: Record<string, unknown>): Promise<string> {
  const made = await service.call<{ job_id: string }>('POST', `/tenants/${tenant.id}/jobs`, {
    token: tenant.editor,
    body: {
      schedule_cron: '0 0 1 1 *',
      resource_requirements: { cpu_cores: 1, memory_gb: 2, estimated_runtime_minutes: 5 },
      ...body,
    },
  })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  await service.context.gate.service
    .updateTable('ingestion_jobs')
    .set({ status: 'active', namespace: 'vcpu-hours-ns' })
    .where('job_id', '=', made.body.job_id)
    .execute()
  return made.body.job_id
}

/** A tenant with hours, a table and a folder, and a job that reads each. */
async function setUp(service: TestService): Promise<void> {
  tenant = await service.tenant('acme')
  await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    token: tenant.owner,
    body: purchase('vcpu_hours', 100),
  })
  mkdirSync(join(home, 'tenants', tenant.id, 'words'), { recursive: true })
  await run(url, 'CREATE SCHEMA source; CREATE TABLE source.rows (id bigint PRIMARY KEY)')
  const { port, username, password, pathname } = new URL(url)
  await service.call('PUT', `/tenants/${tenant.id}/secrets/pg`, {
    token: tenant.editor,
    body: { value: { username, password } },
  })
  jobs = {
    rows: await createActive(service, {
      job_name: 'rows',
      source_type: 'postgres',
      source_config: {
        host: '127.0.0.1',
        port: Number(port),
        database: pathname.slice(1),
        table: 'source.rows',
        cursor: 'id',
        credentials_secret: 'pg',
      },
      destination_config: { type: 'local', path: 'out' },
    }),
    words: await createActive(service, {
      job_name: 'words',
      source_type: 'files',
      source_config: { declaration: DECLARATION },
      destination_config: { type: 'zones' },
    }),
  }
}

test('restored to before two executions: the next ones read on from what those published', async () => {
  const old = `${url}_old`
  await serving(url, async (service) => {
    await setUp(service)
    await more()
    expect(await runJob(service, jobs.rows)).toMatchObject({ rows: 100 })
    await runJob(service, jobs.words)
  })
  await run(
    url.replace(/\/[^/]*$/, '/postgres'),
    `CREATE DATABASE ${old.replace(/.*\//, '')} TEMPLATE ${url.replace(/.*\//, '')}`,
  )
  await serving(url, async (service) => {
    for (let i = 0; i < 2; i += 1) {
      await more()
      expect(await runJob(service, jobs.rows)).toMatchObject({ rows: 100 })
      await runJob(service, jobs.words)
    }
  })
  await serving(old, async (service) => {
    await more()
    expect(await runJob(service, jobs.rows)).toMatchObject({ rows: 100 })
    await runJob(service, jobs.words)
    expect(await runJob(service, jobs.rows)).toMatchObject({ rows: 0 })
    expect(await booksOf(old)).toMatchObject(IN_ORDER)
  })
  const out = join(home, 'tenants', tenant.id, 'out')
  expect(
    await rowsOf(
      readdirSync(out).map((name) => join(out, name)),
      'SELECT count(*)::INT AS rows, count(DISTINCT id)::INT AS ids FROM T',
    ),
  ).toEqual([{ rows: 400, ids: 400 }])
  for (const zone of ['raw', 'processed'])
    expect(
      await deltalake(
        join(home, 'tenants', tenant.id, 'tables', 'words', zone),
        "ids = t['id'].to_pylist()\nprint(json.dumps([len(ids), sorted(ids)]))",
      ),
      zone,
    ).toEqual([4, [1, 2, 3, 4]])
})
