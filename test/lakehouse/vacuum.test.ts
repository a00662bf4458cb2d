/** Vacuum deletes what was data of the table, and nothing of what others keep beside it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { tableColumn } from '../../src/core/table-schema.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { openOrCreateTable } from '../../src/lakehouse/table.ts'
import { vacuum } from '../../src/lakehouse/vacuum.ts'

const root = mkdtempSync(join(tmpdir(), 'headrace-vacuum-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const UUID = '0a1b2c3d-0000-4000-8000-0123456789ab'

const OTHERS = [
  '_change_data/cdc-00000.snappy.parquet',
  '_delta_index/bloom/part-0.parquet',
  '_symlink_format_manifest/manifest',
  '_symlink_format_manifest/year=2020/manifest',
  '_committed_4711',
  '.part-0.parquet.crc',
  '.hoodie/hoodie.properties',
  'year=2020/_SUCCESS',
  'year=2020/.hidden/x.parquet',
  '_year=2020/x.parquet',
  '_key_index/1.keys',
  'data/elsewhere/_meta/x',
]
const DEAD = [
  'never-committed.parquet',
  'year=2020/left.parquet',
  '_day=2020-01-01/left.parquet',
  '_removed/once.parquet',
  `_writing/${UUID}/left.parquet`,
  `_writing/${UUID}/_temporary/0/left.parquet`,
  `data/${UUID}/left.parquet`,
  `data/2026-01-01/${UUID}/_delta_log/00000000000000000000.json`,
  `data/2026-01-01/${UUID}/.left.parquet.crc`,
  `data/${UUID}/_temporary/0/left.parquet`,
]

test('hidden names of others stay; what was data, and what our own batches leave, goes', async () => {
  for (const name of ['live.parquet', ...OTHERS, ...DEAD]) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), 'x')
  }
  const schema = {
    columns: [tableColumn('a', 'string'), tableColumn('_day', 'date')],
    partitionColumns: ['_day'],
  }
  const table = await openOrCreateTable(createLocalStore(root), { schema, configuration: {}, nowMs: 1 })
  const add = (path: string) => ({
    path,
    size: 1,
    partitionValues: { _day: '2020-01-01' },
    stats: '{"numRecords":1}',
  })
  const change = { operation: 'WRITE', adds: [], removes: [], marks: {}, expect: {} }
  await table.commit({ ...change, adds: [add('live.parquet'), add('_removed/once.parquet')] }, 1)
  await table.commit({ ...change, removes: ['_removed/once.parquet'] }, 2)
  const request = { table, usedThrough: Infinity, graceMs: 0, nowMs: () => Date.now() + 60_000 }
  expect(await vacuum({ ...request, dryRun: true })).toMatchObject({ files: DEAD.length })
  expect(await vacuum({ ...request, dryRun: false })).toMatchObject({ files: DEAD.length })
  const left = (await table.store.list(''))
    .map((file) => file.name)
    .filter((name) => !name.startsWith('_delta_log/'))
  expect(left).toEqual(['live.parquet', ...OTHERS].toSorted())
})
