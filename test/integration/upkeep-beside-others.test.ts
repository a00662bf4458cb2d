/** Upkeep while a batch or another writer changes what it has just looked at. */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { UPKEEP, openSmallApp } from '../support/small-app.ts'
import { ENTRY, PYTHON } from '../support/system.ts'

const DECLARATION = `dataset: shared
source: { files: { path: in, pattern: "*" } }
record: { format: ndjson }
message_id: { from: none }
raw: { keep_original: true }
columns:
  - { name: id, required: true }
  - { name: title }
  - { name: part, required: true }
processed:
  key: [id]
  partition_by: [{ column: part }]
`
function world() {
  const small = openSmallApp(DECLARATION)
  return {
    ...small,
    async land(id: string, part = 'a'): Promise<void> {
      small.write([{ id, title: `of ${id}`, part }])
      await small.stream()
    },
    async published(column: string): Promise<unknown[]> {
      const rows = await small.app.query('shared/processed', `SELECT ${column} FROM t ORDER BY id`, undefined)
      return rows.map((row) => row[column])
    },
  }
}

/** Runs a program when upkeep says that it begins with something, once, to its end. */
function when(begins: string, program: string, args: string[]): (text: string) => void {
  let done = false
  return (text) => {
    if (done || !text.startsWith(begins)) return
    done = true
    const run = spawnSync(program, args, { env: process.env })
    expect(run.status, `${String(run.stdout)}${String(run.stderr)}`).toBe(0)
  }
}

test('files that were to be merged are gone when their turn comes', async () => {
  const { app, land, batch, path, processed, published, cleanUp } = world()
  for (let n = 0; n < 4; n += 1) {
    for (const part of ['a', 'b']) await land(`${part}${n}`, part)
    await batch()
  }
  const remove = `from deltalake import DeltaTable; DeltaTable(${JSON.stringify(processed)}).delete("part = 'b'")`
  const say = when('compacting group 1 of 2: 4 files', PYTHON, ['-c', remove])
  expect((await app.compact(path, { ...UPKEEP, say }))[1]).toMatchObject({ conflicts: 1 })
  expect((await published('id')).map((id) => String(id).slice(1))).toEqual(['0', '1', '2', '3'])
  cleanUp()
})

test('rows that a batch publishes while they are decoded anew are published as they are then', async () => {
  const { app, land, batch, path, published, cleanUp } = world()
  await land('k1')
  await batch()
  await land('k2')
  writeFileSync(path, readFileSync(path, 'utf8').replace('{ name: title }', '{ name: title, case: upper }'))
  const old = path.replace('shared.yaml', 'old.yaml')
  writeFileSync(old, DECLARATION)
  const say = when('decoding file', process.execPath, [ENTRY, 'batch', old])
  await app.reprocess(path, { ...UPKEEP, from: undefined, to: undefined, say })
  await batch()
  expect(await published('title')).toEqual(['OF K1', 'OF K2'])
  cleanUp()
})
