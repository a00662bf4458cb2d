/**
 * HDFS through WebHDFS (Hadoop's REST API, "WebHDFS REST API"). A commit writes a temporary file and renames
 * it: the name node lets one rename to a name succeed and answers the others with the boolean `false` in a
 * regular response. An exclusive create would not do: a writer that dies leaves half an entry under the name.
 */
import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { failure } from '../../core/errors.ts'
import { failpoint } from '../../core/failpoint.ts'
import type { LocalFiles, ObjectStore, StoredObject } from '../../core/object-store.ts'
import type { Staging } from './staging.ts'
import { orMissing, type WebHdfsSpec } from './webhdfs-call.ts'
import { folderOf, moveWithin, removeEmpty, walk, type FileStatus } from './webhdfs-folders.ts'
import { json, openRoot, type WebHdfs } from './webhdfs-root.ts'

const TEMPORARY = '.tmp-'
/** Bytes to read at a time of a file that is fetched whole. */
const PART_BYTES = 8 * 1024 * 1024

export function createWebHdfsStore(spec: WebHdfsSpec, staging: Staging): ObjectStore {
  const hdfs = openRoot(spec)
  const { root, ask, create, open } = hdfs
  const local = localFiles(hdfs, staging)
  return {
    root,
    local,
    address: (name) => `${root}${name === '' ? '' : `/${name}`}`,
    async copy(from, to) {
      await local.stage([from])
      await create(to, { path: staging.path(from), size: (await stat(staging.path(from))).size })
    },
    read: (name) => open(name),
    readRange: (name, start, end) =>
      end <= start
        ? Promise.resolve(Buffer.alloc(0))
        : open(name, { offset: String(start), length: String(end - start) }),
    write: (name, bytes) => write(hdfs, name, bytes),
    writeIfAbsent: (name, bytes) => createOnce(hdfs, name, bytes),
    list: async (folder, after) =>
      (await walk(hdfs, folder)).filter(
        (file) => !isTemporary(file.name) && (after === undefined || file.name > after),
      ),
    stat: (name) => lookAt(hdfs, name),
    async delete(name) {
      await staging.forget(name)
      await ask('DELETE', name, 'DELETE')
      await removeEmpty(hdfs, folderOf(name))
    },
    async sweep(beforeMs) {
      for (const file of await walk(hdfs, ''))
        if (isTemporary(file.name) && file.modifiedMs < beforeMs) await ask('DELETE', file.name, 'DELETE')
    },
    createFrom: (path, name) => createFrom(hdfs, path, name),
  }
}

function localFiles(hdfs: WebHdfs, staging: Staging): LocalFiles {
  return {
    path: staging.path,
    stage: (names) =>
      staging.stage(names, async (name) => {
        const found = await lookAt(hdfs, name)
        return found && inParts(hdfs, name, found.size)
      }),
    makeFolder: staging.makeFolder,
    async dropFolder(name) {
      await staging.dropFolder(name)
      await hdfs.ask('DELETE', name, 'DELETE', { recursive: 'true' }).catch(() => undefined)
      await removeEmpty(hdfs, folderOf(name))
    },
    move: async (from, to) =>
      (await staging.holds(from)) ? staging.move(from, to) : moveWithin(hdfs, from, to),
    async sync(names) {
      for (const name of names) await upload(hdfs, staging, name)
      failpoint('file.synced')
      failpoint('folder.synced')
    },
  }
}

/** Prefix of the temporary names for `name`. */
const uploadsOf = (name: string): string =>
  `${folderOf(name)}${TEMPORARY}${name.slice(folderOf(name).length)}.`
const isTemporary = (name: string): boolean => name.slice(name.lastIndexOf('/') + 1).startsWith(TEMPORARY)

