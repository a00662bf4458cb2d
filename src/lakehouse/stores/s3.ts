/**
 * S3 and compatible servers. A commit is a conditional put (`If-None-Match: *`): the server creates the
 * object whole, or answers that it exists. A server that ignores the condition would lose commits silently,
 * so it is tested before it is used.
 */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { stat } from 'node:fs/promises'
import { failure } from '../../core/errors.ts'
import { failpoint } from '../../core/failpoint.ts'
import type { LocalFiles, ObjectStore, StoredObject } from '../../core/object-store.ts'
import {
  fromBody,
  guard,
  lookAt,
  objectOf,
  openBucket,
  orMissing,
  type Bucket,
  type S3Spec,
} from './s3-bucket.ts'
import { PROBE, trust, unlessTaken } from './s3-condition.ts'
import { copyObject, createFromFile, endUploads, upload } from './s3-uploads.ts'
import type { Staging } from './staging.ts'

/**
 * Without credentials, logins come from where AWS tools find them: environment, shared files, web identity,
 * instance or pod.
 */
export function createS3Store(spec: S3Spec, staging: Staging): ObjectStore {
  const bucket = openBucket(spec)
  const { client, root, at } = bucket
  let trusted: Promise<void> | undefined
  return {
    root,
    local: localFiles(bucket, staging),
    address: (name) => `s3a://${spec.bucket}/${at(name).Key}`,
    copy: (from, to) => copyTo(bucket, from, to),
    read: (name) => read(bucket, name),
    readRange: (name, start, end) =>
      end <= start ? Promise.resolve(Buffer.alloc(0)) : read(bucket, name, `bytes=${start}-${end - 1}`),
    write: (name, bytes) => write(bucket, name, bytes),
    async writeIfAbsent(name, bytes) {
      await (trusted ??= trust(bucket, (probe, content) => createOnce(bucket, probe, content)))
      failpoint('commit.temporary_synced')
      const created = await createOnce(bucket, name, bytes)
      failpoint('commit.linked')
      return created
    },
    list: (folder, after) => guard(bucket, 'list', folder, () => listAll(bucket, folder, after)),
    stat: (name) => lookAt(bucket, name),
    async delete(name) {
      await staging.forget(name)
      await guard(bucket, 'delete', name, () => client.send(new DeleteObjectCommand(at(name))))
    },
    sweep: (beforeMs) =>
      guard(bucket, 'sweep', '', () =>
        endUploads(
          bucket,
          spec.prefix,
          (multipart) => (multipart.Initiated?.getTime() ?? beforeMs) < beforeMs,
        ),
      ),
    createFrom: (path, name) => createFromFile(bucket, path, name),
  }
}

const copyTo = (bucket: Bucket, from: string, to: string): Promise<void> =>
  guard(bucket, 'copy', from, () => copyObject(bucket, from, to))

function localFiles(bucket: Bucket, staging: Staging): LocalFiles {
  return {
    path: staging.path,
    stage: (names) => staging.stage(names, (name) => open(bucket, name)),
    makeFolder: staging.makeFolder,
    // There are no folders here. What an engine left in one has no name in the log, and vacuum removes it.
    dropFolder: staging.dropFolder,
    async move(from, to) {
      if (await staging.holds(from)) return staging.move(from, to)
      await copyTo(bucket, from, to)
      await bucket.client.send(new DeleteObjectCommand(bucket.at(from)))
    },
    async sync(names) {
      for (const name of names) await settle(bucket, staging, name)
      failpoint('file.synced')
      failpoint('folder.synced')
    },
  }
}

function read(bucket: Bucket, name: string, range?: string): Promise<Buffer | undefined> {
  const { client, at } = bucket
  return guard(bucket, 'read', name, () =>
    orMissing(async () => {
      const { Body } = await client.send(new GetObjectCommand({ ...at(name), Range: range }))
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    }),
  )
}

/** An object in chunks: it may be larger than memory. */
function open(bucket: Bucket, name: string): Promise<AsyncGenerator<Uint8Array> | undefined> {
  const { client, at } = bucket
  return guard(bucket, 'read', name, () =>
    orMissing(async () => fromBody(bucket, name, (await client.send(new GetObjectCommand(at(name)))).Body)),
  )
}

async function write(bucket: Bucket, name: string, bytes: Uint8Array): Promise<void> {
  const put = new PutObjectCommand({ ...bucket.at(name), Body: bytes })
  await guard(bucket, 'write', name, () => bucket.client.send(put))
}

async function createOnce(bucket: Bucket, name: string, bytes: Uint8Array): Promise<boolean> {
  const { client, at } = bucket
  const created = await guard(bucket, 'commit', name, () =>
    unlessTaken(() => client.send(new PutObjectCommand({ ...at(name), Body: bytes, IfNoneMatch: '*' }))),
  )
  // Taken: by another writer, or by ourselves if the answer to the first of two attempts was lost.
  return created || (await read(bucket, name))?.equals(bytes) === true
}

/** Uploads the files of the folder. Files that an engine wrote into the store itself must exist there. */
async function settle(bucket: Bucket, staging: Staging, name: string): Promise<void> {
  if (await staging.holds(name))
    await guard(bucket, 'upload', name, () => upload(bucket, staging.path(name), name))
  const there = (await lookAt(bucket, name))?.size
  const size = (await staging.holds(name)) ? (await stat(staging.path(name))).size : undefined
  if (there === undefined || (size !== undefined && there !== size))
    throw failure('storage_failed', {
      action: 'upload',
      path: `${bucket.root}/${name}`,
      reason: `${there ?? 0} of ${size ?? 'some'} bytes arrived`,
    })
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
    for (const object of page.Contents ?? [])
      if (!object.Key?.endsWith('/')) found.push(objectOf((object.Key ?? '').slice(cut), object, 'Size'))
    token = page.NextContinuationToken
    if (token === undefined)
      return found
        .filter((object) => !object.name.startsWith(PROBE))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }
}
