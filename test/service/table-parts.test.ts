/**
 * Tables of PostgreSQL read in parts: one moment for all of them, gone on with after a break, and published
 * once.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { openSession } from '../../src/engines/duckdb/session.ts'
import { beginAttempt, leaveAttempt } from '../../src/executions/attempt-folder.ts'
import type { Outcome, Work } from '../../src/executions/work.ts'
import { createChance, sampled } from '../support/chance.ts'
import { openFolder } from '../support/service.ts'
import { rowsOf, runWork } from '../support/transfers.ts'
import { postgresSource } from '../support/database-servers.ts'
import { breakAfterParts } from '../support/broken-reads.ts'

const home = openFolder('headrace-parts-')
const {
  url,
  client,
  link,
  work: execution,
  close,
} = await postgresSource(home, 'parts', {
  part_bytes: 65_536,
  connections: 3,
})
afterAll(close)

const chance = createChance()
const CONTENT =
  'count(*)::INT AS rows, count(DISTINCT id)::INT AS ids, sum(hash(id, text))::VARCHAR AS content'
/** The same sum over what the server has now, through a plain query of its own. */
async function contentOf(table: string): Promise<Record<string, unknown>> {
  const { rows } = await client.query<{ id: number; text: string }>(`SELECT id, text FROM ${table}`)
  const path = join(home, 'expected.json')
  await writeFile(path, rows.map((row) => JSON.stringify(row)).join('\n'))
  const session = await openSession({ memoryBytes: 256 << 20, threads: 1, spillFolder: join(home, 'spill') })
  const [found] = await session.objects(
    `SELECT ${CONTENT} FROM read_json('${path}', columns = {id: 'INTEGER', text: 'VARCHAR'})`,
  )
  await session.close()
  return found
}
const contentIn = async ({ receipt }: Outcome): Promise<Record<string, unknown>> =>
  (await rowsOf(receipt.output, `SELECT ${CONTENT} FROM T`))[0]
const fill = (table: string, rows: number): Promise<unknown> =>
  client.query(
    `
      CREATE TABLE ${table} (id int PRIMARY KEY, text text);
      INSERT INTO ${table} SELECT i, repeat(md5(i::text), 3) FROM generate_series(1, ${rows}) i;
      ANALYZE ${table}
    `,
  )

test('all parts together are the table: plain, partitioned with ranges in each leaf, a view by one connection, an empty one', async () => {
  await fill('plain', 20_000)
  await client.query(
    `
      CREATE TABLE cut (id int, text text) PARTITION BY RANGE (id);
      CREATE TABLE cut_a PARTITION OF cut FOR VALUES FROM (0) TO (5000);
      CREATE TABLE cut_b PARTITION OF cut FOR VALUES FROM (5000) TO (30000);
      INSERT INTO cut SELECT * FROM plain;
      CREATE VIEW seen AS SELECT * FROM plain;
      CREATE TABLE nothing (id int, text text)
    `,
  )
  for (const table of ['plain', 'cut', 'seen', 'nothing']) {
    const outcome = await runWork(execution({ table }))
    expect(outcome.receipt, table).toMatchObject({ rows: table === 'nothing' ? 0 : 20_000, rejected: 0 })
    expect(await contentIn(outcome), table).toEqual(await contentOf(table))
  }
})

test('parts are of one moment beside writers: what is moved between rows is never seen half, and no row comes twice', async () => {
  await client.query(
    `
      CREATE TABLE accounts (id int PRIMARY KEY, balance bigint, pad text);
      INSERT INTO accounts SELECT i, 1000, repeat('x', 200) FROM generate_series(1, 20000) i
    `,
  )
  let writing = true
  const writers = Array.from({ length: 4 }, async () => {
    const own = new pg.Client({ connectionString: url.href })
    await own.connect()
    while (writing) {
      const [a, b] = [1 + Math.floor(chance() * 20_000), 1 + Math.floor(chance() * 20_000)]
      await own.query(
        `
          UPDATE accounts
          SET balance = balance + CASE id WHEN $1 THEN -7 ELSE 7 END
          WHERE id IN ($1, $2)
            AND $1 <> $2
        `,
        [a, b],
      )
    }
    await own.end()
  })
  for (let i = 0; i < 3; i += 1) {
    const { receipt } = await runWork(execution({ table: 'accounts' }))
    expect(
      await rowsOf(
        receipt.output,
        'SELECT count(*)::INT AS rows, count(DISTINCT id)::INT AS ids, sum(balance)::INT AS sum FROM T',
      ),
    ).toEqual([{ rows: 20_000, ids: 20_000, sum: 20_000_000 }])
  }
  writing = false
  await Promise.all(writers)
})

/** What two attempts must agree on. */
const plain = ({ receipt, cursor }: Outcome): unknown =>
  JSON.parse(JSON.stringify({ cursor, receipt: { ...receipt, work_seconds: 0, startup_seconds: 0 } }))

