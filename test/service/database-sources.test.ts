/**
 * What a source names and what is found, views that are run once, rejects beside breaks, and rows of any
 * length.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import mysql, { type Connection } from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { beginAttempt, leaveAttempt } from '../../src/main/service/attempt-folder.ts'
import type { Outcome, Work } from '../../src/main/service/work.ts'
import { openLink, type Link } from '../support/link.ts'
import { startMariaDb, type MariaDb } from '../support/mariadb.ts'
import { openFolder, postgres, run } from '../support/service.ts'
import { until } from '../support/system.ts'
import { rowsOf, runWork, workOf } from '../support/transfers.ts'

const home = openFolder('headrace-sources-')
let client: pg.Client
let url: URL
let link: Link
let maria: MariaDb
let own: Connection

beforeAll(async () => {
  const server = await postgres()
  await run(server.url, `CREATE DATABASE sources_${process.pid}`)
  url = new URL(server.url.replace(/\/[^/]*$/, `/sources_${process.pid}`))
  client = new pg.Client({ connectionString: url.href })
  await client.connect()
  link = await openLink(() => Number(url.port))
  maria = await startMariaDb()
  own = await mysql.createConnection({
    host: '127.0.0.1',
    port: maria.port,
    user: maria.login.username,
    password: maria.login.password,
    database: 'shop',
    multipleStatements: true,
  })
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
}, 90_000)
afterAll(async () => {
  await client.end()
  await own.end()
  await link.close()
})

const onPostgres = (source: Record<string, unknown>, more: Partial<Work> = {}): Work =>
  workOf(home, {
    sourceType: 'postgres',
    sourceSecret: { username: url.username, password: url.password },
    ...more,
    source: { host: '127.0.0.1', port: Number(url.port), database: url.pathname.slice(1), ...source },
  })
const onMaria = (source: Record<string, unknown>, more: Partial<Work> = {}): Work =>
  workOf(home, {
    sourceType: 'mysql',
    sourceSecret: { ...maria.login },
    ...more,
    source: { host: '127.0.0.1', port: maria.port, database: 'shop', ...source },
  })
const read = async (work: Work, query?: string): Promise<Record<string, unknown>[]> =>
  rowsOf([(await runWork(work)).receipt.output[0]], query)

test('a name is found by what it can mean: schemas, quotes, dots, capital letters; what is not there is answered with what is near', async () => {
  await client.query(`CREATE SCHEMA "Odd.Schema"; CREATE TABLE "Mixed.Tab" AS SELECT 1 AS id; CREATE TABLE "Odd.Schema"."a.b ""c""" AS SELECT 2 AS id;
    CREATE TABLE lower_case AS SELECT 3 AS id; CREATE SCHEMA mixed; CREATE TABLE mixed.tab AS SELECT 4 AS id; CREATE SCHEMA "Mixed"; CREATE TABLE orders_2026 AS SELECT 5 AS id`)
  const found: [string, number][] = [
    ['Mixed.Tab', 1],
    ['"Mixed.Tab"', 1],
    ['public."Mixed.Tab"', 1],
    ['public.Mixed.Tab', 1],
    ['"public"."Mixed.Tab"', 1],
    ['"Odd.Schema"."a.b ""c"""', 2],
    ['Odd.Schema.a.b "c"', 2],
    [`${url.pathname.slice(1)}.public.lower_case`, 3],
    ['lower_case', 3],
    ['public.lower_case', 3],
    ['Lower_Case', 3],
    ['"lower_case"', 3],
    ['mixed.tab', 4],
    ['MIXED.TAB', 4],
  ]
  for (const [table, id] of found) expect(await read(onPostgres({ table })), table).toEqual([{ id }])
  for (const table of [
    '"Lower_Case"',
    '"lower_case',
    'lower_case"',
    'lower_case;',
    'pg_sleep(1)',
    '',
    '.',
    '..',
    'a'.repeat(70),
    '"',
    '""',
  ]) {
    await expect(runWork(onPostgres({ table })), table).rejects.toMatchObject({ code: 'source_not_found' })
  }
  for (const [table, near] of [
    ['order_2026', 'public.orders_2026'],
    ['mixedtab', 'public."Mixed.Tab"'],
    ['mixed.tabb', 'mixed.tab'],
    ['other.lower_case', 'public.lower_case'],
  ]) {
    await expect(runWork(onPostgres({ table })), table).rejects.toMatchObject({
      code: 'source_not_found',
      next: expect.stringContaining(near),
    })
  }
  await own.query(
    'CREATE TABLE `Mixed.Tab` AS SELECT 1 AS id; CREATE TABLE `tick``ed` AS SELECT 2 AS id; CREATE TABLE twin AS SELECT 3 AS id; CREATE TABLE TWIN AS SELECT 4 AS id',
  )
  for (const [table, id] of [
    ['Mixed.Tab', 1],
    ['`Mixed.Tab`', 1],
    ['shop.Mixed.Tab', 1],
    ['mixed.tab', 1],
    ['tick`ed', 2],
    ['`tick``ed`', 2],
    ['twin', 3],
    ['TWIN', 4],
  ] as const) {
    expect(await read(onMaria({ table })), table).toEqual([{ id }])
  }
  await expect(runWork(onMaria({ table: 'Twin' }))).rejects.toMatchObject({
    code: 'source_not_found',
    next: expect.stringContaining('TWIN'),
  })
})

test('columns arrive with their names, whatever these are; two that differ only in case are refused by name', async () => {
  const names = [
    'a.b',
    'q"q',
    "it's",
    ' ',
    'ä漢🙂',
    'select',
    'row',
    't',
    'r',
    'c0',
    'c1',
    '{x: 1}',
    'x'.repeat(63),
    ',',
    'new\nline',
    '\\N',
    '$1',
    '%s',
  ]
  await client.query(
    `CREATE TABLE odd_columns (n numeric(5,2) DEFAULT 1, ${names.map((name, i) => `${pg.escapeIdentifier(name)} int DEFAULT ${i}`).join(', ')})`,
  )
  await client.query("INSERT INTO odd_columns DEFAULT VALUES; INSERT INTO odd_columns (n) VALUES ('NaN')")
  const outcome = await runWork(onPostgres({ table: 'odd_columns' }))
  expect(outcome.receipt).toMatchObject({ rows: 1, rejected: 1 })
  const [row] = await rowsOf([outcome.receipt.output[0]])
  expect(Object.entries(row).slice(1)).toEqual(names.map((name, i) => [name, i]))
  const [{ original }] = await rowsOf([outcome.receipt.output[1]])
  expect(JSON.parse(String(original))).toEqual({
    n: 'NaN',
    ...Object.fromEntries(names.map((name, i) => [name, i])),
  })
  await client.query('CREATE TABLE case_twins (id int, "Ä" int, "ä" int, "ID" int)')
  await expect(runWork(onPostgres({ table: 'case_twins' }))).rejects.toMatchObject({
    code: 'source_failed',
    message: expect.stringMatching(/columns Ä and ä of case_twins differ only in case/),
  })
  expect((await runWork(onPostgres({ table: 'case_twins', columns: ['ID', 'Ä'] }))).receipt.rows).toBe(0)
})

/** How often the view's function was called; a read that has ended has told the server's statistics. */
async function callsOf(action: () => Promise<unknown>): Promise<number> {
  const calls = async (): Promise<number> =>
    Number(
      (
        await client.query<{ n: string }>(
          "SELECT coalesce(sum(calls), 0) AS n FROM pg_stat_user_functions WHERE funcname = 'counted'",
        )
      ).rows[0].n,
    )
  const before = await calls()
  await action()
  const gone = async (): Promise<true | undefined> =>
    (await client.query("SELECT FROM pg_stat_activity WHERE application_name = 'headrace'")).rowCount === 0
      ? true
      : undefined
  await until('the end of the connections of the read', gone)
  return (await calls()) - before
}

