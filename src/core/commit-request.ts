/** What a commit of a table is asked for: rows, positions and counts that become true together. */
import type { DataFile, TableColumn, TableSchema } from './table-schema.ts'

export interface CommitRequest {
  /**
   * Names the operation. One that is tried again under its name after an error whose outcome is not known
   * happens once.
   */
  id?: string
  operation: string
  adds: DataFile[]
  /** Paths of files that this commit replaces. */
  removes: string[]
  marks: Record<string, number>
  /** Amounts by which marks grow: added to what the table has when the commit is made, whoever wrote it. */
  counts?: Record<string, number>
  /** What the marks must be for the commit to be right; undefined: must be absent. */
  expect: Record<string, number | undefined>
  /**
   * The new schema, of the columns that the table has when the commit is made: another writer may have added
   * some since it was read. Undefined when there is nothing to change any more. Given as such, it keeps
   * those.
   */
  schema?: TableSchema | ((columns: TableColumn[]) => TableSchema | undefined)
  /** False for commits that only rearrange rows. Default true. */
  dataChange?: boolean
  info?: Record<string, unknown>
}
