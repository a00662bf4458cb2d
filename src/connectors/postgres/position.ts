/** Where an incremental read starts and ends. */
import pg from 'pg'
import { failure } from '../../core/errors.ts'
import type { Relation } from './describe.ts'
import { fileType, type PostgresColumn } from './file-type.ts'

/** Where an incremental read continues. */
export interface PostgresCursor {
  value: string
  /** pg_current_snapshot() of the read: rows that it did not see are new, whatever their cursor value. */
  snapshot: string
  /**
   * OIDs of the tables that were read so far (a partitioned one has many): all rows of another table are new,
   * whatever their cursor values and transactions. Earlier versions did not store them.
   */
  tables?: string[]
}

export interface Position {
  /** Follows `FROM relation t`. */
  where: string
  /** Valid when everything has been read. */
  cursor(): PostgresCursor | undefined
  /**
   * For a view, which runs only once: an expression over its rows that tells where they end, and a callback
   * for it.
   */
  asView?: boolean
  greatest?: string
  onGreatest?(said: unknown[]): void
}

interface CursorConfig {
  table: string
  cursor?: string
}

/**
 * Whether a snapshot did not see the row's transaction. xmin has 32 bits; it stands for the newest such
 * number that is not in the future.
 */
export function isLate(snapshot: string): string {
  const [now, own] = ['pg_snapshot_xmax(pg_current_snapshot())::text::numeric', 't.xmin::text::numeric']
  const full = `(${now} - mod(mod(${now} - ${own}, 4294967296) + 4294967296, 4294967296))::text::xid8`
  const isSeen = `pg_visible_in_snapshot(${full}, ${pg.escapeLiteral(snapshot)}::pg_snapshot)`
  return `t.xmin::text::numeric >= 3 AND NOT ${isSeen}`
}

interface Read {
  columns: PostgresColumn[]
  relation: Relation
  since: PostgresCursor | undefined
}

interface Ends {
  value: string | null
  snapshot: string
  empty: string
  isBehind: boolean
}

/**
 * Tables with rows of the relation, and earlier ones that still exist: a detached partition may come back. As
 * the read's own snapshot sees them, so a table that appears meanwhile is left to the next read.
 */
const TABLES = `WITH RECURSIVE parts AS (
    SELECT $1::oid AS oid
    UNION SELECT i.inhrelid FROM pg_inherits i JOIN parts p ON i.inhparent = p.oid
  )
  SELECT ARRAY(SELECT oid::text FROM parts) AS own,
    ARRAY(SELECT oid::text FROM pg_class WHERE oid = ANY($2::oid[]) AND oid NOT IN (SELECT oid FROM parts)) AS earlier`

const listed = (oids: string[]): string => `${pg.escapeLiteral(`{${oids.join(',')}}`)}::oid[]`

/**
 * Rows above the last cursor value, rows at or below it whose transactions the last read could not see, and
 * rows of tables that it did not read: a table may take another's name, and a partition may come with old
 * rows. Throws if the server is behind the one that was read last.
 */
export async function positionOf(
  client: pg.Client,
  config: CursorConfig,
  { columns, relation, since }: Read,
): Promise<Position> {
  // A draft of a view takes the first rows and does not continue.
  if (config.cursor === undefined || !relation.hasTransactions) return { where: '', cursor: () => undefined }
  const column = `t.${pg.escapeIdentifier(cursorColumn(config, columns).name)}`
  const xmax = (snapshot: string): string => `pg_snapshot_xmax(${snapshot})`
  const before = since === undefined ? 'NULL' : pg.escapeLiteral(since.snapshot)
  const {
    rows: [now],
  } = await client.query<Ends>(`SELECT max(${column})::text AS value, pg_current_snapshot()::text AS snapshot,
    count(*) FILTER (WHERE ${column} IS NULL)::text AS empty,
    coalesce(${xmax('pg_current_snapshot()')} < ${xmax(`${before}::pg_snapshot`)}, false) AS "isBehind"
    FROM ${relation.written} t`)
  if (now.isBehind) throw cursorError(config, BEHIND)
  if (now.empty !== '0') throw cursorError(config, `${now.empty} row(s) have no value in it`)
  const {
    rows: [{ own, earlier }],
  } = await client.query<Tables>(TABLES, [relation.oid, since?.tables ?? []])
  const cursor = {
    value: now.value ?? since?.value ?? '',
    snapshot: now.snapshot,
    tables: [...own, ...earlier],
  }
  return { where: whereOf(column, since, own), cursor: () => cursor }
}

interface Tables {
  own: string[]
  earlier: string[]
}

/** The number of a transaction means nothing on a server whose counter has gone back. */
const BEHIND =
  'the server has had fewer transactions than when it was read last: it is a copy that lags behind, or was ' +
  'restored or set up anew; in the second case, delete the job and create it again to read all rows'

function whereOf(column: string, since: PostgresCursor | undefined, own: string[]): string {
  if (since === undefined || since.value === '') return ''
  const isNew = `${column} > ${pg.escapeLiteral(since.value)} OR (${isLate(since.snapshot)})`
  if (since.tables === undefined) return ` WHERE ${isNew}`
  return ` WHERE t.tableoid = ANY (${listed(own)}) AND (${isNew} OR t.tableoid <> ALL (${listed(since.tables)}))`
}

/**
 * For a view: rows above the last cursor value. Its rows have no transactions that could tell what committed
 * late. The statement that returns the rows also tells where they end, because a separate query would run the
 * view twice.
 */
export function viewPosition(
  config: CursorConfig,
  columns: PostgresColumn[],
  since: PostgresCursor | undefined,
): Position {
  const found = cursorColumn(config, columns)
  const column = `t.${pg.escapeIdentifier(found.name)}`
  const isOdd = fileType(found.type).isOdd?.(column) ?? 'false'
  let cursor = since
  return {
    asView: true,
    where:
      since === undefined || since.value === ''
        ? ''
        : ` WHERE ${column} > ${pg.escapeLiteral(since.value)} OR ${column} IS NULL`,
    greatest: `json_build_array('cursor', max(${column})::text, pg_current_snapshot()::text,
      count(*) FILTER (WHERE ${column} IS NULL), count(*) FILTER (WHERE ${isOdd}))`,
    onGreatest([, value, snapshot, empty, odd]) {
      if (empty !== 0) throw cursorError(config, `${String(empty)} row(s) have no value in it`)
      if (odd !== 0)
        throw cursorError(
          config,
          `${String(odd)} row(s) have one that no other can follow: NaN, infinity or a date after 9999`,
        )
      cursor = { value: String(value ?? since?.value ?? ''), snapshot: String(snapshot) }
    },
    cursor: () => cursor,
  }
}

function cursorColumn(config: CursorConfig, columns: PostgresColumn[]): PostgresColumn {
  const found = columns.find((column) => column.name === config.cursor)
  if (found === undefined) throw cursorError(config, 'it is not one of the columns that are read')
  return found
}

function cursorError({ cursor, table }: CursorConfig, reason: string): Error {
  return failure('cursor_invalid', { column: cursor, table, reason })
}
