/**
 * The built-in PostgreSQL: the real server from an npm package, with its data in the home of this
 * installation, durable (fsync on) and reachable from this machine only. To use your own server, give its URL
 * instead.
 *
 * PostgreSQL refuses to run as root. So root starts it as an unprivileged system user, with its programs and
 * its data where that user can reach them.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { chmod, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { failure } from '../core/errors.ts'
import { freePort } from './jvm-servers.ts'
import { OWNER, createCluster, endLeftover, runningServer } from './postgres-cluster.ts'
import { packagedPrograms, reachableFolder, reachablePrograms, serverUser } from './postgres-user.ts'
import { waitUntil } from '../core/waiting.ts'

const run = promisify(execFile)

export interface PostgresServer {
  /** `postgres://owner:password@127.0.0.1:port/headrace`: a superuser of this server only. */
  readonly url: string
  readonly pid: number
  /** The folder of its data. */
  readonly folder: string
  /** Resolves when the server has ended, whether requested or not. */
  readonly ended: Promise<void>
  /** Ends sessions and writes a checkpoint: the next start needs no recovery. */
  stop(): Promise<void>
  /** Ends it like a crash. */
  kill(): Promise<void>
}

export interface PostgresOptions {
  /**
   * Folder of the installation. The data are in `postgres/` below it, unless the server's user cannot reach
   * that.
   */
  home: string
  /** Programs of another PostgreSQL 15 or newer (its bin folder) instead of the packaged ones. */
  programs?: string
  settings?: Record<string, string>
}

/**
 * Starts the server, and creates its data folder the first time (about a second). A server that a crash left
 * behind is ended first.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const user = serverUser()
  const programs = await reachablePrograms(options.programs ?? packagedPrograms(), user)
  const data = reachableFolder(join(options.home, 'postgres'), user)
  const login = await createCluster(programs, data, user)
  await endLeftover(data)
  const port = await freePort()
  const settings = { ...SETTINGS, port: String(port), ...options.settings }
  const log = await open(join(data, '..', 'postgres.log'), 'a')
  const args = [
    '-D',
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  const child = spawn(join(programs, 'postgres'), args, {
    stdio: ['ignore', log.fd, log.fd],
    cwd: data,
    ...user,
    detached: true,
  })
  await log.close()
  const ended = new Promise<void>(
    (done) => (child.once('exit', () => done()), child.once('error', () => done())),
  )
  const url = `postgres://${OWNER}:${login}@127.0.0.1:${port}/${DATABASE}`
  await waitUntilReady(child, port, join(data, '..', 'postgres.log'))
  await createDatabase(port, login)
  const end = (signal: 'SIGINT' | 'SIGQUIT') => async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
  }
  return { url, pid: child.pid as number, folder: data, ended, stop: end('SIGINT'), kill: end('SIGQUIT') }
}

/** The data folder of a home's server, whether it exists or not. */
export function databaseFolder(home: string): string {
  return reachableFolder(join(home, 'postgres'), serverUser())
}

/** The owner's URL of a home's running server, whoever started it. */
export async function ownerUrl(home: string): Promise<string | undefined> {
  const data = databaseFolder(home)
  const running = runningServer(data)
  return (
    running &&
    `postgres://${OWNER}:${(await readFile(`${data}.login`, 'utf8')).trim()}@127.0.0.1:${running.port}/${DATABASE}`
  )
}

/** Gives files to the server's user, if that is another user. */
export async function giveToServer(data: string): Promise<void> {
  const { uid, gid } = serverUser()
  await chmod(data, 0o700)
  if (uid !== undefined) await run('chown', ['-R', `${uid}:${gid}`, data])
}

const DATABASE = 'headrace'

/** A server for one machine: small, durable, reachable from this machine only. */
const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // The first change of a page after a checkpoint writes the whole page to the log. So have fewer checkpoints
  // and smaller pages.
  wal_compression: 'on',
  max_wal_size: '2GB',
  // A running backup may still need it.
  wal_keep_size: '1GB',
  checkpoint_timeout: '15min',
  shared_buffers: '128MB',
  max_connections: '200',
  password_encryption: 'scram-sha-256',
  log_min_messages: 'warning',
  log_line_prefix: '%m [%p] ',
  timezone: 'UTC',
}

const START_MS = 60_000

async function waitUntilReady(child: ChildProcess, port: number, log: string): Promise<void> {
  const hasEnded = (): boolean => child.exitCode !== null || child.pid === undefined
  let isReady = false
  const look = async (): Promise<boolean> => hasEnded() || (isReady = await refusesPassword(port))
  await waitUntil(look, { everyMs: 50, withinMs: START_MS })
  if (isReady) return
  const tail = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join(' ')
  throw failure('missing_part', {
    part: 'The built-in PostgreSQL',
    purpose: 'the service',
    reason: `it did not start: ${tail}`,
    instead: `Look at ${log}, or give a PostgreSQL with --database.`,
  })
}

/** A ready server refuses a wrong password; one that starts or recovers reports that instead (57P03). */
async function refusesPassword(port: number): Promise<boolean> {
  const login = { user: OWNER, database: 'postgres', password: 'not-the-password' }
  const client = new pg.Client({ host: '127.0.0.1', port, ...login })
  const answer = await client.connect().then(
    () => 'in',
    (error: { code?: string }) => error.code ?? '',
  )
  await client.end().catch(() => undefined)
  return answer === '28P01'
}

async function createDatabase(port: number, password: string): Promise<void> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: OWNER, database: 'postgres', password })
  await client.connect()
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`)
  } finally {
    await client.end()
  }
}
