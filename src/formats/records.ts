/**
 * What every decoder fills: rows of spans over a slab, row-major, plus what was wrong with the shape of single records.
 * A cell is two numbers: start in the slab, and length (-1 when the field is absent).
 */

export type ShapeIssueKind = 'repeated' | 'unexpected'

export interface ShapeIssue {
  row: number
  kind: ShapeIssueKind
  /** Path below the record, as a declaration would write it: `author/@id`. */
  path: string
  start: number
  length: number
}

export interface Records {
  readonly width: number
  rows: number
  cells: Int32Array
  /** Start and end of each record's own bytes in the slab, two numbers a row. */
  extents: Int32Array
  issues: ShapeIssue[]
}

export function createRecords(width: number): Records {
  const rows = 1024
  return { width, rows: 0, cells: new Int32Array(rows * width * 2), extents: new Int32Array(rows * 2), issues: [] }
}

/** Opens a row with all fields absent and returns its number. */
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

/** Takes back all rows from `row` on, with their issues: a message is decoded whole or not at all. */
export function truncateRows(records: Records, row: number): void {
  records.rows = row
  while (records.issues.length > 0 && records.issues[records.issues.length - 1].row >= row) records.issues.pop()
}

export function clearRecords(records: Records): void {
  records.rows = 0
  records.issues.length = 0
}

function growCells(records: Records): void {
  const grown = new Int32Array(Math.max(records.cells.length * 2, records.width * 2))
  grown.set(records.cells)
  records.cells = grown
}

function growExtents(records: Records): void {
  const grown = new Int32Array(records.extents.length * 2)
  grown.set(records.extents)
  records.extents = grown
}
