/**
 * Tables, buckets and Parquet into the zones: judged, deduplicated and published like files, fetched once
 * however often an attempt breaks.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSession } from '../../src/engines/duckdb/session.ts'
import { createStaging } from '../../src/lakehouse/stores/staging.ts'
import { createS3Store } from '../../src/lakehouse/stores/s3.ts'
import { declaredDataset } from '../../src/executions/declared-dataset.ts'
import { readDocuments } from '../../src/executions/document-input.ts'
import { runZones } from '../../src/executions/zone-job.ts'
import { fetchInto } from '../../src/executions/zone-input.ts'
import type { Outcome, Work } from '../../src/executions/work.ts'
import { openFolder, postgres, run } from '../support/service.ts'
import { startS3, type StorageServer } from '../support/storage.ts'
import { deltalake } from '../support/system.ts'
import { rowsOf, runWork, workOf } from '../support/transfers.ts'

const home = openFolder('headrace-zone-sources-')
let client: pg.Client
let url: URL
let s3: StorageServer

beforeAll(async () => {
  const server = await postgres()
  await run(server.url, `CREATE DATABASE zones_${process.pid}`)
  url = new URL(server.url.replace(/\/[^/]*$/, `/zones_${process.pid}`))
  client = new pg.Client({ connectionString: url.href })
  await client.connect()
  s3 = await startS3()
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
})
afterAll(async () => {
  await client.end()
})

const now = (): number => performance.now() / 1000
const zones = (work: Work): Promise<Outcome> =>
  runZones(work, {
    progress: () => undefined,
    signal: new AbortController().signal,
    now,
    batch: async () => undefined,
  })
let ids = 0
/** Ids of executions grow with time. */
const execution = (sourceType: string, source: Record<string, unknown>, more: Partial<Work> = {}): Work => {
  ids += 1
  const executionId = `${String(ids).padStart(8, '0')}-0000`
  // A job a dataset.
  const jobId = /^dataset: (\w+)/.exec(String(source.declaration))?.[1] ?? executionId
  return workOf(home, {
    executionId,
    jobId,
    workFolder: join(home, 'work', executionId),
    sourceType,
    source,
    destination: { type: 'zones' },
    memoryBytes: 2 * 1024 ** 3,
    ...more,
  })
}
const table = (declaration: string, more: Record<string, unknown> = {}): Work =>
  execution(
    'postgres',
    { host: '127.0.0.1', port: Number(url.port), database: url.pathname.slice(1), declaration, ...more },
    { sourceSecret: { username: url.username, password: url.password } },
  )
const inZone = <T>(dataset: string, zone: string, code: string): Promise<T> =>
  deltalake<T>(join(home, 'tables', dataset, zone), code)
const COLUMNS =
  'columns:\n  - { name: id, type: long, required: true }\n  - { name: word }\n  - { name: price, type: decimal, precision: 12, scale: 3 }\n  - { name: seen, type: timestamp, timezone: UTC }\n'

test('a table with a cursor: every value exact, wrong rows quarantined one by one, what is new with the next run, published by key', async () => {
  const declaration = `dataset: orders\n${COLUMNS}rules:\n  - expect_column_values_to_be_between: { column: id, min_value: 1, max_value: 100 }\nprocessed: { key: [id] }\n`
  await client.query(
    `CREATE TABLE orders (id bigint PRIMARY KEY, word text, price numeric(12,3), seen timestamptz, other int); INSERT INTO orders VALUES (1, E'a,"b"\\n\\t🙂', 123456789.125, '2026-02-28 12:00:00.123456+02', 5), (2, NULL, NULL, NULL, NULL), (999, 'too large', 1, NULL, 1)`,
  )
  const first = await zones(table(declaration, { table: 'orders', cursor: 'id' }))
  expect(first.receipt).toMatchObject({ rows: 2, rejected: 1, published_rows: 2 })
  expect(
    await inZone(
      'orders',
      'processed',
      "r = sorted(t.to_pylist(), key=lambda r: r['id'])\nprint(json.dumps([[x['id'], x['word'], str(x['price']), str(x['seen'])] for x in r]))",
    ),
  ).toEqual([
    [1, 'a,"b"\n\t🙂', '123456789.125', '2026-02-28 10:00:00.123456+00:00'],
    [2, null, 'None', 'None'],
  ])
  await client.query("INSERT INTO orders VALUES (1000, 'late', 2, NULL, 1), (1001, 'late', 3, NULL, 1)")
  const second = await zones({
    ...table(declaration.replace('max_value: 100 ', 'max_value: 1000 '), { table: 'orders', cursor: 'id' }),
    cursor: first.cursor,
  })
  expect(second.receipt).toMatchObject({ rows: 1, rejected: 1 })
  expect(
    (await zones({ ...table(declaration, { table: 'orders', cursor: 'id' }), cursor: second.cursor }))
      .receipt,
  ).toMatchObject({ rows: 0, rejected: 0 })
  expect(readdirSync(join(home, 'inbox', 'orders'))).toHaveLength(1)
})

