/** Moves into the archive: all of a file or nothing, and only what a move of ours brought is taken back. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { archiveMark } from '../../src/core/marks.ts'
import { tableColumn } from '../../src/core/table-schema.ts'
import { retain, undoUnfinished } from '../../src/lakehouse/retain.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { openOrCreateTable, type CommitRequest, type Table } from '../../src/lakehouse/table.ts'

const folders: string[] = []
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

const SCHEMA = { columns: [tableColumn('a', 'string')], partitionColumns: [] }
const NOTHING: CommitRequest = { operation: 'WRITE', adds: [], removes: [], marks: {}, expect: {} }
const OLD = { outcome: 'accepted', ingest_date: '2026-01-01' }

async function openNew(): Promise<Table> {
  const root = mkdtempSync(join(tmpdir(), 'headrace-archive-'))
  folders.push(root)
  return openOrCreateTable(createLocalStore(root), SCHEMA, {}, Date.now())
}

/** A table whose files are there. */
async function withFiles(files: Record<string, string>): Promise<Table> {
  const table = await openNew()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(table.store.root, name), text)
  const adds = Object.entries(files).map(([path, text]) => added(path, text.length))
  await table.commit({ ...NOTHING, adds }, Date.now())
  return table
}

const added = (path: string, size: number) => ({
  path,
  size,
  partitionValues: OLD,
  stats: '{"numRecords":1}',
})
const requestOf = (raw: Table, archive: Table): Parameters<typeof retain>[0] => ({
  raw,
  archive,
  keepFromDate: '2026-02-01',
  usedThrough: Infinity,
  dryRun: false,
  nowMs: Date.now,
  progress: () => undefined,
})
const pathsOf = async (table: Table): Promise<string[]> =>
  [...(await table.refresh()).files.keys()].toSorted()

/** An entry as Spark writes it. */
function append(table: Table, version: number, actions: object[]): void {
  const info = {
    commitInfo: { timestamp: Date.now(), operation: 'WRITE', engineInfo: 'Apache-Spark/4.0.0', txnId: 'x' },
  }
  writeFileSync(
    join(table.store.root, '_delta_log', `${String(version).padStart(20, '0')}.json`),
    [info, ...actions].map((action) => `${JSON.stringify(action)}\n`).join(''),
  )
}

test('what others append to the archive, and what a deletion wrote anew, stays when a move is taken back', async () => {
  const [raw, archive] = [await withFiles({ 'old.parquet': 'old' }), await openNew()]
  // A move that was killed between its two commits, and others before and after it.
  await archive.commit({ ...NOTHING, operation: 'DELETE', adds: [added('anew.parquet', 3)] }, Date.now())
  await archive.commit({ ...NOTHING, operation: 'ARCHIVE', adds: [added('old.parquet', 3)] }, Date.now())
  append(archive, 3, [{ add: { ...added('theirs.parquet', 5), modificationTime: 1, dataChange: true } }])
  await undoUnfinished(raw, archive, Date.now())
  expect(await pathsOf(archive)).toEqual(['anew.parquet', 'theirs.parquet'])
  // The next move brings it again, and is done.
  await retain(requestOf(raw, archive))
  expect([await pathsOf(archive), await pathsOf(raw)]).toEqual([
    ['anew.parquet', 'old.parquet', 'theirs.parquet'],
    [],
  ])
  expect(raw.snapshot.marks.get(archiveMark())).toBe(archive.snapshot.version)
  await undoUnfinished(raw, archive, Date.now())
  expect(await pathsOf(archive)).toEqual(['anew.parquet', 'old.parquet', 'theirs.parquet'])
})

test.each([
  ['missing', 'path_not_found', (path: string) => rmSync(path)],
  ['cut short', 'storage_failed', (path: string) => truncateSync(path, 2)],
] as const)(
  'a RAW file that is %s ends the move by its name, and both tables are as before',
  async (_, code, damage) => {
    const [raw, archive] = [await withFiles({ 'a.parquet': 'aaa', 'b.parquet': 'bbb' }), await openNew()]
    damage(join(raw.store.root, 'b.parquet'))
    await expect(retain(requestOf(raw, archive))).rejects.toMatchObject({
      code,
      message: expect.stringContaining('b.parquet') as string,
    })
    expect([await pathsOf(raw), await pathsOf(archive)]).toEqual([['a.parquet', 'b.parquet'], []])
  },
)

test('what lies under the name in the archive is another file: refused by name', async () => {
  const [raw, archive] = [await withFiles({ 'a.parquet': 'aaa' }), await openNew()]
  writeFileSync(join(archive.store.root, 'a.parquet'), 'other')
  await expect(retain(requestOf(raw, archive))).rejects.toMatchObject({ code: 'storage_failed' })
  writeFileSync(join(archive.store.root, 'a.parquet'), 'aaa')
  expect(await retain(requestOf(raw, archive))).toMatchObject({ files: 1 })
})
