/** Where data files lie: partition values that other readers find in paths, in new tables and in those that older versions wrote. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../src/control/app.ts'
import { isLaidOut, partitionFolder } from '../../src/core/data-path.ts'
import { encodePath } from '../../src/core/table-schema.ts'
import { openSession } from '../../src/engines/duckdb/session.ts'
import { literal, name } from '../../src/engines/duckdb/sql.ts'
import { arrowTable } from '../../src/engines/spark/arrow-rows.ts'
import { decodePath, type Action } from '../../src/lakehouse/actions.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { openTable } from '../../src/lakehouse/table.ts'
import { createApp } from '../../src/main/app.ts'
import { createChance, type Chance } from '../support/chance.ts'
import { smallHome } from '../support/small-datasets.ts'
import { testSpark, type TestSpark } from '../support/spark.ts'
import { PYTHON } from '../support/system.ts'

let spark: TestSpark
const before = { ...process.env }
beforeAll(async () => {
  spark = await testSpark()
}, 180_000)
afterAll(async () => {
  await spark.kill()
  process.env = before
})

const TYPED = ['day', 'flag', 'n', 'x', 'price', 'at']
const DECLARATION = `dataset: odd
source: { files: { path: in, pattern: "*" } }
record: { format: ndjson }
message_id: { from: none }
columns:
  - { name: id, type: integer, required: true }
  - { name: part, trim: false, nulls: [] }
  - { name: day, type: date }
  - { name: flag, type: boolean }
  - { name: n, type: long }
  - { name: x, type: double }
  - { name: price, type: decimal, precision: 10, scale: 2 }
  - { name: at, type: timestamp }
raw: { archive: archive }
processed:
  key: [id]
  partition_by: [${['part', ...TYPED].map((column) => `{ column: ${column} }`).join(', ')}]
`

type Rec = Record<string, unknown>
const PARTS = ['a', 'b c', 'd/e=f', 'ü%41', '12:30', '%', '\t\n', '日本', '{x}[y]^#?*"\'\\', '.', '..', '~+&', '', null]

/** A record for each odd text and more, whose other values are odd as well, or null. */
function records(first: number): Rec[] {
  return PARTS.map((part, i) => ({
    id: first + i,
    part,
    ...(i % 3 === 0 ? {} : { day: `${i % 2 === 0 ? '0099' : '2026'}-01-02`, flag: i % 2 === 0, n: i - 5, x: 10 ** (i * 25), price: `${i}.50` }),
    ...(i % 4 === 0 ? {} : { at: `2026-01-02T03:04:05.${i}+05:30` }),
  }))
}

const silent = (): void => undefined
const UPKEEP = { engine: {}, memoryBytes: 1 << 30, dryRun: false, keepFrom: undefined, graceMs: 0, say: silent }

interface World {
  app: App
  path: string
  home: string
  raw: string
  processed: string
  send(records: Rec[]): Promise<void>
  batch(): Promise<void>
  cleanUp(): void
}

function world(declaration = DECLARATION): World {
  const { home, cleanUp } = smallHome()
  Object.assign(process.env, { HEADRACE_HOME: home, HEADRACE_LOG: 'warn' })
  mkdirSync(join(home, 'in'))
  const path = join(home, 'odd.yaml')
  writeFileSync(path, declaration)
  const app = createApp('test')
  let files = 0
  return {
    app,
    path,
    home,
    raw: join(home, 'tables/odd/raw'),
    processed: join(home, 'tables/odd/processed'),
    async send(all) {
      files += 1
      writeFileSync(join(home, 'in', `${files}.ndjson`), all.map((one) => JSON.stringify(one)).join('\n'))
      const { signal } = new AbortController()
      await app.stream(path, { engine: {}, untilCaughtUp: true, metricsPort: undefined, signal, onCommit: silent, say: silent })
    },
    batch: async () => void (await app.batch(path, { engine: {}, memoryBytes: 1 << 30, dryRun: false, hold: [], release: [], say: silent })),
    cleanUp,
  }
}

