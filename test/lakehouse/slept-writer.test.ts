/**
 * Writers that sleep while others go on and clean up the log: what is acknowledged is in the table that
 * others read.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { ObjectStore } from '../../src/core/object-store.ts'
import { tableColumn } from '../../src/core/table-schema.ts'
import { entryName } from '../../src/lakehouse/actions.ts'
import { writeCheckpoint } from '../../src/lakehouse/checkpoint.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import type { CommitRequest } from '../../src/core/commit-request.ts'
import { openOrCreateTable, openTable, type Table } from '../../src/lakehouse/table.ts'

const folders: string[] = []
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

const SCHEMA = { columns: [tableColumn('a', 'string')], partitionColumns: [] }
/** Others clean the log at once, so that a sleep of a moment is one of an hour. */
const CLEANED_AT_ONCE = {
  'delta.logRetentionDuration': 'interval 0 seconds',
  'delta.checkpointInterval': '10',
}
const append = (path: string, marks: Record<string, number> = {}): CommitRequest => ({
  operation: 'WRITE',
  adds: [{ path, partitionValues: {}, size: 1, stats: '{"numRecords":1}' }],
  removes: [],
  marks,
  expect: {},
})

interface Pause {
  /** Resolves when the sleeper has come to its pause. */
  reached: Promise<void>
  wait: () => Promise<void>
  end: () => void
}

function pause(): Pause {
  const reached = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  const wait = (): Promise<void> => (reached.resolve(), ended.promise)
  return { reached: reached.promise, wait, end: () => ended.resolve() }
}

async function newTable(): Promise<ObjectStore> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-slept-'))
  folders.push(folder)
  const store = createLocalStore(folder)
  await openOrCreateTable(store, { schema: SCHEMA, configuration: CLEANED_AT_ONCE, nowMs: Date.now() })
  return store
}

const opened = async (store: ObjectStore): Promise<Table> => (await openTable(store)) as Table

/** Commits of others, far enough for the log behind them to be cleaned up. */
async function goOn(store: ObjectStore, count = 60): Promise<void> {
  const table = await opened(store)
  const from = table.snapshot.version
  for (let n = 0; n < count; n += 1)
    await table.commit(append(`other-${from}-${n}`, { m: 100 + n }), Date.now() + 10_000)
}

const outcome = (commit: Promise<number>): Promise<string> =>
  commit.then(
    (version) => `version ${version}`,
    (error) => error.code,
  )
const sleepsBeforeCreate = (store: ObjectStore, sleep: Pause): ObjectStore => ({
  ...store,
  writeIfAbsent: async (name, bytes) => (await sleep.wait(), store.writeIfAbsent(name, bytes)),
})

test('a writer that slept before it created its entry takes it back, and commits nothing any more', async () => {
  const store = await newTable()
  const sleep = pause()
  const sleeper = await opened(sleepsBeforeCreate(store, sleep))
  const commit = outcome(sleeper.commit(append('sleeper', { m: 1 }), Date.now()))
  await sleep.reached
  await goOn(store)
  sleep.end()
  expect(await commit).toBe('writer_overtaken')
  expect(await store.stat(entryName(1))).toBeUndefined()
  expect(await outcome(sleeper.commit(append('again'), Date.now()))).toBe('writer_overtaken')
  const { snapshot } = await opened(store)
  expect([snapshot.version, snapshot.marks.get('m'), snapshot.files.has('sleeper')]).toEqual([60, 159, false])
})

test('a writer that slept after it created its entry is told that it is in', async () => {
  const store = await newTable()
  const sleep = pause()
  const writeIfAbsent: ObjectStore['writeIfAbsent'] = async (name, bytes) => {
    const created = await store.writeIfAbsent(name, bytes)
    await sleep.wait()
    return created
  }
  const sleeper = await opened({ ...store, writeIfAbsent })
  const commit = outcome(sleeper.commit(append('sleeper'), Date.now()))
  await sleep.reached
  await goOn(store)
  sleep.end()
  expect(await commit).toBe('version 1')
  expect(sleeper.snapshot.version).toBe(61)
  expect((await opened(store)).snapshot.files.has('sleeper')).toBe(true)
  expect(await outcome(sleeper.commit(append('more'), Date.now()))).toBe('version 62')
})

test('of two that slept one after the other, neither builds on the other', async () => {
  const store = await newTable()
  const [sleep, sleep2, beforeDelete] = [pause(), pause(), pause()]
  const first = await opened({
    ...sleepsBeforeCreate(store, sleep),
    delete: async (name) => (await beforeDelete.wait(), store.delete(name)),
  })
  const commit = outcome(first.commit(append('first'), Date.now()))
  await sleep.reached
  await goOn(store, 1)
  const second = await opened(sleepsBeforeCreate(store, sleep2))
  const commit2 = outcome(second.commit(append('second'), Date.now()))
  await sleep2.reached
  await goOn(store)
  sleep.end()
  await beforeDelete.reached
  sleep2.end()
  expect(await commit2).toBe('writer_overtaken')
  beforeDelete.end()
  expect(await commit).toBe('writer_overtaken')
  const { snapshot } = await opened(store)
  expect([snapshot.files.has('first'), snapshot.files.has('second')]).toEqual([false, false])
})

