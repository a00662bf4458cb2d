/**
 * A table of MySQL or MariaDB as CSV text in a stream, with the types it has. Reads are of one snapshot. These databases do not tell
 * which transaction wrote a row, so incremental reads look back over an overlap of the cursor and leave out what they took before.
 */
import { hash } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { Readable } from 'node:stream'
import mysql, { type Connection as PromisedConnection, type RowDataPacket } from 'mysql2/promise'
import { failure, reasonOf } from '../../core/errors.ts'
import { NULL_TEXT, type DatabaseLogin, type SourceColumn, type TableRead } from '../table-source.ts'

export interface MysqlConfig {
  host: string
  port?: number
  database: string
  table: string
  /** Only these columns. */
  columns?: string[]
  /** A column that only grows: reads take what came since the last. */
  cursor?: string
  /** What makes a row unique; its primary key when not given. */
  key?: string[]
  /** How far back an incremental read looks for rows that committed late: seconds for a time, values for a number. */
  overlap?: number
  /** 0000-00-00 as a missing value; without it such a date ends the read by name. */
  zero_dates?: 'null'
  ssl?: 'disable' | 'require' | 'verify-full'
}

/** Where an incremental read goes on: the greatest value seen, and short hashes of the rows within the overlap before it. */
export interface MysqlCursor {
  value: string
  /** 8 bytes a row, in base64. */
  seen: string
}

const DEFAULT_OVERLAP = { seconds: 300, values: 10_000 }
/** Rows within an overlap that a cursor may remember: 8 bytes each, kept with the job. */
const MOST_SEEN = 200_000

/** `address`: where to connect, checked by the caller; `host` of the config is the name that TLS checks. */
export async function readMysql(config: MysqlConfig, login: DatabaseLogin, address: string, { since, limit }: { since?: MysqlCursor; limit?: number }): Promise<TableRead<MysqlCursor>> {
  const port = config.port ?? 3306
  const at = `${config.host}:${port}`
  const connection = await mysql.createConnection({
    host: config.host, port, user: login.username, password: login.password, database: config.database, charset: 'utf8mb4', connectTimeout: 15_000, stream: () => connectTcp(port, address), ssl: tlsOf(config),
  }).catch((error: unknown) => {
    throw connectError(error, at, config)
  })
  connection.on('error', () => undefined)
  try {
    await connection.query("SET time_zone = '+00:00'")
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
    await connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY')
    const table = await describeTable(connection, config, at)
    const position = await positionOf(connection, config, table, since)
    const list = table.columns.map((column) => column.select).join(', ')
    const query = `SELECT ${list}, ${position.extra} FROM ${mysql.escapeId(config.table, true)}${position.where}${limit === undefined ? '' : ` LIMIT ${Math.floor(limit)}`}`
    const window = createWindow(since, position.value, config)
    return { columns: table.columns.map(({ name, duckType, hex }) => ({ name, duckType, hex })), estimatedRows: table.estimatedRows, stream: Readable.from(csvOf(connection, query, table.columns, window, at), { objectMode: false, highWaterMark: 1 << 20 }), cursor: () => window.cursor(), close: async () => connection.destroy() }
  } catch (error) {
    connection.destroy()
    throw (error as { sqlState?: string }).sqlState === undefined ? error : failure('source_failed', { address: at, reason: reasonOf(error) }, error)
  }
}

function tlsOf({ ssl }: MysqlConfig): mysql.SslOptions | undefined {
  if (ssl === undefined || ssl === 'disable') return undefined
  return ssl === 'verify-full' ? { rejectUnauthorized: true, verifyIdentity: true } : { rejectUnauthorized: false }
}

function connectError(error: unknown, at: string, config: MysqlConfig): Error {
  const { code } = error as { code?: string }
  if (code === 'ER_ACCESS_DENIED_ERROR' || code === 'ER_DBACCESS_DENIED_ERROR') return failure('source_auth_failed', { address: at, reason: reasonOf(error), secret: 'credentials_secret' }, error)
  if (code === 'ER_BAD_DB_ERROR') return failure('source_not_found', { address: at, what: `database ${config.database}`, known: 'SHOW DATABASES lists what there is.' }, error)
  return failure('source_unreachable', { address: at, reason: reasonOf(error) }, error)
}

