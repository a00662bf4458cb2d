/**
 * Rows of databases that cannot be taken: each counted once, beside breaks and parts too, and rows of any
 * length around them.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { beginAttempt, leaveAttempt } from '../../src/executions/attempt-folder.ts'
import type { Work } from '../../src/executions/work.ts'
import { openFolder } from '../support/service.ts'
import { until } from '../support/system.ts'
import { rowsOf, runWork } from '../support/transfers.ts'
import { mariaSource, postgresSource } from '../support/database-servers.ts'

const home = openFolder('headrace-rejects-')
const postgres = await postgresSource(home, 'rejects')
const maria = await mariaSource(home)
const { url, client, link, work: onPostgres } = postgres
const { client: own, work: onMaria } = maria
afterAll(() => Promise.all([postgres.close(), maria.close()]))

const read = async (work: Work, query?: string): Promise<Record<string, unknown>[]> =>
  rowsOf([(await runWork(work)).receipt.output[0]], query)

test('rejects are counted once: by incremental reads, and by parts of a read that broke and went on', async () => {
  await client.query(
    `
      CREATE TABLE feed (id bigint PRIMARY KEY, n numeric(6,2));
      INSERT INTO feed VALUES (1, 1), (2, 'NaN'), (3, 1)
    `,
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
    `
      CREATE TABLE broken (id int PRIMARY KEY, n numeric(6,2), pad text);
      INSERT INTO broken
      SELECT i, CASE WHEN i % 100 = 0 THEN 'NaN'::numeric ELSE i % 1000 END, repeat(md5(i::text), 3)
      FROM generate_series(1, 30000) i;
      ANALYZE broken
    `,
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
    `
      SELECT count(*)::INT AS rows, count(DISTINCT original->>'id')::INT AS ids, min((original->>'id')::INT % 100) AS rest
      FROM T
    `,
  )
  expect(ids).toEqual([{ rows: 300, ids: 300, rest: 0 }])
})

test('MariaDB: rejects beside parts and an overlap are counted once', async () => {
  await own.query(
    `
      CREATE TABLE days (id bigint PRIMARY KEY, d date);
      INSERT INTO days
      SELECT seq, IF(seq MOD 100 = 0, '0000-00-00', '2026-01-01')
      FROM seq_1_to_5000;
      ANALYZE TABLE days
    `,
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
  await client.query(`
    CREATE TABLE long (id int, n float8 DEFAULT 1, text text, bytes bytea);
    INSERT INTO long (id, text, bytes)
    SELECT i, CASE WHEN i IN (100, 101, 200) THEN repeat('"x,', 1000000) ELSE 'short' END, CASE WHEN i = 300 THEN decode(repeat('00ff', 1000000), 'hex') WHEN i = 400 THEN decode(repeat('ab', 17000000), 'hex') END
    FROM generate_series(1, 1000) i
  `)
  const { receipt } = await runWork(onPostgres({ table: 'long' }))
  expect(receipt).toMatchObject({ rows: 999, rejected: 1 })
  expect(
    await rowsOf(
      [receipt.output[0]],
      `
        SELECT count(DISTINCT id)::INT AS ids, sum(length(text))::INT AS text, sum(octet_length(bytes))::INT AS bytes
        FROM T
      `,
    ),
  ).toEqual([{ ids: 999, text: 9_000_000 + 996 * 5, bytes: 2_000_000 }])
  expect(
    await rowsOf([receipt.output[1]], 'SELECT rule, substr(original, 1, 10) AS original FROM T'),
  ).toMatchObject([{ rule: 'too_large', original: expect.stringMatching(/^(1|short|400),/) }])
  await own.query(
    `
      CREATE TABLE long_rows (id int PRIMARY KEY, text longtext) AS
      SELECT seq AS id, IF(seq = 50, REPEAT('"x,', 1000000), 'short') AS text
      FROM seq_1_to_100
    `,
  )
  expect(
    await read(
      onMaria({ table: 'long_rows' }),
      'SELECT count(*)::INT AS rows, sum(length(text))::INT AS text FROM T',
    ),
  ).toEqual([{ rows: 100, text: 3_000_000 + 99 * 5 }])
})

test('a text that is none, of a database that does not check them, costs its row', async () => {
  await client.query("CREATE DATABASE unchecked ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")
  const other = new pg.Client({ connectionString: url.href.replace(/\/[^/]*$/, '/unchecked') })
  await other.connect()
  await other.query(
    `
      CREATE TABLE texts (id int, n float8 DEFAULT 1, word text);
      INSERT INTO texts (id, word) VALUES (1, 'a'), (2, E'\\xE4'), (3, 'ä');
      INSERT INTO texts VALUES (4, 'NaN', 'b')
    `,
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