test('a read that broke is gone on with: kept is what is still the same, and the whole is the table as of the second moment', async () => {
  await fill('resumed', 30_000)
  const work = execution({ table: 'resumed', port: link.port })
  const attempt = async (generation: bigint): Promise<Work> => ({
    ...work,
    workFolder: await beginAttempt(home, { execution_id: 'resumed', generation }),
  })
  const first = await attempt(1n)
  await breakAfterParts(first, link)
  await leaveAttempt(home, { execution_id: 'resumed', generation: 1n })
  // Rows as long as the others: shorter ones would find room in every page, and every part would have
  // changed.
  await client.query(
    `
      UPDATE resumed SET text = 'changed' WHERE id BETWEEN 100 AND 120;
      DELETE FROM resumed WHERE id BETWEEN 3000 AND 3010;
      INSERT INTO resumed SELECT i, repeat(md5(i::text), 3) FROM generate_series(30001, 31000) i
    `,
  )
  await client.query('VACUUM resumed')
  await client.query("INSERT INTO resumed VALUES (70000, repeat('in the place of a deleted one', 3))")
  const second = await attempt(2n)
  // One that slept and woke finds nothing of its own any more.
  expect(existsSync(first.workFolder)).toBe(false)
  const outcome = await runWork(second)
  expect(outcome.receipt.parts_kept).toBeGreaterThan(3)
  expect(await contentIn(outcome)).toEqual(await contentOf('resumed'))
  expect(outcome.receipt.rows).toBe(30_000 - 11 + 1_001)
})

const REWRITES = [
  'VACUUM FULL rewritten',
  'TRUNCATE rewritten',
  'ALTER TABLE rewritten ALTER COLUMN text TYPE varchar(200)',
  'ALTER TABLE rewritten ALTER COLUMN id TYPE bigint',
]

test.each(sampled(REWRITES, 2))('nothing is kept after %s', async (change) => {
  await client.query('DROP TABLE IF EXISTS rewritten')
  await fill('rewritten', 15_000)
  const work = execution({ table: 'rewritten', port: link.port })
  await breakAfterParts(work, link)
  await client.query('DELETE FROM rewritten WHERE id < 50')
  await client.query(change)
  const outcome = await runWork(work)
  expect(outcome.receipt.parts_kept).toBeUndefined()
  expect(await contentIn(outcome)).toEqual(await contentOf('rewritten'))
})

test('the first attempt that publishes wins: a later one, that could read more, takes over its outcome, and the next execution reads on from there', async () => {
  await client.query(
    "CREATE TABLE growing (id int PRIMARY KEY, text text); INSERT INTO growing VALUES (1, 'a')",
  )
  const work = execution({ table: 'growing', cursor: 'id' })
  const first = await runWork(work)
  await client.query("INSERT INTO growing VALUES (2, 'b')")
  // Killed after it published, before it was entered; and one that was only thought dead, beside it.
  const [again, beside] = await Promise.all([
    runWork(work),
    runWork({ ...work, workFolder: `${work.workFolder}-beside` }),
  ])
  for (const attempt of [again, beside]) expect(plain(attempt)).toEqual(plain(first))
  const next = await runWork(execution({ table: 'growing', cursor: 'id' }, { cursor: again.cursor }))
  expect(
    await rowsOf([...first.receipt.output, ...next.receipt.output], 'SELECT id FROM T ORDER BY id'),
  ).toEqual([{ id: 1 }, { id: 2 }])
})

test('two attempts at once: both have the outcome of the one that published', async () => {
  const work = execution({ table: 'plain', cursor: 'id' })
  const [first, second] = await Promise.all([
    runWork(work),
    runWork({ ...work, workFolder: `${work.workFolder}-beside` }),
  ])
  expect(plain(first)).toEqual(plain(second))
  expect((await rowsOf(first.receipt.output, 'SELECT count(*)::INT AS n FROM T'))[0].n).toBe(20_000)
})

test('each attempt has a folder of its own: a password does not stay in it, one that woke writes where nobody reads, and the parts go on to the next', async () => {
  const home = openFolder('headrace-attempts-')
  const [first, second, third] = [3n, 4n, 9n].map((generation) => ({ execution_id: 'e', generation }))
  const folder = await beginAttempt(home, first)
  mkdirSync(join(folder, 'parts'))
  writeFileSync(join(folder, 'password'), 'x')
  writeFileSync(
    join(folder, 'parts', 'journal.ndjson'),
    `${JSON.stringify({ identity: 'i', moment: 'm' })}\n${JSON.stringify({ name: 'a', rows: 1, bytes: 1, note: '' })}\n{"name":"cut o`,
  )
  for (const name of ['a', 'b']) writeFileSync(join(folder, 'parts', `${name}.parquet`), name)
  await leaveAttempt(home, first)
  expect(readdirSync(folder)).toEqual(['parts'])
  const next = await beginAttempt(home, second)
  expect([readdirSync(join(next, 'parts')).toSorted(), existsSync(folder)]).toEqual([
    ['a.parquet', 'journal.ndjson'],
    false,
  ])
  // The first wakes and writes; the third takes what the second had, and nothing of that.
  mkdirSync(join(folder, 'parts'), { recursive: true })
  writeFileSync(join(folder, 'parts', 'a.parquet'), 'late')
  const last = await beginAttempt(home, third)
  expect([
    readFileSync(join(last, 'parts', 'a.parquet'), 'utf8'),
    readdirSync(join(home, 'work', 'e')),
  ]).toEqual(['a', ['9']])
})

test('where a connection is slow, four read beside each other, and one alone when it is asked for', async () => {
  const lanes = async (connections: number): Promise<number> => {
    link.mostAtOnce()
    link.limit(1_000_000)
    await runWork(execution({ table: 'plain', port: link.port, connections }))
    link.limit(Infinity)
    return link.mostAtOnce()
  }
  expect([await lanes(1), await lanes(4)]).toEqual([1, 4])
})
