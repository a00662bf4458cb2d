/**
 * Where data files lie: partition values that other readers find in paths, in new tables and in those that
 * older versions wrote.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { partitionFolder } from '../../src/core/data-path.ts'
import { arrowTable } from '../../src/engines/spark/arrow-rows.ts'
import { writeCheckpoint } from '../../src/lakehouse/checkpoint.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { openTable, type Table } from '../../src/lakehouse/table.ts'
import { keepEnvironment } from '../support/environment.ts'
import { createChance, type Chance } from '../support/chance.ts'
import { allAlike } from '../support/layout-readers.ts'
import { DECLARATION, PARTS, TYPED, asBefore, namesIn, records, world } from '../support/odd-partitions.ts'
import { UPKEEP } from '../support/small-app.ts'
import { sharedSpark, type SharedSpark } from '../support/spark.ts'
import { limitMs } from '../support/time-limits.ts'

let spark: SharedSpark
const restoreEnvironment = keepEnvironment()
beforeAll(async () => {
  spark = await sharedSpark()
}, limitMs(180_000))
afterAll(async () => {
  restoreEnvironment()
})

const RAW = ['id', 'outcome', 'ingest_date']

test(
  'RAW says which rows are accepted, and Processed its partitions, to readers of logs and of folders',
  async () => {
    const { send, batch, raw, processed, cleanUp } = world()
    await send([...records(1), { id: 'none' }])
    await batch()
    const arrived = await allAlike(spark, raw, RAW, ['outcome', 'ingest_date'])
    const day = new Date().toISOString().slice(0, 8)
    const outcomes = arrived.map((row) => (JSON.parse(row) as string[]).slice(0, 2).join())
    expect(new Set(outcomes)).toEqual(
      new Set([',quarantined', ...records(1).map(({ id }) => `${String(id)},accepted`)]),
    )
    for (const row of arrived) expect((JSON.parse(row) as string[])[2]).toContain(day)
    const published = await allAlike(spark, processed, ['id', 'part', ...TYPED], ['part', ...TYPED])
    const parts = new Map(
      published.map((row) => (JSON.parse(row) as (string | null)[]).slice(0, 2) as [string, string | null]),
    )
    expect(parts).toEqual(new Map(records(1).map(({ id, part }) => [String(id), part === '' ? null : part])))
    cleanUp()
  },
  limitMs(400_000),
)

const WRITTEN = 300
const SIGNS = [
  ...`abc =%:/\\?*"'#{}[]^~&+.,;!@$()<>|\t\n\r\u0001\u001f\u007f\u0080äß日`,
  '😀',
  '%2F',
  '__HIVE',
]

/** Texts of signs that paths, and those who read them, are particular about. */
function oddText(chance: Chance): string {
  return Array.from(
    { length: Math.floor(chance() * 8) },
    () => SIGNS[Math.floor(chance() * SIGNS.length)],
  ).join('')
}

test('folders are called as Spark calls them, whatever the values are', async () => {
  const chance = createChance()
  const values = [...new Set(['', ...Array.from({ length: WRITTEN }, () => oddText(chance))])]
  const folder = join(mkdtempSync(join(tmpdir(), 'headrace-layout-')), 'written')
  const session = spark.session()
  const input = {
    local_relation: { data: arrowTable({ id: Int32Array.from(values, (_, i) => i), v: values }) },
  }
  await session.run(
    {
      write_operation: {
        input,
        source: 'parquet',
        path: `file://${folder}`,
        mode: 'SAVE_MODE_ERROR_IF_EXISTS',
        partitioning_columns: ['v'],
      },
    },
    { action: 'write folders' },
  )
  await session.close()
  const theirs = readdirSync(folder).filter((entry) => entry.includes('='))
  expect(theirs.toSorted(), `seed ${chance.seed}`).toEqual(
    values.map((value) => partitionFolder('v', value)).toSorted(),
  )
  rmSync(dirname(folder), { recursive: true })
})

