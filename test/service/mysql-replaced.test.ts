/**
 * A cursor is one in rows, and not in a name: rows that leave while a job reads, other keys and overlaps,
 * tables that take the place of others.
 */
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startMariaDb } from '../support/mariadb.ts'
import { numbers, repeatedReader } from '../support/repeated-reads.ts'
import { openFolder } from '../support/service.ts'

const home = openFolder('headrace-replaced-')
let client: Connection
let of: (table: string, more?: object) => ReturnType<typeof repeatedReader>

beforeAll(async () => {
  const { port, login } = await startMariaDb()
  const user = { user: login.username, password: login.password }
  client = await mysql.createConnection({
    host: '127.0.0.1',
    port,
    ...user,
    database: 'shop',
    multipleStatements: true,
  })
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${port}`
  const source = { host: '127.0.0.1', port, database: 'shop', cursor: 'id', overlap: 10 }
  of = (table, more) =>
    repeatedReader(home, {
      sourceType: 'mysql',
      source: { ...source, table, ...more },
      sourceSecret: { ...login },
    })
})
afterAll(() => client.end())

const filled = (table: string, from: number, to: number): string =>
  `DROP TABLE IF EXISTS ${table}; CREATE TABLE ${table} (id bigint PRIMARY KEY, other bigint, at datetime);
  INSERT INTO ${table} SELECT seq, seq, '2026-01-01' + INTERVAL seq SECOND FROM seq_${from}_to_${to};`

test.each([
  ['the newest row', 'id = 100'],
  ['some of the newest rows', 'id > 95'],
  ['more than the overlap', 'id > 50'],
])('nothing comes again after %s was deleted', async (_, which) => {
  for (const more of [{}, { cursor: 'at' }, { cursor: 'at', overlap: 300 }]) {
    await client.query(filled('gone', 1, 100))
    const read = of('gone', more)
    expect(await read()).toEqual(numbers(1, 100))
    await client.query(`DELETE FROM gone WHERE ${which}`)
    expect(await read()).toEqual([])
    expect(await read()).toEqual([])
    await client.query("INSERT INTO gone VALUES (101, 101, '2026-01-01' + INTERVAL 101 SECOND)")
    expect(await read()).toEqual([101])
    expect(await read()).toEqual([])
  }
})

test('an overlap that is declared larger, or smaller, brings nothing again', async () => {
  for (const [cursor, step] of [
    ['id', 1],
    ['at', 1],
  ] as const) {
    await client.query(filled('wider', 1, 100))
    const read = of('wider', { cursor })
    expect(await read()).toEqual(numbers(1, 100))
    for (const overlap of [50, 5, 60, 60]) expect(await read({ overlap })).toEqual([])
    await client.query(
      `INSERT INTO wider SELECT seq, seq, '2026-01-01' + INTERVAL seq SECOND FROM seq_101_to_200`,
    )
    expect(await read({ overlap: 60 })).toEqual(numbers(101, 200))
    // By now the larger one holds, for what commits late too.
    expect(await read({ overlap: 60 })).toEqual([])
    await client.query('DELETE FROM wider WHERE id = 145')
    expect(await read({ overlap: 60 })).toEqual([])
    await client.query(`INSERT INTO wider VALUES (145, 1000, '2026-01-01' + INTERVAL ${145 * step} SECOND)`)
    expect(await read({ overlap: 60, key: ['other'] })).toEqual([145])
  }
})

test('rows that are told apart by another key do not come again', async () => {
  await client.query(filled('keyed', 1, 100))
  const read = of('keyed')
  expect(await read()).toEqual(numbers(1, 100))
  expect(await read({ key: ['other'] })).toEqual([])
  expect(await read({ key: ['other', 'id'] })).toEqual([])
  await client.query('ALTER TABLE keyed DROP PRIMARY KEY, ADD PRIMARY KEY (other)')
  expect(await read()).toEqual([])
  await client.query("INSERT INTO keyed VALUES (95, 1095, '2026-01-01'), (101, 101, '2026-01-01')")
  expect(await read()).toEqual([95, 101])
})

test('rows that were told apart by a column that is gone: refused by name', async () => {
  await client.query(filled('unkeyed', 1, 100))
  const read = of('unkeyed', { key: ['other'] })
  expect(await read()).toEqual(numbers(1, 100))
  await client.query('ALTER TABLE unkeyed DROP COLUMN other')
  await expect(read({ key: ['id'] })).rejects.toMatchObject({ code: 'cursor_invalid' })
})

test.each([
  [
    'is created again',
    'DROP TABLE t; CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t SELECT seq FROM seq_1_to_50',
  ],
  [
    'takes the place of another',
    'CREATE TABLE u (id bigint PRIMARY KEY); INSERT INTO u SELECT seq FROM seq_1_to_50; RENAME TABLE t TO v, u TO t; DROP TABLE v',
  ],
])('a table that %s begins anew where it is behind the position', async (_, change) => {
  await client.query(
    'DROP TABLE IF EXISTS t; CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t SELECT seq FROM seq_1_to_100',
  )
  const read = of('t')
  expect(await read()).toEqual(numbers(1, 100))
  // The server says in seconds when a table was made.
  await new Promise((done) => setTimeout(done, 1_100))
  await client.query(change)
  expect(await read()).toEqual(numbers(1, 50))
  expect(await read()).toEqual([])
  await client.query('INSERT INTO t VALUES (51)')
  expect(await read()).toEqual([51])
})

test('a table that is changed, and one that is emptied and filled on, goes on', async () => {
  await client.query(filled('changed', 1, 100))
  const read = of('changed')
  expect(await read()).toEqual(numbers(1, 100))
  await new Promise((done) => setTimeout(done, 1_100))
  await client.query('ALTER TABLE changed ADD COLUMN more int, FORCE')
  expect(await read()).toEqual([])
  await client.query("DELETE FROM changed; INSERT INTO changed VALUES (101, 101, '2026-01-01', 1)")
  expect(await read()).toEqual([101])
})
