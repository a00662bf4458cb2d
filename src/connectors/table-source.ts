/**
 * What a database connector gives a transfer: the rows of a table as CSV text, in parts that can be read in
 * parallel. A part that an earlier, broken read has kept is read again only if the connector cannot prove
 * that it is unchanged.
 */
import type { Readable } from 'node:stream'
import { failure } from '../core/errors.ts'

export interface DatabaseLogin {
  username: string
  password: string
  /**
   * Certificates of the authorities to check the server's certificate against, as PEM. The source's own `ca`
   * takes precedence.
   */
  ca?: string
}

/**
 * What happens to a value that no type of a file can hold (NaN, infinity, dates outside the years 1 to 9999,
 * invalid dates): its row is rejected, the value becomes null, or columns of such types become text in the
 * file.
 */
export const UNREPRESENTABLE = ['reject', 'null', 'text'] as const
export type Unrepresentable = (typeof UNREPRESENTABLE)[number]

/** The treatment that a source declares. Throws `setting_missing` for an unknown one. */
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

/** A missing value in the stream, never in quotes. The same text as a value is in quotes. */
export const NULL_TEXT = '\\N'

/**
 * About this many bytes of a table are a part: little to read again after a break, few files and turns of
 * connections for a large table.
 */
export const PART_BYTES = 128 * 1024 * 1024

/** After this much silence, a connection is probed. The system gives up after some minutes. */
export const KEEP_ALIVE_MS = 30_000

/** The only part of a read that is not divided. */
export const WHOLE = 'all'

export interface SourceColumn {
  name: string
  /** The DuckDB type for reading the text. */
  duckType: string
  /** Arrives as \\x and hexadecimal digits. */
  hex: boolean
  /** Its position in the rows of the stream, from 0. */
  place: number
  /** Text, because some values do not fit its numeric type. */
  isNumberText?: boolean
}

/** A rejected row, and why. */
export interface RejectedRow {
  column: string
  rule: string
  value: string
  message: string
  /** The row as the database shows it, as JSON; only its beginning if it is long. */
  original: string
}

export interface ReadOptions<Cursor> {
  /** Where an incremental read continues. */
  since?: Cursor
  /** At most this many rows, for a draft. */
  limit?: number
  /** Parts that may be read at once, each on its own connection. */
  lanes?: number
  /** What a broken read has kept. */
  earlier?: ReadMoment
}

/** The table, the way of reading and the moment: needed to continue a broken read. */
export interface ReadMoment {
  identity: string
  /** The database's own mark of the moment. */
  moment: string
}

/** Rows that take another way than the others. */
export interface Aside {
  reject(row: RejectedRow): void
  /** A row, as CSV, that is too long for the reader of the others. */
  large(row: Buffer): void
}

/**
 * Larger rows are set aside: DuckDB's reader accepts at most 2 MB, unless it gets more memory for all rows.
 */
export const LARGE_ROW_BYTES = 1_500_000

export interface PartStream {
  /** CSV without a header. */
  stream: Readable
  /** What to remember with the part. Valid when the stream has ended. */
  note(): string
}

/** A read that has begun. `Cursor`: where an incremental read continues, as its connector stores it. */
export interface TableRead<Cursor = unknown> extends ReadMoment {
  columns: SourceColumn[]
  /** The database's estimate of the rows in the whole table. */
  estimatedRows: number
  /** Names, in order. A part of an earlier read with the same name is the same part. */
  parts: string[]
  /** Number of useful lanes. */
  lanes: number
  /** Parts of a lane are read one after the other. */
  open(part: string, lane: number, aside: Aside): Promise<PartStream>
  /**
   * Whether a part that was read at the earlier moment, with this many rows (including rejected ones), is
   * what this read would give.
   */
  keeps(part: string, rows: number, note: string): Promise<boolean>
  /** Valid when all parts are read or kept. */
  cursor(): Cursor | undefined
  /**
   * Turns an error during the read into one of our table. Errors that are not the database's stay as they
   * are.
   */
  failed(error: unknown): Error
  /** Ends the transactions. Call it when nothing is being read. */
  close(): Promise<void>
}

/**
 * Throws `source_failed` for columns whose names differ only in case: DuckDB, Spark and Delta treat them as
 * one. Renaming one of them is no solution, because a reader could not know which one.
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

/** Whether the connection was lost, so that a retry may help. Any other error is final. */
export function isConnectionLost(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  return LOST_CODES.test(code ?? '') || LOST_TEXTS.some((text) => text.test(message ?? ''))
}
