/**
 * A cursor is one in rows, and not in a name: tables that take the place of others, partitions that come with
 * rows of long ago, servers that are set up again.
 */
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Outcome } from '../../src/executions/work.ts'
import { numbers, repeatedReader } from '../support/repeated-reads.ts'
import { openFolder, postgres, run } from '../support/service.ts'
import { runWork, workOf } from '../support/transfers.ts'

const home = openFolder('headrace-replaced-')
let client: pg.Client
let of: (table: string) => ReturnType<typeof repeatedReader>
let settings: Record<string, unknown>
let login: Record<string, string>

beforeAll(async () => {
  const server = await postgres()
  const database = `replaced_${process.pid}`
  await run(server.url, `CREATE DATABASE ${database}`)
  const url = new URL(server.url.replace(/\/[^/]*$/, `/${database}`))
  client = new pg.Client({ connectionString: url.href })
  await client.connect()
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${url.port}`
  login = { username: url.username, password: url.password }
  settings = { host: '127.0.0.1', port: Number(url.port), database, cursor: 'id' }
  of = (table) =>
    repeatedReader(home, { sourceType: 'postgres', source: { ...settings, table }, sourceSecret: login })
})
afterAll(() => client.end())

const filled = (table: string, from: number, to: number): string =>
  `CREATE TABLE ${table} AS SELECT i::bigint AS id, '${table}' AS text FROM generate_series(${from}, ${to}) i;`

test('a table that was loaded before takes the place of another: all of its rows come, once', async () => {
  await client.query(filled('orders', 1, 100))
  const read = of('orders')
  expect(await read()).toEqual(numbers(1, 100))
  await client.query(filled('loaded', 1, 50))
  expect(await read()).toEqual([])
  await client.query('ALTER TABLE orders RENAME TO old; ALTER TABLE loaded RENAME TO orders')
  expect(await read()).toEqual(numbers(1, 50))
  await client.query("INSERT INTO orders VALUES (51, 'new')")
  expect(await read()).toEqual([51])
  expect(await read()).toEqual([])
})

test('a partition that comes with rows of long ago brings them, and again nothing when it went and comes back', async () => {
  await client.query(`CREATE TABLE log (id bigint, text text) PARTITION BY RANGE (id);
    CREATE TABLE log2 PARTITION OF log FOR VALUES FROM (101) TO (201);
    INSERT INTO log SELECT i, 'new' FROM generate_series(101, 150) i; ${filled('log1', 1, 40)}`)
  const read = of('log')
  expect(await read()).toEqual(numbers(101, 150))
  await client.query('ALTER TABLE log ATTACH PARTITION log1 FOR VALUES FROM (1) TO (101)')
  expect(await read()).toEqual(numbers(1, 40))
  await client.query('ALTER TABLE log DETACH PARTITION log1')
  expect(await read()).toEqual([])
  await client.query("INSERT INTO log1 VALUES (41, 'meanwhile')")
  await client.query('ALTER TABLE log ATTACH PARTITION log1 FOR VALUES FROM (1) TO (101)')
  expect(await read()).toEqual([41])
  await client.query("INSERT INTO log VALUES (42, 'new'), (151, 'new')")
  expect(await read()).toEqual([42, 151])
})

test('a table that becomes one by inheritance brings its rows', async () => {
  await client.query(`${filled('parent', 1, 10)} ${filled('child', 5, 8)}`)
  const read = of('parent')
  expect(await read()).toEqual(numbers(1, 10))
  await client.query('ALTER TABLE child INHERIT parent')
  expect(await read()).toEqual(numbers(5, 8))
  expect(await read()).toEqual([])
})

test('a server whose transactions have gone back is refused by name, and goes on when they are as far again', async () => {
  await client.query(filled('restored', 1, 10))
  const source = { ...settings, table: 'restored' }
  const { cursor } = await runWork(workOf(home, { sourceType: 'postgres', source, sourceSecret: login }))
  const { at } = cursor as { at: { snapshot: string } }
  const ahead = String(BigInt(at.snapshot.split(':')[1]) + 1000n)
  const later = { ...(cursor as object), at: { ...at, snapshot: `${ahead}:${ahead}:` } }
  const again = (of: unknown): Promise<Outcome> =>
    runWork(workOf(home, { sourceType: 'postgres', source, sourceSecret: login, cursor: of }))
  await expect(again(later)).rejects.toMatchObject({ code: 'cursor_invalid', params: { table: 'restored' } })
  expect((await again(cursor)).receipt.rows).toBe(0)
})

test('a position of an earlier version, which knows no tables, is taken over', async () => {
  await client.query(filled('older', 1, 10))
  const work = { sourceType: 'postgres', source: { ...settings, table: 'older' }, sourceSecret: login }
  const { cursor } = await runWork(workOf(home, work))
  const { tables, ...at } = (cursor as { at: { tables: string[] } }).at
  expect(tables).toHaveLength(1)
  const next = await runWork(workOf(home, { ...work, cursor: { ...(cursor as object), at } }))
  expect(next.receipt.rows).toBe(0)
  expect(next.cursor).toMatchObject({ at: { tables } })
})

test.each([
  'VACUUM FULL kept',
  'CLUSTER kept USING kept_id',
  'ANALYZE kept',
  'ALTER TABLE kept ADD more int',
])('nothing comes again after %s', async (change) => {
  await client.query(`DROP TABLE IF EXISTS kept; ${filled('kept', 1, 20)}`)
  await client.query('CREATE UNIQUE INDEX kept_id ON kept (id)')
  const read = of('kept')
  expect(await read()).toEqual(numbers(1, 20))
  await client.query(change)
  expect(await read()).toEqual([])
})
