/**
 * A table of a real MariaDB into Parquet: every type, the sample of a draft, and incremental reads beside
 * writers that commit late.
 */
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Outcome, Work } from '../../src/executions/work.ts'
import { createChance } from '../support/chance.ts'
import { lateWriter, startMariaDb, type MariaDb } from '../support/mariadb.ts'
import { openFolder } from '../support/service.ts'
import {
  LATE_TIMEOUT_MS,
  readBesideLateWriters,
  rowsOf,
  runWork,
  workOf,
  type LateWriter,
} from '../support/transfers.ts'

const chance = createChance()
const home = openFolder('headrace-mysql-')
let server: MariaDb
let client: Connection

const connect = (): Promise<Connection> =>
  mysql.createConnection({
    host: '127.0.0.1',
    port: server.port,
    user: server.login.username,
    password: server.login.password,
    database: 'shop',
    multipleStatements: true,
    timezone: 'Z',
  })

beforeAll(async () => {
  server = await startMariaDb()
  client = await connect()
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${server.port},127.0.0.1:1`
})
afterAll(() => client.end())

function transferOf(source: Record<string, unknown>, more: Partial<Work> = {}): Promise<Outcome> {
  return runWork(
    workOf(home, {
      sourceType: 'mysql',
      source: { host: '127.0.0.1', port: server.port, database: 'shop', ...source },
      sourceSecret: { ...server.login },
      ...more,
    }),
  )
}

test('every type comes as it is: numbers exact, times in UTC, nulls and empty texts apart, bytes, quotes and line ends', async () => {
  await client.query(
    `SET time_zone = '+02:00'; CREATE TABLE kinds (a tinyint, b int unsigned, c bigint unsigned, d float, e double, f decimal(20,5), g decimal(60,1), h date, i datetime(6), j timestamp(3) NULL, k text, l varchar(10), m varbinary(4), n json, o enum('x','y'), p time, q bit(9), r year)`,
  )
  await client.query({
    sql: `INSERT INTO kinds VALUES (-1, 4294967295, 18446744073709551615, 0.1, 0.1, 12345678901234.56789, 123456789012345678901234567890123456789.5, '2026-02-28', '2026-02-28 12:00:00.123456', '2026-02-28 12:00:00.250', ?, '', X'00ff', '{"x": [1]}', 'y', '-838:59:59', b'100000001', 2026),
    (0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '\\\\N', NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
    values: ['a,"b"\n\r\t\\c 🙂'],
  })
  const { receipt } = await transferOf({ table: 'kinds' })
  expect(receipt).toMatchObject({ rows: 2, rejected: 0 })
  const [first, second] = await rowsOf(
    receipt.output,
    'SELECT * REPLACE (hex(m) AS m, hex(q) AS q, f::VARCHAR AS f, c::VARCHAR AS c) FROM T ORDER BY a',
  )
  expect(first).toMatchObject({
    a: -1,
    c: '18446744073709551615',
    d: Math.fround(0.1),
    e: 0.1,
    f: '12345678901234.56789',
    g: '123456789012345678901234567890123456789.5',
    h: '2026-02-28',
    i: '2026-02-28 12:00:00.123456',
    k: 'a,"b"\n\r\t\\c 🙂',
    l: '',
    m: '00FF',
    o: 'y',
    p: '-838:59:59',
    q: '0101',
    r: 2026,
  })
  expect(String(first.j)).toMatch(/^2026-02-28 10:00:00.25/)
  expect(JSON.parse(String(first.n))).toEqual({ x: [1] })
  expect(second).toMatchObject({ a: 0, b: 0, c: null, d: null, h: null, j: null, k: '\\N', l: null, m: null })
})