test('a view is run once for each read: whole, as a draft, and by a cursor, which knows where it ended', async () => {
  await client.query(`ALTER DATABASE ${url.pathname.slice(1)} SET track_functions = 'all'; CREATE TABLE base (id bigint, n numeric(8,2), pad char(4));
    INSERT INTO base SELECT i, i, 'x' FROM generate_series(1, 500) i; INSERT INTO base VALUES (250, 'NaN', 'y'); CREATE TABLE others AS SELECT 1 AS id;
    CREATE FUNCTION counted() RETURNS SETOF base LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT * FROM base; END'; CREATE VIEW counting AS SELECT * FROM counted()`)
  const outcomes: Outcome[] = []
  const reading =
    (source: Record<string, unknown>, more: Partial<Work> = {}) =>
    async () =>
      void outcomes.push(await runWork(onPostgres({ table: 'counting', ...source }, more)))
  const last = (): Outcome => outcomes.at(-1) as Outcome
  expect(await callsOf(reading({}))).toBe(1)
  expect(last().receipt).toMatchObject({ rows: 500, rejected: 1 })
  expect(await callsOf(reading({ sample_rows: 10 }, { draft: true }))).toBe(1)
  expect(last().receipt.sample_share).toBeLessThan(0.1)
  expect(await callsOf(reading({ sample_rows: 10, cursor: 'id' }, { draft: true }))).toBe(1)
  expect(await callsOf(reading({ cursor: 'id' }))).toBe(1)
  expect(last()).toMatchObject({ receipt: { rows: 500, rejected: 1 }, cursor: { at: { value: '500' } } })
  expect(
    await rowsOf([last().receipt.output[0]], 'SELECT id, n::VARCHAR AS n, pad FROM T ORDER BY id LIMIT 1'),
  ).toEqual([{ id: '1', n: '1.00', pad: 'x   ' }])
  await client.query("INSERT INTO base VALUES (501, 1, 'new'), (502, 'NaN', 'new'), (503, 1, 'new')")
  expect(await callsOf(reading({ cursor: 'id' }, { cursor: last().cursor }))).toBe(1)
  expect(last()).toMatchObject({ receipt: { rows: 2, rejected: 1 }, cursor: { at: { value: '503' } } })
  expect(await callsOf(reading({ cursor: 'id' }, { cursor: last().cursor }))).toBe(1)
  expect(last()).toMatchObject({ receipt: { rows: 0, rejected: 0 }, cursor: { at: { value: '503' } } })
  await client.query('INSERT INTO base (n) VALUES (1)')
  await expect(
    runWork(onPostgres({ table: 'counting', cursor: 'id' }, { cursor: last().cursor })),
  ).rejects.toMatchObject({
    code: 'cursor_invalid',
    message: expect.stringContaining('1 row(s) have no value'),
  })
  await client.query(
    "DELETE FROM base WHERE id IS NULL; CREATE VIEW endless AS SELECT id, CASE WHEN id = 500 THEN 'infinity' ELSE DATE '2026-01-01' END AS seen FROM base",
  )
  await expect(runWork(onPostgres({ table: 'endless', cursor: 'seen' }))).rejects.toMatchObject({
    code: 'cursor_invalid',
    message: expect.stringContaining('no other can follow'),
  })
})