test('an attempt that broke after it fetched, and an execution that was given up: every row once', async () => {
  const declaration = `dataset: feed\n${COLUMNS}processed: { key: [id] }\n`
  await client.query(
    'CREATE TABLE feed (id bigint PRIMARY KEY, word text); INSERT INTO feed SELECT i FROM generate_series(1, 10) i',
  )
  const work = table(declaration, { table: 'feed', cursor: 'id' })
  const inbox = join(home, 'inbox', 'feed')
  await fetchInto(inbox, work, { progress: () => undefined, now })
  await client.query('INSERT INTO feed SELECT i FROM generate_series(11, 15) i')
  const outcome = await zones(work)
  expect(outcome.receipt).toMatchObject({ rows: 10 })
  await fetchInto(
    inbox,
    { ...table(declaration, { table: 'feed', cursor: 'id' }), cursor: outcome.cursor },
    { progress: () => undefined, now },
  )
  await client.query('INSERT INTO feed SELECT i FROM generate_series(16, 20) i')
  // The database knows nothing of what the one before it fetched.
  const next = await zones({ ...table(declaration, { table: 'feed', cursor: 'id' }), cursor: outcome.cursor })
  expect(next.receipt).toMatchObject({ rows: 10 })
  expect(
    await inZone('feed', 'raw', "ids = t['id'].to_pylist()\nprint(json.dumps([len(ids), sorted(set(ids))]))"),
  ).toEqual([20, Array.from({ length: 20 }, (_, i) => i + 1)])
})

const VALUES =
  "columns:\n  - { name: id, type: long, required: true }\n  - { name: exact, type: decimal, precision: 38, scale: 10 }\n  - { name: text }\n  - { name: d, type: date }\n  - { name: f, type: double }\n  - { name: f_text }\n  - { name: at, type: timestamp }\n  - { name: t }\n  - { name: odd, path: 'odd \"name' }\n"

test('values that no type of a file holds are judged by the declaration: exact numbers, one quarantine for each row that does not fit', async () => {
  await client.query(`CREATE TABLE odd_values (id bigint PRIMARY KEY, exact numeric(38,10) DEFAULT 1.5, text numeric(38,10) DEFAULT 1.5, d date DEFAULT '2026-02-28', f real DEFAULT 0.1, f_text real DEFAULT 0.1, at timestamptz DEFAULT '2026-02-28 12:00:00.123456+02', t time DEFAULT '24:00', "odd ""name" text DEFAULT E'x\ny', long text);
    INSERT INTO odd_values (id, exact, text) VALUES (1, 9999999999999999999999999999.9999999999, 'NaN'), (2, 'NaN', 1); INSERT INTO odd_values (id, d) VALUES (3, 'infinity'), (4, '0044-03-15 BC'), (5, '9999-12-31'); INSERT INTO odd_values (id, f) VALUES (6, 'Infinity'), (7, 1e-45); UPDATE odd_values SET f_text = 'Infinity' WHERE id = 7;
    INSERT INTO odd_values (id, at) VALUES (8, '-infinity'), (9, '0001-01-01 00:00:00+00'); INSERT INTO odd_values (id, long) VALUES (10, repeat('long', 20000000)); INSERT INTO odd_values (id) VALUES (11)`)
  const declaration = (dataset: string): string => `dataset: ${dataset}\n${VALUES}processed: { key: [id] }\n`
  const read = (dataset: string): Promise<(string | null)[][]> =>
    inZone(
      dataset,
      'processed',
      "r = sorted(t.to_pylist(), key=lambda r: r['id'])\nprint(json.dumps([[None if v is None else str(v) for v in (x['id'], x['exact'], x['text'], x['d'], x['f_text'], x['at'], x['t'], x['odd'])] for x in r]))",
    )
  const first = await zones(table(declaration('odd_values'), { table: 'odd_values' }))
  expect(first.receipt).toMatchObject({ rows: 5, rejected: 6, published_rows: 5 })
  const usual = [
    '1.5000000000',
    '1.5000000000',
    '2026-02-28',
    '0.1',
    '2026-02-28 10:00:00.123456+00:00',
    '24:00:00',
    'x\ny',
  ]
  const kept = [
    ['1', '9999999999999999999999999999.9999999999', 'NaN', ...usual.slice(2)],
    ['5', ...usual.slice(0, 2), '9999-12-31', ...usual.slice(3)],
    ['7', ...usual.slice(0, 3), 'Infinity', ...usual.slice(4)],
    ['9', ...usual.slice(0, 4), '0001-01-01 00:00:00+00:00', ...usual.slice(5)],
    ['11', ...usual],
  ]
  expect(await read('odd_values')).toEqual(kept)
  const rules = await inZone<string[]>(
    'odd_values',
    'raw',
    "print(json.dumps(sorted(r['reject_rule'] for r in t.to_pylist() if r['outcome'] == 'quarantined')))",
  )
  expect(rules).toEqual([
    'malformed',
    'type.date',
    'type.date',
    'type.decimal',
    'type.double',
    'type.timestamp',
  ])
  const second = await zones(
    table(declaration('missing_values'), { table: 'odd_values', unrepresentable: 'null' }),
  )
  expect(second.receipt).toMatchObject({ rows: 10, rejected: 1 })
  const missing = await read('missing_values')
  expect(missing.filter(([id]) => ['1', '5', '7', '9', '11'].includes(String(id)))).toEqual(
    kept.map((row) => row.map((value) => (value === 'NaN' || value === 'Infinity' ? null : value))),
  )
  expect(missing[1]).toEqual(['2', null, '1.0000000000', ...usual.slice(2)])
})