async function write(hdfs: WebHdfs, name: string, bytes: Uint8Array): Promise<void> {
  const { root, ask, open } = hdfs
  const written = await writeTemporary(hdfs, name, bytes)
  const renamed = await orMissing(() =>
    ask('PUT', written, 'RENAME', { ...renameTo(hdfs, name), renameoptions: 'OVERWRITE' }),
  )
  // The source is gone if the answer to the first of two attempts was lost. The content under the name tells
  // whether the rename happened.
  if (renamed === undefined && (await open(name))?.equals(Buffer.from(bytes)) !== true)
    throw failure('storage_failed', {
      action: 'rename',
      path: `${root}/${name}`,
      reason: 'what was to get this name is gone, and the name has other bytes',
    })
}

async function createOnce(hdfs: WebHdfs, name: string, bytes: Uint8Array): Promise<boolean> {
  const { ask, open } = hdfs
  const written = await writeTemporary(hdfs, name, bytes)
  failpoint('commit.temporary_synced')
  const isCreated = await renameNew(hdfs, written, name)
  failpoint('commit.linked')
  if (isCreated) return true
  await ask('DELETE', written, 'DELETE')
  // Taken: by another writer, or by ourselves if the answer to the first of two attempts was lost.
  return (await open(name))?.equals(bytes) === true
}

async function createFrom(hdfs: WebHdfs, path: string, name: string): Promise<boolean> {
  const { ask, create } = hdfs
  const written = `${uploadsOf(name)}${randomUUID()}`
  try {
    await create(written, { path, size: (await stat(path)).size })
    const isCreated = await renameNew(hdfs, written, name)
    // Removes our file if it came too late, and those of attempts that were killed here or still upload.
    for (const left of await walk(hdfs, folderOf(name).slice(0, -1), false))
      if (left.name.startsWith(uploadsOf(name))) await ask('DELETE', left.name, 'DELETE')
    return isCreated
  } catch (error) {
    // The writer that took the name removed it.
    if ((await lookAt(hdfs, name)) !== undefined) return false
    throw error
  }
}

async function writeTemporary({ create }: WebHdfs, name: string, bytes: Uint8Array): Promise<string> {
  const written = `${uploadsOf(name)}${randomUUID()}`
  await create(written, Buffer.from(bytes))
  return written
}

/** False if the name is taken. */
async function renameNew(hdfs: WebHdfs, written: string, name: string): Promise<boolean> {
  const answer = await hdfs.ask('PUT', written, 'RENAME', renameTo(hdfs, name))
  return json<{ boolean: boolean }>(answer).boolean
}

const renameTo = ({ spec }: WebHdfs, name: string): Record<string, string> => ({
  destination: `${spec.path}/${name}`,
})

function lookAt({ ask }: WebHdfs, name: string): Promise<StoredObject | undefined> {
  return orMissing(async () => {
    const { FileStatus: found } = json<{ FileStatus: FileStatus }>(await ask('GET', name, 'GETFILESTATUS'))
    return { name, size: found.length, modifiedMs: found.modificationTime }
  })
}

/** An object may be larger than memory. */
async function* inParts({ root, open }: WebHdfs, name: string, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += PART_BYTES) {
    const length = Math.min(PART_BYTES, size - at)
    const part = await open(name, { offset: String(at), length: String(length) })
    if (part?.length !== length)
      throw failure('storage_failed', {
        action: 'read',
        path: `${root}/${name}`,
        reason: `${part?.length ?? 0} of ${length} bytes arrived, from offset ${at}`,
      })
    yield part
  }
}

/** Files that an engine wrote into the store itself must exist there. */
async function upload(hdfs: WebHdfs, staging: Staging, name: string): Promise<void> {
  const size = (await staging.holds(name)) ? (await stat(staging.path(name))).size : undefined
  if (size !== undefined) await hdfs.create(name, { path: staging.path(name), size })
  const there = (await lookAt(hdfs, name))?.size
  if (there === undefined || (size !== undefined && there !== size))
    throw failure('storage_failed', {
      action: 'upload',
      path: `${hdfs.root}/${name}`,
      reason: `${there ?? 0} of ${size ?? 'some'} bytes arrived`,
    })
}
