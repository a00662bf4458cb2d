/** What a database source names and what is found: tables, columns, and views, which are run once. */
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import type { Outcome, Work } from '../../src/executions/work.ts'
import { openFolder } from '../support/service.ts'
import { until } from '../support/system.ts'
import { rowsOf, runWork } from '../support/transfers.ts'
import { mariaSource, postgresSource } from '../support/database-servers.ts'

const home = openFolder('headrace-sources-')
const postgres = await postgresSource(home, 'sources')
const maria = await mariaSource(home)
const { url, client, work: onPostgres } = postgres
const { client: own, work: onMaria } = maria
afterAll(() => Promise.all([postgres.close(), maria.close()]))

const read = async (work: Work, query?: string): Promise<Record<string, unknown>[]> =>
  rowsOf([(await runWork(work)).receipt.output[0]], query)

test('a name is found by what it can mean: schemas, quotes, dots, capital letters; what is not there is answered with what is near', async () => {
  await client.query(`
    CREATE SCHEMA "Odd.Schema";
    CREATE TABLE "Mixed.Tab" AS SELECT 1 AS id;
    CREATE TABLE "Odd.Schema"."a.b ""c""" AS SELECT 2 AS id;
    CREATE TABLE lower_case AS SELECT 3 AS id;
    CREATE SCHEMA mixed;
    CREATE TABLE mixed.tab AS SELECT 4 AS id;
    CREATE SCHEMA "Mixed";
    CREATE TABLE orders_2026 AS SELECT 5 AS id
  `)
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
})

test('a name is found by what it can mean in MariaDB too: quotes, dots, capital letters', async () => {
  await own.query(
    `
      CREATE TABLE \`Mixed.Tab\` AS SELECT 1 AS id;
      CREATE TABLE \`tick\`\`ed\` AS SELECT 2 AS id;
      CREATE TABLE twin AS SELECT 3 AS id;
      CREATE TABLE TWIN AS SELECT 4 AS id
    `,
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
    `
      CREATE TABLE odd_columns (n numeric(5,2) DEFAULT 1, ${names.map((name, i) => `${pg.escapeIdentifier(name)} int DEFAULT ${i}`).join(', ')})
    `,
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
  await client.query(`
    ALTER DATABASE ${url.pathname.slice(1)} SET track_functions = 'all';
    CREATE TABLE base (id bigint, n numeric(8,2), pad char(4));
    INSERT INTO base SELECT i, i, 'x' FROM generate_series(1, 500) i;
    INSERT INTO base VALUES (250, 'NaN', 'y');
    CREATE TABLE others AS SELECT 1 AS id;
    CREATE FUNCTION counted() RETURNS SETOF base LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT * FROM base; END';
    CREATE VIEW counting AS SELECT * FROM counted()
  `)
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
    `
      DELETE FROM base WHERE id IS NULL;
      CREATE VIEW endless AS
      SELECT id, CASE WHEN id = 500 THEN 'infinity' ELSE DATE '2026-01-01' END AS seen
      FROM base
    `,
  )
  await expect(runWork(onPostgres({ table: 'endless', cursor: 'seen' }))).rejects.toMatchObject({
    code: 'cursor_invalid',
    message: expect.stringContaining('no other can follow'),
  })
})

test('views of only padded or only one column, materialized views and partitions, by a cursor', async () => {
  await client.query(`
    CREATE TABLE padded (code char(4));
    INSERT INTO padded VALUES ('a'), ('b');
    CREATE VIEW padded_view AS SELECT * FROM padded;
    CREATE MATERIALIZED VIEW kept AS SELECT i AS id FROM generate_series(1, 10) i
  `)
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
    `
      CREATE TABLE base (id bigint PRIMARY KEY, pad varchar(10));
      INSERT INTO base SELECT seq, "x" FROM seq_1_to_1000;
      CREATE VIEW viewed AS SELECT * FROM base
    `,
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
