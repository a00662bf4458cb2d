/**
 * Writes CSV, JSON and NDJSON of a job into one Parquet file. Only one judge decides what is accepted, and
 * with which value: the checks of a stream. DuckDB reads in bulk if every value is proven to be one that they
 * accept; otherwise, the files go through them record by record.
 */
import type { DuckSession } from '../engines/duckdb/session.ts'
import type { TransferResult } from '../engines/duckdb/transfer.ts'
import type { FileColumn } from './declared-columns.ts'
import { readExactly } from './exact-read.ts'
import { asText, planFiles, type FilePlan, type FileSettings } from './file-plan.ts'
import { freeName } from '../dataset/column-names.ts'
import { keyOf, keyPath, wholeTextColumn } from './file-sample.ts'
import { mayBeProven, readProven } from './proven-read.ts'
import type { Progress } from './work.ts'

export interface TextsInput {
  settings: FileSettings
  files: { path: string; name: string }[]
  /** Rows of a draft. */
  limit: number | undefined
  staged: string
  rejects: string
  memoryBytes: number
  progress: Progress
}

export async function readTexts(session: DuckSession, input: TextsInput): Promise<TransferResult> {
  const { settings, files, limit, staged, progress } = input
  const paths = files.map((file) => file.path)
  let plan = await planFiles(settings, paths)
  if (limit === undefined && (await mayBeProven(plan, settings, paths))) {
    const rows = await readProven(session, plan, paths, staged)
    if (rows !== undefined) return { rows, rejected: 0 }
  }
  for (;;) {
    const { rows, rejected, discovered, misfits } = await readExactly(
      session,
      {
        ...plan,
        files,
        limit,
        label: (column) => column.name,
        onRows: (count, bytes) => progress(count, bytes, 'reading'),
      },
      input,
    )
    if (discovered.length === 0 && misfits.length === 0) return { rows, rejected }
    const added = keysOf(plan, discovered)
    plan = { ...plan, columns: [...asText(plan, misfits), ...added] }
    // There is no room for more columns: records with such keys are rejected.
    if (discovered.length > 0 && added.length === 0)
      plan = { ...plan, dataset: { ...plan.dataset, drift: 'freeze' } }
  }
}

/** Most keys of JSON that become columns if nobody declared any. */
const MOST_COLUMNS = 2_000

/** Columns for keys that appeared after the sample. */
function keysOf(plan: FilePlan, paths: string[]): FileColumn[] {
  const keys = [...new Set(paths.map(keyOf))].filter(
    (key) => !plan.columns.some(({ column }) => column.path === keyPath(key)),
  )
  const taken = new Set(plan.columns.map(({ column }) => column.name.toLowerCase()))
  return keys
    .slice(0, Math.max(0, MOST_COLUMNS - plan.columns.length))
    .map((key) => wholeTextColumn(freeName(key, taken), keyPath(key), plan.dataset.record.format))
}
