/** The check of a column: compiled from its declaration, it reads cells and stores values. */
import type { Column } from '../dataset/declaration.ts'
import type { ColumnValues } from '../core/rows.ts'
import type { TextBytes } from './text-bytes.ts'

/** The cells of one column: number `index` of `width`, in `rows` rows of (start, length) pairs, row-major. */
export interface ColumnCells {
  text: TextBytes
  cells: Int32Array
  index: number
  width: number
  rows: number
  skip: Uint8Array
}

export interface ColumnCheck {
  readonly column: Column
  readonly values: ColumnValues
  /** The fault of the last checked value, if an item of its array was wrong. */
  readonly fault: ItemFault | undefined
  /**
   * Checks the value of `row`, a span of the text (length -1: absent), and stores it. Returns undefined, or
   * the broken rule; then the row has no value in this column.
   */
  check(text: TextBytes, row: number, start: number, length: number): string | undefined
  /** Checks the cells of all rows whose `skip` is 0; calls `onBroken` for each that breaks a rule. */
  checkAll(cells: ColumnCells, onBroken: (row: number, rule: string) => void): void
}

/** A fault in an array, and its place below the column: `[1]`, `[1].price`. Items count from 0. */
export interface ItemFault {
  rule: string
  where: string
  column: Column
  value: string
}
