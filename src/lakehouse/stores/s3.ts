/**
 * S3 and what speaks its language. A commit is a conditional put (`If-None-Match: *`): the server creates the
 * object whole or answers that it is there. A server that ignores the condition would lose commits silently,
 * so it is tried before it is trusted.
 */
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type MultipartUpload,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Agent as HttpAgent } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import { HeadraceError, failure, reasonOf } from '../../core/errors.ts'
import { failpoint } from '../../core/failpoint.ts'
import type { ObjectStore, StoredObject } from '../../core/object-store.ts'
import { encodePath } from '../../core/table-schema.ts'
import type { Staging } from './staging.ts'

export interface S3Spec {
  bucket: string
  /** Without slashes at its ends; may be empty. */
  prefix: string
  /** Of a server that is not Amazon's; it is asked by path, not by a host name of the bucket. */
  endpoint: string | undefined
  region: string
  /** Undefined: from where AWS tools find logins. A tenant's store never takes those of this installation. */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }
  /** Connections are made by these. */
  agents?: { http: HttpAgent; https: HttpsAgent }
}

/** Parts of a large upload: the least that S3 takes is 5 MiB. Two on their way bound the memory. */
const PART_BYTES = 8 * 1024 * 1024
const PARTS_AT_ONCE = 2
const ATTEMPTS = 6
const CONNECT_MS = 5_000
const REQUEST_MS = 60_000

interface Bucket {
  spec: S3Spec
  root: string
  client: S3Client
  at(name: string): { Bucket: string; Key: string }
}

/**
 * Without credentials, logins come from where AWS tools find them: environment, shared files, web identity,
 * instance or pod.
 */
export function createS3Store(spec: S3Spec, staging: Staging): ObjectStore {
  const bucket = openBucket(spec)
  const { client, root, at } = bucket
  const read = (name: string, range?: string): Promise<Buffer | undefined> =>
    guard(bucket, 'read', name, () =>
      orMissing(async () =>
        Buffer.from(
          (await (
            await client.send(new GetObjectCommand({ ...at(name), Range: range }))
          ).Body?.transformToByteArray()) ?? [],
        ),
      ),
    )
  const lookAt = (name: string): Promise<StoredObject | undefined> =>
    guard(bucket, 'look at', name, () =>
      orMissing(async () =>
        objectOf(name, await client.send(new HeadObjectCommand(at(name))), 'ContentLength'),
      ),
    )
  const createOnce = async (name: string, bytes: Uint8Array): Promise<boolean> => {
    const created = await guard(bucket, 'commit', name, () =>
      unlessTaken(() => client.send(new PutObjectCommand({ ...at(name), Body: bytes, IfNoneMatch: '*' }))),
    )
    // Taken: by another, or by ourselves, when the answer to the first of two attempts was lost.
    return created || (await read(name))?.equals(bytes) === true
  }
  const copyTo = (from: string, to: string): Promise<void> =>
    guard(bucket, 'copy', from, () => copyObject(bucket, from, to))
  let trusted: Promise<void> | undefined
  return {
    root,
    localPath: staging.path,
    address: (name) => `s3a://${spec.bucket}/${at(name).Key}`,
    stage: (names) =>
      staging.stage(names, (name) =>
        guard(bucket, 'read', name, () =>
          orMissing(async () =>
            fromBody(bucket, name, (await client.send(new GetObjectCommand(at(name)))).Body),
          ),
        ),
      ),
    makeFolder: staging.makeFolder,
    // There are no folders here; what an engine left in one has no name in the log, and vacuum takes it.
    dropFolder: staging.dropFolder,
    async move(from, to) {
      if (await staging.holds(from)) return staging.move(from, to)
      await copyTo(from, to)
      await client.send(new DeleteObjectCommand(at(from)))
    },
    copy: copyTo,
    read,
    readRange: (name, start, end) =>
      end <= start ? Promise.resolve(Buffer.alloc(0)) : read(name, `bytes=${start}-${end - 1}`),
    write: (name, bytes) =>
      guard(
        bucket,
        'write',
        name,
        async () => void (await client.send(new PutObjectCommand({ ...at(name), Body: bytes }))),
      ),
    async writeIfAbsent(name, bytes) {
      await (trusted ??= trust(bucket, createOnce))
      failpoint('commit.temporary_synced')
      const created = await createOnce(name, bytes)
      failpoint('commit.linked')
      return created
    },
    list: (folder, after) => guard(bucket, 'list', folder, () => listAll(bucket, folder, after)),
    stat: lookAt,
    async delete(name) {
      await staging.forget(name)
      await guard(
        bucket,
        'delete',
        name,
        async () => void (await client.send(new DeleteObjectCommand(at(name)))),
      )
    },
    sweep: (beforeMs) =>
      guard(bucket, 'sweep', '', () =>
        endUploads(bucket, spec.prefix, (one) => (one.Initiated?.getTime() ?? beforeMs) < beforeMs),
      ),
    async createFrom(path, name) {
      let tag: string | undefined
      const created = await guard(bucket, 'upload', name, () =>
        unlessTaken(async () => void (tag = await uploadIfAbsent(bucket, path, name))),
      ).catch(async (error: unknown) => {
        // The answer to the end of an upload was lost: asked again, the server knows no such upload any more.
        // What took the name counts.
        if ((await lookAt(name)) !== undefined) return false
        throw error
      })
      // A login that may upload may perhaps not list: what is left then is the bucket's own rule to tidy.
      await endUploads(bucket, at(name).Key, (one) => one.Key === at(name).Key).catch(() => undefined)
      // Some servers call an upload done that another attempt has ended here, as long as something has the
      // name: what is there counts.
      return (
        created &&
        (tag === undefined ||
          unquoted(
            (await guard(bucket, 'look at', name, () => client.send(new HeadObjectCommand(at(name))))).ETag,
          ) === unquoted(tag))
      )
    },
    async sync(names) {
      for (const name of names) {
        if (await staging.holds(name))
          await guard(bucket, 'upload', name, () => upload(bucket, staging.path(name), name))
        const [there, size] = [
          (await lookAt(name))?.size,
          (await staging.holds(name)) ? (await stat(staging.path(name))).size : undefined,
        ]
        // What an engine wrote into the store by itself must be there.
        if (there === undefined || (size !== undefined && there !== size))
          throw failure('storage_failed', {
            action: 'upload',
            path: `${root}/${name}`,
            reason: `${there ?? 'no'} bytes are there of ${size ?? 'some'}`,
          })
      }
      failpoint('file.synced')
      failpoint('folder.synced')
    },
  }
}

