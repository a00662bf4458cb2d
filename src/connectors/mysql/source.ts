/**
 * A table of MySQL or MariaDB as CSV text in a stream, with the types it has. Reads are of one snapshot. These databases do not tell
 * which transaction wrote a row, so incremental reads look back over an overlap of the cursor and leave out what they took before.
 */
import { hash } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { Readable } from 'node:stream'
import mysql, { type Connection as PromisedConnection, type RowDataPacket } from 'mysql2/promise'
import { failure, reasonOf } from '../../core/errors.ts'
import { isConnectionLost, KEEP_ALIVE_MS, NULL_TEXT, PART_BYTES, WHOLE, type DatabaseLogin, type ReadOptions, type SourceColumn, type TableRead } from '../table-source.ts'

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
  /**
   * `one` (usual): all rows as of one moment, by one connection. `per_part`: ranges of a whole-number primary key, each as of its own
   * moment, beside each other and kept when a read breaks. Each row comes once either way.
   */
  snapshot?: 'one' | 'per_part'
  /** With `per_part`: about so many bytes of the table are read at a time. */
  part_bytes?: number
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
export async function readMysql(config: MysqlConfig, login: DatabaseLogin, address: string, { since, limit, lanes = 1, earlier }: ReadOptions<MysqlCursor>): Promise<TableRead<MysqlCursor>> {
  const at = `${config.host}:${config.port ?? 3306}`
  const connections = [await connect(config, login, address)]
  const close = async (): Promise<void> => connections.forEach((one) => one.destroy())
  try {
    const table = await describeTable(connections[0], config, at)
    const cut = config.snapshot === 'per_part' && since === undefined && limit === undefined
    const identity = cut ? JSON.stringify([at, config.database, config.table, table.columns, table.key, config.cursor, config.overlap]) : ''
    // What is kept of a broken read was cut and bounded as it was then; the rest is read by the same.
    const moment = cut && earlier?.identity === identity ? (JSON.parse(earlier.moment) as Moment) : { value: await greatestOf(connections[0], config, table), parts: cut ? await rangesOf(connections[0], config, table) : [WHOLE] }
    moment.value ??= since?.value
    const position = positionOf(config, table, since, moment.value, cut && config.cursor !== undefined)
    const before = new Set(Buffer.from(since?.seen ?? '', 'base64').toString('hex').match(/.{16}/g) ?? [])
    const notes: (() => string)[] = []
    return {
      columns: table.columns.map(({ name, duckType, hex }) => ({ name, duckType, hex })), estimatedRows: table.estimatedRows,
      parts: moment.parts, lanes: Math.min(lanes, moment.parts.length), identity, moment: JSON.stringify(moment),
      async open(part, lane) {
        connections[lane] ??= await connect(config, login, address)
        if (cut) await begin(connections[lane])
        const where = [...position.where, ...(cut ? inRange(table, part) : [])]
        const query = `SELECT ${table.columns.map((column) => column.select).join(', ')}, ${position.extra} FROM ${mysql.escapeId(config.table, true)}${where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`}${limit === undefined ? '' : ` LIMIT ${Math.floor(limit)}`}`
        const window = createWindow(before, config)
        notes.push(window.note)
        return { stream: Readable.from(csvOf(connections[lane], query, table.columns, window, at), { objectMode: false, highWaterMark: 1 << 20 }), note: window.note }
      },
      async keeps(_part, _rows, note) {
        notes.push(() => note)
        return true
      },
      cursor: () => (moment.value === undefined ? undefined : { value: moment.value, seen: Buffer.concat(notes.map((note) => Buffer.from(note(), 'base64'))).toString('base64') }),
      failed: (error) => readError(error, at),
      close,
    }
  } catch (error) {
    await close()
    throw readError(error, at)
  }
}

async function connect(config: MysqlConfig, login: DatabaseLogin, address: string): Promise<PromisedConnection> {
  const port = config.port ?? 3306
  const connection = await mysql.createConnection({
    host: config.host, port, user: login.username, password: login.password, database: config.database, charset: 'utf8mb4', connectTimeout: 15_000, stream: () => connectTcp({ port, host: address, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }), ssl: tlsOf(config),
  }).catch((error: unknown) => {
    throw connectError(error, `${config.host}:${port}`, config)
  })
  connection.on('error', () => undefined)
  await connection.query("SET time_zone = '+00:00'")
  await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
  await begin(connection)
  return connection
}

const begin = (connection: PromisedConnection): Promise<unknown> => connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY')

function readError(error: unknown, at: string): Error {
  if (isConnectionLost(error)) return failure('source_unreachable', { address: at, reason: reasonOf(error) }, error)
  return (error as { sqlState?: string }).sqlState === undefined ? (error as Error) : failure('source_failed', { address: at, reason: reasonOf(error) }, error)
}

interface Moment {
  /** The greatest value of the cursor when the read began: what is above it comes with the next read. */
  value?: string
  /** `FROM:TO` of the key; the first has no beginning and the last no end. */
  parts: string[]
}

const MOST_PARTS = 10_000

/** Equal steps of the key, about as many as the table's size asks for. Throws when the key is not one column of whole numbers. */
async function rangesOf(connection: PromisedConnection, config: MysqlConfig, { columns, key }: Table): Promise<string[]> {
  const column = columns.find((one) => one.name === key[0])
  if (key.length !== 1 || column === undefined || !column.duckType.endsWith('INT')) throw failure('not_supported', { feature: `snapshot: per_part for ${config.table}, whose key is not one column of whole numbers that is read,`, instead: 'Leave snapshot out, or declare key with the column to cut by.' })
  const id = mysql.escapeId(column.name, true)
  const [[{ least, greatest, bytes }]] = await connection.query<RowDataPacket[]>(`SELECT CAST(MIN(${id}) AS CHAR) AS least, CAST(MAX(${id}) AS CHAR) AS greatest, (SELECT CAST(data_length AS CHAR) FROM information_schema.tables WHERE table_schema = ? AND table_name = ?) AS bytes FROM ${mysql.escapeId(config.table, true)}`, [config.database, config.table])
  const count = Math.min(MOST_PARTS, Math.max(1, Math.ceil(Number(bytes ?? 0) / (config.part_bytes ?? PART_BYTES))))
  const [from, to] = [BigInt((least as string | null) ?? 0), BigInt((greatest as string | null) ?? 0)]
  const step = (to - from) / BigInt(count) + 1n
  const bounds = Array.from({ length: count + 1 }, (_, i) => (i === 0 || i === count ? '' : String(from + step * BigInt(i))))
  return bounds.slice(1).map((end, i) => `${bounds[i]}:${end}`)
}

function inRange({ key }: Table, part: string): string[] {
  const id = mysql.escapeId(key[0], true)
  const [from, to] = part.split(':')
  return [...(from === '' ? [] : [`${id} >= ${from}`]), ...(to === '' ? [] : [`${id} < ${to}`])]
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

const WHOLE_TYPES: Record<string, string> = { tinyint: 'TINYINT', smallint: 'SMALLINT', mediumint: 'INTEGER', int: 'INTEGER', bigint: 'BIGINT', year: 'SMALLINT' }
const BYTES = new Set(['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob', 'bit', 'geometry', 'point'])

/** What has no equal stays the text that the database gives. A FLOAT is read as a DOUBLE: as text it has six digits only. */
function describeColumn(name: string, kind: string, whole: string, { zero_dates: zeros }: MysqlConfig): Described {
  const id = mysql.escapeId(name, true)
  const plain = { name, select: id, hex: false, quoted: false, time: false }
  if (WHOLE_TYPES[kind] !== undefined) return { ...plain, duckType: `${/unsigned/.test(whole) ? 'U' : ''}${WHOLE_TYPES[kind]}` }
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
  where: string[]
  /** Three more columns: the row's identity, whether it lies in the next overlap, whether the last read may have taken it. */
  extra: string
}

const cursorError = ({ cursor, table }: MysqlConfig, reason: string): Error => failure('cursor_invalid', { column: cursor, table, reason })

/** The greatest value of the cursor column, if one is declared and there are rows. Throws for a column that cannot be one. */
async function greatestOf(connection: PromisedConnection, config: MysqlConfig, { columns, key }: Table): Promise<string | undefined> {
  if (config.cursor === undefined) return undefined
  if (!columns.some((one) => one.name === config.cursor)) throw cursorError(config, 'it is not one of the columns that are read')
  if (key.length === 0) throw cursorError(config, 'the table has no primary key to tell rows apart; declare key')
  const [id, table] = [mysql.escapeId(config.cursor, true), mysql.escapeId(config.table, true)]
  const [[{ missing, greatest }]] = await connection.query<RowDataPacket[]>(`SELECT EXISTS (SELECT 1 FROM ${table} WHERE ${id} IS NULL) AS missing, (SELECT CAST(MAX(${id}) AS CHAR) FROM ${table}) AS greatest`)
  if (Number(missing) !== 0) throw cursorError(config, 'there are rows without a value in it')
  return (greatest as string | null) ?? undefined
}

/** `cut`: parts are read at moments of their own, so that what came above the value since then is left to the next read. */
function positionOf(config: MysqlConfig, { columns, key }: Table, since: MysqlCursor | undefined, value: string | undefined, cut: boolean): Position {
  const { cursor: name } = config
  if (name === undefined) return { where: [], extra: 'NULL, 0, 0' }
  const time = columns.find((one) => one.name === name)?.time === true
  const id = mysql.escapeId(name, true)
  const back = (from: string): string => (time ? `CAST(${mysql.escape(from)} AS DATETIME(6)) - INTERVAL ${overlapOf(config.overlap, DEFAULT_OVERLAP.seconds)} SECOND` : `${mysql.escape(from)} - ${overlapOf(config.overlap, DEFAULT_OVERLAP.values)}`)
  const identity = `CONCAT_WS(CHAR(31), ${[...key, name].map((one) => mysql.escapeId(one, true)).join(', ')})`
  return {
    where: [...(since === undefined ? [] : [`${id} >= ${back(since.value)}`]), ...(!cut ? [] : [value === undefined ? 'FALSE' : `${id} <= ${mysql.escape(value)}`])],
    extra: value === undefined ? 'NULL, 0, 0' : `${identity}, ${id} >= ${back(value)}, ${since === undefined ? '0' : `${id} <= ${mysql.escape(since.value)}`}`,
  }
}

const overlapOf = (given: number | undefined, usual: number): number => Math.max(0, Math.floor(given ?? usual))

interface Window {
  /** Whether the row is new; it is remembered when it lies in the next overlap. */
  takes(identity: string, inNext: boolean, maybeTaken: boolean): boolean
  /** Marks of the rows to remember, in base64. */
  note(): string
}

function createWindow(before: ReadonlySet<string>, config: MysqlConfig): Window {
  const next: string[] = []
  return {
    takes(identity, inNext, maybeTaken) {
      const mark = inNext || maybeTaken ? hash('sha256', identity).slice(0, 16) : ''
      if (inNext) next.push(mark)
      if (next.length > MOST_SEEN) throw cursorError(config, `more than ${MOST_SEEN} rows lie within its overlap; declare a smaller one`)
      return !(maybeTaken && before.has(mark))
    },
    note: () => Buffer.from(next.join(''), 'hex').toString('base64'),
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
  // A lost connection is told to the connection, and not to a query that streams.
  const onLost = (error: Error): void => void rows.destroy(error)
  connection.once('error', onLost)
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
    throw readError(error, at)
  } finally {
    connection.removeListener('error', onLost)
  }
  if (text !== '') yield Buffer.from(text)
}

const csvValue = (value: string | null, quoted: boolean): string => (value === null ? NULL_TEXT : quoted ? `"${value.replaceAll('"', '""')}"` : value)
