/** Where a job goes on belongs to the job and to what it reads: not to a dataset, nor to another table. */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  positionNamed,
  newestIn,
  positionIn,
  reachedBy,
  sourceName,
} from '../../src/executions/job-position.ts'
import { startRunner } from '../../src/control/loops/runner.ts'
import { startScheduler, type Loop } from '../../src/control/loops/scheduler.ts'
import {
  freshDatabase,
  openFolder,
  purchase,
  run,
  testService,
  type TestService,
} from '../support/service.ts'
import { sleep, until } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

const home = openFolder('headrace-positions-')

test.each([
  [
    {
      host: 'DB.example',
      database: 'd',
      table: 't',
      cursor: 'id',
      credentials_secret: 'other',
      columns: ['id'],
    },
    true,
  ],
  [{ host: 'db.example', port: 5432, database: 'd', table: 't', cursor: 'id' }, true],
  [{ host: 'db.example', database: 'd', table: 'u', cursor: 'id' }, false],
  [{ host: 'db.example', database: 'd', table: 't', cursor: 'changed_at' }, false],
  [{ host: 'db.example', port: 5433, database: 'd', table: 't', cursor: 'id' }, false],
  [{ host: 'db2.example', database: 'd', table: 't', cursor: 'id' }, false],
])('a job that reads %j goes on from its position: %s', (source, goesOn) => {
  const before = sourceName('postgres', { host: 'db.example', database: 'd', table: 't', cursor: 'id' })
  const kept = { source: before, at: { value: '7' }, by: 'e1' }
  expect(positionIn(sourceName('postgres', source), kept)).toEqual(goesOn ? { value: '7' } : undefined)
})

test('a position that was kept before positions had names is taken over', () => {
  expect(positionIn('x', { value: '7', snapshot: '1:1:' })).toEqual({ value: '7', snapshot: '1:1:' })
  expect([positionIn('x', null), reachedBy(null)]).toEqual([undefined, undefined])
})

test.each([
  [{ value: '7' }, { at: { value: '7' } }],
  [
    { fetched: 'e1', of: { value: '7' } },
    { at: { value: '7' }, by: 'e1' },
  ],
  [
    { source: 'x', at: { value: '7' } },
    { source: 'x', at: { value: '7' } },
  ],
  [
    { source: 'x', at: { fetched: 'e1', of: { value: '7' } } },
    { source: 'x', at: { value: '7' }, by: 'e1' },
  ],
  [
    { source: 'x', at: { fetched: 'e1' } },
    { source: 'x', at: undefined, by: 'e1' },
  ],
])('the position %j of an earlier version is read as it was meant', (stored, meant) => {
  expect(positionNamed(stored, { source: 'now', by: 'e2' })).toEqual({ source: 'now', by: 'e2', ...meant })
})

test('of two positions the newest in the source counts, and an older one before none', () => {
  const [x, y] = ['x', 'y'].map((source) => ({ source, at: source, by: 'e1' }))
  expect(newestIn('y', [x, y])).toBe(y)
  expect(newestIn('z', [undefined, x, y])).toBe(x)
  expect(newestIn('x', [undefined, null])).toBeUndefined()
})

interface Ended {
  status: string
  receipt: { rows?: number }
  error_message: string | null
}

let service: TestService
let tenant: Awaited<ReturnType<TestService['tenant']>>
let url: string
let loops: Loop[]

beforeAll(async () => {
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1,localhost'
  url = await freshDatabase()
  service = await testService({ url, home })
  loops = [startScheduler(service.context, () => undefined), startRunner(service.context, () => undefined)]
  tenant = await service.tenant('acme')
  await service.call('POST', at('purchases'), { token: tenant.owner, body: purchase('vcpu_hours', 100) })
  const { username, password } = new URL(url)
  const body = { value: { username, password } }
  await service.call('PUT', at('secrets/pg'), { token: tenant.editor, body })
  await run(url, 'CREATE SCHEMA source')
  await run(
    url,
    `CREATE TABLE source.orders AS SELECT i::bigint AS id, 'eu' AS region FROM generate_series(1, 1000) i`,
  )
  await run(
    url,
    `CREATE TABLE source.customers AS SELECT i::bigint AS id, 'us' AS region FROM generate_series(1, 50) i`,
  )
})

