/**
 * Local disk. A commit is `link(2)` of a synced temporary file: on every POSIX file system, it either creates
 * the name with all its bytes or fails with EEXIST. A rename would overwrite, and a crash can tear an
 * exclusive create.
 */
import { randomUUID } from 'node:crypto'
import {
  constants,
  copyFile,
  open,
  link,
  mkdir,
  readFile,
  readdir,
  rm,
  rmdir,
  stat,
  rename,
} from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { failure, storageFailure } from '../../core/errors.ts'
import { failpoint } from '../../core/failpoint.ts'
import type { LocalFiles, ObjectStore, StoredObject } from '../../core/object-store.ts'
import { retry } from '../../core/waiting.ts'

const TEMPORARY = '.tmp-'

export function createLocalStore(folder: string): ObjectStore {
  const root = resolve(folder)
  const full = (name: string): string => {
    const path = resolve(root, name)
    if (path !== root && !path.startsWith(`${root}/`))
      throw failure('internal', { reason: `${name} leaves ${root}` })
    return path
  }
  return {
    root,
    local: localFiles(root, full),
    address: (name) => `file://${full(name)}`,
    copy: (from, to) =>
      guard(() => inFolder(full(to), () => copyFile(full(from), full(to), TWIN)), 'copy', full(from)),
    read: (name) => orMissing(() => readFile(full(name)), 'read', full(name)),
    readRange: (name, start, end) => orMissing(() => readPart(full(name), start, end), 'read', full(name)),
    stat: (name) => orMissing(() => describe(root, name), 'look at', full(name)),
    async write(name, bytes) {
      const path = full(name)
      const temporary = await writeTemporary(path, bytes)
      await guard(() => rename(temporary, path), 'write', path)
      await syncFolder(dirname(path))
    },
    writeIfAbsent: async (name, bytes) => createOnce(full(name), bytes),
    createFrom: async (path, name) => createFrom(path, full(name)),
    list: (name, after) => listFolder(root, full(name), after),
    async delete(name) {
      await guard(() => rm(full(name), { force: true }), 'delete', full(name))
      if (!isKept(name)) await removeEmpty(root, dirname(full(name)))
    },
    async sweep(beforeMs) {
      for (const path of await walk(root))
        if (basename(path).startsWith(TEMPORARY) && (await stat(path)).mtimeMs < beforeMs)
          await rm(path, { force: true })
      await sweepFolders(root, beforeMs)
    },
  }
}

/** The objects themselves: nothing is fetched, and a file that an engine writes is already in the store. */
function localFiles(root: string, full: (name: string) => string): LocalFiles {
  return {
    path: full,
    stage: async () => undefined,
    makeFolder: (name) =>
      guard(() => inFolder(join(full(name), 'any'), async () => undefined), 'make', full(name)),
    async dropFolder(name) {
      await rm(full(name), { recursive: true, force: true }).catch(() => undefined)
      await removeEmpty(root, dirname(full(name)))
    },
    move: (from, to) =>
      guard(() => inFolder(full(to), () => rename(full(from), full(to))), 'move', full(from)),
    async sync(names) {
      await syncAll(names.map(full), syncFile)
      failpoint('file.synced')
      const folders = new Set<string>()
      for (const name of names)
        for (let at = dirname(full(name)); at.startsWith(root); at = dirname(at)) folders.add(at)
      await syncAll([...folders], syncFolder)
      failpoint('folder.synced')
    },
  }
}

async function createOnce(path: string, bytes: Uint8Array): Promise<boolean> {
  const temporary = await writeTemporary(path, bytes)
  failpoint('commit.temporary_synced')
  try {
    const created = await linkOnce(temporary, path, bytes)
    failpoint('commit.linked')
    await syncFolder(dirname(path))
    return created
  } finally {
    await rm(temporary, { force: true })
  }
}

async function createFrom(source: string, path: string): Promise<boolean> {
  const temporary = await copyTemporary(source, path)
  try {
    const created = await linkNew(temporary, path)
    await syncFolder(dirname(path))
    return created
  } finally {
    await rm(temporary, { force: true })
  }
}

async function guard<T>(action: () => Promise<T>, verb: string, path: string): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw storageFailure(error, verb, path)
  }
}

/**
 * How often a folder may vanish between its creation and our write into it. Few processes remove folders, and
 * each needs a file to delete.
 */
const FOLDER_ATTEMPTS = 100

/**
 * Errors of such a write. Node's recursive mkdir checks an existing folder again, and reports ENOTDIR if it
 * is gone by then.
 */
const VANISHED = ['ENOENT', 'ENOTDIR']

/**
 * Creates something in a folder, and the folder too. A process that deletes the last file of a folder removes
 * the folder, possibly just before our creation. Then the creation fails and is repeated. Once the folder
 * holds something, nobody can remove it: rmdir(2) refuses.
 */
