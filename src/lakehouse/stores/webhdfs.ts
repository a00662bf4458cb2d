/**
 * HDFS by WebHDFS (Hadoop's REST API, "WebHDFS REST API"). A commit writes a temporary file and renames it:
 * the name node lets one rename onto a name through and answers the others with the boolean `false` in a good
 * answer. An exclusive create would not do: a writer that dies leaves half an entry under the name.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { request as httpRequest, type Agent as HttpAgent, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type Agent as HttpsAgent } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { HeadraceError, failure, reasonOf } from '../../core/errors.ts'
import { failpoint } from '../../core/failpoint.ts'
import type { ObjectStore, StoredObject } from '../../core/object-store.ts'
import { encodePath } from '../../core/table-schema.ts'
import type { Staging } from './staging.ts'

export interface WebHdfsSpec {
  /** Address of the name node for Hadoop's own clients: `host:8020`. */
  nameNode: string
  /** Its web address: `http://host:9870`. */
  http: string
  /** Absolute, without a slash at its end. */
  path: string
  /** Simple authentication: who we say we are. */
  user: string
  /** Connections are made by these, those to data nodes too. */
  agents?: { http: HttpAgent; https: HttpsAgent }
}

const TEMPORARY = '.tmp-'
const ATTEMPTS = 6
const FIRST_PAUSE_MS = 100
const TIMEOUT_MS = 60_000
/** What is read at a time of a file that is fetched whole. */
const PART_BYTES = 8 * 1024 * 1024

interface FileStatus {
  pathSuffix: string
  type: 'FILE' | 'DIRECTORY'
  length: number
  modificationTime: number
}

/** The calls of one root. */
interface WebHdfs {
  spec: WebHdfsSpec
  root: string
  ask(method: string, name: string, op: string, more?: Record<string, string>): Promise<Buffer>
  /** Creates or replaces, in two steps: the name node says which data node takes the bytes. */
  create(name: string, body: Body): Promise<void>
  open(name: string, more?: Record<string, string>): Promise<Buffer | undefined>
}

function openRoot(spec: WebHdfsSpec): WebHdfs {
  const root = `hdfs://${spec.nameNode}${spec.path}`
  const url = (name: string, op: string, more: Record<string, string> = {}): string => {
    const path = [spec.path, name].filter((part) => part !== '').join('/')
    return `${spec.http}/webhdfs/v1${encodePath(path)}?${new URLSearchParams({ op, 'user.name': spec.user, ...more }).toString()}`
  }
  const placed = async (
    method: string,
    name: string,
    op: string,
    more: Record<string, string>,
  ): Promise<string> =>
    json<{ Location: string }>(
      await call(
        spec,
        method,
        url(name, op, { noredirect: 'true', ...more }),
        undefined,
        `${root}/${name}`,
        op,
        1,
      ),
    ).Location
  return {
    spec,
    root,
    ask: (method, name, op, more) =>
      call(spec, method, url(name, op, more), undefined, `${root}/${name}`, op),
    create: (name, body) =>
      again(
        async () =>
          void (await call(
            spec,
            'PUT',
            await placed('PUT', name, 'CREATE', { overwrite: 'true' }),
            body,
            `${root}/${name}`,
            'CREATE',
            1,
          )),
      ),
    open: (name, more = {}) =>
      orMissing(() =>
        again(async () =>
          call(spec, 'GET', await placed('GET', name, 'OPEN', more), undefined, `${root}/${name}`, 'OPEN', 1),
        ),
      ),
  }
}

