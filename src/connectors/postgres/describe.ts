/**
 * Finds the table of a source, its columns and its approximate number of rows, without running a view or a
 * function.
 */
import pg from 'pg'
import { failure } from '../../core/errors.ts'
import { nearNames, type KnownTable } from '../near-names.ts'
import { checkTwins, type Unrepresentable } from '../table-source.ts'
import { namesMeantBy } from './names.ts'
import { postgresColumn, type PostgresColumn } from './file-type.ts'

export interface Relation {
  oid: string
  /** As in statements. */
  written: string
  /** Its rows know the transaction that wrote them: a table, or a partitioned one. */
  hasTransactions: boolean
  estimatedRows: number
}

export interface TableConfig {
  database: string
  table: string
  columns?: string[]
}

/** Throws `source_not_found` with similar names. */
export async function findRelation(
  client: pg.Client,
  { database, table }: TableConfig,
  at: string,
): Promise<Relation> {
  const names = namesMeantBy(table, database).map((name) =>
    name.map((part) => pg.escapeIdentifier(part)).join('.'),
  )
  const { rows } = await client.query<{ oid: string; written: string; kind: string; estimate: number }>(
    FIND,
    [names],
  )
  const [found] = rows
  if (found === undefined) throw await notFound(client, table, at)
  const { oid, written, kind, estimate } = found
  const estimatedRows =
    estimate >= 0 && kind !== 'v' && kind !== 'f' ? estimate : await plannedRows(client, written)
  return { oid, written, hasTransactions: kind === 'r' || kind === 'p', estimatedRows }
}

const FIND = `SELECT c.oid::text AS oid, c.oid::regclass::text AS written,
    c.relkind AS kind, c.reltuples::float8 AS estimate
  FROM unnest($1::text[]) WITH ORDINALITY AS n (name, place) JOIN pg_class c ON c.oid = to_regclass(n.name)
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY n.place LIMIT 1`

/** The planner's estimate: counting would run a view once more, and read a large table to its end. */
async function plannedRows(client: pg.Client, relation: string): Promise<number> {
  const {
    rows: [row],
  } = await client.query<{ 'QUERY PLAN': { Plan: { 'Plan Rows': number } }[] }>(
    `EXPLAIN (FORMAT JSON) SELECT * FROM ${relation}`,
  )
  return row['QUERY PLAN'][0].Plan['Plan Rows']
}

const MOST_NAMES = 10_000
const SEEN = `SELECT n.nspname AS schema, c.relname AS table, format('%I.%I', n.nspname, c.relname) AS written
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') LIMIT ${MOST_NAMES}`

async function notFound(client: pg.Client, table: string, at: string): Promise<Error> {
  const { rows } = await client.query<KnownTable>(SEEN)
  const near = nearNames(table, rows)
  const known =
    near.length > 0
      ? `Similar: ${near.join(', ')}.`
      : 'Give the schema too: public.orders, or "Odd.Name" in quotes.'
  return failure('source_not_found', { address: at, what: `table ${table} that this user can see`, known })
}

/** Replaces domains by their base types. */
const COLUMNS = `WITH RECURSIVE base AS (
    SELECT attnum, attname, atttypid AS type, atttypmod AS modifier FROM pg_attribute
      WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT b.attnum, b.attname, d.typbasetype, d.typtypmod
      FROM base b JOIN pg_type d ON d.oid = b.type AND d.typtype = 'd'
  ) SELECT attname AS name, format_type(b.type, b.modifier) AS type
  FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype <> 'd' ORDER BY attnum`

/**
 * The columns to read, in order. Throws `source_not_found` for a missing one, `source_failed` for two of one
 * name.
 */
export async function describeColumns(
  client: pg.Client,
  config: TableConfig,
  { oid }: Relation,
  { at, treatment }: { at: string; treatment: Unrepresentable },
): Promise<PostgresColumn[]> {
  const { rows } = await client.query<{ name: string; type: string }>(COLUMNS, [oid])
  const columns = (config.columns ?? rows.map((row) => row.name)).map((column) => {
    const row = rows.find((attribute) => attribute.name === column)
    if (row !== undefined) return postgresColumn(row.name, row.type, treatment)
    const known = `It has the columns ${rows
      .map((attribute) => attribute.name)
      .join(', ')
      .slice(0, 200)}.`
    throw failure('source_not_found', { address: at, what: `column ${column} in ${config.table}`, known })
  })
  checkTwins(columns, config.table, at)
  return columns
}
