/** What reading an input of a transfer needs and gives, whatever the input is. */
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
  /** Rows that the whole source has, as well as is known. */
  totalRows: number
  cursor?: unknown
  startupSeconds: number
  /** An incremental read that found nothing: no file is written. */
  nothingNew?: boolean
  /** Parts of the table that an earlier attempt had read. */
  partsKept?: number
  /** Columns that are text for the sake of values that are no numbers; all others in them are. */
  numberTexts?: string[]
}

/** What an incremental read gives that found nothing. */
export const nothingNew = (cursor: unknown, startupSeconds: number): Read => ({
  rows: 0,
  rejected: 0,
  bytes: 0,
  totalRows: 0,
  cursor,
  startupSeconds,
  nothingNew: true,
})

/** DuckDB's part of the memory of an execution; the rest is the process's own. */
const SESSION_SHARE = 0.6

/** What DuckDB may take of it. */
export const sessionBytes = (work: Work): number => Math.floor(work.memoryBytes * SESSION_SHARE)

/** A session of the execution for as long as the action takes. */
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

/** Rows that a draft takes at most. */
export const limitOf = (work: Work): number | undefined =>
  work.draft ? Number(work.source.sample_rows ?? DEFAULT_SAMPLE_ROWS) : undefined
