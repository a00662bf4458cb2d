/**
 * Reprocessing: decodes rows of RAW again from the stored messages, with the present declaration, and updates
 * the published rows of their keys. Everything is prepared next to the live data. Then Processed is swapped,
 * then RAW. A crash in between costs nothing: RAW still has the old rows, and the same command repeats the
 * work.
 */
import { join } from 'node:path'
import type { ReprocessOptions } from './app.ts'
import { failure } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import { consumerMark, deletionMark, heldPartitions } from '../core/marks.ts'
import type { RawSlice } from '../core/batch-engine.ts'
import type { EngineAccess } from '../core/object-store.ts'
import { emptyCounts, type Counts, type ReprocessResult } from '../core/results.ts'
import type { RewriteEngine } from '../core/rewrite-engine.ts'
import type { DataFile } from '../core/table-schema.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { openSession, type DuckSession } from '../engines/duckdb/session.ts'
import { literal } from '../engines/duckdb/sql.ts'
import { openStageEngine } from '../engines/duckdb/stage.ts'
import { decodePath, type AddAction } from '../lakehouse/actions.ts'
import { makePrivateFolder, placeFiles } from '../lakehouse/placement.ts'
import { keptThrough } from '../lakehouse/through.ts'
import { countRows } from '../lakehouse/file-rows.ts'
import { columnsOf, engineFiles } from '../lakehouse/snapshot.ts'
import { openTable, type Table } from '../lakehouse/table.ts'
import { filesAfter } from '../lakehouse/versions.ts'
import { openProcessed } from './batch.ts'
import { homeFolder } from '../host/home-folder.ts'
import type { LoadedDataset } from './datasets.ts'
import { evolveRaw, filesOf, openRaw, type RawTable } from './raw-table.ts'
import { fenceBatches } from './raw-consumers.ts'
import { CONSUMER } from '../runner/batch-plan.ts'
import { createRedecoder } from './redecode.ts'
import { numberedRows, rowWindows } from './row-windows.ts'
import { openStore } from './stores.ts'
import { retry, hasCode } from '../core/waiting.ts'

const DECODE_MEMORY = 512 * 1024 * 1024

export interface ReprocessParts {
  loaded: LoadedDataset
  archive: Table | undefined
  engine: RewriteEngine
}

/** A new file, and the file whose rows were decoded for it. */
interface Made {
  file: DataFile
  from: AddAction
}

export async function reprocess(parts: ReprocessParts, options: ReprocessOptions): Promise<ReprocessResult> {
  const { loaded } = parts
  const deletions = await deletionsOf(loaded)
  const raw = await openRaw(loaded.dataset, loaded.rawPath, Date.now())
  const old = filesOf(raw.table, 'accepted').filter((file) => isInRange(file, options))
  await raw.table.store.local.stage(old.map((file) => decodePath(file.path)))
  const session = await openSession({
    memoryBytes: DECODE_MEMORY,
    threads: 1,
    spillFolder: join(homeFolder(), 'spill', `reprocess-${process.pid}`),
  })
  try {
    await checkOriginals(session, raw, old, loaded.dataset.name)
    const rows = (await countRows(raw.table.store, old)).reduce((sum, count) => sum + count, 0)
    const result: ReprocessResult = {
      files: old.length,
      rows,
      bytes: old.reduce((sum, file) => sum + file.size, 0),
      accepted: 0,
      quarantined: 0,
      republished: 0,
      rawVersion: null,
      processedVersion: null,
    }
    if (options.dryRun || old.length === 0) return result
    const { made, counts } = await decodeFiles(session, loaded.dataset, { raw, old }, options.say)
    Object.assign(result, { accepted: counts.accepted, quarantined: counts.quarantined })
    failpoint('reprocess.decoded')
    const { version, adds } = await swapProcessed(parts, { raw, old, made, deletions }, result)
    result.processedVersion = version
    failpoint('reprocess.published')
    result.rawVersion = await raw.table.commit(
      {
        operation: 'REPROCESS',
        adds,
        removes: old.map((file) => file.path),
        marks: {},
        expect: {},
        info: { ...options, rows: result.rows, accepted: result.accepted, quarantined: result.quarantined },
      },
      Date.now(),
    )
    return result
  } finally {
    await session.close()
  }
}

