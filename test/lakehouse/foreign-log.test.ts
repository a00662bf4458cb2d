/**
 * What others may do to a table's log and properties: read, honoured, or refused by name; never taken for no
 * table.
 */
import { mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, expect, test } from 'vitest'
import { tableColumn } from '../../src/core/table-schema.ts'
import { durationMs, loadTombstones, writeCheckpoint } from '../../src/lakehouse/checkpoint.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { retain } from '../../src/lakehouse/retain.ts'
import { columnsOf } from '../../src/lakehouse/snapshot.ts'
import type { CommitRequest } from '../../src/core/commit-request.ts'
import { openOrCreateTable, openTable, type Table } from '../../src/lakehouse/table.ts'

const folders: string[] = []
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

const SCHEMA = { columns: [tableColumn('a', 'string')], partitionColumns: [] }
const NOTHING: CommitRequest = { operation: 'WRITE', adds: [], removes: [], marks: {}, expect: {} }
const file = (path: string) => ({ path, partitionValues: {}, size: 1, stats: '{"numRecords":1}' })

interface Opened {
  root: string
  open: () => Promise<Table>
  /** Writes an entry as another writer does. */
  append: (version: number, actions: object[]) => void
}

function place(configuration: Record<string, string> = {}): Opened {
  const root = mkdtempSync(join(tmpdir(), 'headrace-foreign-'))
  folders.push(root)
  return {
    root,
    open: async () =>
      openOrCreateTable(createLocalStore(root), { schema: SCHEMA, configuration, nowMs: Date.now() }),
    append: (version, actions) =>
      writeFileSync(
        join(root, '_delta_log', `${String(version).padStart(20, '0')}.json`),
        actions.map((action) => `${JSON.stringify(action)}\n`).join(''),
      ),
  }
}

/** The rows of a checkpoint spread over files of the same schema, as Spark cuts them. */
async function inParts(whole: string, parts: string[]): Promise<void> {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  for (const [n, part] of parts.entries())
    await connection.run(
      `COPY (SELECT * EXCLUDE (n) FROM (SELECT *, row_number() OVER () AS n FROM read_parquet('${whole}'))
       WHERE n % ${parts.length} = ${n}) TO '${part}' (FORMAT parquet)`,
    )
  connection.closeSync()
}

/**
 * A table of five versions with a checkpoint at the last, its entries gone, under the name that `named` gives
 * it.
 */
async function cleaned(named: string): Promise<Opened> {
  const made = place()
  const table = await made.open()
  for (let n = 0; n < 5; n += 1) await table.commit({ ...NOTHING, adds: [file(`${n}.parquet`)] }, Date.now())
  await writeCheckpoint(table.store, table.snapshot)
  const log = join(made.root, '_delta_log')
  for (const name of readdirSync(log)) if (name.endsWith('.json')) rmSync(join(log, name))
  rmSync(join(log, '_last_checkpoint'))
  renameSync(join(log, '00000000000000000005.checkpoint.parquet'), join(log, named))
  return made
}

test.each([
  '00000000000000000005.checkpoint.0000000001.0000000002.parquet',
  '00000000000000000005.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet',
  '00000000000000000005.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json',
])('a log that begins with %s is refused by name, and nothing is created over it', async (named) => {
  const { root, open } = await cleaned(named)
  await expect(open()).rejects.toMatchObject({
    code: 'table_unsupported',
    message: expect.stringContaining(named),
  })
  expect(readdirSync(join(root, '_delta_log'))).toEqual([named])
})

test('a checkpoint in parts is read whole, its removed files too, and cleaned up like any other', async () => {
  const { root, open } = place({
    'delta.logRetentionDuration': 'interval 0 seconds',
    'delta.checkpointInterval': '4',
  })
  const table = await open()
  for (const path of ['a', 'b', 'c'])
    await table.commit({ ...NOTHING, adds: [file(path)], marks: { m: 7 } }, 1)
  await table.commit({ ...NOTHING, removes: ['b'] }, 2)
  await writeCheckpoint(table.store, table.snapshot)
  const log = join(root, '_delta_log')
  const whole = join(log, '00000000000000000004.checkpoint.parquet')
  const part = (n: number): string =>
    join(log, `00000000000000000004.checkpoint.000000000${n}.0000000003.parquet`)
  await inParts(whole, [part(1), part(2), part(3)])
  for (const name of readdirSync(log)) if (name.endsWith('.json')) rmSync(join(log, name))
  rmSync(whole)
  writeFileSync(join(log, '_last_checkpoint'), JSON.stringify({ version: 4, size: 7, parts: 3 }))
  const opened = await open()
  expect([
    opened.snapshot.version,
    [...opened.snapshot.files.keys()].toSorted(),
    opened.snapshot.marks.get('m'),
  ]).toEqual([4, ['a', 'c'], 7])
  await loadTombstones(opened.store, opened.snapshot)
  expect([...opened.snapshot.tombstones.keys()]).toEqual(['b'])
  for (let n = 0; n < 12; n += 1) await opened.commit(NOTHING, Date.now() + 60_000)
  expect(readdirSync(log).filter((name) => name.startsWith('00000000000000000004'))).toEqual([])
  expect((await open()).snapshot.version).toBe(16)
})

