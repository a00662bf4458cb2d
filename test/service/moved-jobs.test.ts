/** A job that is changed between two executions, or attempts of one: it goes on, or begins anew. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runZones } from '../../src/executions/zone-job.ts'
import type { Outcome, Work } from '../../src/executions/work.ts'
import { keepEnvironment } from '../support/environment.ts'
import { openFolder, postgres, run } from '../support/service.ts'
import { deltalake } from '../support/system.ts'
import { rowsOf, runWork, workOf } from '../support/transfers.ts'

const home = openFolder('headrace-moved-')
const restoreEnvironment = keepEnvironment()
let client: pg.Client
let url: URL

beforeAll(async () => {
  const server = await postgres()
  await run(server.url, `CREATE DATABASE moved_${process.pid}`)
  url = new URL(server.url.replace(/\/[^/]*$/, `/moved_${process.pid}`))
  client = new pg.Client({ connectionString: url.href })
  await client.connect()
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
})
afterAll(async () => {
  await client.end()
  restoreEnvironment()
})

/** Three rows in a table with a cursor. */
const fill = (table: string, from: number): Promise<unknown> =>
  client.query(`CREATE TABLE IF NOT EXISTS ${table} (id bigint PRIMARY KEY);
    INSERT INTO ${table} SELECT generate_series(${from}, ${from + 2})`)

let executions = 0
function execution(table: string, more: Partial<Work> = {}): Work {
  executions += 1
  const [host, port, database] = ['127.0.0.1', Number(url.port), url.pathname.slice(1)]
  // Ids of executions grow with time.
  const executionId = `${String(executions).padStart(8, '0')}-0000-0000-0000-000000000000`
  return workOf(home, {
    executionId,
    knownUntil: executionId,
    sourceType: 'postgres',
    source: { host, port, database, table, cursor: 'id' },
    sourceSecret: { username: url.username, password: url.password },
    workFolder: join(home, 'work', executionId),
    memoryBytes: 2 * 1024 ** 3,
    ...more,
  })
}

function zones(work: Work): Promise<Outcome> {
  const now = (): number => performance.now() / 1000
  const signal = new AbortController().signal
  const into = { ...work, destination: { type: 'zones' } }
  return runZones(into, { progress: () => undefined, signal, now, batch: async () => undefined })
}

function intoZones(work: Work, dataset: string): Promise<Outcome> {
  const declaration = `dataset: ${dataset}\ncolumns: [{ name: id, type: long }]\nprocessed: { key: [id] }\n`
  return zones({ ...work, source: { ...work.source, declaration } })
}

const inRaw = (dataset: string): Promise<number[]> =>
  deltalake(join(home, 'tables', dataset, 'raw'), "print(json.dumps(sorted(t['id'].to_pylist())))")

test('a job that goes from one dataset to another, to files and back brings each row once', async () => {
  await fill('wanders', 1)
  const first = await intoZones(execution('wanders'), 'one')
  await fill('wanders', 4)
  const second = await intoZones(execution('wanders', { cursor: first.cursor }), 'two')
  await fill('wanders', 7)
  const third = await runWork(execution('wanders', { cursor: second.cursor }))
  await fill('wanders', 10)
  await intoZones(execution('wanders', { cursor: third.cursor }), 'one')
  const files = (await rowsOf(third.receipt.output)).map(({ id }) => Number(id))
  expect([await inRaw('one'), await inRaw('two'), files]).toEqual([
    [1, 2, 3, 10, 11, 12],
    [4, 5, 6],
    [7, 8, 9],
  ])
})

test('a job that is tried again with another table reads that from its beginning', async () => {
  await fill('published', 100)
  await fill('other', 1)
  const attempt = execution('published')
  const published = await runWork(attempt)
  // The service did not hear of it; meanwhile the job is changed.
  const again = await runWork({ ...attempt, source: { ...attempt.source, table: 'other' } })
  expect(again.receipt.output).toEqual(published.receipt.output)
  expect((await runWork(execution('other', { cursor: again.cursor }))).receipt.rows).toBe(3)
  expect((await runWork(execution('published', { cursor: again.cursor }))).receipt.rows).toBe(0)
})

test('what an execution published that was given up is no position in another table', async () => {
  await fill('given_up', 100)
  await fill('wanted', 1)
  const known = execution('given_up')
  const lost = await runWork(execution('given_up', { knownUntil: known.executionId }))
  expect(lost.receipt.rows).toBe(3)
  const next = { cursor: undefined, knownUntil: known.executionId }
  expect((await runWork(execution('wanted', next))).receipt.rows).toBe(3)
})

test('files of another folder that have the same names are other files', async () => {
  const read = (folder: string): Promise<Outcome> => {
    const source = `source: { files: { path: ${folder}, pattern: "*.csv" } }\nrecord: { format: csv }\n`
    const columns = 'columns: [{ name: id, type: long }]\n'
    const declaration = `dataset: folders\n${source}${columns}processed: { key: [id] }\n`
    return zones(execution('', { sourceType: 'files', source: { declaration } }))
  }
  const put = (folder: string, id: number): void => {
    mkdirSync(join(home, folder), { recursive: true })
    writeFileSync(join(home, folder, 'same.csv'), `id\n${id}\n`)
  }
  put('in/a', 1)
  put('in/b', 2)
  const rows = [await read('in/a'), await read('in/b'), await read('./in/a/')].map(
    ({ receipt }) => receipt.rows,
  )
  expect([rows, await inRaw('folders')]).toEqual([
    [1, 1, 0],
    [1, 2],
  ])
})