/** Rows as each reader finds them, a JSON text each, sorted. */
async function readers(root: string, columns: string[], partitions: string[]): Promise<Record<string, string[]>> {
  const found = JSON.parse(execFileSync(PYTHON, ['test/support/read_layout.py', root, JSON.stringify(columns), JSON.stringify(partitions)], { maxBuffer: 1 << 26 }).toString()) as Record<string, string[]>
  return { ...found, duckdb: await byDuckDb(root, columns), spark: await bySpark(root, columns) }
}

/** DuckDB by folders alone: it takes values from them as texts. */
async function byDuckDb(root: string, columns: string[]): Promise<string[]> {
  const session = await openSession({ memoryBytes: 1 << 28, threads: 1, spillFolder: mkdtempSync(join(tmpdir(), 'headrace-layout-')) })
  const from = `read_parquet(${literal(`${root}/*=*/**/*.parquet`)}, hive_partitioning = true, hive_types_autocast = false, union_by_name = true)`
  const rows = await session.rows(`SELECT ${columns.map((column) => `${name(column)}::VARCHAR`).join(', ')} FROM ${from}`)
  await session.close()
  return asTexts(rows)
}

async function bySpark(root: string, columns: string[]): Promise<string[]> {
  const session = spark.session()
  const asText = (column: string): string => (column === 'at' ? `date_format(at, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")` : `CAST(${column} AS STRING)`)
  const rows = await session.sql(`SELECT ${columns.map((column) => `${asText(column)} AS ${column}`).join(', ')} FROM delta.\`${root}\``)
  await session.close()
  // Delta reads an empty partition value as null; Spark leaves a text as it is.
  return asTexts(rows.map((row) => columns.map((column) => (column === 'part' ? row[column] || null : row[column]))))
}

/** As Python's JSON; doubles in one way, where engines have several. */
const asTexts = (rows: unknown[][]): string[] => rows.map((row) => JSON.stringify(row.map((value) => value ?? null)))
const alike = (rows: string[]): string[] =>
  rows.map((row) => JSON.stringify((JSON.parse(row) as (string | null)[]).map((value) => (value !== null && /^-?\d+(\.\d+)?e[+-]?\d+$|^-?\d+\.0$/i.test(value) ? String(Number(value)) : value)))).toSorted()

async function allAlike(root: string, columns: string[], partitions: string[]): Promise<string[]> {
  const found = Object.entries(await readers(root, columns, partitions)).map(([reader, rows]) => [reader, alike(rows)] as const)
  const [, first] = found[0]
  for (const [reader, rows] of found) expect(rows, reader).toEqual(first)
  return first
}

async function namesIn(root: string): Promise<{ name: string; laidOut: boolean }[]> {
  const table = await openTable(createLocalStore(root))
  const { files, metadata } = table?.snapshot ?? expect.fail(`no table in ${root}`)
  return [...files.values()].map((file) => ({ name: decodePath(file.path), laidOut: isLaidOut(decodePath(file.path), metadata.partitionColumns, file.partitionValues) }))
}

const RAW = ['id', 'outcome', 'ingest_date']

test('RAW says which rows are accepted, and Processed its partitions, to readers of logs and of folders', async () => {
  const { send, batch, raw, processed, cleanUp } = world()
  await send([...records(1), { id: 'none' }])
  await batch()
  const arrived = await allAlike(raw, RAW, ['outcome', 'ingest_date'])
  const day = new Date().toISOString().slice(0, 8)
  const outcomes = arrived.map((row) => (JSON.parse(row) as string[]).slice(0, 2).join())
  expect(new Set(outcomes)).toEqual(new Set([',quarantined', ...records(1).map(({ id }) => `${String(id)},accepted`)]))
  for (const row of arrived) expect((JSON.parse(row) as string[])[2]).toContain(day)
  const published = await allAlike(processed, ['id', 'part', ...TYPED], ['part', ...TYPED])
  const parts = new Map(published.map((row) => (JSON.parse(row) as (string | null)[]).slice(0, 2) as [string, string | null]))
  expect(parts).toEqual(new Map(records(1).map(({ id, part }) => [String(id), part === '' ? null : part])))
  cleanUp()
})

const WRITTEN = 300
const SIGNS = [...`abc =%:/\\?*"'#{}[]^~&+.,;!@$()<>|\t\n\r\u0001\u001f\u007f\u0080äß日`, '😀', '%2F', '__HIVE']

/** Texts of signs that paths, and those who read them, are particular about. */
function oddText(chance: Chance): string {
  return Array.from({ length: Math.floor(chance() * 8) }, () => SIGNS[Math.floor(chance() * SIGNS.length)]).join('')
}

test('folders are called as Spark calls them, whatever the values are', async () => {
  const chance = createChance()
  const values = [...new Set(['', ...Array.from({ length: WRITTEN }, () => oddText(chance))])]
  const folder = join(mkdtempSync(join(tmpdir(), 'headrace-layout-')), 'written')
  const session = spark.session()
  const input = { local_relation: { data: arrowTable({ id: Int32Array.from(values, (_, i) => i), v: values }) } }
  await session.run({ write_operation: { input, source: 'parquet', path: `file://${folder}`, mode: 'SAVE_MODE_ERROR_IF_EXISTS', partitioning_columns: ['v'] } }, { action: 'write folders' })
  await session.close()
  const theirs = readdirSync(folder).filter((one) => one.includes('='))
  expect(theirs.toSorted(), `seed ${chance.seed}`).toEqual(values.map((value) => partitionFolder('v', value)).toSorted())
  rmSync(dirname(folder), { recursive: true })
})

/** Puts the files of a table where older versions put them, and states timestamps as they did. */
function asBefore(root: string): void {
  const log = join(root, '_delta_log')
  for (const entry of readdirSync(log).filter((one) => one.endsWith('.json'))) {
    const lines = readFileSync(join(log, entry), 'utf8').trimEnd().split('\n')
    const actions = lines.map((line) => JSON.parse(line) as Action)
    actions.forEach(({ add }, i) => {
      if (add === undefined) return
      const { outcome, ingest_date: date, ...others } = add.partitionValues
      const folder = outcome === undefined ? `data/${entry}` : `data/${date}/${entry}`
      const folders = Object.entries(others).map(([column, value]) => `/${column}=${value === null ? '__HIVE_DEFAULT_PARTITION__' : encodeURIComponent(value)}`)
      const old = `${folder}${folders.join('')}/${outcome ?? 'part'}-${i}.parquet`
      mkdirSync(dirname(join(root, old)), { recursive: true })
      renameSync(join(root, decodePath(add.path)), join(root, old))
      add.path = encodePath(old)
      if (others.at) others.at = others.at.replace('T', ' ').replace(/\.?0*Z$/, '+00')
      add.partitionValues = { ...add.partitionValues, ...others }
    })
    writeFileSync(join(log, entry), `${actions.map((action) => JSON.stringify(action)).join('\n')}\n`)
  }
  for (const one of readdirSync(root)) if (one.includes('=')) rmSync(join(root, one), { recursive: true })
}

test('a table of an older version reads the same before and after it is compacted, and then lies wholly as a new one', async () => {
  const { app, path, send, batch, raw, processed, cleanUp } = world()
  const query = (zone: string): Promise<unknown[]> => app.query(`odd/${zone}`, 'SELECT * FROM t ORDER BY id, part', undefined)
  await send([...records(1), { id: 'none' }])
  await send(records(100))
  await batch()
  for (const root of [raw, processed]) asBefore(root)
  await send(records(200))
  const known = { raw: await query('raw'), processed: await query('processed') }
  expect((await namesIn(raw)).filter((one) => !one.laidOut)).toHaveLength(3)
  const planned = await app.compact(path, { ...UPKEEP, dryRun: true })
  const done = await app.compact(path, UPKEEP)
  expect(done.map(({ table, moved, conflicts }) => [table, moved, conflicts])).toEqual([['odd/raw', 3, 0], ['odd/processed', PARTS.length, 0]])
  expect(planned.map((one) => one.moved)).toEqual(done.map((one) => one.moved))
  for (const root of [raw, processed]) expect((await namesIn(root)).filter((one) => !one.laidOut)).toEqual([])
  expect({ raw: await query('raw'), processed: await query('processed') }).toEqual(known)
  const version = async (): Promise<number> => (await openTable(createLocalStore(processed)))?.snapshot.version ?? -1
  const settled = await version()
  expect((await app.compact(path, UPKEEP)).map((one) => one.moved)).toEqual([0, 0])
  expect(await version()).toBe(settled)
  await new Promise((done) => setTimeout(done, 1_100))
  await app.vacuum(path, UPKEEP)
  for (const root of [raw, processed]) expect(readdirSync(root)).not.toContain('data')
  expect(await allAlike(raw, RAW, ['outcome', 'ingest_date'])).toHaveLength(PARTS.length * 3 + 1)
  expect(await allAlike(processed, ['id', 'part', ...TYPED], ['part', ...TYPED])).toHaveLength(PARTS.length * 2)
  cleanUp()
})

test('what the batch has not read yet stays where it is until it has', async () => {
  const { app, path, send, batch, raw, cleanUp } = world()
  await send(records(1))
  await batch()
  await send(records(100))
  asBefore(raw)
  const moved = async (): Promise<number> => (await app.compact(path, UPKEEP))[0].moved
  expect(await moved()).toBe(1)
  await batch()
  expect(await app.query('odd/processed', 'SELECT count(*) AS n FROM t', undefined)).toEqual([{ n: String(PARTS.length * 2) }])
  expect(await moved()).toBe(1)
  cleanUp()
})

test('a table of an older version: keys are deleted, quarantine is replayed, days go to the archive; what is written lies as in a new one', async () => {
  const { app, path, home, send, batch, raw, processed, cleanUp } = world()
  await send(records(1))
  await send([{ id: 500, part: 'mended', n: 'five' }, { id: 'none' }])
  await batch()
  for (const root of [raw, processed]) asBefore(root)
  await app.deleteRows(path, { ...UPKEEP, keys: [{ id: '2' }], reason: 'asked' })
  writeFileSync(path, DECLARATION.replace('name: n, type: long', 'name: n, type: long, nulls: [five]'))
  expect(await app.replayQuarantine(path, { rule: undefined, dryRun: false })).toMatchObject({ read: 2, accepted: 1, quarantined: 1 })
  await batch()
  const ids = async (zone: string): Promise<unknown[]> => (await app.query(zone, 'SELECT id FROM t WHERE id IS NOT NULL ORDER BY id', undefined)).map((row) => row.id)
  const left = [...records(1).map(({ id }) => id).filter((id) => id !== 2), 500]
  expect([await ids('odd/raw'), await ids('odd/processed')]).toEqual([left, left])
  expect((await namesIn(raw)).every((one) => one.laidOut)).toBe(true)
  asBefore(raw)
  await app.retain(path, { ...UPKEEP, keepFrom: '2099-01-01' })
  expect([await ids('odd/raw'), await ids(join(home, 'archive'))]).toEqual([[], left])
  expect((await namesIn(join(home, 'archive'))).every((one) => one.laidOut)).toBe(true)
  asBefore(join(home, 'archive'))
  await app.compact(path, UPKEEP)
  expect((await namesIn(join(home, 'archive'))).every((one) => one.laidOut)).toBe(true)
  expect(await ids(join(home, 'archive'))).toEqual(left)
  await new Promise((done) => setTimeout(done, 1_100))
  await app.vacuum(path, UPKEEP)
  expect(readdirSync(raw)).toEqual(['_delta_log'])
  await allAlike(join(home, 'archive'), RAW, ['outcome', 'ingest_date'])
  cleanUp()
})
