/**
 * Replay of quarantined records: their original bytes are decoded again with the declaration of today. What
 * is right now becomes accepted rows, what is still wrong is quarantined with today's reason; the files that
 * held both are replaced in the same commit.
 */
import { join } from 'node:path'
import type { ReplayResult } from '../control/app.ts'
import { countMark } from '../core/marks.ts'
import { emptyCounts, type Counts } from '../core/results.ts'
import type { DataFile } from '../core/table-schema.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { literal, parquetRows } from '../engines/duckdb/sql.ts'
import { openStageEngine } from '../engines/duckdb/stage.ts'
import { decodePath, type AddAction } from '../lakehouse/actions.ts'
import { makePrivateFolder, placed } from '../lakehouse/placement.ts'
import { homeFolder } from './home-folder.ts'
import {
  QUARANTINE_MEMORY_BYTES,
  isOfRule,
  openQuarantine,
  quarantineFiles,
  readQuarantine,
  whereRule,
  withQuarantine,
} from './quarantined.ts'
import { addColumns, evolveRaw, type RawTable } from './raw-table.ts'
import { createRedecoder, type KeptRow } from './redecode.ts'

interface ReplayOptions {
  /** Only records that this rule rejected. */
  rule: string | undefined
  dryRun: boolean
}

export async function replay(name: string, { rule, dryRun }: ReplayOptions): Promise<ReplayResult> {
  const { loaded, raw } = await openQuarantine(name)
  const { records, notKept } = await replayable(raw, rule)
  if (records.length === 0) return { read: 0, accepted: 0, quarantined: 0, notKept, version: null }
  const { made, counts } = await decodeAgain(loaded.dataset, raw, records, dryRun)
  const { accepted, quarantined } = counts
  const result = { read: records.length, accepted, quarantined, notKept, version: null }
  if (dryRun) {
    for (const file of made) await raw.table.store.delete(file.path)
    return result
  }
  const replaced = filesOf(raw, records)
  const kept = await keepOthers(raw, replaced, rule)
  const version = await raw.table.commit(
    {
      operation: 'REPLAY QUARANTINE',
      adds: [...made, ...kept],
      removes: replaced.map((file) => file.path),
      marks: {},
      counts: {
        [countMark('read')]: accepted + quarantined - records.length,
        [countMark('accepted')]: accepted,
        [countMark('quarantined')]: quarantined - records.length,
      },
      expect: {},
      info: { counts, replayed: records.length },
    },
    Date.now(),
  )
  return { ...result, version }
}

/** Rejected records whose bytes were kept, and how many were not. */
async function replayable(
  raw: RawTable,
  rule: string | undefined,
): Promise<{ records: KeptRow[]; notKept: number }> {
  const rows = await readQuarantine(
    raw,
    `SELECT
       topic_id, topic, kafka_partition, kafka_offset, ordinal,
       message_key, message_headers, epoch_ms(message_time) AS time_ms,
       reject_kind, reject_reason, filename, base64(original) AS bytes
     FROM q ${whereRule(rule)}`,
  )
  const rejects = rows.filter((row) => row.reject_kind === 'record')
  const records = rejects.filter((row) => String(row.bytes ?? '') !== '')
  return { records, notKept: rejects.length - records.length }
}

/** The files that the records lie in. */
function filesOf(raw: RawTable, records: KeptRow[]): AddAction[] {
  const names = new Set(records.map((row) => String(row.filename)))
  return quarantineFiles(raw).filter((file) => names.has(raw.table.store.localPath(decodePath(file.path))))
}

/** New files of the records. A dry run adds the columns that drift finds to `raw` only, not to the table. */
async function decodeAgain(
  dataset: Dataset,
  raw: RawTable,
  records: KeptRow[],
  dryRun: boolean,
): Promise<{ made: DataFile[]; counts: Counts }> {
  const counts = emptyCounts()
  const made: DataFile[] = []
  const engine = await openStageEngine({
    memoryBytes: QUARANTINE_MEMORY_BYTES,
    threads: 1,
    spillFolder: join(homeFolder(), 'spill', `replay-${process.pid}`),
  })
  try {
    const byTopic = Map.groupBy(records, (row) => JSON.stringify([row.topic_id, row.topic]))
    for (const [source, group] of byTopic) {
      const [topicId, topic] = JSON.parse(source) as [string, string]
      const decoder = await createRedecoder({
        dataset,
        raw,
        engine,
        topicId,
        topic,
        ingestMs: Date.now(),
        evolve: async (paths) =>
          dryRun ? addColumns(dataset, raw, paths) : evolveRaw(dataset, raw, paths, Date.now()),
      })
      await decoder.add(group, counts)
      made.push(...(await decoder.finish()))
    }
  } finally {
    engine.close()
  }
  return { made, counts }
}

/**
 * Rows of the replaced files that are not replayed move to a new file as they are: other rules, notes, and
 * rejects of which nothing was kept (a large file that is broken, an empty one). Decoding nothing gives
 * nothing: they would be lost.
 */
async function keepOthers(
  raw: RawTable,
  replaced: AddAction[],
  rule: string | undefined,
): Promise<DataFile[]> {
  const { store } = raw.table
  const stays = [
    `reject_kind <> 'record'`,
    'coalesce(octet_length(original), 0) = 0',
    ...(rule === undefined ? [] : [`NOT ${isOfRule(rule)}`]),
  ].join(' OR ')
  const kept: DataFile[] = []
  for (const file of replaced) {
    const folder = await makePrivateFolder(store)
    const source = parquetRows([store.localPath(decodePath(file.path))])
    const target = store.localPath(`${folder}/kept.parquet`)
    const rows = await withQuarantine(raw, async (session) => {
      const [[count]] = await session.rows(`SELECT count(*) FROM ${source} WHERE ${stays}`)
      if (Number(count) > 0)
        await session.run(
          `COPY (SELECT * FROM ${source} WHERE ${stays})
           TO ${literal(target)} (FORMAT parquet, COMPRESSION zstd)`,
        )
      return Number(count)
    })
    const { partitionValues } = file
    const made = {
      path: 'kept.parquet',
      size: 0,
      partitionValues,
      stats: JSON.stringify({ numRecords: rows }),
    }
    const files = await placed(raw.table, folder, rows === 0 ? [] : [made])
    for (const one of files) kept.push({ ...one, size: (await store.stat(decodePath(one.path)))?.size ?? 0 })
  }
  return kept
}