interface Described extends SourceColumn {
  select: string
  quoted: boolean
  time: boolean
}

interface Table {
  columns: Described[]
  key: string[]
  estimatedRows: number
}

async function describeTable(connection: PromisedConnection, config: MysqlConfig, at: string): Promise<Table> {
  const [found] = await connection.query<RowDataPacket[]>('SELECT table_rows AS estimated FROM information_schema.tables WHERE table_schema = ? AND table_name = ?', [config.database, config.table])
  if (found.length === 0) throw failure('source_not_found', { address: at, what: `table ${config.table} that this user can see`, known: 'SHOW TABLES lists what there is.' })
  const [rows] = await connection.query<RowDataPacket[]>('SELECT column_name AS name, data_type AS kind, column_type AS whole, column_key AS role FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position', [config.database, config.table])
  const columns = (config.columns ?? rows.map((row) => String(row.name))).map((name) => {
    const row = rows.find((one) => one.name === name)
    if (row === undefined) throw failure('source_not_found', { address: at, what: `column ${name} in ${config.table}`, known: `it has ${rows.map((one) => one.name).join(', ').slice(0, 200)}.` })
    return describeColumn(name, String(row.kind), String(row.whole), config)
  })
  return { columns, key: config.key ?? rows.filter((row) => row.role === 'PRI').map((row) => String(row.name)), estimatedRows: Number(found[0].estimated ?? 0) }
}

const WHOLE: Record<string, string> = { tinyint: 'TINYINT', smallint: 'SMALLINT', mediumint: 'INTEGER', int: 'INTEGER', bigint: 'BIGINT', year: 'SMALLINT' }
const BYTES = new Set(['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob', 'bit', 'geometry', 'point'])

/** What has no equal stays the text that the database gives. A FLOAT is read as a DOUBLE: as text it has six digits only. */
function describeColumn(name: string, kind: string, whole: string, { zero_dates: zeros }: MysqlConfig): Described {
  const id = mysql.escapeId(name, true)
  const plain = { name, select: id, hex: false, quoted: false, time: false }
  if (WHOLE[kind] !== undefined) return { ...plain, duckType: `${/unsigned/.test(whole) ? 'U' : ''}${WHOLE[kind]}` }
  if (kind === 'float') return { ...plain, duckType: 'FLOAT', select: `CAST(${id} AS DOUBLE)` }
  if (kind === 'double') return { ...plain, duckType: 'DOUBLE' }
  const decimal = /^decimal\((\d+),(\d+)\)/.exec(whole)
  if (decimal !== null && Number(decimal[1]) <= 38) return { ...plain, duckType: `DECIMAL(${decimal[1]}, ${decimal[2]})` }
  if (BYTES.has(kind)) return { ...plain, duckType: 'VARCHAR', hex: true }
  const timed = zeros === 'null' ? `NULLIF(CAST(${id} AS CHAR), '${kind === 'date' ? '0000-00-00' : '0000-00-00 00:00:00'}')` : id
  if (kind === 'date') return { ...plain, duckType: 'DATE', select: timed }
  if (kind === 'datetime') return { ...plain, duckType: 'TIMESTAMP', select: timed, time: true }
  if (kind === 'timestamp') return { ...plain, duckType: 'TIMESTAMPTZ', select: `CONCAT(${timed}, '+00')`, time: true }
  return { ...plain, duckType: 'VARCHAR', quoted: true }
}

interface Position {
  where: string
  /** Three more columns: the row's identity, whether it lies in the next overlap, whether the last read may have taken it. */
  extra: string
  value: string | undefined
}