test('of a checkpoint in parts whose parts are not all there, an older state and its entries are read', async () => {
  const { root, open } = place()
  const table = await open()
  for (const path of ['a', 'b']) await table.commit({ ...NOTHING, adds: [file(path)] }, 1)
  const log = join(root, '_delta_log')
  writeFileSync(join(log, '00000000000000000002.checkpoint.0000000001.0000000002.parquet'), 'half')
  writeFileSync(join(log, '_last_checkpoint'), JSON.stringify({ version: 2, size: 7, parts: 2 }))
  expect((await open()).snapshot.files.size).toBe(2)
})

test('a damaged checkpoint is refused by name', async () => {
  const { root, open } = place()
  await open()
  writeFileSync(join(root, '_delta_log', '00000000000000000000.checkpoint.parquet'), 'no Parquet')
  await expect(open()).rejects.toMatchObject({
    code: 'table_corrupt',
    message: expect.stringContaining('00000000000000000000.checkpoint.parquet'),
  })
})

test.each([
  's3://other/x.parquet',
  'file:/elsewhere/x.parquet',
  '/elsewhere/x.parquet',
  '../other/x.parquet',
  'a/%2E%2E/x',
])('a table with the file %s, outside of its folder, is refused by name', async (path) => {
  const { open, append } = place()
  const table = await open()
  append(1, [{ add: { ...file(path), modificationTime: 1, dataChange: true } }])
  const refused = { code: 'table_unsupported', message: expect.stringContaining('outside of its folder') }
  await expect(table.refresh()).rejects.toMatchObject(refused)
  await expect(open()).rejects.toMatchObject(refused)
})

test('rows are not added where a column has invariants that we cannot check; they are read and put together', async () => {
  const { open, append, root } = place()
  const table = await open()
  const [metaData] = readFileSync(join(root, '_delta_log', `${'0'.repeat(20)}.json`), 'utf8')
    .split('\n')
    .filter((line) => line.includes('metaData'))
    .map((line) => JSON.parse(line).metaData)
  const invariant = '{"expression":{"expression":"a > 3"}}'
  const fields = [{ name: 'a', type: 'string', nullable: true, metadata: { 'delta.invariants': invariant } }]
  append(1, [
    { metaData: { ...metaData, schemaString: JSON.stringify({ type: 'struct', fields }) } },
    { add: { ...file('a'), modificationTime: 1, dataChange: true } },
  ])
  await expect(table.commit({ ...NOTHING, adds: [file('b')] }, 1)).rejects.toMatchObject({
    code: 'table_unsupported',
    message: expect.stringContaining('delta.invariants of a'),
  })
  expect(await table.commit({ ...NOTHING, adds: [file('b')], removes: ['a'], dataChange: false }, 1)).toBe(2)
})

test('a log without its beginning is no table to create, nor one whose checkpoint is older than its gap', async () => {
  const { root, open, append } = place()
  const table = await open()
  for (let n = 0; n < 3; n += 1) await table.commit({ ...NOTHING, adds: [file(`${n}.parquet`)] }, Date.now())
  await writeCheckpoint(table.store, table.snapshot)
  const log = join(root, '_delta_log')
  rmSync(join(log, '_last_checkpoint'))
  append(6, [{ txn: { appId: 'x', version: 1 } }])
  await expect(openTable(table.store)).rejects.toMatchObject({
    code: 'table_corrupt',
    params: { version: 4 },
  })
  rmSync(join(log, '00000000000000000003.checkpoint.parquet'))
  rmSync(join(log, '00000000000000000000.json'))
  await expect(open()).rejects.toMatchObject({ code: 'table_corrupt', params: { version: 0 } })
})

