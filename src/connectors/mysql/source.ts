/**
 * A table of MySQL or MariaDB as a stream of CSV text, with its types. Each read uses one snapshot. These
 * databases do not tell which transaction wrote a row, so incremental reads look back over an overlap of the
 * cursor and skip the rows that they read before.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import mysql, { type Connection as PromisedConnection, type RowDataPacket } from 'mysql2/promise'
import { failure } from '../../core/errors.ts'
import { tlsOf, type DatabaseTls } from '../database-tls.ts'
import {
  KEEP_ALIVE_MS,
  PART_BYTES,
  treatmentOf,
  WHOLE,
  type DatabaseLogin,
  type ReadOptions,
  type TableRead,
} from '../table-source.ts'
import { describeTable, type Table } from './describe.ts'
import { createWindow, goingOn, greatestOf, positionOf, type MysqlCursor } from './position.ts'
import { csvOf } from './rows.ts'
import type { MysqlConfig } from './config.ts'
import { readError, connectError } from './errors.ts'

export type { MysqlCursor } from './position.ts'

/** `address`: the address to connect to, checked by the caller. `host` of the config is the name for TLS. */
export async function readMysql(
  config: MysqlConfig,
  login: DatabaseLogin,
  address: string,
  { since: known, limit, lanes = 1, earlier }: ReadOptions<MysqlCursor>,
): Promise<TableRead<MysqlCursor>> {
  const at = `${config.host}:${config.port ?? 3306}`
  const treatment = { unrepresentable: treatmentOf(config.unrepresentable), zeroDates: config.zero_dates }
  const connections = [await connect(config, login, address)]
  const close = async (): Promise<void> => connections.forEach((connection) => connection.destroy())
  try {
    const table = await describeTable(connections[0], config, { at, treatment })
    const since = await goingOn(connections[0], config, table, known)
    const cut = config.snapshot === 'per_part' && since === undefined && limit === undefined
    const shape = [table.columns, table.key, config.cursor, config.overlap, treatment]
    const identity = cut ? JSON.stringify([at, config.database, table.name, ...shape]) : ''
    const moment =
      earlier !== undefined && cut && earlier.identity === identity
        ? // The kept parts of a broken read have the limits of that moment; read the rest with the same ones.
          (JSON.parse(earlier.moment) as Moment)
        : await begunNow(connections[0], config, { table, since, cut })
    moment.value ??= since?.value
    const ends = { since, value: moment.value, cut: cut && config.cursor !== undefined }
    const position = positionOf(config, table, ends)
    const before = marksOf(since)
    const notes: (() => string)[] = []
    const list = table.columns.map((column) => column.select).join(', ')
    return {
      columns: table.columns,
      estimatedRows: table.estimatedRows,
      parts: moment.parts,
      lanes: Math.min(lanes, moment.parts.length),
      identity,
      moment: JSON.stringify(moment),
      async open(part, lane, aside) {
        connections[lane] ??= await connect(config, login, address)
        if (cut) await begin(connections[lane])
        const conditions = [...position.where, ...(cut ? inRange(table, part) : [])]
        const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
        const most = limit === undefined ? '' : ` LIMIT ${Math.floor(limit)}`
        const window = createWindow(before, config)
        notes.push(window.note)
        const query = `SELECT ${list}, ${position.extra} FROM ${table.written}${where}${most}`
        const how = { columns: table.columns, window, treatment: treatment.unrepresentable, aside }
        return { stream: streamOf(csvOf(connections[lane], query, how), at), note: window.note }
      },
      async keeps(_part, _rows, note) {
        notes.push(() => note)
        return true
      },
      cursor: () =>
        cursorOf(moment, notes, { overlap: position.overlap, key: table.key, created: table.created }),
      failed: (error) => readError(error, at),
      close,
    }
  } catch (error) {
    await close()
    throw readError(error, at)
  }
}

const marksOf = (since: MysqlCursor | undefined): Set<string> =>
  new Set(
    Buffer.from(since?.seen ?? '', 'base64')
      .toString('hex')
      .match(/.{16}/g) ?? [],
  )

function cursorOf(
  { value }: Moment,
  notes: (() => string)[],
  of: Omit<MysqlCursor, 'value' | 'seen'>,
): MysqlCursor | undefined {
  const seen = Buffer.concat(notes.map((note) => Buffer.from(note(), 'base64'))).toString('base64')
  return value === undefined ? undefined : { value, seen, ...of }
}

