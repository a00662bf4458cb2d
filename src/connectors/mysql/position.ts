/** Where an incremental read starts and ends, and which rows of its overlap were read before. */
import { hash } from 'node:crypto'
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise'
import { failure } from '../../core/errors.ts'
import type { Table } from './describe.ts'

/**
 * Where an incremental read continues: the greatest value seen, and short hashes of the rows within the
 * overlap before it.
 */
export interface MysqlCursor {
  value: string
  /** 8 bytes per row, in base64. */
  seen: string
  /**
   * How far back before the value rows are remembered, and by which columns. Earlier versions did not store
   * it.
   */
  overlap?: number
  key?: string[]
  /** When the table was created, as the server states it. */
  created?: string
}

interface CursorConfig {
  table: string
  cursor?: string
  overlap?: number
}

const DEFAULT_OVERLAP = { seconds: 300, values: 10_000 }
/** Most rows within an overlap that a cursor can remember: 8 bytes each, stored with the job. */
const MOST_SEEN = 200_000

export interface Position {
  where: string[]
  /**
   * Four more columns: the row's identity, whether it is in the next overlap, whether the last read may have
   * taken it, and its identity as the last read computed it.
   */
  extra: string
  /** How far back rows are remembered when everything is read. */
  overlap: number
}

const cursorError = ({ cursor, table }: CursorConfig, reason: string): Error =>
  failure('cursor_invalid', { column: cursor, table, reason })

/**
 * The greatest value of the cursor column, if one is declared and there are rows. Throws if the column cannot
 * be a cursor.
 */
export async function greatestOf(
  connection: Connection,
  config: CursorConfig,
  { columns, key, written, isView }: Table,
  since: MysqlCursor | undefined,
): Promise<string | undefined> {
  if (config.cursor === undefined) return undefined
  if (!columns.some((column) => column.name === config.cursor))
    throw cursorError(config, 'it is not one of the columns that are read')
  if (key.length === 0)
    throw cursorError(config, 'the table has no primary key to tell rows apart; declare key')
  const id = mysql.escapeId(config.cursor, true)
  // The value never goes back: the newest rows may have been deleted, but the rows before them were read.
  const above = since === undefined ? '' : ` WHERE ${id} >= ${mysql.escape(since.value)}`
  // With an index, two queries cost less than one over all rows; a view would run for each.
  const query = isView
    ? `SELECT COALESCE(SUM(${id} IS NULL), 0) AS missing, CAST(MAX(${id}) AS CHAR) AS greatest
        FROM ${written}${above === '' ? '' : `${above} OR ${id} IS NULL`}`
    : `SELECT EXISTS (SELECT 1 FROM ${written} WHERE ${id} IS NULL) AS missing,
        (SELECT CAST(MAX(${id}) AS CHAR) FROM ${written}${above}) AS greatest`
  const [[{ missing, greatest }]] = await connection.query<RowDataPacket[]>(query)
  if (Number(missing) !== 0) throw cursorError(config, 'there are rows without a value in it')
  return (greatest as string | null) ?? undefined
}

interface Ends {
  since: MysqlCursor | undefined
  value: string | undefined
  /** Parts are read at their own moments, so rows above the value since then are left to the next read. */
  cut: boolean
}

export function positionOf(
  config: CursorConfig,
  { columns, key }: Table,
  { since, value, cut }: Ends,
): Position {
  const { cursor: name } = config
  if (name === undefined) return { where: [], extra: 'NULL, 0, 0, NULL', overlap: 0 }
  const time = columns.find((column) => column.name === name)?.time === true
  const id = mysql.escapeId(name, true)
  const declared = overlapOf(config.overlap, time ? DEFAULT_OVERLAP.seconds : DEFAULT_OVERLAP.values)
  const back = (from: string, overlap: number): string =>
    time
      ? `CAST(${mysql.escape(from)} AS DATETIME(6)) - INTERVAL ${overlap} SECOND`
      : `${mysql.escape(from)} - ${overlap}`
  const identityBy = (names: string[]): string =>
    `CONCAT_WS(CHAR(31), ${[...names, name].map((column) => mysql.escapeId(column, true)).join(', ')})`
  // Rows further back than the last read remembers would come again.
  const remembered = since?.overlap ?? declared
  const from = since === undefined ? [] : [`${id} >= ${back(since.value, Math.min(declared, remembered))}`]
  const to = !cut ? [] : [value === undefined ? 'FALSE' : `${id} <= ${mysql.escape(value)}`]
  const taken = since === undefined ? '0' : `${id} <= ${mysql.escape(since.value)}`
  const moved = since === undefined || value === undefined ? Infinity : distance(since.value, value, time)
  const overlap = Math.min(declared, remembered + moved)
  const extra = [
    identityBy(key),
    `${id} >= ${back(value ?? '', overlap)}`,
    taken,
    identityBy(since?.key ?? key),
  ]
  return {
    where: [...from, ...to],
    extra: value === undefined ? 'NULL, 0, 0, NULL' : extra.join(', '),
    overlap,
  }
}

const overlapOf = (given: number | undefined, usual: number): number =>
  Math.max(0, Math.floor(given ?? usual))

/**
 * The distance between two values of a cursor, in the unit of overlaps. 0 if they are neither times nor
 * numbers.
 */
function distance(from: string, to: string, time: boolean): number {
  const of = (text: string): number =>
    time ? Date.parse(`${text.replace(' ', 'T')}Z`) / 1_000 : Number(text)
  const found = Math.floor(of(to) - of(from))
  return found > 0 ? found : 0
}

/**
 * Where a job continues in the present table. Undefined for a table that was created since and whose values
 * end before the last one: it replaced another, or was filled again. (A changed table is created again, too,
 * and continues.) Throws if the rows that the last read remembers can no longer be identified.
 */
export async function goingOn(
  connection: Connection,
  config: CursorConfig,
  { columns, written, created, names }: Table,
  since: MysqlCursor | undefined,
): Promise<MysqlCursor | undefined> {
  if (since === undefined || config.cursor === undefined) return undefined
  const isMade = since.created !== undefined && created !== undefined && created !== since.created
  if (isMade && columns.some((column) => column.name === config.cursor)) {
    const id = mysql.escapeId(config.cursor, true)
    const [[{ behind }]] = await connection.query<RowDataPacket[]>(
      `SELECT COALESCE(MAX(${id}) < ${mysql.escape(since.value)}, TRUE) AS behind FROM ${written}`,
    )
    if (Number(behind) === 1) return undefined
  }
  const gone = (since.key ?? []).filter((column) => !names.includes(column))
  if (gone.length > 0)
    throw cursorError(config, `rows were told apart by ${gone.join(', ')}, which the table has no more`)
  return since
}

export interface Window {
  /**
   * Whether the row is new. It is remembered if it is in the next overlap. `known`: its identity as the last
   * read computed it.
   */
  takes(identity: string, inNext: boolean, maybeTaken: boolean, known?: string): boolean
  /** Hashes of the rows to remember, in base64. */
  note(): string
}

const markOf = (identity: string): string => hash('sha256', identity).slice(0, 16)

export function createWindow(before: ReadonlySet<string>, config: CursorConfig): Window {
  const next: string[] = []
  return {
    takes(identity, inNext, maybeTaken, known = identity) {
      if (inNext) next.push(markOf(identity))
      if (next.length > MOST_SEEN)
        throw cursorError(config, `more than ${MOST_SEEN} rows lie within its overlap; declare a smaller one`)
      return !(maybeTaken && before.has(markOf(known)))
    },
    note: () => Buffer.from(next.join(''), 'hex').toString('base64'),
  }
}
