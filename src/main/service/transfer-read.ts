/** What reading an input of a transfer needs and gives, whatever the input is. */
import type { TransferResult } from '../../engines/duckdb/transfer.ts'
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
}

const DEFAULT_SAMPLE_ROWS = 10_000

/** Rows that a draft takes at most. */
export const limitOf = (work: Work): number | undefined => (work.draft ? Number(work.source.sample_rows ?? DEFAULT_SAMPLE_ROWS) : undefined)