test('a protocol that another writer raises while the table is open stops its reader and its writer', async () => {
  const { open, append } = place()
  const table = await open()
  const features = { readerFeatures: ['deletionVectors'], writerFeatures: ['deletionVectors'] }
  append(1, [{ protocol: { minReaderVersion: 3, minWriterVersion: 7, ...features } }])
  const refused = { code: 'table_unsupported', message: expect.stringContaining('deletionVectors') }
  await expect(table.refresh()).rejects.toMatchObject(refused)
  await expect(table.commit({ ...NOTHING, adds: [file('b.parquet')] }, Date.now())).rejects.toMatchObject(
    refused,
  )
})

test('columns that two writers add at once are both there', async () => {
  const { open, append, root } = place()
  const table = await open()
  const [{ metaData }] = readFileSync(join(root, '_delta_log', `${'0'.repeat(20)}.json`), 'utf8')
    .split('\n')
    .filter((line) => line.includes('metaData'))
    .map((line) => JSON.parse(line))
  const fields = [
    ...JSON.parse(metaData.schemaString).fields,
    { name: 'by_other', type: 'string', nullable: true, metadata: {} },
  ]
  append(1, [{ metaData: { ...metaData, schemaString: JSON.stringify({ type: 'struct', fields }) } }])
  const schema: CommitRequest['schema'] = (columns) => ({
    columns: [...columns, tableColumn('by_us', 'string')],
    partitionColumns: [],
  })
  await table.commit({ ...NOTHING, operation: 'ADD COLUMNS', schema }, Date.now())
  expect(columnsOf(table.snapshot.metadata).map((column) => column.name)).toEqual(['a', 'by_other', 'by_us'])
  const columns = [tableColumn('a', 'string'), tableColumn('by_both', 'string')]
  await table.commit({ ...NOTHING, schema: { columns, partitionColumns: [] } }, Date.now())
  const names = ['a', 'by_both', 'by_other', 'by_us']
  expect(columnsOf(table.snapshot.metadata).map((column) => column.name)).toEqual(names)
})

test('amounts are added to what others counted meanwhile', async () => {
  const { open } = place()
  const [ours, theirs] = [await open(), await open()]
  for (const table of [ours, theirs, ours, ours, theirs])
    await table.commit({ ...NOTHING, counts: { 'count:x': 3 } }, Date.now())
  expect((await theirs.refresh()).marks.get('count:x')).toBe(15)
})

test('where rows may only be added, none is removed; files are put together all the same', async () => {
  const table = await place({ 'delta.appendOnly': 'true' }).open()
  await table.commit({ ...NOTHING, adds: [file('a.parquet')] }, Date.now())
  const removal = { ...NOTHING, adds: [file('b.parquet')], removes: ['a.parquet'] }
  await expect(table.commit(removal, Date.now())).rejects.toMatchObject({ code: 'append_only' })
  expect(await table.commit({ ...removal, dataChange: false }, Date.now())).toBe(2)
})

test.each([
  ['interval 7 days', 604_800_000],
  ['interval 1 week 2 days', 777_600_000],
  ['30 days', 2_592_000_000],
  ['INTERVAL 12 HOURS', 43_200_000],
  ['interval 1 month', Infinity],
  ['a while', Infinity],
  [undefined, undefined],
])('a duration of %s is %s ms', (setting, ms) => {
  expect(durationMs(setting)).toBe(ms)
})

test('retention of a table whose rows may only be added is refused when rows would go, and only then', async () => {
  const raw = await place({ 'delta.appendOnly': 'true' }).open()
  const archive = await place().open()
  const values = { outcome: 'accepted', ingest_date: '2026-01-01' }
  await raw.commit({ ...NOTHING, adds: [{ ...file('old.parquet'), partitionValues: values }] }, Date.now())
  const request = {
    raw,
    archive,
    usedThrough: Infinity,
    dryRun: false,
    nowMs: Date.now,
    progress: () => undefined,
  }
  expect(await retain({ ...request, keepFromDate: '2025-01-01' })).toMatchObject({ files: 0, version: null })
  await expect(retain({ ...request, keepFromDate: '2026-02-01' })).rejects.toMatchObject({
    code: 'append_only',
  })
  expect((await archive.refresh()).files.size).toBe(0)
})

test('a table that was replaced is gone, whatever its partitions are now', async () => {
  const { open, append } = place()
  const table = await open()
  const other = { ...table.snapshot.metadata, id: 'another', partitionColumns: ['a'] }
  append(1, [{ metaData: other }])
  await expect(table.refresh()).rejects.toMatchObject({ code: 'table_gone' })
})
