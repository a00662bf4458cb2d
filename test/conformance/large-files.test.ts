/** Files that no buffer of this process can hold. */
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { tableColumn } from '../../src/core/table-schema.ts'
import { retain } from '../../src/lakehouse/retain.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { openOrCreateTable, type Table } from '../../src/lakehouse/table.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-large-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const SCHEMA = { columns: [tableColumn('a', 'string')], partitionColumns: [] }
const openNew = (name: string): Promise<Table> =>
  openOrCreateTable(createLocalStore(join(folder, name)), {
    schema: SCHEMA,
    configuration: {},
    nowMs: Date.now(),
  })

test('a file of more than 2 GiB is moved into the archive, in little memory', async () => {
  const size = 2 ** 31 + 1
  const [raw, archive] = [await openNew('raw'), await openNew('archive')]
  writeFileSync(join(raw.store.root, 'large.parquet'), '')
  truncateSync(join(raw.store.root, 'large.parquet'), size)
  const partitionValues = { outcome: 'accepted', ingest_date: '2026-01-01' }
  const adds = [{ path: 'large.parquet', size, partitionValues, stats: '{"numRecords":1}' }]
  await raw.commit({ operation: 'WRITE', adds, removes: [], marks: {}, expect: {} }, Date.now())
  const before = process.memoryUsage.rss()
  await retain({
    raw,
    archive,
    keepFromDate: '2026-02-01',
    usedThrough: Infinity,
    dryRun: false,
    nowMs: Date.now,
    progress: () => undefined,
  })
  expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024)
  expect(statSync(join(archive.store.root, 'large.parquet')).size).toBe(size)
  expect(readdirSync(archive.store.root).filter((name) => name.startsWith('.'))).toEqual([])
})
