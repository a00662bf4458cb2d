/**
 * A table of PostgreSQL as CSV text in a stream (`COPY ... TO STDOUT`), with the types it has. Reads are of one snapshot; incremental
 * ones take what is new by the declared cursor column and what committed late, told by the transaction that wrote each row.
 */
import pg from 'pg'
import { failure, reasonOf } from '../../core/errors.ts'
import { copyOut } from './copy-out.ts'
import { isConnectionLost, KEEP_ALIVE_MS, NULL_TEXT, PART_BYTES, WHOLE, type DatabaseLogin, type ReadOptions, type SourceColumn, type TableRead } from '../table-source.ts'

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
  /** About so many bytes of the table are read at a time. */
  part_bytes?: number
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

interface Connection {
  client: pg.Client
  at: string
  config: PostgresConfig
}

/**
 * `address`: where to connect, checked by the caller; `host` of the config is the name that TLS checks. A full read of a table on disk is
 * cut into ranges of its pages; all connections read the snapshot that the first one exported.
 */
export async function readPostgres(config: PostgresConfig, login: DatabaseLogin, address: string, { since, limit, lanes = 1, earlier }: ReadOptions<PostgresCursor>): Promise<TableRead<PostgresCursor>> {
  const first = await connect(config, login, address)
  const connections = [first]
  const close = async (): Promise<void> => void (await Promise.all(connections.map(({ client }) => client.end().catch(() => undefined))))
  try {
    await first.client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const { columns, relation, estimatedRows } = await describeTable(first)
    const { where, cursor } = await position(first, columns, relation, since)
    const pages = where === '' && limit === undefined ? await pagesOf(first) : undefined
    const parts = pages?.parts ?? [WHOLE]
    const { rows: [{ moment, exported }] } = await first.client.query<{ moment: string; exported: string | null }>(`SELECT pg_current_snapshot()::text AS moment, ${parts.length > 1 && lanes > 1 ? 'pg_export_snapshot()' : 'NULL'} AS exported`)
    const list = columns.map((column) => pg.escapeIdentifier(column.name)).join(', ')
    return {
      columns, estimatedRows, parts, moment, lanes: Math.min(lanes, parts.length),
      identity: pages === undefined ? '' : JSON.stringify([config.host, config.port ?? 5432, config.database, pages.files, list, columns.map((column) => column.type)]),
      async open(part, lane) {
        const on = (connections[lane] ??= await sameSnapshot(await connect(config, login, address), String(exported)))
        const query = `SELECT ${list} FROM ${pages === undefined ? `${relation} t${where}` : fromPages(pages, part)}${limit === undefined ? '' : ` LIMIT ${Math.floor(limit)}`}`
        return { stream: on.client.query(copyOut(`COPY (${query}) TO STDOUT (FORMAT csv, HEADER false, NULL '${NULL_TEXT}', ENCODING 'UTF8')`)), note: () => '' }
      },
      async keeps(part, rows) {
        if (pages === undefined) return false
        // Versions that both moments see are a part of what the earlier one saw: with as many, and none that is new, they are the same.
        const late = isLate(earlier?.moment ?? '')
        const { rows: [now] } = await first.client.query<{ old: string; fresh: string }>(`SELECT count(*) FILTER (WHERE NOT (${late})) AS old, count(*) FILTER (WHERE ${late}) AS fresh FROM ${fromPages(pages, part)}`)
        return Number(now.old) === rows && Number(now.fresh) === 0
      },
      cursor: () => cursor,
      failed: (error) => readError(error, first.at),
      close,
    }
  } catch (error) {
    await close()
    throw readError(error, first.at)
  }
}

