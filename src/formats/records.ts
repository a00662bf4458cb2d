/**
 * The output of every decoder: rows of spans over a slab, row-major, plus the faults in the shape of single
 * records. A cell is two numbers: the start in the slab, and the length (-1 if the field is absent).
 */
import { failure } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Slab } from '../core/slab.ts'

/** `malformed`: the record itself, in a format whose records stand alone. */
export type ShapeIssueKind = 'repeated' | 'unexpected' | 'malformed'

export interface ShapeIssue {
  row: number
  kind: ShapeIssueKind
  /** Path below the record, as in a declaration: `author/@id`. */
  path: string
  start: number
  length: number
  /** Why a record is malformed, or why an unexpected field cannot become a column. */
  reason?: string | undefined
}

export interface Records {
  readonly width: number
  rows: number
  cells: Int32Array
  /** Start and end of each record's own bytes in the slab, two numbers per row. */
  extents: Int32Array
  /** The line of its document at which each record starts, from 1. 0 where lines mean nothing (XML, JSON). */
  lines: Int32Array
  issues: ShapeIssue[]
}

/** Why a document cannot be read further. */
export interface DocumentFault {
  rule: 'malformed' | 'wrong_root'
  reason: string
  /** Byte position in the slab. -1 if the reason states the place. */
  at: number
}

/** Text before and after a record. Built on demand where it is expensive. */
export type Surroundings =
  | readonly [before: string, after: string]
  | (() => readonly [before: string, after: string])

/** Reads documents of one format: whole ones in the slab, and larger ones in windows. */
export interface DocumentScanner {
  /** Rows of the documents since `records` was cleared. Cells are spans of the given slab. */
  readonly records: Records
  /**
   * Text that turns the bytes of a row's record into a small document that can be read again: before and
   * after them.
   */
  around(row: number): Surroundings
  /**
   * Scans the document in [start, end) of the slab. Returns undefined, or its fault; then it added no rows.
   * It may overwrite the byte at `end` during the call: the slab must be larger than its input.
   */
  scanMessage(slab: Slab, start: number, end: number): DocumentFault | undefined
  /** Starts a document that comes in windows. */
  beginDocument(): void
  /**
   * Scans the next window [start, end) of the document. `consumed`: where the next window must start (a
   * record is never split). Rows are complete records. With `final`, the document must end here.
   */
  scanWindow(slab: Slab, start: number, end: number, final: boolean): WindowScan
}

export interface WindowScan {
  consumed: number
  fault: DocumentFault | undefined
  /** No room for more records: the next call scans the rest of the window, also of the last one. */
  isFull: boolean
}

/** Rows to decode at a time: values times columns must not take unlimited memory. */
export function roomOf(width: number): number {
  const most = width > LIMITS.wideColumns ? LIMITS.blockCellsWide : LIMITS.blockCells
  return Math.max(1, Math.floor(most / Math.max(1, width)))
}

export function createRecords(width: number): Records {
  const rows = 1024
  return {
    width,
    rows: 0,
    cells: new Int32Array(rows * width * 2),
    extents: new Int32Array(rows * 2),
    lines: new Int32Array(rows),
    issues: [],
  }
}

/** Opens a row with all fields absent, and returns its number. */
export function addRow(records: Records): number {
  const row = records.rows
  const size = records.width * 2
  if ((row + 1) * size > records.cells.length) growCells(records)
  if ((row + 1) * 2 > records.extents.length) growExtents(records)
  const from = row * size
  for (let i = from + 1; i < from + size; i += 2) records.cells[i] = -1
  records.rows = row + 1
  return row
}

/** Removes all rows from `row` on, with their issues: a message is decoded completely or not at all. */
export function truncateRows(records: Records, row: number): void {
  records.rows = row
  while (records.issues.length > 0 && records.issues[records.issues.length - 1].row >= row)
    records.issues.pop()
}

export function clearRecords(records: Records): void {
  records.rows = 0
  records.issues.length = 0
}

/**
 * A record of many columns takes memory for its width, however little it contains. So rows must be limited.
 */
function growCells(records: Records): void {
  const { cells, rows, width } = records
  const most = roomOf(width) * width * 2
  if (cells.length >= most)
    throw failure('memory_exceeded', {
      limit: `room of ${most / 2} values`,
      reason: `${rows} records of ${width} columns at a time`,
    })
  const grown = new Int32Array(Math.min(most, Math.max(cells.length * 2, width * 2)))
  grown.set(records.cells)
  records.cells = grown
}

function growExtents(records: Records): void {
  const grown = new Int32Array(records.extents.length * 2)
  grown.set(records.extents)
  records.extents = grown
  const lines = new Int32Array(records.extents.length / 2)
  lines.set(records.lines)
  records.lines = lines
}