export function createWebHdfsStore(spec: WebHdfsSpec, staging: Staging): ObjectStore {
  const hdfs = openRoot(spec)
  const { root, ask, create, open } = hdfs
  const lookAt = (name: string): Promise<StoredObject | undefined> =>
    orMissing(async () => {
      const { FileStatus: found } = json<{ FileStatus: FileStatus }>(await ask('GET', name, 'GETFILESTATUS'))
      return { name, size: found.length, modifiedMs: found.modificationTime }
    })
  const temporary = async (name: string, bytes: Uint8Array): Promise<string> => {
    const written = `${uploadsOf(name)}${randomUUID()}`
    await create(written, Buffer.from(bytes))
    return written
  }
  /** An object may be larger than memory. */
  async function* inParts(name: string, size: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < size; at += PART_BYTES) {
      const length = Math.min(PART_BYTES, size - at)
      const part = await open(name, { offset: String(at), length: String(length) })
      if (part?.length !== length)
        throw failure('storage_failed', {
          action: 'read',
          path: `${root}/${name}`,
          reason: `${part?.length ?? 'no'} bytes came of the ${length} from ${at} on`,
        })
      yield part
    }
  }
  const stage = (names: string[]): Promise<void> =>
    staging.stage(names, async (name) => {
      const found = await lookAt(name)
      return found && inParts(name, found.size)
    })
  const renameTo = (name: string): Record<string, string> => ({ destination: `${spec.path}/${name}` })
  return {
    root,
    localPath: staging.path,
    address: (name) => `${root}${name === '' ? '' : `/${name}`}`,
    stage,
    makeFolder: staging.makeFolder,
    async dropFolder(name) {
      await staging.dropFolder(name)
      await ask('DELETE', name, 'DELETE', { recursive: 'true' }).catch(() => undefined)
      await removeEmpty(hdfs, folderOf(name))
    },
    move: async (from, to) =>
      (await staging.holds(from)) ? staging.move(from, to) : moveWithin(hdfs, from, to),
    async copy(from, to) {
      await stage([from])
      await create(to, { path: staging.path(from), size: (await stat(staging.path(from))).size })
    },
    read: (name) => open(name),
    readRange: (name, start, end) =>
      end <= start
        ? Promise.resolve(Buffer.alloc(0))
        : open(name, { offset: String(start), length: String(end - start) }),
    async write(name, bytes) {
      const written = await temporary(name, bytes)
      const renamed = await orMissing(() =>
        ask('PUT', written, 'RENAME', { ...renameTo(name), renameoptions: 'OVERWRITE' }),
      )
      // The source is gone when the answer to the first of two attempts was lost: what lies under the name
      // says whether it was done.
      if (renamed === undefined && (await open(name))?.equals(Buffer.from(bytes)) !== true)
        throw failure('storage_failed', {
          action: 'rename',
          path: `${root}/${name}`,
          reason: 'what was to get this name is gone, and the name has other bytes',
        })
    },
    async writeIfAbsent(name, bytes) {
      const written = await temporary(name, bytes)
      failpoint('commit.temporary_synced')
      const answer = json<{ boolean: boolean }>(await ask('PUT', written, 'RENAME', renameTo(name)))
      failpoint('commit.linked')
      if (answer.boolean) return true
      await ask('DELETE', written, 'DELETE')
      // Taken: by another, or by ourselves, when the answer to the first of two attempts was lost.
      return (await open(name))?.equals(bytes) === true
    },
    list: async (folder, after) =>
      (await walk(hdfs, folder)).filter(
        (file) => !isTemporary(file.name) && (after === undefined || file.name > after),
      ),
    stat: lookAt,
    async delete(name) {
      await staging.forget(name)
      await ask('DELETE', name, 'DELETE')
      await removeEmpty(hdfs, folderOf(name))
    },
    async sweep(beforeMs) {
      for (const file of await walk(hdfs, ''))
        if (isTemporary(file.name) && file.modifiedMs < beforeMs) await ask('DELETE', file.name, 'DELETE')
    },
    async createFrom(path, name) {
      const written = `${uploadsOf(name)}${randomUUID()}`
      try {
        await create(written, { path, size: (await stat(path)).size })
        const answer = json<{ boolean: boolean }>(await ask('PUT', written, 'RENAME', renameTo(name)))
        // Ours when it came too late, and those of attempts that were killed here or still upload.
        for (const left of await walk(hdfs, folderOf(name).slice(0, -1), false))
          if (left.name.startsWith(uploadsOf(name))) await ask('DELETE', left.name, 'DELETE')
        return answer.boolean
      } catch (error) {
        // Tidied away by the one that took the name.
        if ((await lookAt(name)) !== undefined) return false
        throw error
      }
    },
    async sync(names) {
      for (const name of names) await upload(hdfs, staging, name, lookAt)
      failpoint('file.synced')
      failpoint('folder.synced')
    },
  }
}

