/**
 * A table of PostgreSQL as CSV text in a stream (`COPY ... TO STDOUT`), with the types it has. Reads are of one snapshot; incremental
 * ones take what is new by the declared cursor column and what committed late, told by the transaction that wrote each row.
 */
import pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { failure, reasonOf } from '../../core/errors.ts'
import { NULL_TEXT, type DatabaseLogin, type SourceColumn, type TableRead } from '../table-source.ts'

export interface PostgresConfig {
  host: string
  port?: number
  database: string
  /** `orders` or `public.orders`. */
  table: string
  /** Only these columns. */
  columns?: string[]
  /** A column that only grows: reads take what came since the last. */
  cursor?: string
  ssl?: 'disable' | 'require' | 'verify-full'
}

interface Column extends SourceColumn {
  /** PostgreSQL's name of the type, with its modifiers. */
  type: string
}

/** Where an incremental read goes on. */
export interface PostgresCursor {
  value: string
  /** pg_current_snapshot() of the read: what it did not see is new, whatever its cursor value. */
  snapshot: string
}

/** `address`: where to connect, checked by the caller; `host` of the config is the name that TLS checks. */
export async function readPostgres(config: PostgresConfig, login: DatabaseLogin, address: string, { since, limit }: { since?: PostgresCursor; limit?: number }): Promise<TableRead<PostgresCursor>> {
  const at = `${config.host}:${config.port ?? 5432}`
  const client = new pg.Client({ host: address, port: config.port ?? 5432, database: config.database, user: login.username, password: login.password, connectionTimeoutMillis: 15_000, application_name: 'headrace', ssl: tlsOf(config) })
  client.on('error', () => undefined)
  await client.connect().catch((error: unknown) => {
    throw connectError(error, at)
  })
  try {
    await client.query("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET datestyle = 'ISO'; SET intervalstyle = 'iso_8601'; SET timezone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 3; SET statement_timeout = 0")
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const { columns, relation, estimatedRows } = await describeTable(client, config, at)
    const { where, cursor } = await position(client, config, columns, relation, since)
    const list = columns.map((column) => pg.escapeIdentifier(column.name)).join(', ')
    const query = `SELECT ${list} FROM ${relation} t${where}${limit === undefined ? '' : ` LIMIT ${Math.floor(limit)}`}`
    const stream = client.query(copyTo(`COPY (${query}) TO STDOUT (FORMAT csv, HEADER false, NULL '${NULL_TEXT}', ENCODING 'UTF8')`, { highWaterMark: 1 << 20 } as never))
    // Whoever reads it is told of errors there; one that comes after the end is nobody's.
    stream.on('error', () => undefined)
    return { columns, estimatedRows, stream, cursor: () => cursor, close: async () => void (await client.end().catch(() => undefined)) }
  } catch (error) {
    await client.end().catch(() => undefined)
    throw (error as { code?: string }).code !== undefined && !('next' in (error as object)) ? failure('source_failed', { address: at, reason: reasonOf(error) }, error) : error
  }
}

function tlsOf({ ssl, host }: PostgresConfig): pg.ClientConfig['ssl'] {
  if (ssl === undefined || ssl === 'disable') return false
  return ssl === 'verify-full' ? { servername: host } : { servername: host, rejectUnauthorized: false }
}

function connectError(error: unknown, at: string): Error {
  const { code } = error as { code?: string }
  if (code === '28P01' || code === '28000') return failure('source_auth_failed', { address: at, reason: reasonOf(error), secret: 'credentials_secret' }, error)
  if (code === '3D000') return failure('source_not_found', { address: at, what: 'such database', known: 'psql -l lists what there is.' }, error)
  return failure('source_unreachable', { address: at, reason: reasonOf(error) }, error)
}