function isInRange(file: AddAction, { from, to }: ReprocessOptions): boolean {
  const day = file.partitionValues.ingest_date ?? ''
  return (from === undefined || day >= from) && (to === undefined || day <= to)
}

/** Rows without a stored message cannot be decoded again. In that case, nothing is changed. */
async function checkOriginals(
  session: DuckSession,
  raw: RawTable,
  files: AddAction[],
  dataset: string,
): Promise<void> {
  let [missing, rows] = [0, 0]
  let [first, last] = ['', '']
  for (const file of files) {
    const kept = (
      await session.rows(
        `SELECT count(*) FROM (DESCRIBE SELECT * FROM ${numberedRows(raw.table.store, file)}) WHERE column_name = 'original'`,
      )
    )[0][0]
    const [[without, all]] = await session.rows(
      `SELECT count(*) ${Number(kept) > 0 ? 'FILTER (original IS NULL)' : ''}, count(*) FROM ${numberedRows(raw.table.store, file)}`,
    )
    rows += Number(all)
    if (Number(without) === 0) continue
    missing += Number(without)
    const day = file.partitionValues.ingest_date ?? ''
    if (first === '' || day < first) first = day
    if (day > last) last = day
  }
  if (missing > 0) throw failure('original_missing', { dataset, missing, rows, first, last })
}

/** Decodes file by file, so that memory is limited and each row keeps its day. */
async function decodeFiles(
  session: DuckSession,
  dataset: Dataset,
  { raw, old }: Pick<Change, 'raw' | 'old'>,
  say: (text: string) => void,
): Promise<{ made: Made[]; counts: Counts }> {
  const engine = await openStageEngine({
    memoryBytes: DECODE_MEMORY,
    threads: 1,
    spillFolder: join(homeFolder(), 'spill', `redecode-${process.pid}`),
  })
  const counts = emptyCounts()
  const made: Made[] = []
  try {
    for (const [i, file] of old.entries()) {
      say(`decoding file ${i + 1} of ${old.length}`)
      const source = numberedRows(raw.table.store, file)
      const topics = await session.objects(
        `SELECT topic_id, topic, epoch_ms(max(ingest_time))::DOUBLE AS ingest_ms FROM ${source} GROUP BY ALL`,
      )
      for (const { topic_id: topicId, topic, ingest_ms: ingestMs } of topics) {
        const decoder = await createRedecoder({
          dataset: { ...dataset, raw: { ...dataset.raw, keepOriginal: true } },
          raw,
          engine,
          topicId: String(topicId),
          topic: String(topic),
          ingestMs: Number(ingestMs),
          evolve: (paths) => evolveRaw(dataset, raw, paths, Date.now()),
        })
        for (const window of await rowWindows(session, source)) {
          const rows = `SELECT kafka_partition, kafka_offset, ordinal, message_key, message_headers, epoch_ms(message_time) AS time_ms, base64(original) AS bytes FROM ${source} WHERE ${window} AND topic_id = ${literal(String(topicId))}`
          await decoder.add(await session.objects(rows), counts)
        }
        for (const batch of await decoder.finish())
          made.push({ file: { ...batch, ...keptThrough(file) }, from: file })
      }
    }
  } finally {
    engine.close()
  }
  return { made, counts }
}

/**
 * The deletions that Processed knows, before RAW is read. After another deletion, nothing of this may be
 * published.
 */
async function deletionsOf({ dataset, processedPath }: LoadedDataset): Promise<number | undefined> {
  const processed =
    dataset.processed.key.length === 0 ? undefined : await openTable(await openStore(processedPath))
  return processed?.snapshot.marks.get(deletionMark())
}

interface Change {
  raw: RawTable
  old: AddAction[]
  made: Made[]
  deletions: number | undefined
}

/** How often to try the swap: each batch that commits meanwhile requires another try. */
const ATTEMPTS = 5

/**
 * Publishes the affected keys again. Returns the version, or null if nothing of them was published, and what
 * RAW's commit adds.
 */