/**
 * An object as it comes: copies may be larger than memory. A connection that breaks in the middle is said in
 * our words.
 */
async function* fromBody(bucket: Bucket, name: string, body: unknown): AsyncGenerator<Uint8Array> {
  try {
    yield* body as AsyncIterable<Uint8Array>
  } catch (error) {
    throw failure(
      'store_unreachable',
      {
        store: bucket.spec.endpoint ?? `s3://${bucket.spec.bucket}`,
        path: `${bucket.root}/${name}`,
        reason: reasonOf(error),
      },
      error,
    )
  }
}

function openBucket(spec: S3Spec): Bucket {
  const client = new S3Client({
    region: spec.region,
    ...(spec.endpoint === undefined ? {} : { endpoint: spec.endpoint, forcePathStyle: true }),
    maxAttempts: ATTEMPTS,
    ...(spec.credentials === undefined ? {} : { credentials: spec.credentials }),
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: REQUEST_MS,
      ...(spec.agents === undefined ? {} : { httpAgent: spec.agents.http, httpsAgent: spec.agents.https }),
    },
    // Servers that are not Amazon's know neither the newer checksums nor their encoding.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  const key = (name: string): string => [spec.prefix, name].filter((part) => part !== '').join('/')
  return {
    spec,
    client,
    root: `s3://${[spec.bucket, spec.prefix].filter((part) => part !== '').join('/')}`,
    at: (name) => ({ Bucket: spec.bucket, Key: key(name) }),
  }
}

/** Sends what has the condition `If-None-Match: *`; false when the name is taken. */
async function unlessTaken(send: () => Promise<unknown>): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await send()
      return true
    } catch (error) {
      if (isTaken(error)) return false
      // Two conditional puts met, and neither is decided: who tries again finds the other's object, or gets
      // through.
      if (statusOf(error) !== 409 || attempt === ATTEMPTS) throw error
    }
  }
}

/** Once in a process: the second of two conditional puts must be refused. */
async function trust(
  { spec, client, at }: Bucket,
  createOnce: (name: string, bytes: Uint8Array) => Promise<boolean>,
): Promise<void> {
  const probe = `${PROBE}${randomUUID()}`
  const [first, second] = [
    await createOnce(probe, Buffer.from('a')),
    await createOnce(probe, Buffer.from('b')),
  ]
  await client.send(new DeleteObjectCommand(at(probe)))
  if (!first || second)
    throw failure('not_supported', {
      feature: `the S3 server at ${spec.endpoint ?? 'Amazon'} without conditional writes (If-None-Match)`,
      instead: 'Use a server that has them: Amazon S3, MinIO, Ceph from Squid on, versitygw.',
    })
}

const PROBE = '_delta_log/.probe-'

/** Gives the tag of what it made. */
async function upload(
  { client, at }: Bucket,
  path: string,
  name: string,
  condition: { IfNoneMatch?: '*' } = {},
): Promise<string | undefined> {
  const body = createReadStream(path, { highWaterMark: PART_BYTES })
  return (
    await new Upload({
      client,
      params: { ...at(name), ...condition, Body: body },
      partSize: PART_BYTES,
      queueSize: PARTS_AT_ONCE,
    }).done()
  ).ETag
}