test('clean-up in any order: the entry before is still there, and yet the writer is refused', async () => {
  const store = await newTable()
  const sleep = pause()
  const sleeper = await opened(sleepsBeforeCreate(store, sleep))
  const commit = outcome(sleeper.commit(append('sleeper'), Date.now()))
  await sleep.reached
  const other = await openOrCreateTable(store, { schema: SCHEMA, configuration: {}, nowMs: Date.now() })
  await other.commit(append('other'), 0)
  for (let n = 0; n < 12; n += 1) await other.commit(append(`other-${n}`), 0)
  // All entries but the sleeper's are still there: another writer has just begun to delete them.
  await store.delete(entryName(1))
  sleep.end()
  expect(await commit).toBe('writer_overtaken')
  expect((await opened(store)).snapshot.files.has('sleeper')).toBe(false)
})

test('a checkpoint that a writer wrote after its sleep sets nobody back', async () => {
  const store = await newTable()
  const sleeper = await opened(store)
  await sleeper.commit(append('early', { m: 1 }), Date.now())
  await goOn(store)
  await writeCheckpoint(store, sleeper.snapshot)
  const { snapshot } = await opened(store)
  expect([snapshot.version, snapshot.marks.get('m')]).toEqual([61, 159])
  expect(await outcome(sleeper.commit(append('late', { m: 2 }), Date.now()))).toBe('writer_overtaken')
  await goOn(store, 1)
  expect((await opened(store)).snapshot.version).toBe(62)
})

test('a reader that slept does not take an entry that was left behind for what follows', async () => {
  const store = await newTable()
  const reader = await opened(store)
  await goOn(store)
  // A writer that slept was killed between the creation of its entry and taking it back.
  await store.writeIfAbsent(
    entryName(1),
    Buffer.from(`${JSON.stringify({ txn: { appId: 'm', version: 1 } })}\n`),
  )
  await expect(reader.refresh()).rejects.toMatchObject({ code: 'writer_overtaken', params: { newest: 60 } })
  expect((await opened(store)).snapshot.version).toBe(60)
})

test('a reader behind a hole in the log does not take its own version for the newest', async () => {
  const store = await newTable()
  const reader = await opened(store)
  const other = await openOrCreateTable(store, { schema: SCHEMA, configuration: {}, nowMs: Date.now() })
  for (let n = 0; n < 12; n += 1) await other.commit(append(`other-${n}`), 0)
  await store.delete(entryName(1))
  await expect(reader.refresh()).rejects.toMatchObject({ code: 'writer_overtaken', params: { newest: 12 } })
})

test('a table that was replaced by a longer one is gone, not further on', async () => {
  const store = await newTable()
  const table = await opened(store)
  rmSync(join(store.root, '_delta_log'), { recursive: true })
  await openOrCreateTable(store, { schema: SCHEMA, configuration: CLEANED_AT_ONCE, nowMs: Date.now() })
  await goOn(store, 5)
  expect(await outcome(table.commit(append('old'), Date.now()))).toBe('table_gone')
})

/** Removes the table and makes another, with so many entries behind its first. */
async function replace(store: ObjectStore, commits: number): Promise<void> {
  rmSync(join(store.root, '_delta_log'), { recursive: true })
  await openOrCreateTable(store, { schema: SCHEMA, configuration: CLEANED_AT_ONCE, nowMs: Date.now() })
  await goOn(store, commits)
}

test('an entry of a table that took the place of ours is not taken back for ours', async () => {
  const store = await newTable()
  const table = await opened({
    ...store,
    async writeIfAbsent(name, bytes) {
      const created = await store.writeIfAbsent(name, bytes)
      await replace(store, 5)
      return created
    },
  })
  expect(await outcome(table.commit(append('old'), Date.now()))).toBe('table_gone')
  const { snapshot } = await opened(store)
  expect([snapshot.version, snapshot.files.size]).toEqual([5, 5])
})

test('an entry that would continue a table which took the place of ours is taken back', async () => {
  const store = await newTable()
  const writeIfAbsent: ObjectStore['writeIfAbsent'] = async (name, bytes) => {
    await replace(store, 0)
    return store.writeIfAbsent(name, bytes)
  }
  const table = await opened({ ...store, writeIfAbsent })
  expect(await outcome(table.commit(append('old'), Date.now()))).toBe('table_gone')
  const { snapshot } = await opened(store)
  expect([snapshot.version, snapshot.files.size]).toEqual([0, 0])
})

/** Commits the files one after the other; a writer that is refused opens the table again, and is right to. */
async function commitAll(store: ObjectStore, paths: string[]): Promise<void> {
  let writer = await opened(store)
  for (const path of paths)
    for (let result = ''; !result.startsWith('version');) {
      result = await outcome(writer.commit(append(path), Date.now() + 10_000))
      if (result.startsWith('version')) continue
      expect(result).toBe('writer_overtaken')
      writer = await opened(store)
      expect(writer.snapshot.files.has(path), 'was refused, and is in').toBe(false)
    }
}

test('of writers that are only busy each is told what is so: who was refused is not in, and all are in the end', async () => {
  const store = await newTable()
  const paths = Array.from({ length: 6 }, (_, w) => Array.from({ length: 25 }, (__, n) => `${w}-${n}`))
  await Promise.all(paths.map((own) => commitAll(store, own)))
  const { snapshot } = await opened(store)
  expect(snapshot.version).toBe(150)
  expect(paths.flat().filter((path) => !snapshot.files.has(path))).toEqual([])
  expect(readdirSync(join(store.root, '_delta_log')).length).toBeLessThan(60)
})