test('a date that is none costs its row, or is missing when that is declared', async () => {
  await client.query(
    "CREATE TABLE odd (id int PRIMARY KEY, at date, seen datetime); INSERT INTO odd VALUES (1, '0000-00-00', '0000-00-00 00:00:00'), (2, '2026-01-01', '2026-01-01 00:00:00')",
  )
  const refused = await transferOf({ table: 'odd' })
  expect(refused.receipt).toMatchObject({ rows: 1, rejected: 1 })
  expect(await rowsOf([refused.receipt.output[1]])).toMatchObject([
    { column_name: 'at', rule: 'type.date', value: '0000-00-00' },
  ])
  const { receipt } = await transferOf({ table: 'odd', zero_dates: 'null' })
  expect(await rowsOf(receipt.output, 'SELECT id, CAST("at" AS VARCHAR) AS "at" FROM T ORDER BY id')).toEqual(
    [
      { id: 1, at: null },
      { id: 2, at: '2026-01-01' },
    ],
  )
})

test('names that need quotes, names that try to be SQL, wrong logins and tables that are not there: each by name', async () => {
  await client.query(
    'CREATE TABLE `a ``b`` table.c` (`x; drop` int); INSERT INTO `a ``b`` table.c` VALUES (7)',
  )
  expect(
    await rowsOf((await transferOf({ table: 'a `b` table.c' })).receipt.output, 'SELECT * FROM T'),
  ).toEqual([{ 'x; drop': 7 }])
  for (const table of ['kinds; DROP TABLE kinds', 'kinds WHERE true', '(SELECT 1)'])
    await expect(transferOf({ table })).rejects.toMatchObject({ code: 'source_not_found' })
  await expect(transferOf({ table: 'kinds', columns: ['a', 'b` FROM kinds; --'] })).rejects.toMatchObject({
    code: 'source_not_found',
  })
  await expect(
    transferOf({ table: 'kinds' }, { sourceSecret: { username: 'loader', password: 'wrong' } }),
  ).rejects.toMatchObject({ code: 'source_auth_failed' })
  await expect(transferOf({ table: 'kinds', port: 1 })).rejects.toMatchObject({ code: 'source_unreachable' })
  await expect(transferOf({ table: 'kinds', cursor: 'a' })).rejects.toMatchObject({ code: 'cursor_invalid' })
})

test('a draft reads a sample and says how much of the whole it is', async () => {
  await client.query(
    'CREATE TABLE many (id int PRIMARY KEY AUTO_INCREMENT, text varchar(100)); INSERT INTO many (text) SELECT md5(seq) FROM seq_1_to_100000; ANALYZE TABLE many',
  )
  const { receipt } = await transferOf({ table: 'many', sample_rows: 5_000 }, { draft: true })
  expect(receipt.rows).toBe(5_000)
  expect(receipt.sample_share).toBeGreaterThan(0.04)
  expect(receipt.sample_share).toBeLessThan(0.06)
})

test.each([
  ['seen', 60],
  ['id', 50_000],
])(
  '20 writers that commit late, cursor %s: incremental reads lose and double nothing',
  async (cursorColumn, overlap) => {
    await client.query(
      'DROP TABLE IF EXISTS feed; CREATE TABLE feed (id bigint PRIMARY KEY AUTO_INCREMENT, seen datetime NOT NULL)',
    )
    const writer = async (): Promise<LateWriter> => lateWriter(await connect(), 'feed')
    const files: string[] = []
    let cursor: unknown
    const committed = await readBesideLateWriters({
      chance,
      writer,
      async read() {
        const result = await transferOf({ table: 'feed', cursor: cursorColumn, overlap }, { cursor })
        cursor = result.cursor
        files.push(...result.receipt.output)
      },
    })
    const [{ rows, ids }] = await rowsOf(
      files,
      'SELECT count(*)::INT AS rows, count(DISTINCT id)::INT AS ids FROM T',
    )
    expect({ rows, ids }).toEqual({ rows: committed.size, ids: committed.size })
    expect(files.length).toBeGreaterThan(5)
  },
  LATE_TIMEOUT_MS,
)
