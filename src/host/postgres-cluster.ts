/**
 * The data folder of the built-in PostgreSQL: created once, completely or not at all, with the login of its
 * owner.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { failure, reasonOf } from '../core/errors.ts'
import { writeWhole } from '../secrets/whole-file.ts'
import type { ServerUser } from './postgres-user.ts'
import { textOf } from './system-file.ts'
import { waitUntil } from '../core/waiting.ts'

const run = promisify(execFile)

export const OWNER = 'headrace_owner'

/** Creates the data folder once, completely or not at all. Returns the password of the owner. */
export async function createCluster(programs: string, data: string, user: ServerUser): Promise<string> {
  const known = textOf(`${data}.login`).trim()
  const password = known === '' ? randomBytes(24).toString('base64url') : known
  if (existsSync(join(data, 'PG_VERSION'))) {
    // The data are complete, even if the login was lost: set a new one, and keep the data.
    if (known === '') await setLogin(programs, data, user, password)
    return password
  }
  const work = `${data}.creating`
  await rm(work, { recursive: true, force: true })
  await rm(data, { recursive: true, force: true })
  await mkdir(work, { recursive: true })
  if (user.uid !== undefined) await chown(work, user.uid, user.gid as number)
  await initialize({ programs, work, data, user, password })
  await writeWhole(`${data}.login`, `${password}\n`)
  await chmod(work, 0o700)
  await rename(work, data)
  await using folder = await open(dirname(data))
  await folder.sync()
  return password
}

interface Initialization {
  programs: string
  /** Where it is created. `data` is its later place. */
  work: string
  data: string
  user: ServerUser
  password: string
}

/** Runs initdb, which reads the password from a file: all users can see arguments. */
async function initialize({ programs, work, data, user, password }: Initialization): Promise<void> {
  const passwordFile = `${work}.password`
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (user.uid !== undefined) await chown(passwordFile, user.uid, user.gid as number)
  const identity = ['-U', OWNER, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`]
  const text = ['-E', 'UTF8', '--locale=C']
  try {
    await run(join(programs, 'initdb'), ['-D', work, ...identity, ...text, '--data-checksums'], {
      ...user,
      cwd: work,
    })
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
}

/** Sets the owner's password on a stopped cluster, in the single-user mode of the server. */
async function setLogin(programs: string, data: string, user: ServerUser, password: string): Promise<void> {
  await endLeftover(data)
  const single = run(join(programs, 'postgres'), ['--single', '-D', data, 'postgres'], { ...user, cwd: data })
  single.child.stdin?.end(`ALTER ROLE ${OWNER} PASSWORD '${password}'\n`)
  await single
  await writeWhole(`${data}.login`, `${password}\n`)
}

/**
 * The server of a data folder, by its own file. A process ID that now belongs to another process does not
 * count.
 */
export function runningServer(data: string): { pid: number; port: string } | undefined {
  const [first, , , port] = textOf(join(data, 'postmaster.pid')).split('\n')
  const pid = Number(first)
  return pid > 0 && textOf(`/proc/${pid}/cmdline`).includes(data) ? { pid, port: port.trim() } : undefined
}

const END_MS = 30_000

/** Ends a server that outlived the process that started it. */
export async function endLeftover(data: string): Promise<void> {
  const running = runningServer(data)
  if (running === undefined) return
  try {
    process.kill(running.pid, 'SIGINT')
    await waitUntil(() => !existsSync(join(data, 'postmaster.pid')), { everyMs: 50, withinMs: END_MS })
  } catch {
    // It has ended in the meantime.
  }
}