async function connect(config: PostgresConfig, login: DatabaseLogin, address: string): Promise<Connection> {
  const at = `${config.host}:${config.port ?? 5432}`
  const client = new pg.Client({ host: address, port: config.port ?? 5432, database: config.database, user: login.username, password: login.password, connectionTimeoutMillis: 15_000, keepAlive: true, keepAliveInitialDelayMillis: KEEP_ALIVE_MS, application_name: 'headrace', ssl: tlsOf(config) })
  client.on('error', () => undefined)
  await client.connect().catch((error: unknown) => {
    throw connectError(error, at)
  })
  await client.query("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET datestyle = 'ISO'; SET intervalstyle = 'iso_8601'; SET timezone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 3; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
  return { client, at, config }
}

async function sameSnapshot(connection: Connection, exported: string): Promise<Connection> {
  await connection.client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ${pg.escapeLiteral(exported)}`)
  return connection
}

/** What failed while rows were read, by the table of errors. */
function readError(error: unknown, at: string): Error {
  if (isConnectionLost(error)) return failure('source_unreachable', { address: at, reason: reasonOf(error) }, error)
  return error instanceof pg.DatabaseError ? failure('source_failed', { address: at, reason: reasonOf(error) }, error) : (error as Error)
}

interface Pages {
  /** `OID:FROM-TO`, in pages; the last of a table has no end: the table grows. */
  parts: string[]
  relations: Map<string, string>
  /** Changes when one of the tables is written anew. */
  files: string
}

/** The table itself, or the leaves of a partitioned one whose rows are all this user's to read. */
const ON_DISK = `WITH c AS (SELECT * FROM pg_class WHERE oid = to_regclass($1)), leaves AS (
  SELECT oid FROM c WHERE relkind IN ('r', 'm') AND NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = c.oid)
  UNION ALL SELECT t.relid FROM c, pg_partition_tree(c.oid) t WHERE c.relkind = 'p' AND NOT c.relrowsecurity AND t.isleaf
) SELECT l.oid::text AS oid, l.oid::regclass::text AS relation, pg_relation_filenode(l.oid)::text AS file, (pg_relation_size(l.oid) / current_setting('block_size')::int)::float8 AS pages, current_setting('block_size')::int AS page_bytes,
  l.relkind IN ('r', 'm') AND has_table_privilege(l.oid, 'SELECT') AND current_setting('server_version_num')::int >= 140000 AS readable
  FROM leaves JOIN pg_class l USING (oid) ORDER BY l.oid`

/** Ranges of pages; undefined for what has none of its own (views, inherited tables), and for servers before 14, which read the whole table for each range. */
async function pagesOf({ client, config }: Connection): Promise<Pages | undefined> {
  const { rows: tables } = await client.query<{ oid: string; relation: string; file: string; pages: number; page_bytes: number; readable: boolean }>(ON_DISK, [quotedName(config.table)])
  if (tables.length === 0 || tables.some((one) => !one.readable)) return undefined
  const parts = tables.flatMap(({ oid, pages, page_bytes: pageBytes }) => {
    const step = Math.ceil((config.part_bytes ?? PART_BYTES) / pageBytes)
    const count = Math.max(1, Math.ceil(pages / step))
    return Array.from({ length: count }, (_, i) => `${oid}:${i * step}-${i === count - 1 ? '' : (i + 1) * step}`)
  })
  return { parts, relations: new Map(tables.map((one) => [one.oid, one.relation])), files: tables.map((one) => `${one.oid}/${one.file}`).join(' ') }
}

function fromPages({ relations }: Pages, part: string): string {
  const [, oid, from, to] = /^(\d+):(\d+)-(\d*)$/.exec(part) ?? []
  return `${String(relations.get(oid))} t WHERE t.ctid >= '(${from},0)'${to === '' ? '' : ` AND t.ctid < '(${to},0)'`}`
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

async function describeTable({ client, config, at }: Connection): Promise<{ columns: Column[]; relation: string; estimatedRows: number }> {
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

/** Whether a snapshot did not see the row's transaction. xmin has 32 bits; it is taken as the newest such number that is not in the future. */
function isLate(snapshot: string): string {
  const full = `(pg_snapshot_xmax(pg_current_snapshot())::text::numeric - mod(mod(pg_snapshot_xmax(pg_current_snapshot())::text::numeric - t.xmin::text::numeric, 4294967296) + 4294967296, 4294967296))::text::xid8`
  return `t.xmin::text::numeric >= 3 AND NOT pg_visible_in_snapshot(${full}, ${pg.escapeLiteral(snapshot)}::pg_snapshot)`
}

/** What an incremental read takes: rows above the last cursor value, and those at or below it whose transactions the last read could not see. */
async function position({ client, config }: Connection, columns: Column[], relation: string, since: PostgresCursor | undefined): Promise<{ where: string; cursor: PostgresCursor | undefined }> {
  if (config.cursor === undefined) return { where: '', cursor: undefined }
  const column = pg.escapeIdentifier(config.cursor)
  if (!columns.some((one) => one.name === config.cursor)) throw failure('cursor_invalid', { column: config.cursor, table: config.table, reason: 'it is not one of the columns that are read' })
  const { rows: [now] } = await client.query<{ value: string | null; snapshot: string; empty: string }>(`SELECT max(${column})::text AS value, pg_current_snapshot()::text AS snapshot, count(*) FILTER (WHERE ${column} IS NULL)::text AS empty FROM ${relation}`)
  if (now.empty !== '0') throw failure('cursor_invalid', { column: config.cursor, table: config.table, reason: `${now.empty} row(s) have no value in it` })
  const cursor = { value: now.value ?? since?.value ?? '', snapshot: now.snapshot }
  if (since === undefined || since.value === '') return { where: '', cursor }
  return { where: ` WHERE t.${column} > ${pg.escapeLiteral(since.value)} OR (${isLate(since.snapshot)})`, cursor }
}
