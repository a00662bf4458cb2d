/** Moves into the archive: all of a file or nothing, and only what a move of ours brought is taken back. */
import { mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { archiveMark } from '../../src/core/marks.ts'
import { tableColumn } from '../../src/core/table-schema.ts'
import { entryName } from '../../src/lakehouse/actions.ts'
import { writeCheckpoint } from '../../src/lakehouse/checkpoint.ts'
import { retain, undoUnfinished } from '../../src/lakehouse/retain.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import type { CommitRequest } from '../../src/core/commit-request.ts'
import { openOrCreateTable, openTable, type Table } from '../../src/lakehouse/table.ts'

const folders: string[] = []
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

const SCHEMA = { columns: [tableColumn('a', 'string')], partitionColumns: [] }
const NOTHING: CommitRequest = { operation: 'WRITE', adds: [], removes: [], marks: {}, expect: {} }
const OLD = { outcome: 'accepted', ingest_date: '2026-01-01' }

async function openNew(): Promise<Table> {
  const root = mkdtempSync(join(tmpdir(), 'headrace-archive-'))
  folders.push(root)
  return openOrCreateTable(createLocalStore(root), { schema: SCHEMA, configuration: {}, nowMs: Date.now() })
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
const twin = async (table: Table): Promise<Table> => (await openTable(table.store)) as Table
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

test.each([
  ['another file', 'other', 0],
  ['one that a vacuum may be about to take', 'aaa', 3_600],
  ['what a move of a moment ago has copied', 'aaa', 0],
] as const)('what lies under the name in the archive is %s', async (_, text, ageSeconds) => {
  const [raw, archive] = [await withFiles({ 'a.parquet': 'aaa' }), await openNew()]
  const there = join(archive.store.root, 'a.parquet')
  writeFileSync(there, text)
  utimesSync(there, Date.now() / 1000 - ageSeconds, Date.now() / 1000 - ageSeconds)
  expect(await retain(requestOf(raw, archive))).toMatchObject({ files: 1 })
  const [path, ...more] = await pathsOf(archive)
  expect([path === 'a.parquet', more]).toEqual([text === 'aaa' && ageSeconds === 0, []])
  expect(String(await archive.store.read(path))).toBe('aaa')
})

/** A move that was killed between its two commits. */
async function killedMove(): Promise<[raw: Table, archive: Table]> {
  const [raw, archive] = [
    await withFiles({ 'old.parquet': 'old', 'older.parquet': 'older' }),
    await openNew(),
  ]
  const killed = { ...raw, commit: () => Promise.reject(new Error('killed')) }
  await expect(retain(requestOf(killed, archive))).rejects.toThrow('killed')
  return [raw, archive]
}

test('what another writer merged with an unfinished move is refused by name, not brought twice', async () => {
  const [raw, archive] = await killedMove()
  const { version, files } = await archive.refresh()
  const removes = [...files.keys()].map((path) => ({
    remove: { path, deletionTimestamp: 1, dataChange: false },
  }))
  append(archive, version + 1, [
    ...removes,
    { add: { ...added('merged.parquet', 8), modificationTime: 1, dataChange: false } },
  ])
  await expect(retain(requestOf(raw, archive))).rejects.toMatchObject({
    code: 'table_unsupported',
    message: expect.stringContaining('to version 0') as string,
  })
  expect(await pathsOf(archive)).toEqual(['merged.parquet'])
})

test('where all moves are finished, a log that others cleaned up stops nobody', async () => {
  const [raw, archive] = [await withFiles({ 'a.parquet': 'aaa' }), await openNew()]
  await retain(requestOf(raw, archive))
  await archive.commit({ ...NOTHING, adds: [added('theirs.parquet', 6)] }, Date.now())
  await archive.commit({ ...NOTHING, adds: [added('theirs-2.parquet', 6)] }, Date.now())
  await writeCheckpoint(archive.store, archive.snapshot)
  for (const version of [0, 1, 2]) await archive.store.delete(entryName(version))
  await undoUnfinished(raw, archive, Date.now())
  expect(await pathsOf(archive)).toEqual(['a.parquet', 'theirs-2.parquet', 'theirs.parquet'])
})

test.each(['a retention', 'a deletion'])(
  'of two moves at once, on two machines, rows are in one of the tables: %s beside one that slept',
  async (other) => {
    const [raw, archive] = [await withFiles({ 'a.parquet': 'aaa', 'b.parquet': 'bbb' }), await openNew()]
    const sleeper = await twin(raw)
    const wakes: typeof raw.commit = async (...args) => {
      if (other === 'a retention') await retain(requestOf(raw, archive))
      else await undoUnfinished(raw, archive, Date.now())
      return sleeper.commit(...args)
    }
    const slept = requestOf({ ...sleeper, commit: wakes }, await twin(archive))
    await expect(retain(slept)).rejects.toMatchObject({ code: 'marks_moved' })
    const names = ['a.parquet', 'b.parquet']
    expect([await pathsOf(raw), (await pathsOf(archive)).length]).toEqual(
      other === 'a retention' ? [[], 2] : [names, 0],
    )
  },
)

test('of two moves that copy at once the second to commit gives up, and takes nothing away from the first', async () => {
  const [raw, archive] = [await withFiles({ 'a.parquet': 'aaa', 'b.parquet': 'bbb' }), await openNew()]
  const sleeper = await twin(archive)
  const wakes: typeof raw.commit = async (...args) => {
    await retain(requestOf(raw, archive))
    return sleeper.commit(...args)
  }
  await expect(retain(requestOf(await twin(raw), { ...sleeper, commit: wakes }))).rejects.toMatchObject({
    code: 'marks_moved',
  })
  expect([await pathsOf(raw), await pathsOf(archive)]).toEqual([[], ['a.parquet', 'b.parquet']])
})
