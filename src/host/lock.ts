/**
 * One job of a kind per dataset on this machine. The lock refuses a second writer early; the marks of the
 * table would stop one of the two anyway. The lock of a dead process is taken over.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HeadraceError, failure, reasonOf, storageFailure } from '../core/errors.ts'
import { hasCode, retry } from '../core/waiting.ts'

/** `home`: the folder that the runs of one installation share. */
export async function lockJob(home: string, job: string): Promise<() => Promise<void>> {
  const folder = join(home, 'locks')
  const path = join(folder, `${job.replaceAll(' ', '-')}.lock`)
  const own = `${path}.${randomUUID()}`
  const holder: Holder = { pid: process.pid, since: new Date().toISOString(), started: startOf(process.pid) }
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(own, JSON.stringify(holder))
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (await take(own, path)) return () => rm(path, { force: true })
      const other = await readHolder(path)
      if (other !== undefined && other !== 'unreadable' && isAlive(other))
        throw failure('job_running', { job, pid: other.pid, since: other.since })
      if (other !== undefined) await removeDead(path, own)
    }
  } catch (error) {
    throw error instanceof HeadraceError ? error : storageFailure(error, 'write', path)
  } finally {
    await rm(own, { force: true })
  }
  throw failure('job_running', { job, pid: 'unknown', since: 'just now' })
}

/** Meanwhile, others may take over the same dead lock and release it. */
const ATTEMPTS = 5

/**
 * Links a complete file to the name of the lock, so an existing lock always names its holder. False if the
 * name is taken.
 */
async function take(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/**
 * One process at a time removes a dead lock: between its check and the removal, nobody else can put a live
 * lock in its place.
 */
async function removeDead(path: string, own: string): Promise<void> {
  const guard = `${path}.takeover`
  if (!(await take(own, guard))) {
    if (await isDead(guard)) await rm(guard, { force: true })
    return
  }
  try {
    if (await isDead(path)) await rm(path, { force: true })
  } finally {
    await rm(guard, { force: true })
  }
}

async function isDead(path: string): Promise<boolean> {
  const holder = await readHolder(path)
  return holder === 'unreadable' || (holder !== undefined && !isAlive(holder))
}

const POLL_MS = 500

/**
 * Takes the lock when its holder releases it, within `waitMs`: jobs of the service that fill one dataset run
 * one after the other. Throws `job_running` after that time, or at the signal.
 */
export async function lockJobWithin(
  home: string,
  job: string,
  { waitMs, signal, say }: Waiter,
): Promise<() => Promise<void>> {
  let isSaid = false
  return retry(() => lockJob(home, job), {
    mayPass: (error) => hasCode(error, 'job_running'),
    withinMs: waitMs,
    firstPauseMs: POLL_MS,
    signal,
    onFailure(error) {
      if (!isSaid) say(`${reasonOf(error)} Waiting for it to end.`)
      isSaid = true
    },
  })
}

interface Waiter {
  waitMs: number
  signal: AbortSignal
  say(text: string): void
}

interface Holder {
  pid: number
  since: string
  started?: string
}

/** Undefined if there is none. Earlier versions left an unreadable lock if they died at the wrong moment. */
async function readHolder(path: string): Promise<Holder | 'unreadable' | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : 'unreadable'
  }
}

/**
 * Whether the holder still runs. The process ID alone does not tell: it may belong to another process by now
 * (with another start time), or to a dead one that nobody has waited for (a zombie answers signals).
 */
function isAlive({ pid, started }: Holder): boolean {
  if (pid === process.pid) return false
  const now = startOf(pid)
  if (now !== undefined) return now !== DEAD && (started === undefined || now === started)
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const DEAD = 'dead'

/**
 * When a process started, in ticks since boot (proc(5), fields 3 and 22 of stat). Undefined without /proc.
 */
function startOf(pid: number): string | undefined {
  if (!existsSync('/proc/self/stat')) return undefined
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return fields[0] === 'Z' || fields[0] === 'X' ? DEAD : fields[19]
  } catch {
    return DEAD
  }
}