test('views of only padded or only one column, materialized views and partitions, by a cursor', async () => {
  await client.query(`CREATE TABLE padded (code char(4)); INSERT INTO padded VALUES ('a'), ('b'); CREATE VIEW padded_view AS SELECT * FROM padded;
    CREATE MATERIALIZED VIEW kept AS SELECT i AS id FROM generate_series(1, 10) i`)
  const first = await runWork(onPostgres({ table: 'padded_view', cursor: 'code' }))
  expect(await rowsOf(first.receipt.output, 'SELECT * FROM T ORDER BY code')).toEqual([
    { code: 'a   ' },
    { code: 'b   ' },
  ])
  const kept = await runWork(onPostgres({ table: 'kept', cursor: 'id' }))
  expect(kept.receipt.rows).toBe(10)
  // Every row of it is written anew; none of them is new.
  await client.query('REFRESH MATERIALIZED VIEW kept')
  expect(
    (await runWork(onPostgres({ table: 'kept', cursor: 'id' }, { cursor: kept.cursor }))).receipt.rows,
  ).toBe(0)
})

test('a view of MariaDB is not counted, and a cursor reads it twice at most', async () => {
  await own.query(
    'CREATE TABLE base (id bigint PRIMARY KEY, pad varchar(10)); INSERT INTO base SELECT seq, "x" FROM seq_1_to_1000; CREATE VIEW viewed AS SELECT * FROM base',
  )
  const draft = await runWork(onMaria({ table: 'viewed', sample_rows: 100 }, { draft: true }))
  expect(draft.receipt.rows).toBe(100)
  expect(draft.receipt.sample_share).toBeLessThan(0.3)
  const first = await runWork(onMaria({ table: 'viewed', cursor: 'id', key: ['id'] }))
  expect(first.receipt.rows).toBe(1_000)
  await own.query('INSERT INTO base VALUES (1001, "y")')
  const second = await runWork(
    onMaria({ table: 'viewed', cursor: 'id', key: ['id'] }, { cursor: first.cursor }),
  )
  expect(await rowsOf(second.receipt.output)).toEqual([{ id: '1001', pad: 'y' }])
})