const folderOf = (name: string): string => name.slice(0, name.lastIndexOf('/') + 1)
/** Temporary names of what is to be `name` begin so. */
const uploadsOf = (name: string): string =>
  `${folderOf(name)}${TEMPORARY}${name.slice(folderOf(name).length)}.`
const isTemporary = (name: string): boolean => name.slice(name.lastIndexOf('/') + 1).startsWith(TEMPORARY)

/**
 * Folders vanish when their last file is deleted, maybe between our making one and our moving a file into it.
 */
const FOLDER_ATTEMPTS = 20

async function moveWithin({ ask, spec, root }: WebHdfs, from: string, to: string): Promise<void> {
  for (let attempt = 1; attempt <= FOLDER_ATTEMPTS; attempt += 1) {
    await ask('PUT', folderOf(to), 'MKDIRS')
    if (
      json<{ boolean: boolean }>(await ask('PUT', from, 'RENAME', { destination: `${spec.path}/${to}` }))
        .boolean
    )
      return
  }
  throw failure('storage_failed', {
    action: 'move',
    path: `${root}/${from}`,
    reason: `the name node does not rename it to ${to}`,
  })
}

/**
 * Removes folders as long as they are empty, but never the root or the log. The name node refuses others, in
 * one step.
 */
async function removeEmpty({ ask }: WebHdfs, folder: string): Promise<void> {
  for (
    let at = folder.replace(/\/$/, '');
    at !== '' && !at.startsWith('_delta_log');
    at = folderOf(at).replace(/\/$/, '')
  ) {
    const gone = await ask('DELETE', at, 'DELETE').then(
      () => true,
      () => false,
    )
    if (!gone) return
  }
}

/** What an engine wrote into the store by itself must be there. */
async function upload(
  { root, create }: WebHdfs,
  staging: Staging,
  name: string,
  lookAt: (name: string) => Promise<StoredObject | undefined>,
): Promise<void> {
  const size = (await staging.holds(name)) ? (await stat(staging.path(name))).size : undefined
  if (size !== undefined) await create(name, { path: staging.path(name), size })
  const there = (await lookAt(name))?.size
  if (there === undefined || (size !== undefined && there !== size))
    throw failure('storage_failed', {
      action: 'upload',
      path: `${root}/${name}`,
      reason: `${there ?? 'no'} bytes are there of ${size ?? 'some'}`,
    })
}

