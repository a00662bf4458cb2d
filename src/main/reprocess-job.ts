/**
 * Reprocessing: rows of RAW are decoded again from the messages that it kept, with the declaration of today,
 * and what was published of their keys follows. Everything is prepared beside the live data; then Processed
 * is swapped, then RAW. A crash in between costs nothing: RAW still holds the old rows, and the same command
 * does it again.
 */
import { join } from 'node:path'
import type { ReprocessOptions } from '../control/app.ts'
import type { StageEngine } from '../core/engine.ts'
import { failure } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import { emptyCounts, type Counts, type ReprocessResult } from '../core/results.ts'
import type { RewriteEngine } from '../core/rewrite-engine.ts'
import type { DataFile } from '../core/table-schema.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { openSession, type DuckSession } from '../engines/duckdb/session.ts'
import { literal, parquetRows } from '../engines/duckdb/sql.ts'
import { openStageEngine } from '../engines/duckdb/stage.ts'
import { decodePath, type AddAction } from '../lakehouse/actions.ts'
import { countRows } from '../lakehouse/file-rows.ts'
import type { Table } from '../lakehouse/table.ts'
import { keptThrough } from '../lakehouse/through.ts'
import { filesAfter } from '../lakehouse/versions.ts'
import { homeFolder } from './home-folder.ts'
import type { LoadedDataset } from './home.ts'
import { evolveRaw, openRaw, type RawTable } from './raw-table.ts'
import { createRedecoder } from './redecode.ts'
import { republish } from './republish.ts'

/** Rows whose messages are in memory at once. */
const WINDOW_ROWS = 20_000
const DECODE_MEMORY = 512 * 1024 * 1024

export interface ReprocessParts {
  loaded: LoadedDataset
  archive: Table | undefined
  engine: RewriteEngine
  /**
   * RAW version that the batch has come to. Files after it are decoded anew as well, and published when their
   * turn comes.
   */
  readThrough: number
}

export async function reprocess(given: ReprocessParts, options: ReprocessOptions): Promise<ReprocessResult> {
  const { loaded } = given
  const raw = await openRaw(loaded.dataset, loaded.rawPath, Date.now())
  const unread = await filesAfter(raw.table.store, given.readThrough, raw.table.snapshot.version)
  const old = [...raw.table.snapshot.files.values()].filter(
    (file) => file.partitionValues.outcome === 'accepted' && within(file, options),
  )
  await raw.table.store.stage(old.map((file) => decodePath(file.path)))
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
    const { made, counts } = await decodeFiles({
      session,
      dataset: loaded.dataset,
      raw,
      files: old,
      unread,
      say: options.say,
    })
    Object.assign(result, { accepted: counts.accepted, quarantined: counts.quarantined })
    failpoint('reprocess.decoded')
    Object.assign(result, await republish({ ...given, raw, unread, old, made }))
    failpoint('reprocess.published')
    result.rawVersion = await raw.table.commit(
      {
        operation: 'REPROCESS',
        adds: made,
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

function within(file: AddAction, { from, to }: ReprocessOptions): boolean {
  const day = file.partitionValues.ingest_date ?? ''
  return (from === undefined || day >= from) && (to === undefined || day <= to)
}

const sourceOf = (raw: RawTable, file: AddAction): string =>
  parquetRows([raw.table.store.localPath(decodePath(file.path))], 'file_row_number = true')

/** Rows whose message was not kept cannot be decoded again: nothing is done by halves. */
async function checkOriginals(
  session: DuckSession,
  raw: RawTable,
  files: AddAction[],
  dataset: string,
): Promise<void> {
  let [missing, rows] = [0, 0]
  let [first, last] = ['', '']
  for (const file of files) {
    const source = sourceOf(raw, file)
    const [[kept]] = await session.rows(
      `SELECT count(*) FROM (DESCRIBE SELECT * FROM ${source}) WHERE column_name = 'original'`,
    )
    const withoutOriginal = Number(kept) > 0 ? 'count(*) FILTER (original IS NULL)' : 'count(*)'
    const [[without, all]] = await session.rows(`SELECT ${withoutOriginal}, count(*) FROM ${source}`)
    rows += Number(all)
    if (Number(without) === 0) continue
    missing += Number(without)
    const day = file.partitionValues.ingest_date ?? ''
    if (first === '' || day < first) first = day
    if (day > last) last = day
  }
  if (missing > 0) throw failure('original_missing', { dataset, missing, rows, first, last })
}

interface DecodeWork {
  session: DuckSession
  dataset: Dataset
  raw: RawTable
  files: AddAction[]
  /** Names of files that the batch has not come to. */
  unread: ReadonlySet<string>
  say: (line: string) => void
}

/** Decodes file by file, so that memory is bounded and each row keeps its day. */
async function decodeFiles(work: DecodeWork): Promise<{ made: DataFile[]; counts: Counts }> {
  const engine = await openStageEngine({
    memoryBytes: DECODE_MEMORY,
    threads: 1,
    spillFolder: join(homeFolder(), 'spill', `redecode-${process.pid}`),
  })
  const counts = emptyCounts()
  const made: DataFile[] = []
  try {
    for (const [i, file] of work.files.entries()) {
      work.say(`decoding file ${i + 1} of ${work.files.length}`)
      // What is new to the batch stays new, what it has read does not come again.
      for (const one of await decodeFile(work, file, engine, counts))
        made.push({ ...one, dataChange: work.unread.has(file.path), ...keptThrough(file) })
    }
  } finally {
    engine.close()
  }
  return { made, counts }
}

/** Decodes the messages of one file, topic by topic, a window of rows at a time. */
async function decodeFile(
  { session, dataset, raw }: DecodeWork,
  file: AddAction,
  engine: StageEngine,
  counts: Counts,
): Promise<DataFile[]> {
  const source = sourceOf(raw, file)
  const [rowCount] = await countRows(raw.table.store, [file])
  const topics = await session.objects(
    `SELECT topic_id, topic, epoch_ms(max(ingest_time))::DOUBLE AS ingest_ms
     FROM ${source}
     GROUP BY ALL`,
  )
  const made: DataFile[] = []
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
    for (let at = 0; at < rowCount; at += WINDOW_ROWS) {
      const rows = await session.objects(
        `SELECT
           kafka_partition, kafka_offset, ordinal, message_key, message_headers,
           epoch_ms(message_time) AS time_ms, base64(original) AS bytes
         FROM ${source}
         WHERE file_row_number >= ${at}
           AND file_row_number < ${at + WINDOW_ROWS}
           AND topic_id = ${literal(String(topicId))}`,
      )
      await decoder.add(rows, counts)
    }
    made.push(...(await decoder.finish()))
  }
  return made
}