async function positionOf(connection: PromisedConnection, config: MysqlConfig, { columns, key }: Table, since: MysqlCursor | undefined): Promise<Position> {
  const { cursor: name } = config
  if (name === undefined) return { where: '', extra: 'NULL, 0, 0', value: undefined }
  const wrong = (reason: string): Error => failure('cursor_invalid', { column: name, table: config.table, reason })
  const column = columns.find((one) => one.name === name)
  if (column === undefined) throw wrong('it is not one of the columns that are read')
  if (key.length === 0) throw wrong('the table has no primary key to tell rows apart; declare key')
  const id = mysql.escapeId(name, true)
  const [[{ missing }]] = await connection.query<RowDataPacket[]>(`SELECT EXISTS (SELECT 1 FROM ${mysql.escapeId(config.table, true)} WHERE ${id} IS NULL) AS missing`)
  if (Number(missing) !== 0) throw wrong('there are rows without a value in it')
  const back = (value: string): string => (column.time ? `CAST(${mysql.escape(value)} AS DATETIME(6)) - INTERVAL ${overlapOf(config.overlap, DEFAULT_OVERLAP.seconds)} SECOND` : `${mysql.escape(value)} - ${overlapOf(config.overlap, DEFAULT_OVERLAP.values)}`)
  const [[{ greatest }]] = await connection.query<RowDataPacket[]>(`SELECT CAST(MAX(${id}) AS CHAR) AS greatest FROM ${mysql.escapeId(config.table, true)}`)
  const value = (greatest as string | null) ?? since?.value
  const identity = `CONCAT_WS(CHAR(31), ${[...key, name].map((one) => mysql.escapeId(one, true)).join(', ')})`
  return {
    where: since === undefined ? '' : ` WHERE ${id} >= ${back(since.value)}`,
    extra: value === undefined ? 'NULL, 0, 0' : `${identity}, ${id} >= ${back(value)}, ${since === undefined ? '0' : `${id} <= ${mysql.escape(since.value)}`}`,
    value,
  }
}

const overlapOf = (given: number | undefined, usual: number): number => Math.max(0, Math.floor(given ?? usual))

interface Window {
  /** Whether the row is new; it is remembered when it lies in the next overlap. */
  takes(identity: string, inNext: boolean, maybeTaken: boolean): boolean
  cursor(): MysqlCursor | undefined
}

function createWindow(since: MysqlCursor | undefined, value: string | undefined, config: MysqlConfig): Window {
  const before = new Set((Buffer.from(since?.seen ?? '', 'base64').toString('hex').match(/.{16}/g) ?? []))
  const next: string[] = []
  return {
    takes(identity, inNext, maybeTaken) {
      const mark = inNext || maybeTaken ? hash('sha256', identity).slice(0, 16) : ''
      if (inNext) next.push(mark)
      if (next.length > MOST_SEEN) throw failure('cursor_invalid', { column: config.cursor, table: config.table, reason: `more than ${MOST_SEEN} rows lie within its overlap; declare a smaller one` })
      return !(maybeTaken && before.has(mark))
    },
    cursor: () => (value === undefined ? undefined : { value, seen: Buffer.from(next.join(''), 'hex').toString('base64') }),
  }
}

/** Rows as text, some hundred at a time. */
async function* csvOf(connection: PromisedConnection, query: string, columns: Described[], window: Window, at: string): AsyncGenerator<Buffer> {
  type Field = { string(): string | null; buffer(): Buffer | null }
  // mysql2's plain connection streams; its promises would gather all rows.
  const plain = (connection as unknown as { connection: { query(options: object): { stream(options: object): Readable } } }).connection
  let column = 0
  const width = columns.length + 3
  const rows = plain.query({
    sql: query, rowsAsArray: true,
    typeCast: (field: Field) => {
      const hex = columns[column]?.hex === true
      column = (column + 1) % width
      if (!hex) return field.string()
      const bytes = field.buffer()
      return bytes === null ? null : `\\x${bytes.toString('hex')}`
    },
  }).stream({ highWaterMark: 512 })
  let text = ''
  try {
    for await (const row of rows as AsyncIterable<(string | null)[]>) {
      const [identity, inNext, maybeTaken] = row.slice(columns.length)
      if (identity !== null && !window.takes(identity, inNext === '1', maybeTaken === '1')) continue
      text += `${columns.map((one, i) => csvValue(row[i], one.quoted)).join(',')}\n`
      if (text.length < 1 << 16) continue
      yield Buffer.from(text)
      text = ''
    }
  } catch (error) {
    throw (error as { sqlState?: string }).sqlState === undefined ? error : failure('source_failed', { address: at, reason: reasonOf(error) }, error)
  }
  if (text !== '') yield Buffer.from(text)
}

const csvValue = (value: string | null, quoted: boolean): string => (value === null ? NULL_TEXT : quoted ? `"${value.replaceAll('"', '""')}"` : value)