/** Files of a folder, and of those below it unless it is said otherwise. */
async function walk(hdfs: WebHdfs, folder: string, below = true): Promise<StoredObject[]> {
  const answer = await orMissing(() => hdfs.ask('GET', folder, 'LISTSTATUS'))
  if (answer === undefined) return []
  const { FileStatuses } = json<{ FileStatuses: { FileStatus: FileStatus[] } }>(answer)
  const found: StoredObject[] = []
  for (const one of FileStatuses.FileStatus) {
    const name = [folder, one.pathSuffix].filter((part) => part !== '').join('/')
    if (one.type === 'DIRECTORY') found.push(...(below ? await walk(hdfs, name) : []))
    else found.push({ name, size: one.length, modifiedMs: one.modificationTime })
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Bytes, or a file that is read anew at each attempt. */
type Body = Buffer | { path: string; size: number }

const json = <T>(bytes: Buffer): T => JSON.parse(bytes.toString('utf8')) as T

/** One call, tried again while the cluster cannot be reached; its refusals come out by name. */
async function call(
  spec: WebHdfsSpec,
  method: string,
  url: string,
  body: Body | undefined,
  path: string,
  op: string,
  attempts = ATTEMPTS,
): Promise<Buffer> {
  return again(async () => {
    let answer: { status: number; bytes: Buffer }
    try {
      answer = await send(spec, method, url, body)
    } catch (error) {
      if (error instanceof HeadraceError) throw error
      throw failure('store_unreachable', { store: spec.http, reason: reasonOf(error) }, error)
    }
    if (answer.status >= 200 && answer.status < 300) return answer.bytes
    throw hdfsError(answer.status, answer.bytes.toString('utf8'), path, op, spec)
  }, attempts)
}

/** Node's own client: fetch takes a data node's answers for broken ones. */
async function send(
  spec: WebHdfsSpec,
  method: string,
  url: string,
  body: Body | undefined,
): Promise<{ status: number; bytes: Buffer }> {
  const size = body === undefined ? 0 : Buffer.isBuffer(body) ? body.length : body.size
  const headers =
    method === 'PUT' ? { 'content-type': 'application/octet-stream', 'content-length': size } : {}
  const secure = url.startsWith('https:')
  const request = (secure ? httpsRequest : httpRequest)(url, {
    method,
    headers,
    timeout: TIMEOUT_MS,
    agent: secure ? spec.agents?.https : spec.agents?.http,
  })
  // Headers and body are two packets: without this the second waits 40 ms for the first one's
  // acknowledgement.
  request.setNoDelay(true)
  request.on('timeout', () =>
    request.destroy(
      failure('store_unreachable', { store: spec.http, reason: `no answer in ${TIMEOUT_MS} ms` }),
    ),
  )
  const answered = new Promise<IncomingMessage>((resolve, reject) =>
    request.once('response', resolve).once('error', reject),
  )
  answered.catch(() => undefined)
  if (body === undefined || Buffer.isBuffer(body)) request.end(body)
  else await pipeline(createReadStream(body.path), request)
  const response = await answered
  return { status: response.statusCode ?? 0, bytes: await buffer(response) }
}

async function again<T>(action: () => Promise<T>, attempts = ATTEMPTS): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action()
    } catch (error) {
      if (attempt >= attempts || !(error instanceof HeadraceError) || error.code !== 'store_unreachable')
        throw error
      await new Promise((resolve) => setTimeout(resolve, FIRST_PAUSE_MS * 2 ** attempt))
    }
  }
}

async function orMissing<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'path_not_found') return undefined
    throw error
  }
}

function hdfsError(status: number, text: string, path: string, op: string, spec: WebHdfsSpec): HeadraceError {
  const { exception = '', message = text } = parse(text)
  const reason = `${exception} ${message}`.trim().split('\n')[0].slice(0, 300)
  if (exception === 'FileNotFoundException' || status === 404)
    return failure('path_not_found', { path, base: 'the HDFS' })
  if (/AccessControl|SecurityException/.test(exception) || status === 401)
    return failure('store_auth_failed', { store: spec.http, action: op, path, reason })
  if (/DSQuotaExceeded|NSQuotaExceeded|QuotaByStorageType|could only be written to 0|No space/i.test(reason))
    return failure('storage_full', { path })
  if (/SafeMode|Standby|Retriable/i.test(reason) || status >= 502)
    return failure('store_unreachable', { store: spec.http, reason })
  return failure('storage_failed', { action: op, path, reason })
}

function parse(text: string): { exception?: string; message?: string } {
  try {
    return (JSON.parse(text) as { RemoteException: { exception: string; message: string } }).RemoteException
  } catch {
    return {}
  }
}
