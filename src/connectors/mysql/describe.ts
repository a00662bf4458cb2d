/** Finds the table of a source, its columns and its key, without running a view. */
import type { Connection, RowDataPacket } from 'mysql2/promise'
import mysql from 'mysql2/promise'
import { failure } from '../../core/errors.ts'
import { nearNames } from '../near-names.ts'
import { checkTwins } from '../table-source.ts'
import { mysqlColumn, type MysqlColumn, type Treatment } from './file-type.ts'

export interface Table {
  /** As in the database. */
  name: string
  /** As in statements. */
  written: string
  columns: MysqlColumn[]
  key: string[]
  isView: boolean
  estimatedRows: number
  /** When it was created, as the server states it. Undefined for a view. */
  created: string | undefined
  /** All its columns, whether they are read or not. */
  names: string[]
}

export interface TableConfig {
  database: string
  table: string
  columns?: string[]
  key?: string[]
}

interface Found {
  name: string
  kind: string
  estimated: string | null
  created: string | null
}

/** Throws `source_not_found` with similar names. */
export async function describeTable(
  connection: Connection,
  config: TableConfig,
  { at, treatment }: { at: string; treatment: Treatment },
): Promise<Table> {
  const [tables] = await connection.query<RowDataPacket[]>(
    `SELECT table_name AS name, table_type AS kind, CAST(table_rows AS CHAR) AS estimated,
      CAST(create_time AS CHAR) AS created
    FROM information_schema.tables WHERE table_schema = ?`,
    [config.database],
  )
  const found = oneOf(tables as unknown as Found[], config)
  if (found === undefined) throw notFound(tables as unknown as Found[], config, at)
  const [rows] = await connection.query<RowDataPacket[]>(
    `SELECT table_name AS own, column_name AS name, data_type AS kind,
      column_type AS whole, column_key AS role
    FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position`,
    [config.database, found.name],
  )
  // The comparison above ignores case.
  const own = rows.filter((row) => row.own === found.name)
  const columns = (config.columns ?? own.map((row) => String(row.name))).map((name, i) => {
    const row = own.find((column) => column.name === name)
    if (row !== undefined)
      return { ...mysqlColumn(name, String(row.kind), String(row.whole), treatment), place: i }
    const known = `It has the columns ${own
      .map((column) => column.name)
      .join(', ')
      .slice(0, 200)}.`
    throw failure('source_not_found', { address: at, what: `column ${name} in ${config.table}`, known })
  })
  checkTwins(columns, config.table, at)
  const written = mysql.escapeId(found.name, true)
  const isView = !/BASE TABLE|VERSIONED/.test(found.kind)
  const key = config.key ?? own.filter((row) => row.role === 'PRI').map((row) => String(row.name))
  const estimatedRows = isView ? await plannedRows(connection, written) : Number(found.estimated ?? 0)
  const names = own.map((row) => String(row.name))
  const created = found.created ?? undefined
  return { name: found.name, written, columns, key, isView, estimatedRows, created, names }
}

/** The table of that name, without surrounding quotes and database; or the only one that differs in case. */
function oneOf(tables: Found[], { database, table }: TableConfig): Found | undefined {
  const inside = table.startsWith(`${database}.`) ? table.slice(database.length + 1) : table
  const quoted = (/^`((?:[^`]|``)+)`$/.exec(inside)?.[1] ?? inside).replaceAll('``', '`')
  for (const name of [table, inside, quoted]) {
    const same = tables.find((candidate) => candidate.name === name)
    if (same !== undefined) return same
  }
  const near = tables.filter((candidate) => candidate.name.toLowerCase() === quoted.toLowerCase())
  return near.length === 1 ? near[0] : undefined
}

function notFound(tables: Found[], { database, table }: TableConfig, at: string): Error {
  const near = nearNames(
    table,
    tables.map((found) => ({ schema: database, table: found.name, written: found.name })),
  )
  const known = near.length > 0 ? `Similar: ${near.join(', ')}.` : 'SHOW TABLES lists the tables.'
  return failure('source_not_found', { address: at, what: `table ${table} that this user can see`, known })
}

/** The planner's estimate for a view: counting would run it once more. */
async function plannedRows(connection: Connection, written: string): Promise<number> {
  const [rows] = await connection.query<RowDataPacket[]>(`EXPLAIN SELECT * FROM ${written}`)
  return rows
    .filter((row) => Number(row.id) === 1)
    .reduce((product, row) => product * Math.max(1, Number(row.rows ?? 1)), 1)
}
