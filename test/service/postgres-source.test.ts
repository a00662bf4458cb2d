/**
 * A table of a real PostgreSQL into Parquet: every type, the sample of a draft, and incremental reads beside
 * writers that commit late.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Outcome, Work } from '../../src/executions/work.ts'
import { createChance } from '../support/chance.ts'
import { openFolder, postgres, run } from '../support/service.ts'
import {
  LATE_TIMEOUT_MS,
  readBesideLateWriters,
  rowsOf,
  runWork,
  workOf,
  type LateWriter,
} from '../support/transfers.ts'

const chance = createChance()
const home = openFolder('headrace-source-')
let url: string
let client: pg.Client
let source: Record<string, unknown>
let login: Record<string, string>

beforeAll(async () => {
  const server = await postgres()
  const name = `source_${process.pid}`
  await run(server.url, `CREATE DATABASE ${name}`)
  url = server.url.replace(/\/[^/]*$/, `/${name}`)
  client = new pg.Client({ connectionString: url })
  await client.connect()
  const { port, username, password } = new URL(url)
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${port},127.0.0.1:1`
  source = { host: '127.0.0.1', port: Number(port), database: name }
  login = { username, password }
})
afterAll(() => client.end())

const transferOf = (more: Partial<Work> & { source: Record<string, unknown> }): Promise<Outcome> =>
  runWork(
    workOf(home, {
      sourceType: 'postgres',
      sourceSecret: login,
      estimatedMinutes: 10,
      ...more,
      source: { ...source, ...more.source },
    }),
  )

const outputs = (): string[] => (existsSync(join(home, 'out')) ? readdirSync(join(home, 'out')) : [])

test('every type comes as it is: numbers exact, times in UTC, nulls and empty texts apart, bytes, quotes and line ends', async () => {
  await client.query(
    `CREATE TABLE kinds (a smallint, b int, c bigint, d real, e double precision, f numeric(20,5), g numeric, h boolean, i date, j timestamp, k timestamptz, l text, m varchar(10), n bytea, o uuid, p jsonb, q int[], r time)`,
  )
  await client.query(`INSERT INTO kinds VALUES (1, 2, 9007199254740993, 1.5, 0.1, 12345678901234.56789, 1e30, true, '2026-02-28', '2026-02-28 12:00:00.123456', '2026-02-28 12:00:00+02', E'a,"b"\\n\\r\\t\\\\c', '', '\\x00ff', '00000000-0000-4000-8000-000000000001', '{"x": [1]}', '{1,2}', '23:59:59.5'),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, NULL, NULL, '\\N', NULL, NULL, NULL, NULL, NULL, NULL)`)
  const { receipt } = await transferOf({ source: { table: 'kinds' } })
  expect(receipt).toMatchObject({ rows: 2, rejected: 0 })
  const [first, second] = await rowsOf(
    receipt.output,
    'SELECT * REPLACE (hex(n) AS n, f::VARCHAR AS f, c::VARCHAR AS c) FROM T ORDER BY a NULLS LAST',
  )
  expect(first).toMatchObject({
    a: 1,
    b: 2,
    c: '9007199254740993',
    d: 1.5,
    e: 0.1,
    f: '12345678901234.56789',
    g: '1000000000000000000000000000000',
    h: true,
    i: '2026-02-28',
    j: '2026-02-28 12:00:00.123456',
    l: 'a,"b"\n\r\t\\c',
    m: '',
    n: '00FF',
    o: '00000000-0000-4000-8000-000000000001',
    p: '{"x": [1]}',
    q: '{1,2}',
  })
  expect(String(first.k)).toMatch(/^2026-02-28 10:00:00/)
  expect(second).toMatchObject({ a: null, h: false, l: '\\N', m: null, n: null, o: null })
})

test('names that need quotes, and names that try to be SQL', async () => {
  await client.query(
    'CREATE SCHEMA "odd schema"; CREATE TABLE "odd schema"."a ""b"" table" ("x; drop" int); INSERT INTO "odd schema"."a ""b"" table" VALUES (7)',
  )
  const { receipt } = await transferOf({ source: { table: 'odd schema.a "b" table' } })
  expect(await rowsOf(receipt.output, 'SELECT * FROM T')).toEqual([{ 'x; drop': 7 }])
  for (const table of ['kinds; DROP TABLE kinds', 'kinds WHERE true', '(SELECT 1)', 'pg_sleep(1)'])
    await expect(transferOf({ source: { table } })).rejects.toThrow(/has no table/)
  await expect(
    transferOf({ source: { table: 'kinds', columns: ['a', 'b FROM kinds; --'] } }),
  ).rejects.toThrow(/has no column/)
  expect((await client.query('SELECT count(*)::int AS n FROM kinds')).rows[0].n).toBe(2)
})

test('a draft reads a sample, says how much of the whole it is, and touches no production output', async () => {
  await client.query(
    'CREATE TABLE many AS SELECT i AS id, repeat(md5(i::text), 3) AS text FROM generate_series(1, 100000) i; ANALYZE many',
  )
  const before = outputs()
  const { receipt, cursor } = await transferOf({ source: { table: 'many', sample_rows: 5_000 }, draft: true })
  expect(receipt).toMatchObject({ rows: 5_000, estimated_seconds: 30 })
  expect(receipt.sample_share).toBeCloseTo(0.05, 3)
  expect(cursor).toBeUndefined()
  expect(receipt.output[0]).toContain('/scratch/')
  expect(outputs()).toEqual(before)
})

test('a wrong login, a server that is not there, an address that is not allowed: each by name', async () => {
  await expect(
    transferOf({ source: { table: 'kinds' }, sourceSecret: { username: 'nobody', password: 'wrong' } }),
  ).rejects.toMatchObject({ code: 'source_auth_failed' })
  await expect(transferOf({ source: { table: 'kinds', port: 1 } })).rejects.toMatchObject({
    code: 'source_unreachable',
  })
  for (const host of [
    '169.254.169.254',
    '127.0.0.1',
    '127.0.0.2',
    'localhost',
    '0.0.0.0',
    '[::1]',
    '::1',
    '::ffff:127.0.0.1',
    '2130706433',
    '0x7f.1',
    '017700000001',
    'metadata.google.internal.',
  ]) {
    await expect(transferOf({ source: { table: 'kinds', host, port: 5_999 } }), host).rejects.toMatchObject({
      code: expect.stringMatching(/^(address_denied|source_unreachable)$/),
    })
  }
})

test('a row that the database itself cannot give, in the middle of a read: what and where, and nothing is published', async () => {
  await client.query(
    'CREATE VIEW broken AS SELECT i AS id, 1 / (i - 90000) AS x FROM generate_series(1, 100000) i',
  )
  const before = outputs()
  await expect(transferOf({ source: { table: 'broken' } })).rejects.toMatchObject({
    code: 'source_failed',
    message: expect.stringMatching(/127\.0\.0\.1:\d+.*division by zero/),
  })
  expect(outputs()).toEqual(before)
})

test(
  '20 writers that commit late, with equal cursor values: incremental reads lose and double nothing',
  async () => {
    await client.query('CREATE TABLE feed (id bigint PRIMARY KEY, seen timestamptz NOT NULL)')
    let next = 0
    const writer = async (): Promise<LateWriter> => {
      const own = new pg.Client({ connectionString: url })
      await own.connect()
      return {
        async insert() {
          const ids = Array.from({ length: 1 + Math.floor(chance() * 3) }, () => (next += 1))
          await own.query('BEGIN')
          // Rounded to the second: many rows share a value of the cursor, and late ones have old values.
          await own.query(
            `INSERT INTO feed SELECT i, date_trunc('second', now()) FROM unnest($1::bigint[]) i`,
            [ids],
          )
          return ids
        },
        end: async (how) => void (await own.query(how)),
        close: () => own.end(),
      }
    }
    const files: string[] = []
    let cursor: unknown
    const committed = await readBesideLateWriters({
      chance,
      writer,
      async read() {
        const result = await transferOf({ source: { table: 'feed', cursor: 'seen' }, cursor })
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