async function swapProcessed(
  parts: ReprocessParts,
  change: Change,
  result: ReprocessResult,
): Promise<{ version: number | null; adds: DataFile[] }> {
  const { dataset, processedPath } = parts.loaded
  const { raw, made } = change
  if (dataset.processed.key.length === 0)
    return { version: null, adds: made.map(({ file }) => ({ ...file, dataChange: false })) }
  const swap = async (): Promise<{ version: number | null; adds: DataFile[] }> => {
    const { table } = await openProcessed(dataset, processedPath, raw.table)
    // Read it only now: decoding takes long, and rows that a batch has read meanwhile are published.
    const read = table.snapshot.marks.get(consumerMark(CONSUMER)) ?? -1
    const unread = await filesAfter(raw.table.store, read, await raw.table.refresh())
    // Rows that are new to the batch stay new; rows that it has read do not come again.
    const adds = made.map(({ file, from }) => ({ ...file, dataChange: unread.has(from.path) }))
    return { version: await publishAnew(parts, { ...change, table, unread, adds }, result), adds }
  }
  return retry(swap, { mayPass: (error) => hasCode(error, 'marks_moved'), attempts: ATTEMPTS })
}

interface Swap extends Change {
  table: Table
  unread: ReadonlySet<string>
  adds: DataFile[]
}

async function publishAnew(
  parts: ReprocessParts,
  { raw, old, table, unread, adds: made, deletions }: Swap,
  result: ReprocessResult,
): Promise<number | null> {
  const { loaded, engine } = parts
  const { dataset } = loaded
  const held = [...heldPartitions(table.snapshot.marks).keys()]
  if (held.length > 0)
    throw failure('partitions_held', { dataset: dataset.name, partitions: held.join(', ') })
  const { marks, expect } = fenceBatches(table)
  const fence = { operation: 'REPROCESS', marks, expect: { ...expect, [deletionMark()]: deletions } }
  const replaced = new Set(old.map((file) => file.path))
  const stays = filesOf(raw.table, 'accepted').filter(
    (file) => !replaced.has(file.path) && !unread.has(file.path),
  )
  const fresh = made.filter((file) => file.partitionValues.outcome === 'accepted' && file.dataChange !== true)
  const read = old.filter((file) => !unread.has(file.path))
  if (read.length + fresh.length === 0) {
    // A batch that has read the old rows must not publish them.
    await table.commit({ ...fence, adds: [], removes: [] }, Date.now())
    return null
  }
  const sliced = (of: Table, files: (AddAction | DataFile)[]): Promise<RawSlice> =>
    sliceOf(of, engine.access, files)
  const all = [
    ...(parts.archive === undefined ? [] : [await sliced(parts.archive, filesOf(parts.archive, 'accepted'))]),
    await sliced(raw.table, stays),
    await sliced(raw.table, fresh),
  ]
  const live = [...table.snapshot.files.values()]
  const opened = await engineFiles(engine.access, table.store, live)
  const published = new Map(opened.map((file, i) => [file.path, live[i]]))
  const folder = await makePrivateFolder(table.store)
  const done = await engine.republish({
    slices: all.filter((slice) => slice.files.length > 0),
    before: [await sliced(raw.table, read)].filter((slice) => slice.files.length > 0),
    after: [await sliced(raw.table, fresh)].filter((slice) => slice.files.length > 0),
    key: dataset.processed.key,
    latestBy: dataset.processed.keep === 'latest' ? dataset.processed.latestBy : undefined,
    columns: columnsOf(table.snapshot.metadata),
    partitions: dataset.processed.partitionBy,
    published: opened,
    logicalTime: new Date().toISOString(),
    folder: engine.access.path(table.store, folder),
    compression: dataset.processed.compression,
  })
  result.republished = done.published
  const adds = await placeFiles(table, folder, done.adds)
  const removes = done.obsolete.map((path) => published.get(path)?.path ?? '')
  return table.commit(
    { ...fence, adds, removes, info: { published: done.published, replaced: done.replaced } },
    Date.now(),
  )
}

async function sliceOf(
  table: Table,
  access: EngineAccess,
  files: (AddAction | DataFile)[],
): Promise<RawSlice> {
  const names = files.map((file) => decodePath(file.path))
  await access.ready(table.store, names)
  const rows = await countRows(table.store, files)
  return {
    files: names.map((name) => access.path(table.store, name)),
    rows,
    onlyPartitions: undefined,
    exceptPartitions: [],
  }
}
