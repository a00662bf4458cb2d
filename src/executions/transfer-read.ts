/** The input and the result of reading any source of a transfer. */
import { join } from 'node:path'
import { openSession, type DuckSession } from '../engines/duckdb/session.ts'
import type { TransferResult } from '../engines/duckdb/transfer.ts'
import type { Progress, Work } from './work.ts'

export interface Target {
  staged: string
  rejects: string
  progress: Progress
  /** Seconds, monotonic. */
  now: () => number
}

export interface Read extends TransferResult {
  bytes: number
  /** Rows of the whole source, as far as known. */
  totalRows: number
  cursor?: unknown
  startupSeconds: number
  /** An incremental read without new rows: no file is written. */
  nothingNew?: boolean
  /** Parts of the table that an earlier attempt had read. */
  partsKept?: number
  /** Columns that are text because some values are no numbers; all other values in them are. */
  numberTexts?: string[]
}

/** The result of an incremental read without new rows. */
export const nothingNew = (cursor: unknown, startupSeconds: number): Read => ({
  rows: 0,
  rejected: 0,
  bytes: 0,
  totalRows: 0,
  cursor,
  startupSeconds,
  nothingNew: true,
})

/** DuckDB's share of the memory of an execution. The process itself uses the rest. */
const SESSION_SHARE = 0.6

/** DuckDB's memory limit. */
export const sessionBytes = (work: Work): number => Math.floor(work.memoryBytes * SESSION_SHARE)

/** Opens a session of the execution for the duration of the action. */
export async function inSession<T>(work: Work, action: (session: DuckSession) => Promise<T>): Promise<T> {
  const session = await openSession({
    memoryBytes: sessionBytes(work),
    threads: work.threads,
    spillFolder: join(work.workFolder, 'spill'),
  })
  try {
    return await action(session)
  } finally {
    await session.close()
  }
}

const DEFAULT_SAMPLE_ROWS = 10_000

/** Most rows of a draft. */
export const limitOf = (work: Work): number | undefined =>
  work.draft ? Number(work.source.sample_rows ?? DEFAULT_SAMPLE_ROWS) : undefined
