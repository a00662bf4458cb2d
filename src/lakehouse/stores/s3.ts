/**
 * S3 and what speaks its language. A commit is a conditional put (`If-None-Match: *`): the server creates the object whole or
 * answers that it is there. A server that ignores the condition would lose commits silently, so it is tried before it is trusted.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Operator, RetryLayer } from 'opendal'
import { failure, reasonOf, HeadraceError } from '../../core/errors.ts'
import { failpoint } from '../../core/failpoint.ts'
import type { ObjectStore, StoredObject } from '../../core/object-store.ts'
import type { Staging } from './staging.ts'

export interface S3Spec {
  bucket: string
  /** Without slashes at its ends; may be empty. */
  prefix: string
  /** Of a server that is not Amazon's. */
  endpoint: string | undefined
  region: string
}

/** Parts of a large upload: the least that S3 takes is 5 MiB. */
const PART_BYTES = 8 * 1024 * 1024
const ATTEMPTS = 5
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 3_000

/** Logins come from where AWS tools find them: environment, shared credentials file, instance or pod identity. */
export function createS3Store(spec: S3Spec, staging: Staging): ObjectStore {
  const root = `s3://${spec.bucket}${spec.prefix === '' ? '' : `/${spec.prefix}`}`
  const options: Record<string, string> = { bucket: spec.bucket, root: `/${spec.prefix}`, region: spec.region, ...(spec.endpoint === undefined ? {} : { endpoint: spec.endpoint }) }
  const retries = new RetryLayer()
  retries.maxTimes = ATTEMPTS
  retries.minDelay = FIRST_PAUSE_MS
  retries.maxDelay = LONGEST_PAUSE_MS
  retries.jitter = true
  const s3 = new Operator('s3', options).layer(retries.build())
  let trusted: Promise<void> | undefined
  const guard = async <T>(action: () => Promise<T>, verb: string, name: string): Promise<T> => {
    try {
      return await action()
    } catch (error) {
      throw s3Error(error, verb, `${root}/${name}`, spec)
    }
  }
  const read = (name: string): Promise<Buffer | undefined> => guard(() => orMissing(s3.read(name)), 'read', name)
  const createOnce = async (name: string, bytes: Uint8Array): Promise<boolean> => {
    try {
      await s3.write(name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), { ifNotExists: true })
      return true
    } catch (error) {
      if (!isTaken(error)) throw s3Error(error, 'commit', `${root}/${name}`, spec)
      return (await read(name))?.equals(bytes) === true
    }
  }
  /** Once in a process: the second of two conditional puts must be refused. */
  const trust = (): Promise<void> =>
    (trusted ??= guard(async () => {
      const probe = `_delta_log/.probe-${randomUUID()}`
      const [first, second] = [await createOnce(probe, Buffer.from('a')), await createOnce(probe, Buffer.from('b'))]
      await s3.delete(probe)
      if (!first || second) throw failure('not_supported', { feature: `the S3 server at ${spec.endpoint ?? 'Amazon'} without conditional writes (If-None-Match)`, instead: 'Use a server that has them: Amazon S3, MinIO, Ceph from Squid on, versitygw.' })
    }, 'probe', '_delta_log'))
  return {
    root,
    localPath: staging.path,
    address: (name) => `s3a://${spec.bucket}/${[spec.prefix, name].filter((part) => part !== '').join('/')}`,
    stage: (names) => staging.stage(names, read),
    makeFolder: staging.makeFolder,
    read,
    readRange: (name, start, end) => guard(async () => (await orMissing(s3.read(name, { offset: BigInt(start), size: BigInt(end - start) }))), 'read', name),
    write: (name, bytes) => guard(async () => void (await s3.write(name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))), 'write', name),
    async writeIfAbsent(name, bytes) {
      await trust()
      failpoint('commit.temporary_synced')
      const created = await createOnce(name, bytes)
      failpoint('commit.linked')
      return created
    },
    list: (folder, after) => guard(() => listAll(s3, folder, after), 'list', folder),
    stat: (name) =>
      guard(async () => {
        const found = await orMissing(s3.stat(name))
        return found === undefined ? undefined : { name, size: Number(found.contentLength ?? 0), modifiedMs: Date.parse(found.lastModified ?? '') || 0 }
      }, 'look at', name),
    async delete(name) {
      await staging.forget(name)
      await guard(() => s3.delete(name), 'delete', name)
    },
    // Uploads that were broken off are invisible; a lifecycle rule of the bucket ends them.
    sweep: async () => undefined,
    async sync(names) {
      for (const name of names) await guard(() => upload(s3, staging, name), 'upload', name)
      failpoint('file.synced')
      failpoint('folder.synced')
    },
  }
}

/** Uploads a file that an engine wrote, in parts. One that an engine wrote into the store itself must be there already. */
async function upload(s3: Operator, staging: Staging, name: string): Promise<void> {
  if (!(await staging.holds(name))) {
    await s3.stat(name)
    return
  }
  const { size } = await stat(staging.path(name))
  const writer = await s3.writer(name, { chunk: BigInt(PART_BYTES) })
  for await (const chunk of createReadStream(staging.path(name), { highWaterMark: PART_BYTES })) await writer.write(chunk as Buffer)
  await writer.close()
  const there = Number((await s3.stat(name)).contentLength ?? -1)
  if (there !== size) throw failure('storage_failed', { action: 'upload', path: name, reason: `${there} bytes arrived of ${size}` })
}

async function listAll(s3: Operator, folder: string, after: string | undefined): Promise<StoredObject[]> {
  const found: StoredObject[] = []
  const entries = await s3.list(folder === '' ? '/' : `${folder}/`, { recursive: true })
  for (const entry of entries) {
    const name = entry.path()
    if (name.endsWith('/') || (after !== undefined && name <= after) || name.includes('/.probe-')) continue
    const known = entry.metadata()
    const facts = known.contentLength === null || known.lastModified === null ? await s3.stat(name) : known
    found.push({ name, size: Number(facts.contentLength ?? 0), modifiedMs: Date.parse(facts.lastModified ?? '') || 0 })
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

const isTaken = (error: unknown): boolean => /ConditionNotMatch|PreconditionFailed|ConditionalRequestConflict/i.test(reasonOf(error))

async function orMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (/NotFound|NoSuchKey/.test(reasonOf(error)) && !/NoSuchBucket/.test(reasonOf(error))) return undefined
    throw error
  }
}

/** What the server said, in the words of our table. */
function s3Error(error: unknown, action: string, path: string, spec: S3Spec): HeadraceError {
  if (error instanceof HeadraceError) return error
  const reason = reasonOf(error)
  const first = reason.split('\n')[0].slice(0, 300)
  if (/NoSuchBucket/.test(reason)) return failure('store_not_found', { store: `bucket ${spec.bucket}`, reason: first }, error)
  if (/PermissionDenied|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ConfigInvalid|credential/i.test(reason)) return failure('store_auth_failed', { store: `s3://${spec.bucket}`, action, path, reason: first }, error)
  if (/error sending request|connect|timed? ?out|dns|Connection|RateLimited|SlowDown|ServiceUnavailable/i.test(reason)) return failure('store_unreachable', { store: spec.endpoint ?? `s3://${spec.bucket}`, reason: first }, error)
  if (/QuotaExceeded|InsufficientStorage|No space left|StorageFull/i.test(reason)) return failure('storage_full', { path }, error)
  return failure('storage_failed', { action, path, reason: first }, error)
}
