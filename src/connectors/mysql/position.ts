/** Where an incremental read begins and ends, and which rows of its overlap came before. */
import { hash } from 'node:crypto'
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise'
import { failure } from '../../core/errors.ts'
import type { Table } from './describe.ts'

/**
 * Where an incremental read goes on: the greatest value seen, and short hashes of the rows within the overlap
 * before it.
 */
export interface MysqlCursor {
  value: string
  /** 8 bytes a row, in base64. */
  seen: string
}

interface CursorConfig {
  table: string
  cursor?: string
  overlap?: number
}

const DEFAULT_OVERLAP = { seconds: 300, values: 10_000 }
/** Rows within an overlap that a cursor may remember: 8 bytes each, kept with the job. */
const MOST_SEEN = 200_000

export interface Position {
  where: string[]
  /**
   * Three more columns: the row's identity, whether it lies in the next overlap, whether the last read may
   * have taken it.
   */
  extra: string
}

const cursorError = ({ cursor, table }: CursorConfig, reason: string): Error =>
  failure('cursor_invalid', { column: cursor, table, reason })

/**
 * The greatest value of the cursor column, if one is declared and there are rows. Throws for a column that
 * cannot be one.
 */
export async function greatestOf(
  connection: Connection,
  config: CursorConfig,
  { columns, key, written, isView }: Table,
  since: MysqlCursor | undefined,
): Promise<string | undefined> {
  if (config.cursor === undefined) return undefined
  if (!columns.some((one) => one.name === config.cursor))
    throw cursorError(config, 'it is not one of the columns that are read')
  if (key.length === 0)
    throw cursorError(config, 'the table has no primary key to tell rows apart; declare key')
  const id = mysql.escapeId(config.cursor, true)
  // By an index, two looks cost less than one over all rows; a view would be run for each.
  const above = since === undefined ? '' : ` WHERE ${id} >= ${mysql.escape(since.value)} OR ${id} IS NULL`
  const query = isView
    ? `SELECT COALESCE(SUM(${id} IS NULL), 0) AS missing, CAST(MAX(${id}) AS CHAR) AS greatest
        FROM ${written}${above}`
    : `SELECT EXISTS (SELECT 1 FROM ${written} WHERE ${id} IS NULL) AS missing,
        (SELECT CAST(MAX(${id}) AS CHAR) FROM ${written}) AS greatest`
  const [[{ missing, greatest }]] = await connection.query<RowDataPacket[]>(query)
  if (Number(missing) !== 0) throw cursorError(config, 'there are rows without a value in it')
  return (greatest as string | null) ?? undefined
}

interface Ends {
  since: MysqlCursor | undefined
  value: string | undefined
  /**
   * Parts are read at moments of their own, so that what came above the value since then is left to the next
   * read.
   */
  cut: boolean
}

export function positionOf(
  config: CursorConfig,
  { columns, key }: Table,
  { since, value, cut }: Ends,
): Position {
  const { cursor: name } = config
  if (name === undefined) return { where: [], extra: 'NULL, 0, 0' }
  const time = columns.find((one) => one.name === name)?.time === true
  const id = mysql.escapeId(name, true)
  const overlap = overlapOf(config.overlap, time ? DEFAULT_OVERLAP.seconds : DEFAULT_OVERLAP.values)
  const back = (from: string): string =>
    time
      ? `CAST(${mysql.escape(from)} AS DATETIME(6)) - INTERVAL ${overlap} SECOND`
      : `${mysql.escape(from)} - ${overlap}`
  const identity = `CONCAT_WS(CHAR(31), ${[...key, name].map((one) => mysql.escapeId(one, true)).join(', ')})`
  const from = since === undefined ? [] : [`${id} >= ${back(since.value)}`]
  const to = !cut ? [] : [value === undefined ? 'FALSE' : `${id} <= ${mysql.escape(value)}`]
  const taken = since === undefined ? '0' : `${id} <= ${mysql.escape(since.value)}`
  return {
    where: [...from, ...to],
    extra: value === undefined ? 'NULL, 0, 0' : `${identity}, ${id} >= ${back(value)}, ${taken}`,
  }
}

const overlapOf = (given: number | undefined, usual: number): number =>
  Math.max(0, Math.floor(given ?? usual))

export interface Window {
  /** Whether the row is new; it is remembered when it lies in the next overlap. */
  takes(identity: string, inNext: boolean, maybeTaken: boolean): boolean
  /** Marks of the rows to remember, in base64. */
  note(): string
}

export function createWindow(before: ReadonlySet<string>, config: CursorConfig): Window {
  const next: string[] = []
  return {
    takes(identity, inNext, maybeTaken) {
      const mark = inNext || maybeTaken ? hash('sha256', identity).slice(0, 16) : ''
      if (inNext) next.push(mark)
      if (next.length > MOST_SEEN)
        throw cursorError(config, `more than ${MOST_SEEN} rows lie within its overlap; declare a smaller one`)
      return !(maybeTaken && before.has(mark))
    },
    note: () => Buffer.from(next.join(''), 'hex').toString('base64'),
  }
}
