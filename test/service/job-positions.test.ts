/** Where a job goes on belongs to the job and to what it reads: not to a dataset, nor to another table. */
import { expect, test } from 'vitest'
import { namedPosition, positionIn, sourceName } from '../../src/main/service/job-position.ts'
import { startRunner } from '../../src/main/service/runner.ts'
import { startScheduler } from '../../src/main/service/scheduler.ts'
import { freshDatabase, openFolder, purchase, run, testService } from '../support/service.ts'
import { limitMs, until } from '../support/system.ts'

const home = openFolder('headrace-positions-')

test.each([
  [{ host: 'DB.example', database: 'd', table: 't', cursor: 'id', credentials_secret: 'other', columns: ['id'] }, true],
  [{ host: 'db.example', port: 5432, database: 'd', table: 't', cursor: 'id' }, true],
  [{ host: 'db.example', database: 'd', table: 'u', cursor: 'id' }, false],
  [{ host: 'db.example', database: 'd', table: 't', cursor: 'changed_at' }, false],
  [{ host: 'db.example', port: 5433, database: 'd', table: 't', cursor: 'id' }, false],
  [{ host: 'db2.example', database: 'd', table: 't', cursor: 'id' }, false],
])('a job that reads %j goes on from its position: %s', (source, goesOn) => {
  const before = sourceName('postgres', { host: 'db.example', database: 'd', table: 't', cursor: 'id' })
  const kept = namedPosition(before, { value: '7' })
  expect(positionIn(sourceName('postgres', source), kept)).toEqual(goesOn ? { value: '7' } : undefined)
})

test('a position that was kept before positions had names is taken over', () => {
  expect(positionIn('x', { value: '7', snapshot: '1:1:' })).toEqual({ value: '7', snapshot: '1:1:' })
  expect([positionIn('x', null), namedPosition('x', undefined)]).toEqual([null, undefined])
})

interface Ended {
  status: string
  receipt: { rows?: number }
  error_message: string | null
}

test('a job whose source changes reads the new one, and jobs that fill one dataset read each their own', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1,localhost'
  const url = await freshDatabase()
  const service = await testService({ url, home })
  const loops = [startScheduler(service.context, () => undefined), startRunner(service.context, () => undefined)]
  try {
    const tenant = await service.tenant('acme')
    const at = (path: string): string => `/tenants/${tenant.id}/${path}`
    await service.call('POST', at('purchases'), { token: tenant.owner, body: purchase('vcpu_hours', 100) })
    await run(url, "CREATE SCHEMA source; CREATE TABLE source.orders AS SELECT i::bigint AS id, 'eu' AS region FROM generate_series(1, 1000) i; CREATE TABLE source.customers AS SELECT i::bigint AS id, 'us' AS region FROM generate_series(1, 50) i")
    const { port, username, password, pathname } = new URL(url)
    await service.call('PUT', at('secrets/pg'), { token: tenant.editor, body: { value: { username, password } } })
    const reading = (table: string, more = {}): object => ({ host: '127.0.0.1', port: Number(port), database: pathname.slice(1), table, cursor: 'id', credentials_secret: 'pg', ...more })
    const create = async (name: string, source: object, destination: object): Promise<string> => {
      const body = { job_name: name, source_type: 'postgres', source_config: source, destination_config: destination, schedule_cron: '0 0 1 1 *', resource_requirements: { cpu_cores: 1, memory_gb: 2, estimated_runtime_minutes: 5 } }
      const made = await service.call<{ job_id: string }>('POST', at('jobs'), { token: tenant.editor, body })
      expect(made.status, JSON.stringify(made.body)).toBe(201)
      await service.context.gate.service.updateTable('ingestion_jobs').set({ status: 'active', namespace: 'vcpu-hours-ns' }).where('job_id', '=', made.body.job_id).execute()
      return made.body.job_id
    }
    const rowsOf = async (job: string): Promise<unknown> => {
      const { body } = await service.call<{ execution_id: string }>('POST', at(`jobs/${job}/run`), { token: tenant.editor })
      const ended = await until('the end', async () => {
        const { body: one } = await service.call<Ended>('GET', at(`executions/${body.execution_id}`), { token: tenant.viewer })
        return ['scheduled', 'booked', 'running'].includes(one.status) ? undefined : one
      }, 60_000)
      return ended.status === 'succeeded' ? ended.receipt.rows : ended.error_message
    }
    const moved = await create('moved', reading('source.orders'), { type: 'local', path: 'out' })
    expect([await rowsOf(moved), await rowsOf(moved)]).toEqual([1_000, 0])
    await service.call('PATCH', at(`jobs/${moved}`), { token: tenant.editor, body: { source_config: reading('source.customers') } })
    expect([await rowsOf(moved), await rowsOf(moved)]).toEqual([50, 0])

    const declaration = 'dataset: people\ncolumns: [{ name: id, type: long, path: id, required: true }, { name: region, type: string, path: region }]\nprocessed: { key: [region, id] }\n'
    const eu = await create('eu', reading('source.orders', { declaration }), { type: 'zones' })
    const us = await create('us', reading('source.customers', { declaration }), { type: 'zones' })
    expect([await rowsOf(eu), await rowsOf(us)]).toEqual([1_000, 50])
    await run(url, "INSERT INTO source.orders SELECT i, 'eu' FROM generate_series(1001, 1100) i")
    expect([await rowsOf(eu), await rowsOf(us)]).toEqual([100, 0])
    // One that takes the place of another begins at the beginning.
    await service.call('DELETE', at(`jobs/${eu}`), { token: tenant.owner })
    expect(await rowsOf(await create('eu again', reading('source.orders', { declaration }), { type: 'zones' }))).toBe(1_100)
  } finally {
    for (const loop of loops.toReversed()) await loop.stop()
    await service.close()
  }
}, limitMs(170_000))