async function inFolder<T>(path: string, create: () => Promise<T>): Promise<T> {
  const makeBoth = async (): Promise<T> => {
    await mkdir(dirname(path), { recursive: true })
    return create()
  }
  return retry(makeBoth, {
    mayPass: (error) => VANISHED.includes((error as NodeJS.ErrnoException).code ?? ''),
    attempts: FOLDER_ATTEMPTS,
  })
}

/**
 * Shares the blocks where the file system can. A hard link would not do: it has the age of the file, and
 * vacuum spares only young files.
 */
const TWIN = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE

/** Folders whose owners write into them directly: see inFolder. */
const KEPT = ['_delta_log', '_key_index']

const isKept = (name: string): boolean => KEPT.includes(name.split('/')[0])

/**
 * Removes a folder, and those above it, as long as they are empty, but never the root. rmdir refuses a folder
 * that is not empty.
 */
async function removeEmpty(root: string, folder: string): Promise<void> {
  for (let at = folder; at.startsWith(`${root}/`); at = dirname(at)) {
    const left = await rmdir(at).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    )
    if (left) return
  }
}

/**
 * Removes folders that a writer left empty, once they are older: a private one may be about to get its first
 * file.
 */
async function sweepFolders(root: string, beforeMs: number): Promise<void> {
  const entries =
    (await orMissing(() => readdir(root, { recursive: true, withFileTypes: true }), 'list', root)) ?? []
  for (const entry of entries.toReversed()) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isDirectory() || isKept(path.slice(root.length + 1))) continue
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined && found.mtimeMs < beforeMs) await removeEmpty(root, path)
  }
}

async function orMissing<T>(action: () => Promise<T>, verb: string, path: string): Promise<T | undefined> {
  try {
    return await action()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw storageFailure(error, verb, path)
  }
}

async function readPart(path: string, start: number, end: number): Promise<Buffer> {
  await using file = await open(path, 'r')
  const bytes = Buffer.alloc(end - start)
  const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
  return bytes.subarray(0, bytesRead)
}

async function describe(root: string, name: string): Promise<StoredObject> {
  const { size, mtimeMs } = await stat(join(root, name))
  return { name, size, modifiedMs: mtimeMs }
}

/**
 * Writes and syncs a hidden file beside `path`. If the sync fails, the file is abandoned and never synced
 * again.
 */
async function writeTemporary(path: string, bytes: Uint8Array): Promise<string> {
  const temporary = join(dirname(path), `${TEMPORARY}${randomUUID()}`)
  try {
    await using file = await inFolder(temporary, () => open(temporary, 'wx'))
    await file.writeFile(bytes)
    await file.sync()
    return temporary
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw storageFailure(error, 'write', path)
  }
}

/** The same for a file that may be larger than memory. */
async function copyTemporary(from: string, path: string): Promise<string> {
  const temporary = join(dirname(path), `${TEMPORARY}${randomUUID()}`)
  try {
    await mkdir(dirname(path), { recursive: true })
    await copyFile(from, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    await syncFile(temporary)
    return temporary
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw storageFailure(error, 'copy', from)
  }
}

async function linkOnce(temporary: string, path: string, bytes: Uint8Array): Promise<boolean> {
  return (await linkNew(temporary, path)) || (await readFile(path)).equals(bytes)
}

/** False if the name is taken. */
async function linkNew(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw storageFailure(error, 'commit', path)
    return false
  }
}

/** Syncs a file's bytes (`r+`) or a folder's names (`r`: a folder cannot be opened for writing). */
async function syncPath(path: string, flags: 'r' | 'r+'): Promise<void> {
  await guard(
    async () => {
      await using handle = await open(path, flags)
      await handle.sync()
    },
    'sync',
    path,
  )
}

const syncFile = (path: string): Promise<void> => syncPath(path, 'r+')
const syncFolder = (path: string): Promise<void> => syncPath(path, 'r')

/** Files open at once: a batch over years of days has thousands, and a process may have a thousand open. */
const SYNCED_AT_ONCE = 64

/**
 * Several at once: the file system writes its journal once for them; one by one, each sync would wait for it.
 */
async function syncAll(paths: string[], sync: (path: string) => Promise<void>): Promise<void> {
  for (let from = 0; from < paths.length; from += SYNCED_AT_ONCE)
    await Promise.all(paths.slice(from, from + SYNCED_AT_ONCE).map(sync))
}

async function listFolder(root: string, folder: string, after: string | undefined): Promise<StoredObject[]> {
  const names = (await walk(folder))
    .filter((path) => !basename(path).startsWith(TEMPORARY))
    .map((path) => path.slice(root.length + 1))
    .filter((name) => after === undefined || name > after)
    .toSorted()
  const found = await Promise.all(names.map((name) => orMissing(() => describe(root, name), 'list', folder)))
  return found.filter((object) => object !== undefined)
}

/** Paths of all files below a folder. */
async function walk(folder: string): Promise<string[]> {
  const entries =
    (await orMissing(() => readdir(folder, { recursive: true, withFileTypes: true }), 'list', folder)) ?? []
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}
