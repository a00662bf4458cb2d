/** Quarantined records: their reasons, their original bytes, and replay after you fix the declaration. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../core/errors.ts'
import { countMark } from '../core/marks.ts'
import { emptyCounts, type Counts } from '../core/results.ts'
import type { DataFile } from '../core/table-schema.ts'
import type { App, ReplayResult } from './app.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { openSession, type DuckSession } from '../engines/duckdb/session.ts'
import { openStageEngine } from '../engines/duckdb/stage.ts'
import { literal, parquetRows } from '../engines/duckdb/sql.ts'
import { decodePath, type AddAction } from '../lakehouse/actions.ts'
import { makePrivateFolder, placeFiles } from '../lakehouse/placement.ts'
import { homeFolder } from '../host/home-folder.ts'
import { loadDataset } from './datasets.ts'
import { addColumns, evolveRaw, filesOf, openRaw, type RawTable } from './raw-table.ts'
import { createRedecoder, type Redecoder } from './redecode.ts'
import { numberedRows, rowWindows } from './row-windows.ts'

type QuarantineApp = Pick<App, 'listQuarantine' | 'showQuarantined' | 'exportQuarantine' | 'replayQuarantine'>

const MEMORY = 512 * 1024 * 1024
const POSITION = "topic || '/' || kafka_partition || '/' || kafka_offset || '/' || ordinal"

export function createQuarantineApp(): QuarantineApp {
  return {
    async listQuarantine(dataset, filter) {
      const { raw } = await open(dataset)
      const columns = `${POSITION} AS position, reject_kind AS kind, reject_rule AS rule, reject_path AS path, reject_value AS value, reject_reason AS reason, ingest_time`
      return read(
        raw,
        `SELECT ${columns} FROM q WHERE ${isOfRule(filter.rule)} ORDER BY ingest_time DESC, position LIMIT ${filter.limit}`,
      )
    },
    async showQuarantined(dataset, position) {
      const { raw } = await open(dataset)
      const [found] = await read(
        raw,
        `SELECT ${POSITION} AS position, * EXCLUDE (original), base64(original) AS original FROM q WHERE ${POSITION} = ${literal(position)}`,
      )
      if (found === undefined)
        throw failure('usage', {
          reason: `Nothing is quarantined at ${position}. To see the positions: headrace quarantine list ${dataset}`,
        })
      // Records rejected for their encoding are shown as well as possible. Export returns the bytes.
      const original =
        found.original === null ? null : Buffer.from(String(found.original), 'base64').toString('utf8')
      return Object.fromEntries(Object.entries({ ...found, original }).filter(([, value]) => value !== null))
    },
    async exportQuarantine(dataset, folder, filter) {
      const { raw } = await open(dataset)
      await mkdir(folder, { recursive: true })
      const rows = await read(
        raw,
        `SELECT ${POSITION} AS position, reject_rule, base64(original) AS bytes FROM q WHERE ${isOfRule(filter.rule)} LIMIT ${filter.limit}`,
      )
      for (const row of rows)
        await writeFile(
          join(folder, `${String(row.position).replaceAll('/', '-')}.${String(row.reject_rule)}`),
          Buffer.from(String(row.bytes), 'base64'),
        )
      return { files: rows.length, folder }
    },
    replayQuarantine: (dataset, options) => replay(dataset, options),
  }
}

async function open(
  dataset: string,
): Promise<{ loaded: Awaited<ReturnType<typeof loadDataset>>; raw: RawTable }> {
  const loaded = await loadDataset(dataset)
  return { loaded, raw: await openRaw(loaded.dataset, loaded.rawPath, Date.now()) }
}

/** Whether a reject belongs to a rule or to a rule below it: a condition in SQL. */
function isOfRule(rule: string | undefined): string {
  if (rule === undefined) return 'true'
  return `(reject_rule = ${literal(rule)} OR starts_with(reject_rule, ${literal(`${rule}.`)}))`
}

async function withQuarantine<T>(raw: RawTable, action: (session: DuckSession) => Promise<T>): Promise<T> {
  const session = await openSession({
    memoryBytes: MEMORY,
    threads: 2,
    spillFolder: join(homeFolder(), 'spill', `quarantine-${process.pid}`),
  })
  try {
    const names = filesOf(raw.table, 'quarantined').map((file) => decodePath(file.path))
    await raw.table.store.local.stage(names)
    const paths = names.map((name) => raw.table.store.local.path(name))
    await session.run(`CREATE VIEW q AS SELECT * FROM ${parquetRows(paths, 'filename = true')}`)
    return await action(session)
  } finally {
    await session.close()
  }
}

async function read(raw: RawTable, sql: string): Promise<Record<string, unknown>[]> {
  if (filesOf(raw.table, 'quarantined').length === 0) return []
  return withQuarantine(raw, (session) => session.objects(sql))
}

/** Rows that a replay decodes. Others have nothing to decode, or are notes. */
const isReplayed = (rule: string | undefined): string =>
  `reject_kind = 'record' AND octet_length(original) > 0 AND ${isOfRule(rule)}`

interface Replay {
  raw: RawTable
  session: DuckSession
  rule: string | undefined
}

const pathOf = (raw: RawTable, file: AddAction): string => raw.table.store.local.path(decodePath(file.path))

