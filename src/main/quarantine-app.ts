/**
 * Quarantined records: what was rejected and why, their original bytes, and replay after the declaration was
 * mended.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../core/errors.ts'
import { countMark } from '../core/marks.ts'
import { emptyCounts } from '../core/results.ts'
import type { DataFile } from '../core/table-schema.ts'
import type { App, ReplayResult } from '../control/app.ts'
import { openSession, type DuckSession } from '../engines/duckdb/session.ts'
import { openStageEngine } from '../engines/duckdb/stage.ts'
import { literal, parquetRows } from '../engines/duckdb/sql.ts'
import { decodePath, type AddAction } from '../lakehouse/actions.ts'
import { makePrivateFolder, placed } from '../lakehouse/placement.ts'
import { homeFolder } from './home-folder.ts'
import { loadDataset } from './home.ts'
import { addColumns, evolveRaw, openRaw, type RawTable } from './raw-table.ts'
import { createRedecoder } from './redecode.ts'

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
        `SELECT ${columns} FROM q ${where(filter.rule)} ORDER BY ingest_time DESC, position LIMIT ${filter.limit}`,
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
          reason: `nothing is quarantined at ${position}; headrace quarantine list ${dataset} shows positions`,
        })
      // What was rejected for its encoding is shown as well as it can be; export gives the bytes.
      const original =
        found.original === null ? null : Buffer.from(String(found.original), 'base64').toString('utf8')
      return Object.fromEntries(Object.entries({ ...found, original }).filter(([, value]) => value !== null))
    },
    async exportQuarantine(dataset, folder, filter) {
      const { raw } = await open(dataset)
      await mkdir(folder, { recursive: true })
      const rows = await read(
        raw,
        `SELECT ${POSITION} AS position, reject_rule, base64(original) AS bytes FROM q ${where(filter.rule)} LIMIT ${filter.limit}`,
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

function where(rule: string | undefined): string {
  return rule === undefined
    ? ''
    : `WHERE reject_rule = ${literal(rule)} OR starts_with(reject_rule, ${literal(`${rule}.`)})`
}

function quarantineFiles(raw: RawTable): AddAction[] {
  return [...raw.table.snapshot.files.values()].filter(
    (file) => file.partitionValues.outcome === 'quarantined',
  )
}

async function withQuarantine<T>(raw: RawTable, action: (session: DuckSession) => Promise<T>): Promise<T> {
  const session = await openSession({
    memoryBytes: MEMORY,
    threads: 2,
    spillFolder: join(homeFolder(), 'spill', `quarantine-${process.pid}`),
  })
  try {
    const names = quarantineFiles(raw).map((file) => decodePath(file.path))
    await raw.table.store.stage(names)
    const paths = names.map((name) => raw.table.store.localPath(name))
    await session.run(`CREATE VIEW q AS SELECT * FROM ${parquetRows(paths, 'filename = true')}`)
    return await action(session)
  } finally {
    await session.close()
  }
}

async function read(raw: RawTable, sql: string): Promise<Record<string, unknown>[]> {
  if (quarantineFiles(raw).length === 0) return []
  return withQuarantine(raw, (session) => session.objects(sql))
}

/**
 * Decodes the original bytes again with the declaration of today. What is right now becomes accepted rows,
 * what is still wrong is quarantined with today's reason; the files that held both are replaced in the same
 * commit.
 */
async function replay(
  dataset: string,
  options: { rule: string | undefined; dryRun: boolean },
): Promise<ReplayResult> {
  const { loaded, raw } = await open(dataset)
  const rows = await read(
    raw,
    `SELECT topic_id, topic, kafka_partition, kafka_offset, ordinal, message_key, message_headers, epoch_ms(message_time) AS time_ms, reject_kind, reject_reason, filename, base64(original) AS bytes FROM q ${where(options.rule)}`,
  )
  const rejects = rows.filter((row) => row.reject_kind === 'record')
  const records = rejects.filter((row) => String(row.bytes ?? '') !== '')
  const notKept = rejects.length - records.length
  if (records.length === 0) return { read: 0, accepted: 0, quarantined: 0, notKept, version: null }
  const files = new Set(records.map((row) => String(row.filename)))
  const replaced = quarantineFiles(raw).filter((file) =>
    files.has(raw.table.store.localPath(decodePath(file.path))),
  )
  const counts = emptyCounts()
  const engine = await openStageEngine({
    memoryBytes: MEMORY,
    threads: 1,
    spillFolder: join(homeFolder(), 'spill', `replay-${process.pid}`),
  })
  try {
    const byTopic = Map.groupBy(records, (row) => JSON.stringify([row.topic_id, row.topic]))
    const adds = []
    const evolve = async (paths: string[]): Promise<string[]> =>
      options.dryRun
        ? addColumns(loaded.dataset, raw, paths)
        : evolveRaw(loaded.dataset, raw, paths, Date.now())
    for (const [source, group] of byTopic) {
      const [topicId, topic] = JSON.parse(source) as [string, string]
      const decoder = await createRedecoder({
        dataset: loaded.dataset,
        raw,
        engine,
        topicId,
        topic,
        ingestMs: Date.now(),
        evolve,
      })
      await decoder.add(group, counts)
      adds.push(...(await decoder.finish()))
    }
    if (options.dryRun) {
      for (const file of adds) await raw.table.store.delete(file.path)
      return {
        read: records.length,
        accepted: counts.accepted,
        quarantined: counts.quarantined,
        notKept,
        version: null,
      }
    }
    adds.push(...(await keepOthers(raw, replaced, options.rule)))
    const change = {
      [countMark('read')]: counts.accepted + counts.quarantined - records.length,
      [countMark('accepted')]: counts.accepted,
      [countMark('quarantined')]: counts.quarantined - records.length,
    }
    const info = { counts, replayed: records.length }
    const version = await raw.table.commit(
      {
        operation: 'REPLAY QUARANTINE',
        adds,
        removes: replaced.map((file) => file.path),
        marks: {},
        counts: change,
        expect: {},
        info,
      },
      Date.now(),
    )
    return {
      read: records.length,
      accepted: counts.accepted,
      quarantined: counts.quarantined,
      notKept,
      version,
    }
  } finally {
    engine.close()
  }
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
  const kept: DataFile[] = []
  for (const file of replaced) {
    const { store } = raw.table
    const folder = await makePrivateFolder(store)
    const source = store.localPath(decodePath(file.path))
    const target = store.localPath(`${folder}/kept.parquet`)
    const stays = `reject_kind <> 'record' OR coalesce(octet_length(original), 0) = 0${rule === undefined ? '' : ` OR NOT (reject_rule = ${literal(rule)} OR starts_with(reject_rule, ${literal(`${rule}.`)}))`}`
    const rows = await withQuarantine(raw, async (session) => {
      const [[count]] = await session.rows(`SELECT count(*) FROM ${parquetRows([source])} WHERE ${stays}`)
      if (Number(count) > 0)
        await session.run(
          `COPY (SELECT * FROM ${parquetRows([source])} WHERE ${stays}) TO ${literal(target)} (FORMAT parquet, COMPRESSION zstd)`,
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
