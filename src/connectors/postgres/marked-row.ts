/** Rows that carry a message instead of values: how they begin, and their content. */
import { randomBytes } from 'node:crypto'
import { failure } from '../../core/errors.ts'
import type { RejectedRow } from '../table-source.ts'
import type { PostgresColumn } from './file-type.ts'

export interface Mark {
  /** In SQL, without quotes. */
  text: string
  /** The beginning of such a row: quotes follow, so CSV quotes the whole field. */
  bytes: Buffer
}

/** No value begins with it: it is random for each read. */
export function createMark(): Mark {
  const text = `\u0001${randomBytes(16).toString('hex')}`
  return { text, bytes: Buffer.from(`"${text}`) }
}

/** The content of the row's first field after the mark. */
export function saidBy(row: Buffer, { bytes }: Mark): unknown[] {
  const text = row.toString('utf8', bytes.length)
  const field = /^(?:[^"]|"")*/.exec(text)?.[0] ?? ''
  try {
    return JSON.parse(field.replaceAll('""', '"')) as unknown[]
  } catch (error) {
    throw failure('internal', { reason: `a row that was marked says ${field.slice(0, 200)}` }, error)
  }
}

/** `[which column, its value, the row]` as a reject. */
export function rejectOf([place, value, original]: unknown[], columns: PostgresColumn[]): RejectedRow {
  const { name, type, rule = 'type' } = columns[Number(place)]
  const message = `${String(value)} is a value of ${type} that a file cannot hold`
  return { column: name, rule, value: String(value), message, original: String(original) }
}

const MOST_ORIGINAL = 65_536

/** A row of a database that does not check its texts. */
export function brokenText(row: Buffer): RejectedRow {
  const original = row.toString('utf8', 0, MOST_ORIGINAL)
  return { column: '', rule: 'malformed', value: '', message: 'invalid UTF-8', original }
}
