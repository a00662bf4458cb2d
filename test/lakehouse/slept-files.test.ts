/** Writers whose files wait longer for their commit than a vacuum waits: what the log names is there. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { ObjectStore } from '../../src/core/object-store.ts'
import { tableColumn, type DataFile } from '../../src/core/table-schema.ts'
import { makePrivateFolder, placeFiles } from '../../src/lakehouse/placement.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import type { CommitRequest } from '../../src/core/commit-request.ts'
import { openOrCreateTable, openTable, type Table } from '../../src/lakehouse/table.ts'
import { vacuum } from '../../src/lakehouse/vacuum.ts'

const folders: string[] = []
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

const SCHEMA = { columns: [tableColumn('a', 'string')], partitionColumns: [] }
const HOUR_MS = 3_600_000
const write = (adds: DataFile[]): CommitRequest => ({
  operation: 'WRITE',
  adds,
  removes: [],
  marks: { next: 1 },
  expect: {},
})

async function newTable(): Promise<Table> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-slept-files-'))
  folders.push(folder)
  return openOrCreateTable(createLocalStore(folder), { schema: SCHEMA, configuration: {}, nowMs: Date.now() })
}

/** Files as an engine writes them and a batch places them, two hours ago. */
async function placedBefore(table: Table, count: number): Promise<DataFile[]> {
  const folder = await makePrivateFolder(table.store)
  const made = Array.from({ length: count }, (_, i) => ({
    path: `${i}.parquet`,
    size: 1,
    partitionValues: {},
    stats: '{"numRecords":1}',
  }))
  mkdirSync(join(table.store.root, folder), { recursive: true })
  for (const { path } of made) writeFileSync(join(table.store.root, folder, path), 'x')
  const files = await placeFiles(table, folder, made)
  const old = Date.now() - 2 * HOUR_MS
  for (const { path } of files) utimesSync(join(table.store.root, path), old / 1000, old / 1000)
  return files
}

const opened = async (store: ObjectStore): Promise<Table> => (await openTable(store)) as Table
const vacuumed = async (table: Table): Promise<number> =>
  (await vacuum({ table, usedThrough: Infinity, graceMs: HOUR_MS, dryRun: false, nowMs: Date.now })).files

test('files that a vacuum took while their writer slept are not committed', async () => {
  const table = await newTable()
  const files = await placedBefore(table, 3)
  expect(await vacuumed(await opened(table.store))).toBe(3)
  await expect(table.commit(write(files), Date.now())).rejects.toMatchObject({ code: 'files_gone' })
  expect((await opened(table.store)).snapshot).toMatchObject({ version: 0 })
})

test('files whose writer wakes before a vacuum comes to them stay', async () => {
  const table = await newTable()
  const files = await placedBefore(table, 150)
  const names = files.map(({ path }) => path).toSorted()
  const last = files.filter(({ path }) => path === names.at(-1))
  let deletions = 0
  const store: ObjectStore = {
    ...table.store,
    async delete(name) {
      deletions += 1
      if (deletions === 1) await table.commit(write(last), Date.now())
      await table.store.delete(name)
    },
  }
  await vacuumed(await opened(store))
  expect(deletions).toBe(149)
  expect(await table.store.stat(last[0].path)).toBeDefined()
})
