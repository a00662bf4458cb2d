/** A request to commit to a table: rows, positions and counts that become visible together. */
import type { DataFile, TableColumn, TableSchema } from './table-schema.ts'

export interface CommitRequest {
  /**
   * Names the operation. If you repeat an operation under its name, because its outcome was unknown, it
   * happens once.
   */
  id?: string
  operation: string
  adds: DataFile[]
  /** Paths of files that this commit replaces. */
  removes: string[]
  marks: Record<string, number>
  /** Amounts to add to the marks that the table has at the commit, whoever wrote them. */
  counts?: Record<string, number>
  /** Values that the marks must have, or the commit fails. Undefined: the mark must be absent. */
  expect: Record<string, number | undefined>
  /**
   * The new schema, computed from the columns that the table has at the commit: another writer may have added
   * some since you read it. Undefined: nothing is left to change. A schema given as a value keeps the
   * columns that another writer added.
   */
  schema?: TableSchema | ((columns: TableColumn[]) => TableSchema | undefined)
  /** False for commits that only rearrange rows. Default true. */
  dataChange?: boolean
  info?: Record<string, unknown>
}