/** Files with rows to replay, and the number of these rows. */
async function filesToReplay({
  raw,
  session,
  rule,
}: Replay): Promise<{ files: AddAction[]; rows: number; notKept: number }> {
  const counted = await session.rows(`SELECT filename, count(*) FROM q WHERE ${isReplayed(rule)} GROUP BY 1`)
  const counts = new Map(counted.map(([path, rows]) => [String(path), Number(rows)]))
  const empty = `reject_kind = 'record' AND coalesce(octet_length(original), 0) = 0`
  const [[notKept]] = await session.rows(`SELECT count(*) FROM q WHERE ${isOfRule(rule)} AND ${empty}`)
  const files = filesOf(raw.table, 'quarantined').filter((file) => counts.has(pathOf(raw, file)))
  return { files, rows: [...counts.values()].reduce((sum, rows) => sum + rows, 0), notKept: Number(notKept) }
}

const REPLAYED = `topic_id, topic, kafka_partition, kafka_offset, ordinal, message_key, message_headers, epoch_ms(message_time) AS time_ms, reject_reason, base64(original) AS bytes`

/** The rows of a file to replay, as many at a time as fit into memory. */
async function* rowsToReplay(
  { raw, session, rule }: Replay,
  file: AddAction,
): AsyncGenerator<Record<string, unknown>[]> {
  const source = numberedRows(raw.table.store, file)
  for (const window of await rowWindows(session, source, isReplayed(rule)))
    yield await session.objects(`SELECT ${REPLAYED} FROM ${source} WHERE ${isReplayed(rule)} AND ${window}`)
}

/**
 * Decodes the original bytes again with the present declaration. Valid records become accepted rows, others
 * are quarantined with their new reason. The same commit replaces the files that held the old rows.
 */
async function replay(
  dataset: string,
  options: { rule: string | undefined; dryRun: boolean },
): Promise<ReplayResult> {
  const { loaded, raw } = await open(dataset)
  if (filesOf(raw.table, 'quarantined').length === 0)
    return { read: 0, accepted: 0, quarantined: 0, notKept: 0, version: null }
  return withQuarantine(raw, async (session) => {
    const all: Replay = { raw, session, rule: options.rule }
    const { files, rows, notKept } = await filesToReplay(all)
    if (rows === 0) return { read: 0, accepted: 0, quarantined: 0, notKept, version: null }
    const counts = emptyCounts()
    const adds = await redecoded(all, files, { dataset: loaded.dataset, dryRun: options.dryRun, counts })
    const result = { read: rows, accepted: counts.accepted, quarantined: counts.quarantined, notKept }
    if (options.dryRun) {
      for (const file of adds) await raw.table.store.delete(file.path)
      return { ...result, version: null }
    }
    adds.push(...(await keepOthers(all, files)))
    const change = {
      [countMark('read')]: counts.accepted + counts.quarantined - rows,
      [countMark('accepted')]: counts.accepted,
      [countMark('quarantined')]: counts.quarantined - rows,
    }
    const info = { counts, replayed: rows }
    const version = await raw.table.commit(
      {
        operation: 'REPLAY QUARANTINE',
        adds,
        removes: files.map((file) => file.path),
        marks: {},
        counts: change,
        expect: {},
        info,
      },
      Date.now(),
    )
    return { ...result, version }
  })
}

/** Decodes the rows of files again, with one decoder per topic. Returns the result. */
async function redecoded(
  all: Replay,
  files: AddAction[],
  { dataset, dryRun, counts }: { dataset: Dataset; dryRun: boolean; counts: Counts },
): Promise<DataFile[]> {
  const { raw } = all
  const engine = await openStageEngine({
    memoryBytes: MEMORY,
    threads: 1,
    spillFolder: join(homeFolder(), 'spill', `replay-${process.pid}`),
  })
  const evolve = async (paths: string[]): Promise<string[]> =>
    dryRun ? addColumns(dataset, raw, paths) : evolveRaw(dataset, raw, paths, Date.now())
  const decoders = new Map<string, Redecoder>()
  try {
    for (const file of files)
      for await (const rows of rowsToReplay(all, file))
        for (const [source, group] of Map.groupBy(rows, (row) => JSON.stringify([row.topic_id, row.topic]))) {
          const [topicId, topic] = JSON.parse(source) as [string, string]
          const decoder =
            decoders.get(source) ??
            (await createRedecoder({ dataset, raw, engine, topicId, topic, ingestMs: Date.now(), evolve }))
          decoders.set(source, decoder)
          await decoder.add(group, counts)
        }
    const made: DataFile[] = []
    for (const decoder of decoders.values()) made.push(...(await decoder.finish()))
    return made
  } finally {
    engine.close()
  }
}

/**
 * Moves rows of the replaced files that are not replayed to a new file, unchanged: other rules, notes, rows
 * that another writer left incomplete, and rejects without stored bytes (a broken large file, an empty one).
 */
async function keepOthers({ raw, session, rule }: Replay, replaced: AddAction[]): Promise<DataFile[]> {
  const kept: DataFile[] = []
  const { store } = raw.table
  for (const file of replaced) {
    const folder = await makePrivateFolder(store)
    const target = store.local.path(`${folder}/kept.parquet`)
    const others = `FROM ${parquetRows([pathOf(raw, file)])} WHERE (${isReplayed(rule)}) IS NOT TRUE`
    const [[count]] = await session.rows(`SELECT count(*) ${others}`)
    const rows = Number(count)
    if (rows > 0)
      await session.run(`COPY (SELECT * ${others}) TO ${literal(target)} (FORMAT parquet, COMPRESSION zstd)`)
    const { partitionValues } = file
    const made = {
      path: 'kept.parquet',
      size: 0,
      partitionValues,
      stats: JSON.stringify({ numRecords: rows }),
    }
    const files = await placeFiles(raw.table, folder, rows === 0 ? [] : [made])
    for (const file of files)
      kept.push({ ...file, size: (await store.stat(decodePath(file.path)))?.size ?? 0 })
  }
  return kept
}
