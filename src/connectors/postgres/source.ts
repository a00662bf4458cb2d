/**
 * A table of PostgreSQL as a stream of CSV text (`COPY ... TO STDOUT`), with its types. Each read uses one
 * snapshot. Incremental reads take new rows by the declared cursor column, and rows that committed late,
 * which they detect by the transaction that wrote each row.
 */
import { isIP } from 'node:net'
import pg from 'pg'
import { tlsOf, type DatabaseTls } from '../database-tls.ts'
import {
  KEEP_ALIVE_MS,
  LARGE_ROW_BYTES,
  NULL_TEXT,
  treatmentOf,
  WHOLE,
  type Aside,
  type DatabaseLogin,
  type ReadOptions,
  type TableRead,
  type Unrepresentable,
} from '../table-source.ts'
import { copyOut, type Diversion } from './copy-out.ts'
import { describeColumns, findRelation, type Relation } from './describe.ts'
import { brokenText, createMark, rejectOf, saidBy, type Mark } from './marked-row.ts'
import { fromPages, pagesOf } from './pages.ts'
import { isLate, positionOf, viewPosition, type PostgresCursor, type Position } from './position.ts'
import { markedList, mayReject, plainList, type PostgresColumn } from './file-type.ts'
import type { PostgresConfig } from './config.ts'
import { readError, connectError } from './errors.ts'

export type { PostgresCursor } from './position.ts'

interface Connection {
  client: pg.Client
  at: string
  /** The server accepts any bytes as text: SQL_ASCII. */
  isUnchecked: boolean
}

/** What to read, and how: determined once, by the first connection. */
interface Reading {
  columns: PostgresColumn[]
  relation: Relation
  position: Position
  list: string
  mark: Mark
  isUnchecked: boolean
}

/**
 * `address`: the address to connect to, checked by the caller. `host` of the config is the name for TLS. A
 * full read of a table on disk is divided into ranges of its pages. All connections read the snapshot that
 * the first one exported.
 */
export async function readPostgres(
  config: PostgresConfig,
  login: DatabaseLogin,
  address: string,
  options: ReadOptions<PostgresCursor>,
): Promise<TableRead<PostgresCursor>> {
  const { limit, lanes = 1, earlier } = options
  const treatment = treatmentOf(config.unrepresentable)
  const first = await connect(config, login, address)
  const connections = [first]
  const close = async (): Promise<void> =>
    void (await Promise.all(connections.map(({ client }) => client.end().catch(() => undefined))))
  try {
    await first.client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const reading = await prepare(first, config, treatment, options)
    const { columns, relation, position } = reading
    const isWhole = position.where === '' && position.asView !== true && limit === undefined
    const pages = isWhole ? await pagesOf(first.client, relation, config.part_bytes) : undefined
    const parts = pages?.parts ?? [WHOLE]
    const { moment, exported } = await momentOf(first.client, parts.length > 1 && lanes > 1)
    const shape = columns.map(({ name, type, duckType }) => [name, type, duckType])
    return {
      columns,
      estimatedRows: relation.estimatedRows,
      parts,
      moment,
      lanes: Math.min(lanes, parts.length),
      identity:
        pages === undefined ? '' : JSON.stringify([first.at, config.database, pages.files, shape, treatment]),
      async open(part, lane, aside) {
        const on = (connections[lane] ??= await sameSnapshot(
          await connect(config, login, address),
          String(exported),
        ))
        const from = pages === undefined ? `${relation.written} t${position.where}` : fromPages(pages, part)
        return {
          stream: on.client.query(copyOut(copyOf(reading, from, limit), diversionOf(reading, aside))),
          note: () => '',
        }
      },
      async keeps(part, rows) {
        if (pages === undefined) return false
        const now = await versionsIn(first.client, fromPages(pages, part), earlier?.moment ?? '')
        return now.old === rows && now.fresh === 0
      },
      cursor: () => position.cursor(),
      failed: (error) => readError(error, first.at),
      close,
    }
  } catch (error) {
    await close()
    throw readError(error, first.at)
  }
}

interface Moment {
  moment: string
  exported: string | null
}

async function momentOf(client: pg.Client, isShared: boolean): Promise<Moment> {
  const exports = isShared ? 'pg_export_snapshot()' : 'NULL'
  const query = `SELECT pg_current_snapshot()::text AS moment, ${exports} AS exported`
  return (await client.query<Moment>(query)).rows[0]
}

/**
 * Row versions that both moments see are a subset of what the earlier one saw. So if there are as many, and
 * none is new, they are the same.
 */
