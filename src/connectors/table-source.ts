/** What a connector to a database gives a transfer: the rows of a table as CSV text in a stream, of one snapshot. */
import type { Readable } from 'node:stream'

export interface DatabaseLogin {
  username: string
  password: string
}

/** How a missing value stands in the stream, never in quotes; the same text as a value comes in quotes. */
export const NULL_TEXT = '\\N'

export interface SourceColumn {
  name: string
  /** DuckDB's type that the text is read as. */
  duckType: string
  /** Comes as \\x and hexadecimal digits. */
  hex: boolean
}

/** A read that has begun. `Cursor`: where an incremental read goes on, as its connector keeps it. */
export interface TableRead<Cursor = unknown> {
  columns: SourceColumn[]
  /** Rows of the whole table, as the database estimates them. */
  estimatedRows: number
  /** CSV without a header. */
  stream: Readable
  /** Valid when the stream has ended. */
  cursor(): Cursor | undefined
  /** Ends the transaction; call it when the stream has ended or is not wanted any more. */
  close(): Promise<void>
}
