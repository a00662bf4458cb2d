/** The table: commits under preconditions, checkpoints, clean-up, time travel, damage. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { tableColumn, type TableSchema } from '../../src/core/table-schema.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import type { CommitRequest } from '../../src/core/commit-request.ts'
import { openOrCreateTable, openTable, snapshotAt, type Table } from '../../src/lakehouse/table.ts'
import { versionsAfter } from '../../src/lakehouse/versions.ts'

const SCHEMA: TableSchema = {
  columns: [tableColumn('a', 'string'), tableColumn('p', 'string')],
  partitionColumns: ['p'],
}
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-table-'))
  return () => rmSync(folder, { recursive: true, force: true })
})

const open = (): Promise<Table> =>
  openOrCreateTable(createLocalStore(folder), { schema: SCHEMA, configuration: {}, nowMs: 1 })
const file = (path: string): CommitRequest['adds'][number] => ({
  path,
  size: 1,
  partitionValues: { p: null },
  stats: '{"numRecords":1}',
})
const request = (more: Partial<CommitRequest>): CommitRequest => ({
  operation: 'WRITE',
  adds: [],
  removes: [],
  marks: {},
  expect: {},
  ...more,
})

test('twenty writers at once make twenty versions, none lost', async () => {
  await open()
  const writers = await Promise.all(Array.from({ length: 20 }, open))
  const versions = await Promise.all(
    writers.map((table, i) => table.commit(request({ adds: [file(`f${i}`)] }), 2)),
  )
  expect(new Set(versions).size).toBe(20)
  expect((await openTable(createLocalStore(folder)))?.snapshot.files.size).toBe(20)
})

test('of writers with the same start only one commits; the others are told what moved', async () => {
  const table = await open()
  await table.commit(request({ marks: { m: 10 }, expect: { m: undefined } }), 2)
  const writers = await Promise.all(Array.from({ length: 8 }, open))
  const results = await Promise.allSettled(
    writers.map((writer, i) =>
      writer.commit(request({ adds: [file(`f${i}`)], marks: { m: 20 }, expect: { m: 10 } }), 3),
    ),
  )
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
  for (const result of results)
    if (result.status === 'rejected')
      expect(result.reason).toMatchObject({ code: 'marks_moved', params: { expected: 10, found: 20 } })
})

test('a writer that slept while another committed finds the marks moved', async () => {
  const [sleeper, other] = [await open(), await open()]
  await other.commit(request({ marks: { m: 5 }, expect: { m: undefined } }), 2)
  await expect(
    sleeper.commit(request({ marks: { m: 7 }, expect: { m: undefined } }), 3),
  ).rejects.toMatchObject({ code: 'marks_moved' })
})

test('replacing a file that somebody else replaced is refused', async () => {
  const [first, second] = [await open(), await open()]
  await first.commit(request({ adds: [file('x')] }), 2)
  await second.refresh()
  await first.commit(request({ removes: ['x'], adds: [file('y')] }), 3)
  await expect(second.commit(request({ removes: ['x'], adds: [file('z')] }), 4)).rejects.toMatchObject({
    code: 'marks_moved',
  })
})

test('checkpoints carry files, marks and tombstones; opening reads them, and null partitions survive', async () => {
  const table = await open()
  for (let i = 0; i < 130; i += 1)
    await table.commit(
      request({
        adds: [file(`f${i}`)],
        removes: i > 0 && i % 10 === 0 ? [`f${i - 1}`] : [],
        marks: { m: i },
        expect: {},
      }),
      1000 + i,
    )
  expect(readdirSync(join(folder, '_delta_log')).some((name) => name.endsWith('.checkpoint.parquet'))).toBe(
    true,
  )
  const again = await openTable(createLocalStore(folder))
  expect(again?.snapshot.files.size).toBe(table.snapshot.files.size)
  expect(again?.snapshot.marks.get('m')).toBe(129)
  expect(
    [...(again?.snapshot.files.values() ?? [])].every(
      (liveFile) => (liveFile.partitionValues.p ?? null) === null,
    ),
  ).toBe(true)
})

test('old entries are cleaned up behind a checkpoint that is older than the retention, and marks stay', async () => {
  const table = await openOrCreateTable(createLocalStore(folder), {
    schema: SCHEMA,
    configuration: { 'delta.logRetentionDuration': 'interval 1 minutes' },
    nowMs: 1,
  })
  for (let i = 0; i < 320; i += 1)
    await table.commit(
      request({ adds: [file(`f${i}`)], marks: { m: i } }),
      Date.now() + (i > 250 ? 3_600_000 : 0),
    )
  const entries = readdirSync(join(folder, '_delta_log')).filter((name) => name.endsWith('.json'))
  expect(entries.length).toBeLessThan(300)
  expect((await openTable(createLocalStore(folder)))?.snapshot).toMatchObject({ version: 320 })
  expect((await openTable(createLocalStore(folder)))?.snapshot.marks.get('m')).toBe(319)
})

test('time travel shows an older version, and says which there are', async () => {
  const table = await open()
  for (let i = 0; i < 5; i += 1) await table.commit(request({ adds: [file(`f${i}`)] }), 2)
  expect((await snapshotAt(createLocalStore(folder), 2)).files.size).toBe(2)
  await expect(snapshotAt(createLocalStore(folder), 9)).rejects.toMatchObject({
    code: 'version_not_found',
    params: { first: 0, last: 5 },
  })
})

test('a consumer sees what was added after a version, and nothing of commits that only rearrange', async () => {
  const table = await open()
  await table.commit(request({ adds: [file('x')] }), 2)
  await table.commit(request({ adds: [file('y')], removes: ['x'], dataChange: false }), 3)
  await table.commit(request({ adds: [file('z')] }), 4)
  const versions = await versionsAfter(table.store, 1, 3)
  expect(versions.map((version) => version.added.map((add) => add.path))).toEqual([[], ['z']])
})

test('a table that is gone, damaged or too new is refused by name', async () => {
  const table = await open()
  await table.commit(request({ adds: [file('x')] }), 2)
  writeFileSync(join(folder, '_delta_log', '00000000000000000002.json'), '{"add": broken')
  await expect(openTable(createLocalStore(folder))).rejects.toMatchObject({
    code: 'table_corrupt',
    params: { version: 2 },
  })
  rmSync(join(folder, '_delta_log'), { recursive: true })
  await expect(table.commit(request({ adds: [file('y')] }), 3)).rejects.toMatchObject({ code: 'table_gone' })
  const store = createLocalStore(folder)
  await store.writeIfAbsent(
    '_delta_log/00000000000000000000.json',
    Buffer.from(
      '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":[]}}\n',
    ),
  )
  await expect(openTable(store)).rejects.toMatchObject({ code: 'table_unsupported' })
})

test('creating a name twice: the second is told so, unless it is its own earlier success', async () => {
  const store = createLocalStore(folder)
  expect(await store.writeIfAbsent('n', Buffer.from('mine'))).toBe(true)
  expect(await store.writeIfAbsent('n', Buffer.from('other'))).toBe(false)
  expect(await store.writeIfAbsent('n', Buffer.from('mine'))).toBe(true)
  const race = await Promise.all(
    Array.from({ length: 16 }, (_, i) => store.writeIfAbsent('race', Buffer.from(String(i)))),
  )
  expect(race.filter(Boolean)).toHaveLength(1)
})

test('more files are made durable at once than a process may have open', () => {
  const names = Array.from({ length: 300 }, (_, i) => `data/day=${i}/part-0.parquet`)
  for (const name of names) {
    mkdirSync(join(folder, dirname(name)), { recursive: true })
    writeFileSync(join(folder, name), 'rows')
  }
  const script = `import { createLocalStore } from ${JSON.stringify(resolve('src/lakehouse/stores/local.ts'))}\nawait createLocalStore(${JSON.stringify(folder)}).local.sync(${JSON.stringify(names)})`
  writeFileSync(join(folder, 'sync.ts'), script)
  execFileSync('bash', ['-c', `ulimit -n 128 && exec ${process.execPath} ${join(folder, 'sync.ts')}`], {
    stdio: 'pipe',
  })
})

test('a commit whose answer was lost is found by its name when it is tried again', async () => {
  const table = await open()
  const named = request({ id: 'op-1', adds: [file('x')], marks: { m: 1 }, expect: { m: undefined } })
  expect(await table.commit(named, 2)).toBe(1)
  await table.commit(request({ marks: { other: 5 } }), 3)
  // The marks have moved by our own doing: without the name this would be somebody else's commit.
  expect(await table.commit(named, 4)).toBe(1)
  const late = await open()
  await expect(late.commit({ ...named, id: 'op-2' }, 5)).rejects.toMatchObject({ code: 'marks_moved' })
})
