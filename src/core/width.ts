/**
 * What the width of a table does to memory: an engine keeps something for each column, however few rows
 * there are.
 */
import { LIMITS } from './limits.ts'

/** Memory of a stream's engine for a table of so many columns: 410 MiB for 2,000. */
export function engineMemoryFor(columns: number): number {
  return LIMITS.engineMemory + columns * LIMITS.engineMemoryPerColumn
}

/**
 * Beyond `wideColumns`, each column takes so much from what may be staged, until the share of a column is
 * all that is left.
 */
const TAKEN_BY_COLUMN = 512 * 1024

/** Bytes that are staged before a file is written: at most half a stage is full while another is written. */
export function stagedBytesFor(columns: number): number {
  if (columns <= LIMITS.wideColumns) return LIMITS.stagedBytes
  return Math.max(
    columns * LIMITS.stagedBytesPerColumn,
    LIMITS.stagedBytes - (columns - LIMITS.wideColumns) * TAKEN_BY_COLUMN,
  )
}