async function versionsIn(
  client: pg.Client,
  from: string,
  moment: string,
): Promise<{ old: number; fresh: number }> {
  const late = isLate(moment)
  const { rows } = await client.query<{ old: string; fresh: string }>(
    `SELECT count(*) FILTER (WHERE NOT (${late})) AS old, count(*) FILTER (WHERE ${late}) AS fresh
    FROM ${from}`,
  )
  return { old: Number(rows[0].old), fresh: Number(rows[0].fresh) }
}

async function prepare(
  { client, at, isUnchecked }: Connection,
  config: PostgresConfig,
  treatment: Unrepresentable,
  { since, limit }: ReadOptions<PostgresCursor>,
): Promise<Reading> {
  const relation = await findRelation(client, config, at)
  const columns = await describeColumns(client, config, relation, { at, treatment })
  const asView = config.cursor !== undefined && !relation.hasTransactions && limit === undefined
  const position = asView
    ? viewPosition(config, columns, since)
    : await positionOf(client, config, { columns, relation, since })
  const mark = createMark()
  const isMarked = asView || mayReject(columns, treatment)
  const { sql: list, places } = isMarked
    ? markedList(columns, treatment, mark.text)
    : plainList(columns, treatment)
  return {
    columns: columns.map((column, i) => ({ ...column, place: places[i] })),
    relation,
    position,
    list,
    mark,
    isUnchecked,
  }
}

/** One statement: a view runs once, whatever is asked of its rows. */
function copyOf(
  { list, position, mark, columns, isUnchecked }: Reading,
  from: string,
  limit: number | undefined,
): string {
  const plain = `SELECT ${list} FROM ${from}${limit === undefined ? '' : ` LIMIT ${Math.floor(limit)}`}`
  const query =
    position.greatest === undefined
      ? plain
      : `WITH seen AS MATERIALIZED (SELECT * FROM ${from}) SELECT ${list} FROM seen t UNION ALL
      SELECT '${mark.text}' || ${position.greatest}::text${', NULL'.repeat(columns.length - 1)} FROM seen t`
  // If the server does not check texts, the first invalid one would end the whole read.
  const encoding = isUnchecked ? 'SQL_ASCII' : 'UTF8'
  return `COPY (${query}) TO STDOUT (FORMAT csv, HEADER false, NULL '${NULL_TEXT}', ENCODING '${encoding}')`
}

/** The way of rows that are no rows, or that cannot go with the others. */
function diversionOf({ columns, position, mark, isUnchecked }: Reading, aside: Aside): Diversion {
  return {
    mark: mark.bytes,
    onMarked(row) {
      const said = saidBy(row, mark)
      if (said[0] === 'cursor') position.onGreatest?.(said)
      else aside.reject(rejectOf(said, columns))
    },
    largeBytes: LARGE_ROW_BYTES,
    onLarge: aside.large,
    ...(isUnchecked ? { onBroken: (row) => aside.reject(brokenText(row)) } : {}),
  }
}

const SETTINGS = [
  'SESSION CHARACTERISTICS AS TRANSACTION READ ONLY',
  "datestyle = 'ISO'",
  "intervalstyle = 'iso_8601'",
  "timezone = 'UTC'",
  "bytea_output = 'hex'",
  'extra_float_digits = 3',
  'statement_timeout = 0',
  'idle_in_transaction_session_timeout = 0',
]

async function connect(config: PostgresConfig, login: DatabaseLogin, address: string): Promise<Connection> {
  const port = config.port ?? 5432
  const at = `${config.host}:${port}`
  const client = new pg.Client({
    host: address,
    port,
    database: config.database,
    user: login.username,
    password: login.password,
    application_name: 'headrace',
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    ssl: sslOptions(tlsOf(config, address, login), config.host),
  })
  client.on('error', () => undefined)
  await client.connect().catch((error: unknown) => {
    throw connectError(error, at)
  })
  // One request and one answer: over a long distance, each costs as much as many rows.
  const asked = [
    ...SETTINGS.map((setting) => `SET ${setting}`),
    "SELECT current_setting('server_encoding') AS encoding",
  ]
  const results = (await client.query(asked.join('; '))) as unknown as pg.QueryResult<{ encoding: string }>[]
  return { client, at, isUnchecked: results.at(-1)?.rows[0].encoding === 'SQL_ASCII' }
}

async function sameSnapshot(connection: Connection, exported: string): Promise<Connection> {
  await connection.client.query(
    `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ${pg.escapeLiteral(exported)}`,
  )
  return connection
}

/** The certificate names the host, not its resolved address. */
function sslOptions({ mode, ca }: DatabaseTls, host: string): pg.ClientConfig['ssl'] {
  if (mode === 'disable') return false
  const name = isIP(host) === 0 ? { host, servername: host } : { host }
  return { ...name, rejectUnauthorized: mode === 'verify-full', ...(ca === undefined ? {} : { ca }) }
}
