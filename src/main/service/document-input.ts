/**
 * XML and JSON documents as input of a transfer: decoded and judged as on their way into the zones, by a declaration, in a table of the
 * execution's own; its accepted rows are the file, and what was quarantined are the rejects.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BY_LOCAL_PATH } from '../../core/object-store.ts'
import { literal, name } from '../../engines/duckdb/sql.ts'
import { rowsOfFiles } from '../../engines/duckdb/table-view.ts'
import { decodePath } from '../../lakehouse/actions.ts'
import { columnsOf } from '../../lakehouse/snapshot.ts'
import { placeDataset } from '../home.ts'
import { openRaw, type RawTable } from '../raw-table.ts'
import { streamOf } from '../stream-run.ts'
import { declaredDataset } from './declared-dataset.ts'
import { copyFresh } from './file-input.ts'
import { inSession, type Read, type Target } from './transfer-read.ts'
import type { Work } from './work.ts'

/** Documents that are new, each once. `now` in seconds, monotonic. */
export async function readDocuments(work: Work, { staged, rejects, progress, now }: Target): Promise<Read> {
  const begun = now()
  const home = join(work.workFolder, 'documents')
  const folder = join(home, 'inbox')
  // What a killed attempt left is numbered as its files were: the same names could hold others now.
  await rm(home, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const { of, bytes, share } = await copyFresh(work, folder, progress)
  if (bytes === 0) return { rows: 0, rejected: 0, bytes: 0, totalRows: 0, cursor: of, startupSeconds: now() - begun, nothingNew: true }
  // Processes below this one work in a home of their own.
  process.env.HEADRACE_HOME = home
  const loaded = placeDataset(declaredDataset(work.sourceType, work.source, true), join(home, 'declaration.yaml'))
  const startupSeconds = now() - begun
  await streamOf(loaded, { engine: {}, untilCaughtUp: true, metricsPort: undefined, signal: new AbortController().signal, onCommit: ({ counts }) => progress(counts.accepted, counts.bytes, 'reading'), say: (text) => process.stdout.write(`${new Date().toISOString()} ${text}\n`) })
  const raw = await openRaw(loaded.dataset, loaded.rawPath, Date.now())
  const { rows, rejected } = await writeFiles(work, raw, { staged, rejects })
  return { rows, rejected, bytes: work.draft ? 0 : bytes, totalRows: Math.round(rows / Math.max(share, Number.EPSILON)), cursor: of, startupSeconds }
}

async function writeFiles(work: Work, { table, columns }: RawTable, { staged, rejects }: Pick<Target, 'staged' | 'rejects'>): Promise<{ rows: number; rejected: number }> {
  const { metadata, files } = table.snapshot
  const live = [...files.values()]
  await BY_LOCAL_PATH.ready(table.store, live.map((file) => decodePath(file.path)))
  const of = (outcome: string): string => `(${rowsOfFiles(columnsOf(metadata), metadata.partitionColumns, live.filter((file) => file.partitionValues.outcome === outcome).map((file) => ({ path: BY_LOCAL_PATH.path(table.store, decodePath(file.path)), partitionValues: file.partitionValues })))})`
  return inSession(work, async (session) => {
    await session.run(`COPY (SELECT ${columns.map((column) => name(column.name)).join(', ')} FROM ${of('accepted')}) TO ${literal(staged)} (FORMAT parquet, COMPRESSION zstd)`)
    const [[rows, rejected]] = await session.rows(`SELECT (SELECT count(*) FROM ${of('accepted')}), (SELECT count(*) FROM ${of('quarantined')} WHERE reject_kind = 'record')`)
    if (Number(rejected) > 0) await session.run(`COPY (SELECT message_key AS file_path, ordinal AS line, reject_path AS column_name, reject_rule AS rule, reject_reason AS error_message, original FROM ${of('quarantined')} WHERE reject_kind = 'record') TO ${literal(rejects)} (FORMAT parquet, COMPRESSION zstd)`)
    return { rows: Number(rows), rejected: Number(rejected) }
  })
}