afterAll(async () => {
  for (const loop of loops.toReversed()) await loop.stop()
  await service.close()
})

const at = (path: string): string => `/tenants/${tenant.id}/${path}`

function reading(table: string, more = {}): object {
  const { port, pathname } = new URL(url)
  const database = pathname.slice(1)
  return {
    host: '127.0.0.1',
    port: Number(port),
    database,
    table,
    cursor: 'id',
    credentials_secret: 'pg',
    ...more,
  }
}

/** A job in production that runs when it is told. */
async function create(name: string, source: object, destination: object): Promise<string> {
  const body = {
    job_name: name,
    source_type: 'postgres',
    source_config: source,
    destination_config: destination,
    schedule_cron: '0 0 1 1 *',
    resource_requirements: { cpu_cores: 1, memory_gb: 2, estimated_runtime_minutes: 5 },
  }
  const made = await service.call<{ job_id: string }>('POST', at('jobs'), { token: tenant.editor, body })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  await service.context.gate.service
    .updateTable('ingestion_jobs')
    .set({ status: 'active', namespace: 'vcpu-hours-ns' })
    .where('job_id', '=', made.body.job_id)
    .execute()
  return made.body.job_id
}

/** Runs a job; how many rows it read, or why not. */
async function rowsOf(job: string): Promise<unknown> {
  const asked = await service.call<{ execution_id: string }>('POST', at(`jobs/${job}/run`), {
    token: tenant.editor,
  })
  const path = at(`executions/${asked.body.execution_id}`)
  const look = async (): Promise<Ended | undefined> => {
    const { body } = await service.call<Ended>('GET', path, { token: tenant.viewer })
    return ['scheduled', 'booked', 'running'].includes(body.status) ? undefined : body
  }
  const ended = await until('the end', look, 60_000)
  return ended.status === 'succeeded' ? ended.receipt.rows : ended.error_message
}

test(
  'a job whose source changes reads the new one from its beginning',
  async () => {
    const moved = await create('moved', reading('source.orders'), { type: 'local', path: 'out' })
    expect([await rowsOf(moved), await rowsOf(moved)]).toEqual([1_000, 0])
    const body = { source_config: reading('source.customers') }
    await service.call('PATCH', at(`jobs/${moved}`), { token: tenant.editor, body })
    expect([await rowsOf(moved), await rowsOf(moved)]).toEqual([50, 0])
  },
  limitMs(120_000),
)

const PEOPLE = `dataset: people
columns:
  - { name: id, type: long, path: id, required: true }
  - { name: region, type: string, path: region }
processed: { key: [region, id] }
`

test(
  'jobs that fill one dataset read each their own',
  async () => {
    const into = (name: string, table: string): Promise<string> =>
      create(name, reading(table, { declaration: PEOPLE }), { type: 'zones' })
    const eu = await into('eu', 'source.orders')
    const us = await into('us', 'source.customers')
    expect([await rowsOf(eu), await rowsOf(us)]).toEqual([1_000, 50])
    await run(url, "INSERT INTO source.orders SELECT i, 'eu' FROM generate_series(1001, 1100) i")
    expect([await rowsOf(eu), await rowsOf(us)]).toEqual([100, 0])
    // One that takes the place of another begins at the beginning.
    await service.call('DELETE', at(`jobs/${eu}`), { token: tenant.owner })
    expect(await rowsOf(await into('eu again', 'source.orders'))).toBe(1_100)
  },
  limitMs(170_000),
)

test(
  'a job waits for another that fills the same dataset',
  async () => {
    const job = await create('waits', reading('source.customers', { declaration: PEOPLE }), { type: 'zones' })
    const other = spawn('sleep', ['60'])
    const locks = join(home, 'tenants', tenant.id, 'locks')
    mkdirSync(locks, { recursive: true })
    const since = new Date().toISOString()
    writeFileSync(join(locks, 'stream-people.lock'), JSON.stringify({ pid: other.pid, since }))
    const rows = rowsOf(job)
    const early = await Promise.race([rows, sleep(6_000).then(() => 'waits')])
    other.kill()
    expect([early, await rows]).toEqual(['waits', 50])
  },
  limitMs(90_000),
)
