/**
 * Connects a remote store with an engine that only opens files: copies of objects, below a folder. Data files
 * never change under a name, so a copy is as good as the object, in every process that shares the folder.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { failure, storageFailure } from '../../core/errors.ts'

/** The bytes of an object, whole or in chunks. Undefined if it is missing. */
type Fetch = (name: string) => Promise<Buffer | AsyncIterable<Uint8Array> | undefined>

export interface Staging {
  path(name: string): string
  /** Fetches the missing copies. A missing object is an error: the log named it. */
  stage(names: string[], read: Fetch): Promise<void>
  /** True if the folder has the file: an engine wrote it, or it was fetched. */
  holds(name: string): Promise<boolean>
  makeFolder(name: string): Promise<void>
  /** Renames a file. */
  move(from: string, to: string): Promise<void>
  dropFolder(name: string): Promise<void>
  forget(name: string): Promise<void>
}

/** Copies that have not been used for this long are removed if there are more bytes than this. */
const IDLE_MS = 600_000
const FULL_BYTES = 8 * 1024 * 1024 * 1024
const FETCHED_AT_ONCE = 8

/** `fileOf`: the file name of an object's copy, where names of objects may not be paths. */
export function createStaging(
  folder: string,
  nowMs: () => number,
  fileOf = (name: string): string => name,
): Staging {
  const root = resolve(folder)
  const path = (name: string): string => {
    const full = resolve(root, fileOf(name))
    if (!full.startsWith(`${root}/`) && full !== root)
      throw failure('internal', { reason: `${name} leaves ${root}` })
    return full
  }
  const fetchOne = async (name: string, read: Fetch): Promise<void> => {
    const target = path(name)
    if (await exists(target))
      return void (await utimes(target, nowMs() / 1000, nowMs() / 1000).catch(() => undefined))
    const bytes = await read(name)
    if (bytes === undefined)
      throw failure('path_not_found', {
        path: name,
        base: 'the folder of the table, whose log lists this file',
      })
    const temporary = `${target}.${randomUUID()}.tmp`
    try {
      await mkdir(dirname(target), { recursive: true })
      await writeFile(temporary, bytes)
      await rename(temporary, target)
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined)
      throw storageFailure(error, 'write', target)
    }
  }
  return {
    path,
    async stage(names, read) {
      await makeRoom(root, new Set(names.map(path)), nowMs())
      for (let at = 0; at < names.length; at += FETCHED_AT_ONCE)
        await Promise.all(names.slice(at, at + FETCHED_AT_ONCE).map((name) => fetchOne(name, read)))
    },
    holds: (name) => exists(path(name)),
    makeFolder: async (name) => {
      await mkdir(path(name), { recursive: true }).catch((error: unknown) => {
        throw storageFailure(error, 'make', path(name))
      })
    },
    move: async (from, to) => {
      try {
        await mkdir(dirname(path(to)), { recursive: true })
        await rename(path(from), path(to))
      } catch (error) {
        throw storageFailure(error, 'move', path(from))
      }
    },
    dropFolder: (name) => rm(path(name), { recursive: true, force: true }).catch(() => undefined),
    forget: (name) => rm(path(name), { force: true }),
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}

/** Limits the copies: the least recently used go first, but never one that is about to be used. */
async function makeRoom(root: string, wanted: ReadonlySet<string>, nowMs: number): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => ({
        path: join(entry.parentPath, entry.name),
        ...(await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0, mtimeMs: nowMs }))),
      })),
  )
  let bytes = files.reduce((sum, file) => sum + file.size, 0)
  for (const file of files.toSorted((a, b) => a.mtimeMs - b.mtimeMs)) {
    if (bytes <= FULL_BYTES || file.mtimeMs > nowMs - IDLE_MS) return
    if (wanted.has(file.path)) continue
    await rm(file.path, { force: true })
    bytes -= file.size
  }
}
