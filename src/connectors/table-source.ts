/**
 * What a connector to a database gives a transfer: the rows of a table as CSV text, in parts that can be read
 * beside each other. A part that an earlier, broken read has kept is read again only when the connector
 * cannot say that it is still the same.
 */
import type { Readable } from 'node:stream'
import { failure } from '../core/errors.ts'

export interface DatabaseLogin {
  username: string
  password: string
  /**
   * Certificates of the authorities that the server's is checked against, as PEM; the source's own `ca` comes
   * first.
   */
  ca?: string
}

/**
 * What becomes of a value that no file's type can hold (NaN, infinity, dates outside of the years 1 to 9999,
 * dates that are none): its row is a reject, the value is missing, or columns of types that have such values
 * are text in the file.
 */
export const UNREPRESENTABLE = ['reject', 'null', 'text'] as const
export type Unrepresentable = (typeof UNREPRESENTABLE)[number]

/** The treatment that a source declares. Throws `setting_missing` for one that is none. */
export function treatmentOf(declared: unknown): Unrepresentable {
  const treatment = UNREPRESENTABLE.find((choice) => choice === (declared ?? 'reject'))
  if (treatment !== undefined) return treatment
  const known = UNREPRESENTABLE.map((choice) => `"${choice}"`).join(', ')
  throw failure('setting_missing', {
    where: 'source_config',
    setting: `unrepresentable as one of ${known}`,
    example: '"unrepresentable": "reject"',
  })
}

/** How a missing value stands in the stream, never in quotes; the same text as a value comes in quotes. */
export const NULL_TEXT = '\\N'

/**
 * About so many bytes of a table are a part: little to read again after a break, few files and connections'
 * turns for a large table.
 */
export const PART_BYTES = 128 * 1024 * 1024

/**
 * A connection that is silent for so long is asked whether it still stands; the system gives up after some
 * minutes.
 */
export const KEEP_ALIVE_MS = 30_000

/** The part of a read that is not cut. */
export const WHOLE = 'all'

export interface SourceColumn {
  name: string
  /** DuckDB's type that the text is read as. */
  duckType: string
  /** Comes as \\x and hexadecimal digits. */
  hex: boolean
  /** Where it stands in the rows of the stream, from 0. */
  place: number
  /** Is text for the sake of values that are none of its type; the others are numbers. */
  isNumberText?: boolean
}

/** A row that is not taken, and why. */
export interface RejectedRow {
  column: string
  rule: string
  value: string
  message: string
  /** The row as the database shows it, as JSON; its beginning when it is long. */
  original: string
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

/** What does not go the way of all rows. */
export interface Aside {
  reject(row: RejectedRow): void
  /** A row, as CSV, that is too long for the reader of the others. */
  large(row: Buffer): void
}

/** A row of more bytes goes aside: DuckDB's reader takes 2 MB at most without more memory for all. */
export const LARGE_ROW_BYTES = 1_500_000

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
  open(part: string, lane: number, aside: Aside): Promise<PartStream>
  /**
   * Whether a part that was read at the earlier moment, with so many rows (rejected ones too), is what this
   * read would give.
   */
  keeps(part: string, rows: number, note: string): Promise<boolean>
  /** Valid when all parts are read or kept. */
  cursor(): Cursor | undefined
  /**
   * An error that came while rows were read, by the table of errors; what is not the database's stays as it
   * is.
   */
  failed(error: unknown): Error
  /** Ends the transactions; call it when nothing is read any more. */
  close(): Promise<void>
}

/**
 * Throws `source_failed` for columns whose names differ only in case: DuckDB, Spark and Delta take them for
 * one. No name is changed instead, because which of two would get another one is nothing that a reader could
 * know.
 */
export function checkTwins(columns: { name: string }[], table: string, address: string): void {
  const seen = new Map<string, string>()
  for (const { name } of columns) {
    const twin = seen.get(name.toLowerCase())
    seen.set(name.toLowerCase(), name)
    if (twin === undefined) continue
    const way = 'name the columns to read in columns, or read a view that gives one of them another name'
    const what = `columns ${twin} and ${name} of ${table} differ only in case`
    const reason = `${what}, which tables in files cannot have; ${way}`
    throw failure('source_failed', { address, reason })
  }
}

const LOST_CODES =
  /^(ECONNRESET|EPIPE|ETIMEDOUT|ECONNREFUSED|EHOSTUNREACH|PROTOCOL_CONNECTION_LOST|57P0[1-3]|08\w{3})$/
const LOST_TEXTS = [
  /^Connection (terminated|ended|lost)/i,
  /^Client has encountered a connection error/i,
  /^Can't add new command when connection is in closed state/i,
]

/** Whether the connection was lost, and the read may be tried again; otherwise it failed for what it is. */
export function isConnectionLost(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  return LOST_CODES.test(code ?? '') || LOST_TEXTS.some((text) => text.test(message ?? ''))
}