test('rejects are counted once: by incremental reads, and by parts of a read that broke and went on', async () => {
  await client.query(
    "CREATE TABLE feed (id bigint PRIMARY KEY, n numeric(6,2)); INSERT INTO feed VALUES (1, 1), (2, 'NaN'), (3, 1)",
  )
  const first = await runWork(onPostgres({ table: 'feed', cursor: 'id' }))
  expect(first.receipt).toMatchObject({ rows: 2, rejected: 1 })
  await client.query("INSERT INTO feed VALUES (4, 'NaN'), (5, 1)")
  const second = await runWork(onPostgres({ table: 'feed', cursor: 'id' }, { cursor: first.cursor }))
  expect(second.receipt).toMatchObject({ rows: 1, rejected: 1 })
  expect(await rowsOf([second.receipt.output[1]], "SELECT original->>'id' AS id FROM T")).toEqual([
    { id: '4' },
  ])
  await client.query(
    "CREATE TABLE broken (id int PRIMARY KEY, n numeric(6,2), pad text); INSERT INTO broken SELECT i, CASE WHEN i % 100 = 0 THEN 'NaN'::numeric ELSE i % 1000 END, repeat(md5(i::text), 3) FROM generate_series(1, 30000) i; ANALYZE broken",
  )
  const work = onPostgres({ table: 'broken', port: link.port, part_bytes: 65_536, connections: 3 })
  const attempt = async (generation: bigint): Promise<Work> => ({
    ...work,
    workFolder: await beginAttempt(home, { execution_id: 'broken', generation }),
  })
  const begun = await attempt(1n)
  link.limit(1_000_000)
  const ended = expect(runWork(begun)).rejects.toMatchObject({ code: 'source_unreachable' })
  const journal = join(begun.workFolder, 'parts', 'journal.ndjson')
  await until('five parts', () =>
    existsSync(journal) && readFileSync(journal, 'utf8').split('\n').length > 6 ? true : undefined,
  )
  link.cut()
  await ended
  link.limit(Infinity)
  await leaveAttempt(home, { execution_id: 'broken', generation: 1n })
  const { receipt } = await runWork(await attempt(2n))
  expect(receipt).toMatchObject({ rows: 29_700, rejected: 300 })
  expect(receipt.parts_kept).toBeGreaterThan(3)
  const ids = await rowsOf(
    [receipt.output[1]],
    "SELECT count(*)::INT AS rows, count(DISTINCT original->>'id')::INT AS ids, min((original->>'id')::INT % 100) AS rest FROM T",
  )
  expect(ids).toEqual([{ rows: 300, ids: 300, rest: 0 }])
}, 60_000)