const streamOf = (rows: AsyncIterable<Buffer>, at: string): Readable =>
  Readable.from(failing(rows, at), { objectMode: false, highWaterMark: 1 << 20 })

async function* failing(rows: AsyncIterable<Buffer>, at: string): AsyncGenerator<Buffer> {
  try {
    yield* rows
  } catch (error) {
    throw readError(error, at)
  }
}

async function connect(
  config: MysqlConfig,
  login: DatabaseLogin,
  address: string,
): Promise<PromisedConnection> {
  const port = config.port ?? 3306
  const tls = tlsOf(config, address, login)
  const connection = await mysql
    .createConnection({
      host: config.host,
      port,
      user: login.username,
      password: login.password,
      database: config.database,
      charset: 'utf8mb4',
      connectTimeout: 15_000,
      stream: () => socketTo(address, port, config.host),
      ssl: sslOptions(tls),
    })
    .catch((error: unknown) => {
      throw connectError(error, `${config.host}:${port}`, config)
    })
  connection.on('error', () => undefined)
  await connection.query("SET time_zone = '+00:00'")
  await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
  await begin(connection)
  return connection
}

/**
 * The driver passes TLS a name only if the host is one. For an address in the source, Node takes it from the
 * socket.
 */
function socketTo(address: string, port: number, host: string): Socket {
  const socket = connectTcp({ port, host: address, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS })
  return isIP(host) === 0 ? socket : Object.assign(socket, { _host: host })
}

const begin = (connection: PromisedConnection): Promise<unknown> =>
  connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY')

interface Moment {
  /** The greatest value of the cursor at the start of the read: higher values come with the next read. */
  value?: string
  /** `FROM:TO` of the key. The first has no start and the last no end. */
  parts: string[]
}

interface Begin {
  table: Table
  since: MysqlCursor | undefined
  cut: boolean
}

async function begunNow(
  connection: PromisedConnection,
  config: MysqlConfig,
  { table, since, cut }: Begin,
): Promise<Moment> {
  const value = await greatestOf(connection, config, table, since)
  return { value, parts: cut ? await rangesOf(connection, config, table) : [WHOLE] }
}

const MOST_PARTS = 10_000

/**
 * Equal steps of the key, as many as the size of the table requires. Throws if the key is not one integer
 * column.
 */
async function rangesOf(
  connection: PromisedConnection,
  config: MysqlConfig,
  { columns, key, name, written }: Table,
): Promise<string[]> {
  const column = columns.find((candidate) => candidate.name === key[0])
  if (key.length !== 1 || column === undefined || !column.duckType.endsWith('INT')) {
    const what = 'whose key is not one column of whole numbers that is read,'
    const feature = `snapshot: per_part for ${config.table}, ${what}`
    throw failure('not_supported', {
      feature,
      instead: 'Remove snapshot, or set key to the column by which to split the table.',
    })
  }
  const id = mysql.escapeId(column.name, true)
  const size = `SELECT CAST(data_length AS CHAR) FROM information_schema.tables
    WHERE table_schema = ? AND table_name = ?`
  const [[{ least, greatest, bytes }]] = await connection.query<RowDataPacket[]>(
    `SELECT CAST(MIN(${id}) AS CHAR) AS least, CAST(MAX(${id}) AS CHAR) AS greatest,
      (${size} LIMIT 1) AS bytes FROM ${written}`,
    [config.database, name],
  )
  const count = Math.min(
    MOST_PARTS,
    Math.max(1, Math.ceil(Number(bytes ?? 0) / (config.part_bytes ?? PART_BYTES))),
  )
  const [from, to] = [BigInt((least as string | null) ?? 0), BigInt((greatest as string | null) ?? 0)]
  const step = (to - from) / BigInt(count) + 1n
  const bounds = Array.from({ length: count + 1 }, (_, i) =>
    i === 0 || i === count ? '' : String(from + step * BigInt(i)),
  )
  return bounds.slice(1).map((end, i) => `${bounds[i]}:${end}`)
}

function inRange({ key }: Table, part: string): string[] {
  const id = mysql.escapeId(key[0], true)
  const [from, to] = part.split(':')
  return [...(from === '' ? [] : [`${id} >= ${from}`]), ...(to === '' ? [] : [`${id} < ${to}`])]
}

function sslOptions({ mode, ca }: DatabaseTls): mysql.SslOptions | undefined {
  if (mode === 'disable') return undefined
  const checked = mode === 'verify-full'
  return { rejectUnauthorized: checked, verifyIdentity: checked, ...(ca === undefined ? {} : { ca }) }
}