test('objects of a bucket as they are, Parquet as rows; a draft takes a sample into the scratch folder', async () => {
  const keys = { access_key_id: s3.env.AWS_ACCESS_KEY_ID, secret_access_key: s3.env.AWS_SECRET_ACCESS_KEY }
  const store = createS3Store(
    {
      bucket: 'lake',
      prefix: '',
      endpoint: s3.env.AWS_ENDPOINT_URL,
      region: 'us-east-1',
      credentials: { accessKeyId: keys.access_key_id, secretAccessKey: keys.secret_access_key },
    },
    createStaging(join(home, 'put'), Date.now),
  )
  await store.write('in/1.csv', Buffer.from('id,word\n1,a\nx,b\n'))
  await store.write('in/2.csv', Buffer.from('word,id\nc,3\n'))
  const bucket = (more: Partial<Work> = {}): Work =>
    execution(
      's3',
      {
        bucket: 'lake',
        endpoint: s3.env.AWS_ENDPOINT_URL,
        path: 'in/*.csv',
        declaration: `dataset: objects\nrecord: { format: csv }\n${COLUMNS}processed: { key: [id] }\n`,
      },
      { sourceSecret: keys, ...more },
    )
  const draft = await zones(bucket({ draft: true }))
  expect(draft).toMatchObject({ cursor: undefined, receipt: { rows: 2, rejected: 1, sample_share: 1 } })
  const first = await zones(bucket())
  expect(first.receipt).toMatchObject({ rows: 2, rejected: 1 })
  await store.write('in/3.csv', Buffer.from('id\n4\n'))
  expect((await zones(bucket({ cursor: first.cursor }))).receipt).toMatchObject({ rows: 1 })
  mkdirSync(join(home, 'parquet'))
  const session = await openSession({ memoryBytes: 256 << 20, threads: 1, spillFolder: join(home, 'spill') })
  await session.run(
    `COPY (SELECT i AS id, 'w' || i AS word, i / 8 AS price, TIMESTAMP '2026-01-01 00:00:00.5' AS seen, [i] AS list FROM range(1000) r (i)) TO '${join(home, 'parquet', 'a.parquet')}' (FORMAT parquet)`,
  )
  await session.close()
  expect(
    (
      await zones(
        execution('files', {
          path: 'parquet/*.parquet',
          format: 'parquet',
          declaration: `dataset: rows\n${COLUMNS}processed: { key: [id] }\n`,
        }),
      )
    ).receipt,
  ).toMatchObject({ rows: 1_000, rejected: 0, published_rows: 1_000 })
  expect(
    await inZone(
      'rows',
      'raw',
      "r = [x for x in t.to_pylist() if x['id'] == 999][0]\nprint(json.dumps([str(r['price']), str(r['seen'])]))",
    ),
  ).toEqual(['124.875', '2026-01-01 00:00:00.500000+00:00'])
})

