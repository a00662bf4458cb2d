/** A real MariaDB (Debian's) for tests: its packages are unpacked below .headrace, nothing is installed. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mysql, { type Connection, type ResultSetHeader } from 'mysql2/promise'
import { freePort } from '../../src/host/jvm-servers.ts'
import { unpackDebian } from './debian.ts'
import type { LateWriter } from './transfers.ts'
import { atEnd, removeAtEnd } from './at-end.ts'

/** The server's programs, fetched once. */
export function fetchMariaDb(): string {
  return unpackDebian(
    'mariadb',
    ['mariadb-server-core', 'libaio1', 'liburing2', 'libnuma1'],
    'usr/sbin/mariadbd',
  )
}

export interface MariaDb {
  port: number
  login: { username: string; password: string }
}

/**
 * Starts a server with one database, `shop`; `more`: settings of its command line. It ends with this process.
 */
export async function startMariaDb(more: string[] = []): Promise<MariaDb> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-mariadb-'))
  chmodSync(folder, 0o777)
  const login = { username: 'loader', password: `p'${process.pid}"` }
  const { program, env, settings } = layDown(folder)
  const port = await freePort()
  const log = openSync(join(folder, 'server.log'), 'a')
  const child = spawn(
    program,
    [
      ...settings,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--socket=${join(folder, 'socket')}`,
      `--init-file=${join(folder, 'init.sql')}`,
      `--pid-file=${join(folder, 'pid')}`,
      '--sql-mode=',
      '--skip-name-resolve',
      ...more,
    ],
    { env, stdio: ['ignore', log, log] },
  )
  atEnd(() => child.kill('SIGKILL'))
  removeAtEnd(folder)
  const server = { port, login }
  await untilItAnswers(server, child, join(folder, 'server.log'))
  return server
}

/**
 * Writes the server's own tables into a folder, and what makes the database and its user at the first start.
 */
function layDown(folder: string): { program: string; env: NodeJS.ProcessEnv; settings: string[] } {
  const parts = fetchMariaDb()
  const program = join(parts, 'usr/sbin/mariadbd')
  const share = join(parts, 'usr/share/mysql')
  const architecture =
    readdirSync(join(parts, 'usr/lib')).find((entry) =>
      existsSync(join(parts, 'usr/lib', entry, 'libaio.so.1')),
    ) ?? ''
  const env = { ...process.env, LD_LIBRARY_PATH: join(parts, 'usr/lib', architecture) }
  const settings = [
    '--no-defaults',
    `--datadir=${join(folder, 'data')}`,
    `--lc-messages-dir=${share}`,
    `--character-sets-dir=${join(share, 'charsets')}`,
    '--user=root',
    '--innodb-buffer-pool-size=64M',
  ]
  mkdirSync(join(folder, 'data', 'mysql'), { recursive: true })
  const system = ['mysql_system_tables.sql', 'mysql_system_tables_data.sql']
    .map((name) => readFileSync(join(share, name), 'utf8'))
    .join('\n')
  execFileSync(program, [...settings, '--bootstrap'], {
    env,
    input: `USE mysql;\n${system}`,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  writeFileSync(
    join(folder, 'init.sql'),
    `CREATE DATABASE shop CHARACTER SET utf8mb4;\nCREATE USER 'loader'@'%' IDENTIFIED BY 'p''${process.pid}"';\nGRANT ALL ON shop.* TO 'loader'@'%';\n`,
  )
  return { program, env, settings }
}

async function untilItAnswers(server: MariaDb, child: ChildProcess, log: string): Promise<void> {
  for (const end = Date.now() + 60_000; ; await new Promise((done) => setTimeout(done, 200))) {
    const connection = await connectTo(server).catch(() => undefined)
    await connection?.end()
    if (connection !== undefined) return
    if (Date.now() > end || child.exitCode !== null)
      throw new Error(`MariaDB did not start: ${readFileSync(log, 'utf8').slice(-2_000)}`)
  }
}

/** A connection to its database. */
export function connectTo({ port, login }: MariaDb, more: mysql.ConnectionOptions = {}): Promise<Connection> {
  return mysql.createConnection({
    host: '127.0.0.1',
    port,
    user: login.username,
    password: login.password,
    database: 'shop',
    ...more,
  })
}

/** Two rows a transaction, into a table with a column `seen` and a key that counts. */
export function lateWriter(connection: Connection, table: string): LateWriter {
  return {
    async insert() {
      await connection.query('BEGIN')
      const [{ insertId, affectedRows }] = await connection.query<ResultSetHeader>(
        `INSERT INTO ${table} (seen) SELECT now() FROM seq_1_to_2`,
      )
      return Array.from({ length: affectedRows }, (_, i) => insertId + i)
    },
    end: async (how) => void (await connection.query(how)),
    close: () => connection.end(),
  }
}
