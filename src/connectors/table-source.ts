/**
 * What a connector to a database gives a transfer: the rows of a table as CSV text, in parts that can be read beside each other. A part
 * that an earlier, broken read has kept is read again only when the connector cannot say that it is still the same.
 */
import type { Readable } from 'node:stream'

export interface DatabaseLogin {
  username: string
  password: string
}

/** How a missing value stands in the stream, never in quotes; the same text as a value comes in quotes. */
export const NULL_TEXT = '\\N'

/** About so many bytes of a table are a part: little to read again after a break, few files and connections' turns for a large table. */
export const PART_BYTES = 128 * 1024 * 1024

/** A connection that is silent for so long is asked whether it still stands; the system gives up after some minutes. */
export const KEEP_ALIVE_MS = 30_000

/** The part of a read that is not cut. */
export const WHOLE = 'all'

export interface SourceColumn {
  name: string
  /** DuckDB's type that the text is read as. */
  duckType: string
  /** Comes as \\x and hexadecimal digits. */
  hex: boolean
}

export interface ReadOptions<Cursor> {
  /** Where an incremental read goes on. */
  since?: Cursor
  /** At most so many rows: of a draft. */
  limit?: number
  /** Parts that may be read at once, each on a connection of its own. */
  lanes?: number
  /** What was kept of a read that broke. */
  earlier?: ReadMoment
}

/** Of which table, read how, and when: what must be known to go on with a read that broke. */
export interface ReadMoment {
  identity: string
  /** The database's own mark of the moment. */
  moment: string
}

export interface PartStream {
  /** CSV without a header. */
  stream: Readable
  /** What must be remembered with the part; valid when the stream has ended. */
  note(): string
}

/** A read that has begun. `Cursor`: where an incremental read goes on, as its connector keeps it. */
export interface TableRead<Cursor = unknown> extends ReadMoment {
  columns: SourceColumn[]
  /** Rows of the whole table, as the database estimates them. */
  estimatedRows: number
  /** Names, in order. What an earlier read has under the same name is the same part. */
  parts: string[]
  /** Lanes that are worth opening. */
  lanes: number
  /** Parts of a lane are read one after the other. */
  open(part: string, lane: number): Promise<PartStream>
  /** Whether a part that was read at the earlier moment, with so many rows, is what this read would give. */
  keeps(part: string, rows: number, note: string): Promise<boolean>
  /** Valid when all parts are read or kept. */
  cursor(): Cursor | undefined
  /** An error that came while rows were read, by the table of errors; what is not the database's stays as it is. */
  failed(error: unknown): Error
  /** Ends the transactions; call it when nothing is read any more. */
  close(): Promise<void>
}

/** Whether the connection was lost, and the read may be tried again; otherwise it failed for what it is. */
export function isConnectionLost(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  return /^(ECONNRESET|EPIPE|ETIMEDOUT|ECONNREFUSED|EHOSTUNREACH|PROTOCOL_CONNECTION_LOST|57P0[1-3]|08\w{3})$/.test(code ?? '') || /^(Connection (terminated|ended|lost)|Client has encountered a connection error|Can't add new command when connection is in closed state)/i.test(message ?? '')
}