test('XML into Parquet at a destination: by a declaration, each file once, what is wrong beside it', async () => {
  mkdirSync(join(home, 'xml'))
  const file = (name: string, books: string): void =>
    writeFileSync(join(home, 'xml', name), `<library>${books}</library>`)
  file(
    'a.xml',
    '<book id="1"><title>A &amp; B</title><price>1.50</price></book><book id="x"><title>no number</title></book>',
  )
  file('broken.xml', '<book>')
  const work = (more: Partial<Work> = {}): Work =>
    execution(
      'files',
      {
        path: 'xml/*.xml',
        format: 'xml',
        declaration:
          'dataset: books\nrecord: { format: xml, path: /library/book }\ncolumns:\n  - { name: id, path: "@id", type: long, required: true }\n  - { name: title }\n  - { name: price, type: decimal, precision: 8, scale: 2 }\n',
      },
      { destination: { type: 'local', path: 'out' }, ...more },
    )
  const first = await runWork(work())
  expect(first.receipt).toMatchObject({ rows: 1, rejected: 2 })
  expect(await rowsOf([first.receipt.output[0]], 'SELECT id, title, price::VARCHAR AS price FROM T')).toEqual(
    [{ id: '1', title: 'A & B', price: '1.50' }],
  )
  expect(
    await rowsOf([first.receipt.output[1]], 'SELECT column_name, rule, original FROM T ORDER BY rule'),
  ).toMatchObject([
    { rule: 'malformed', original: '<library><book></library>' },
    { rule: 'type.long', column_name: '@id' },
  ])
  expect((await runWork(work({ cursor: first.cursor }))).receipt).toMatchObject({ rows: 0, output: [] })
  file('b.xml', '<book id="2"/>')
  expect((await runWork(work({ cursor: first.cursor }))).receipt).toMatchObject({ rows: 1, rejected: 0 })
  expect((await runWork(work({ draft: true }))).receipt).toMatchObject({ rows: 2, rejected: 2 })
  // An attempt that was killed while it read; before the next one, a file comes that stands first.
  const broken = work()
  await readDocuments(broken, {
    staged: join(home, 'never'),
    rejects: join(home, 'never-rejects'),
    progress: () => undefined,
    now,
  })
  file('0.xml', '<book id="3"/>')
  expect((await runWork(broken)).receipt).toMatchObject({ rows: 3, rejected: 2 })
})

test('what stands in the wrong place is refused by name', () => {
  expect(() =>
    declaredDataset('postgres', {
      declaration: `dataset: x\nsource: { files: { path: in } }\n${COLUMNS}processed: { key: [id] }\n`,
    }),
  ).toThrow(/declaration without source/)
  expect(() =>
    declaredDataset('mysql', {
      declaration: `dataset: x\nrecord: { format: json, path: $ }\n${COLUMNS}processed: { key: [id] }\n`,
    }),
  ).toThrow(/declaration without record/)
  expect(() =>
    declaredDataset('s3', { declaration: `dataset: x\n${COLUMNS}processed: { key: [id] }\n` }),
  ).toThrow(/record/)
})

test('runs of two tenants in one process, each at home in its own folder and not where the process is', async () => {
  const elsewhere = openFolder('headrace-elsewhere-')
  const before = process.env.HEADRACE_HOME
  process.env.HEADRACE_HOME = elsewhere
  const declaration =
    'dataset: same\nsource: { files: { path: in, pattern: "*.csv" } }\nrecord: { format: csv }\ncolumns:\n  - { name: id, type: long, required: true }\nprocessed: { key: [id] }\n'
  const tenants = ['a', 'b'].map((id) => join(home, 'tenants', id))
  for (const [i, folder] of tenants.entries()) {
    mkdirSync(join(folder, 'in'), { recursive: true })
    writeFileSync(join(folder, 'in', 'x.csv'), `id\n${'1\n'.repeat(i + 1)}`)
  }
  const runs = tenants.map((tenantFolder) => zones(execution('files', { declaration }, { tenantFolder })))
  expect((await Promise.all(runs)).map(({ receipt }) => receipt.rows)).toEqual([1, 2])
  expect(process.env.HEADRACE_HOME).toBe(elsewhere)
  for (const folder of tenants)
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['locks', 'spill', 'tables']))
  expect(readdirSync(elsewhere)).toEqual([])
  if (before === undefined) delete process.env.HEADRACE_HOME
  else process.env.HEADRACE_HOME = before
}, 120_000)
