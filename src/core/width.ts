/**
 * How the width of a table affects memory: an engine keeps a buffer for each column, however few rows there
 * are.
 */
import { LIMITS } from './limits.ts'

/** Memory of a stream's engine for a table of this many columns: 410 MiB for 2,000. */
export function engineMemoryFor(columns: number): number {
  return LIMITS.engineMemory + columns * LIMITS.engineMemoryPerColumn
}

/**
 * Beyond `wideColumns`, each column reduces the bytes that may be staged by this much, down to the share per
 * column.
 */
const TAKEN_BY_COLUMN = 512 * 1024

/** Bytes to stage before a file is written. At most half of them are in use while another file is written. */
export function stagedBytesFor(columns: number): number {
  if (columns <= LIMITS.wideColumns) return LIMITS.stagedBytes
  return Math.max(
    columns * LIMITS.stagedBytesPerColumn,
    LIMITS.stagedBytes - (columns - LIMITS.wideColumns) * TAKEN_BY_COLUMN,
  )
}