async function describeTable(client: pg.Client, config: PostgresConfig, at: string): Promise<{ columns: Column[]; relation: string; estimatedRows: number }> {
  const { rows: [found] } = await client.query<{ relation: string | null; rows: number }>('SELECT c.oid::regclass::text AS relation, c.reltuples::float8 AS rows FROM pg_class c WHERE c.oid = to_regclass($1)', [quotedName(config.table)])
  if (!found?.relation) throw failure('source_not_found', { address: at, what: `table ${config.table} that this user can see`, known: 'name it with its schema: public.orders.' })
  const { rows } = await client.query<{ name: string; type: string }>("SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum", [quotedName(config.table)])
  const wanted = config.columns ?? rows.map((row) => row.name)
  const columns = wanted.map((column): Column => {
    const row = rows.find((one) => one.name === column)
    if (row === undefined) throw failure('source_not_found', { address: at, what: `column ${column} in ${config.table}`, known: `it has ${rows.map((one) => one.name).join(', ').slice(0, 200)}.` })
    return { ...row, duckType: duckTypeOf(row.type), hex: row.type === 'bytea' }
  })
  const estimated = found.rows >= 0 ? found.rows : Number((await client.query<{ n: string }>(`SELECT count(*) AS n FROM ${found.relation}`)).rows[0].n)
  return { columns, relation: found.relation, estimatedRows: estimated }
}

/** `a.b` as `"a"."b"`: what a user writes is a name, never SQL. */
function quotedName(table: string): string {
  return table.split('.').map((part) => pg.escapeIdentifier(part.replace(/^"(.*)"$/, '$1'))).join('.')
}

const PLAIN: Record<string, string> = {
  smallint: 'SMALLINT', integer: 'INTEGER', bigint: 'BIGINT', real: 'FLOAT', 'double precision': 'DOUBLE', boolean: 'BOOLEAN', date: 'DATE', uuid: 'UUID',
  'timestamp without time zone': 'TIMESTAMP', 'timestamp with time zone': 'TIMESTAMPTZ', 'time without time zone': 'TIME',
}

/** What has no equal stays the text that PostgreSQL gives: nothing is rounded or guessed. */
function duckTypeOf(type: string): string {
  const base = type.replace(/\(\d+\)/, '')
  if (PLAIN[base] !== undefined) return PLAIN[base]
  const numeric = /^numeric\((\d+),(\d+)\)$/.exec(type)
  return numeric !== null && Number(numeric[1]) <= 38 ? `DECIMAL(${numeric[1]}, ${numeric[2]})` : 'VARCHAR'
}

/**
 * What an incremental read takes: rows above the last cursor value, and rows at or below it that the last read could not see
 * because their transactions had not committed. xmin has 32 bits; it is taken as the newest such number that is not in the future.
 */
async function position(client: pg.Client, config: PostgresConfig, columns: Column[], relation: string, since: PostgresCursor | undefined): Promise<{ where: string; cursor: PostgresCursor | undefined }> {
  if (config.cursor === undefined) return { where: '', cursor: undefined }
  const column = pg.escapeIdentifier(config.cursor)
  if (!columns.some((one) => one.name === config.cursor)) throw failure('cursor_invalid', { column: config.cursor, table: config.table, reason: 'it is not one of the columns that are read' })
  const { rows: [now] } = await client.query<{ value: string | null; snapshot: string; empty: string }>(`SELECT max(${column})::text AS value, pg_current_snapshot()::text AS snapshot, count(*) FILTER (WHERE ${column} IS NULL)::text AS empty FROM ${relation}`)
  if (now.empty !== '0') throw failure('cursor_invalid', { column: config.cursor, table: config.table, reason: `${now.empty} row(s) have no value in it` })
  const cursor = { value: now.value ?? since?.value ?? '', snapshot: now.snapshot }
  if (since === undefined || since.value === '') return { where: '', cursor }
  const full = `(pg_snapshot_xmax(pg_current_snapshot())::text::numeric - mod(mod(pg_snapshot_xmax(pg_current_snapshot())::text::numeric - t.xmin::text::numeric, 4294967296) + 4294967296, 4294967296))::text::xid8`
  const late = `t.xmin::text::numeric >= 3 AND NOT pg_visible_in_snapshot(${full}, ${pg.escapeLiteral(since.snapshot)}::pg_snapshot)`
  return { where: ` WHERE t.${column} > ${pg.escapeLiteral(since.value)} OR (${late})`, cursor }
}