test(
  'a table of an older version reads the same before and after it is compacted, and then lies wholly as a new one',
  async () => {
    const { app, path, send, batch, raw, processed, cleanUp } = world()
    const query = (zone: string): Promise<unknown[]> =>
      app.query(`odd/${zone}`, 'SELECT * FROM t ORDER BY id, part', undefined)
    await send([...records(1), { id: 'none' }])
    await send(records(100))
    await batch()
    for (const root of [raw, processed]) asBefore(root)
    await send(records(200))
    const known = { raw: await query('raw'), processed: await query('processed') }
    expect((await namesIn(raw)).filter((file) => !file.laidOut)).toHaveLength(3)
    const planned = await app.compact(path, { ...UPKEEP, dryRun: true })
    const done = await app.compact(path, UPKEEP)
    expect(done.map(({ table, moved, conflicts }) => [table, moved, conflicts])).toEqual([
      ['odd/raw', 3, 0],
      ['odd/processed', PARTS.length, 0],
    ])
    expect(planned.map((zone) => zone.moved)).toEqual(done.map((zone) => zone.moved))
    for (const root of [raw, processed])
      expect((await namesIn(root)).filter((file) => !file.laidOut)).toEqual([])
    expect({ raw: await query('raw'), processed: await query('processed') }).toEqual(known)
    const opened = async (root: string): Promise<Table> => (await openTable(createLocalStore(root))) as Table
    const version = async (): Promise<number> => (await opened(processed)).snapshot.version
    const settled = await version()
    expect((await app.compact(path, UPKEEP)).map((zone) => zone.moved)).toEqual([0, 0])
    expect(await version()).toBe(settled)
    await new Promise((done) => setTimeout(done, 1_100))
    await app.vacuum(path, UPKEEP)
    for (const root of [raw, processed]) expect(readdirSync(root)).not.toContain('data')
    // Until a checkpoint leaves out the files that went, ClickHouse refuses the timestamps that they have in the log.
    const { store, snapshot } = await opened(processed)
    await writeCheckpoint(store, snapshot)
    expect(await allAlike(spark, raw, RAW, ['outcome', 'ingest_date'])).toHaveLength(PARTS.length * 3 + 1)
    expect(await allAlike(spark, processed, ['id', 'part', ...TYPED], ['part', ...TYPED])).toHaveLength(
      PARTS.length * 2,
    )
    cleanUp()
  },
  limitMs(400_000),
)

test('what the batch has not read yet stays where it is until it has', async () => {
  const { app, path, send, batch, raw, cleanUp } = world()
  await send(records(1))
  await batch()
  await send(records(100))
  asBefore(raw)
  const moved = async (): Promise<number> => (await app.compact(path, UPKEEP))[0].moved
  expect(await moved()).toBe(1)
  await batch()
  expect(await app.query('odd/processed', 'SELECT count(*) AS n FROM t', undefined)).toEqual([
    { n: String(PARTS.length * 2) },
  ])
  expect(await moved()).toBe(1)
  cleanUp()
})

test('a table of an older version: keys are deleted, quarantine is replayed, days go to the archive; what is written lies as in a new one', async () => {
  const { app, path, home, send, batch, raw, processed, cleanUp } = world()
  await send(records(1))
  await send([{ id: 500, part: 'mended', n: 'five' }, { id: 'none' }])
  await batch()
  for (const root of [raw, processed]) asBefore(root)
  await app.deleteRows(path, { ...UPKEEP, keys: [{ id: '9' }], reason: 'asked' })
  writeFileSync(path, DECLARATION.replace('name: n, type: long', 'name: n, type: long, nulls: [five]'))
  expect(await app.replayQuarantine(path, { rule: undefined, dryRun: false })).toMatchObject({
    read: 2,
    accepted: 1,
    quarantined: 1,
  })
  await batch()
  const ids = async (zone: string): Promise<unknown[]> =>
    (await app.query(zone, 'SELECT id FROM t WHERE id IS NOT NULL ORDER BY id', undefined)).map(
      (row) => row.id,
    )
  const left = [
    ...records(1)
      .map(({ id }) => id)
      .filter((id) => id !== 9),
    500,
  ]
  expect([await ids('odd/raw'), await ids('odd/processed')]).toEqual([left, left])
  expect((await namesIn(raw)).every((file) => file.laidOut)).toBe(true)
  asBefore(raw)
  await app.retain(path, { ...UPKEEP, keepFrom: '2099-01-01' })
  expect([await ids('odd/raw'), await ids(join(home, 'archive'))]).toEqual([[], left])
  expect((await namesIn(join(home, 'archive'))).every((file) => file.laidOut)).toBe(true)
  asBefore(join(home, 'archive'))
  await app.compact(path, UPKEEP)
  expect((await namesIn(join(home, 'archive'))).every((file) => file.laidOut)).toBe(true)
  expect(await ids(join(home, 'archive'))).toEqual(left)
  await new Promise((done) => setTimeout(done, 1_100))
  await app.vacuum(path, UPKEEP)
  expect(readdirSync(raw)).toEqual(['_delta_log'])
  await allAlike(spark, join(home, 'archive'), RAW, ['outcome', 'ingest_date'])
  cleanUp()
})