test('MariaDB: rejects beside parts and an overlap are counted once', async () => {
  await own.query(
    "CREATE TABLE days (id bigint PRIMARY KEY, d date); INSERT INTO days SELECT seq, IF(seq MOD 100 = 0, '0000-00-00', '2026-01-01') FROM seq_1_to_5000; ANALYZE TABLE days",
  )
  const source = { table: 'days', cursor: 'id', snapshot: 'per_part', part_bytes: 65_536, connections: 2 }
  const first = await runWork(onMaria(source))
  expect(first.receipt).toMatchObject({ rows: 4_950, rejected: 50 })
  await own.query("INSERT INTO days VALUES (5001, '0000-00-00'), (5002, '2026-01-01')")
  expect((await runWork(onMaria(source, { cursor: first.cursor }))).receipt).toMatchObject({
    rows: 1,
    rejected: 1,
  })
})

test('a row of any length arrives, or is a reject when it is more than the execution can hold; those around it arrive', async () => {
  await client.query(`CREATE TABLE long (id int, n float8 DEFAULT 1, text text, bytes bytea); INSERT INTO long (id, text, bytes)
    SELECT i, CASE WHEN i IN (100, 101, 200) THEN repeat('"x,', 1000000) ELSE 'short' END, CASE WHEN i = 300 THEN decode(repeat('00ff', 1000000), 'hex') WHEN i = 400 THEN decode(repeat('ab', 17000000), 'hex') END FROM generate_series(1, 1000) i`)
  const { receipt } = await runWork(onPostgres({ table: 'long' }))
  expect(receipt).toMatchObject({ rows: 999, rejected: 1 })
  expect(
    await rowsOf(
      [receipt.output[0]],
      'SELECT count(DISTINCT id)::INT AS ids, sum(length(text))::INT AS text, sum(octet_length(bytes))::INT AS bytes FROM T',
    ),
  ).toEqual([{ ids: 999, text: 9_000_000 + 996 * 5, bytes: 2_000_000 }])
  expect(
    await rowsOf([receipt.output[1]], 'SELECT rule, substr(original, 1, 10) AS original FROM T'),
  ).toMatchObject([{ rule: 'too_large', original: expect.stringMatching(/^(1|short|400),/) }])
  await own.query(
    "CREATE TABLE long_rows (id int PRIMARY KEY, text longtext) AS SELECT seq AS id, IF(seq = 50, REPEAT('\"x,', 1000000), 'short') AS text FROM seq_1_to_100",
  )
  expect(
    await read(
      onMaria({ table: 'long_rows' }),
      'SELECT count(*)::INT AS rows, sum(length(text))::INT AS text FROM T',
    ),
  ).toEqual([{ rows: 100, text: 3_000_000 + 99 * 5 }])
}, 60_000)

test('a text that is none, of a database that does not check them, costs its row', async () => {
  await client.query("CREATE DATABASE unchecked ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")
  const other = new pg.Client({ connectionString: url.href.replace(/\/[^/]*$/, '/unchecked') })
  await other.connect()
  await other.query(
    "CREATE TABLE texts (id int, n float8 DEFAULT 1, word text); INSERT INTO texts (id, word) VALUES (1, 'a'), (2, E'\\xE4'), (3, 'ä'); INSERT INTO texts VALUES (4, 'NaN', 'b')",
  )
  await other.end()
  const { receipt } = await runWork(onPostgres({ table: 'texts', database: 'unchecked' }))
  expect(receipt).toMatchObject({ rows: 2, rejected: 2 })
  expect(await rowsOf([receipt.output[0]], 'SELECT id, word FROM T ORDER BY id')).toEqual([
    { id: 1, word: 'a' },
    { id: 3, word: 'ä' },
  ])
  expect(await rowsOf([receipt.output[1]], 'SELECT rule FROM T ORDER BY rule')).toEqual([
    { rule: 'malformed' },
    { rule: 'type.double' },
  ])
})
