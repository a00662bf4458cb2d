/** A deleted row stays deleted, whatever happened to its file before and whoever was about to publish it. */
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { entryName } from '../../src/lakehouse/actions.ts'
import { writeCheckpoint } from '../../src/lakehouse/checkpoint.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { openTable } from '../../src/lakehouse/table.ts'
import { startForeignWriter, type ForeignWriter } from '../support/delta-foreign.ts'
import { UPKEEP, openSmallApp } from '../support/small-app.ts'
import { ENTRY } from '../support/system.ts'

const DECLARATION = `dataset: shared
source: { files: { path: in, pattern: "*" } }
record: { format: ndjson }
message_id: { from: none }
columns:
  - { name: id, required: true }
  - { name: title }
  - { name: part, required: true }
processed:
  key: [id]
  partition_by: [{ column: part }]
`
let theirs: ForeignWriter
beforeAll(() => void (theirs = startForeignWriter()))
afterAll(() => theirs.stop())

function world(more = '') {
  const small = openSmallApp(`${DECLARATION}${more}`)
  const { app, path } = small
  const write = (keys: string[], part = 'a'): void =>
    small.write(keys.map((id) => ({ id, title: `of ${id}`, part })))
  return {
    ...small,
    write,
    /** Lands keys in table partition `part`, in a file of their own. */
    async land(keys: string[], part = 'a'): Promise<void> {
      write(keys, part)
      await small.stream()
    },
    compact: () => app.compact(path, UPKEEP),
    remove: (id: string) => app.deleteRows(path, { ...UPKEEP, keys: [{ id }], reason: 'asked' }),
    async published(): Promise<unknown[]> {
      const rows = await app.query('shared/processed', 'SELECT id FROM t ORDER BY id', undefined)
      return rows.map((row) => row.id)
    },
  }
}

/** Runs a command when a batch has read RAW and is about to write, once. */
function beforePublishing(...commands: string[][]): (text: string) => void {
  let done = false
  return (text) => {
    if (done || !text.startsWith('publishing')) return
    done = true
    for (const args of commands) {
      const run = spawnSync(process.execPath, [ENTRY, ...args], { env: process.env })
      expect(run.status, `${String(run.stdout)}${String(run.stderr)}`).toBe(0)
    }
  }
}

test('beside a batch that has read it already', async () => {
  const { land, batch, path, published, cleanUp } = world()
  await land(['k1', 'k2'])
  await batch({ say: beforePublishing(['delete', path, '--key', 'id=k1', '--reason', 'asked']) })
  await batch()
  expect(await published()).toEqual(['k2'])
  cleanUp()
})

test('and a new row of its key is a new one, for a batch that has looked it up before', async () => {
  const { land, write, batch, path, published, cleanUp } = world()
  await land(['k1', 'k2'])
  await batch()
  await land(['k3'])
  const remove = ['delete', path, '--key', 'id=k1', '--reason', 'asked']
  write(['k1'])
  await batch({ say: beforePublishing(remove, ['stream', path, '--until-caught-up']) })
  await batch()
  expect(await published()).toEqual(['k1', 'k2', 'k3'])
  cleanUp()
})

test('where RAW, Processed or the archive has no row at all', async () => {
  const { app, land, batch, path, remove, published, cleanUp } = world('raw: { archive: archive }\n')
  await land(['k1', 'k2'])
  // Nothing is published yet.
  await batch({ hold: ['part=a'] })
  await remove('k2')
  await batch({ release: ['part=a'] })
  await app.retain(path, { ...UPKEEP, keepFrom: '2099-01-01' })
  expect((await remove('k1')).map(({ table, rows }) => [table, rows])).toEqual([
    ['shared/raw', 0],
    ['shared/processed', 1],
    ['shared/archive', 1],
  ])
  expect(await published()).toEqual([])
  expect((await remove('k1')).map(({ rows }) => rows)).toEqual([0, 0, 0])
  cleanUp()
})

test('of a held table partition whose files were put together', async () => {
  const { land, batch, compact, remove, published, cleanUp } = world()
  await land(['k0'], 'b')
  await batch({ hold: ['part=a'] })
  for (const keys of [['k1', 'k2'], ['k3'], ['k4'], ['k5']]) await land(keys)
  await batch()
  expect(await published()).toEqual(['k0'])
  expect((await compact())[0].filesAfter).toBeLessThan(5)
  await remove('k1')
  await batch()
  await batch({ release: ['part=a'] })
  await batch()
  expect(await published()).toEqual(['k0', 'k2', 'k3', 'k4', 'k5'])
  cleanUp()
})

test('of files that others put together before they were read', async () => {
  const { land, batch, remove, published, raw, cleanUp } = world()
  await land(['k0'], 'b')
  await batch()
  for (const keys of [
    ['k1', 'k2'],
    ['k3', 'k4'],
  ])
    await land(keys)
  expect(await theirs.do('compact', raw)).toHaveProperty('ok')
  await remove('k1')
  await batch()
  expect(await published()).toEqual(['k0', 'k2', 'k3', 'k4'])
  // Others delete as well.
  for (const keys of [
    ['k5', 'k6'],
    ['k7', 'k8'],
  ])
    await land(keys)
  expect(await theirs.do('compact', raw)).toHaveProperty('ok')
  expect(await theirs.do('delete', raw, { predicate: "id = 'k5'" })).toHaveProperty('ok')
  await batch()
  expect(await published()).toEqual(['k0', 'k2', 'k3', 'k4', 'k6', 'k7', 'k8'])
  cleanUp()
})

/** Others clean the log up to a version. */
async function cleaned(root: string, before: number): Promise<void> {
  const store = createLocalStore(root)
  const table = await openTable(store)
  if (table === undefined) throw new Error('no table')
  await writeCheckpoint(store, table.snapshot)
  for (let version = 0; version < before; version += 1) await store.delete(entryName(version))
}

test('where others cleaned the log up before the batch had read it', async () => {
  const { land, batch, remove, app, raw, cleanUp } = world()
  await land(['k0'])
  await batch()
  await land(['k1', 'k2'])
  await land(['k3'])
  const { version } = (await openTable(createLocalStore(raw)))!.snapshot
  await cleaned(raw, version)
  await expect(batch()).rejects.toMatchObject({ code: 'versions_cleaned' })
  await remove('k1')
  expect(
    (await app.query('shared/raw', 'SELECT id FROM t ORDER BY id', undefined)).map(({ id }) => id),
  ).toEqual(['k0', 'k2', 'k3'])
  cleanUp()
})

test('a first batch publishes all that RAW has, though its log was cleaned up while nobody read it', async () => {
  const { land, batch, remove, published, raw, cleanUp } = world()
  for (const keys of [['k1', 'k2'], ['k3'], ['k4']]) await land(keys)
  await cleaned(raw, (await openTable(createLocalStore(raw)))!.snapshot.version)
  await land(['k5'])
  await remove('k2')
  await batch()
  expect(await published()).toEqual(['k1', 'k3', 'k4', 'k5'])
  cleanUp()
})