/** More than this a server does not copy in one request; such a file comes through here. */
const COPIED_BYTES = 5 * 1024 * 1024 * 1024

async function copyObject({ client, at }: Bucket, from: string, to: string): Promise<void> {
  const { Bucket: bucket, Key: key } = at(from)
  const { ContentLength: size } = await client.send(new HeadObjectCommand(at(from)))
  if ((size ?? 0) <= COPIED_BYTES) {
    await client.send(new CopyObjectCommand({ ...at(to), CopySource: `${bucket}/${encodePath(key)}` }))
    return
  }
  const { Body: body } = await client.send(new GetObjectCommand(at(from)))
  await new Upload({
    client,
    params: { ...at(to), Body: body },
    partSize: PART_BYTES * 8,
    queueSize: PARTS_AT_ONCE,
  }).done()
}

/**
 * The condition is decided with the last request of an upload. A server that has none for uploads (501) takes
 * the file as it comes.
 */
function uploadIfAbsent(bucket: Bucket, path: string, name: string): Promise<string | undefined> {
  return upload(bucket, path, name, { IfNoneMatch: '*' }).catch((error: unknown) => {
    if (statusOf(error) !== 501) throw error
    return upload(bucket, path, name)
  })
}

/** Uploads that were broken off are invisible, and cost money. */
async function endUploads(
  { client, spec }: Bucket,
  prefix: string,
  which: (upload: MultipartUpload) => boolean,
): Promise<void> {
  const { Uploads = [] } = await client.send(
    new ListMultipartUploadsCommand({ Bucket: spec.bucket, Prefix: prefix }),
  )
  for (const one of Uploads)
    if (which(one))
      await client.send(
        new AbortMultipartUploadCommand({ Bucket: spec.bucket, Key: one.Key, UploadId: one.UploadId }),
      )
}

async function listAll(
  { client, at, spec }: Bucket,
  folder: string,
  after: string | undefined,
): Promise<StoredObject[]> {
  const found: StoredObject[] = []
  const cut = spec.prefix === '' ? 0 : spec.prefix.length + 1
  const Prefix = folder === '' ? at('').Key.replace(/(.)$/, '$1/') : `${at(folder).Key}/`
  for (let token: string | undefined; ;) {
    const page = await client.send(
      new ListObjectsV2Command({
        Bucket: spec.bucket,
        Prefix,
        ContinuationToken: token,
        ...(after === undefined ? {} : { StartAfter: at(after).Key }),
      }),
    )
    for (const one of page.Contents ?? [])
      if (!one.Key?.endsWith('/')) found.push(objectOf((one.Key ?? '').slice(cut), one, 'Size'))
    token = page.NextContinuationToken
    if (token === undefined)
      return found.filter((one) => !one.name.startsWith(PROBE)).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }
}

function objectOf<Field extends string>(
  name: string,
  facts: { LastModified?: Date; ETag?: string } & { [field in Field]?: number },
  size: Field,
): StoredObject {
  const tag = unquoted(facts.ETag)
  return {
    name,
    size: facts[size] ?? 0,
    modifiedMs: facts.LastModified?.getTime() ?? 0,
    ...(tag ? { tag } : {}),
  }
}

const unquoted = (tag: string | undefined): string | undefined => tag?.replaceAll('"', '')

const nameOf = (error: unknown): string => (error as Error).name ?? ''
const statusOf = (error: unknown): number =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0
const isTaken = (error: unknown): boolean => statusOf(error) === 412

async function orMissing<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action()
  } catch (error) {
    if (['NoSuchKey', 'NotFound'].includes(nameOf(error))) return undefined
    throw error
  }
}

/** Runs an action; what the server says comes out in the words of our table. */
async function guard<T>(
  { spec, root }: Bucket,
  action: string,
  name: string,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof HeadraceError) throw error
    const [kind, status, path] = [nameOf(error), statusOf(error), `${root}/${name}`]
    const reason = `${kind} ${reasonOf(error)}`.split('\n')[0].slice(0, 300)
    if (kind === 'NoSuchBucket')
      throw failure('store_not_found', { store: `bucket ${spec.bucket}`, reason }, error)
    if (status === 401 || status === 403 || /Credential|AccessKey|Signature|UserNotFound/.test(kind))
      throw failure('store_auth_failed', { store: `s3://${spec.bucket}`, action, path, reason }, error)
    if (status === 0 || status >= 500 || status === 429)
      throw failure(
        status === 507 ? 'storage_full' : 'store_unreachable',
        { store: spec.endpoint ?? `s3://${spec.bucket}`, path, reason },
        error,
      )
    throw failure('storage_failed', { action, path, reason }, error)
  }
}
