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
  /**
   * How far back before the value rows are remembered, and by which columns. Earlier versions did not keep
   * it.
   */
  overlap?: number
  key?: string[]
  /** When the table was made, as the server says it. */
  created?: string
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
   * Four more columns: the row's identity, whether it lies in the next overlap, whether the last read may
   * have taken it, and its identity as the last read knew it.
   */
  extra: string
  /** How far back rows are remembered when all is read. */
  overlap: number
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
  if (!columns.some((column) => column.name === config.cursor))
    throw cursorError(config, 'it is not one of the columns that are read')
  if (key.length === 0)
    throw cursorError(config, 'the table has no primary key to tell rows apart; declare key')
  const id = mysql.escapeId(config.cursor, true)
  // A value never goes back: the newest rows may be deleted, and what lies before them was read.
  const above = since === undefined ? '' : ` WHERE ${id} >= ${mysql.escape(since.value)}`
  // By an index, two looks cost less than one over all rows; a view would be run for each.
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
  // What lies further back than the last read remembers would come again.
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

/** From one value of a cursor to a later one, in what overlaps are counted in; 0 for what is neither. */
function distance(from: string, to: string, time: boolean): number {
  const of = (text: string): number =>
    time ? Date.parse(`${text.replace(' ', 'T')}Z`) / 1_000 : Number(text)
  const found = Math.floor(of(to) - of(from))
  return found > 0 ? found : 0
}

/**
 * Where a job goes on in the table as it is now. Undefined for one that was made since, and whose values end
 * before the last one: it took the place of another, or was filled anew. (A changed table is made anew too,
 * and goes on.) Throws when the rows that the last read remembers cannot be told apart any more.
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
   * Whether the row is new; it is remembered when it lies in the next overlap. `known`: its identity as the
   * last read made it.
   */
  takes(identity: string, inNext: boolean, maybeTaken: boolean, known?: string): boolean
  /** Marks of the rows to remember, in base64. */
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
