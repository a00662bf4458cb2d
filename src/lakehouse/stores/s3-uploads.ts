/**
 * Uploads of objects of any size: in parts, with or without the condition that the name is free, and copies
 * from name to name.
 */
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type MultipartUpload,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { createReadStream } from 'node:fs'
import { encodePath } from '../../core/table-schema.ts'
import { guard, lookAt, statusOf, unquoted, type Bucket } from './s3-bucket.ts'
import { unlessTaken } from './s3-condition.ts'

/** Parts of a large upload: S3 accepts no less than 5 MiB. Two at a time limit the memory. */
const PART_BYTES = 8 * 1024 * 1024
const PARTS_AT_ONCE = 2

/** Creates an object from a file. False if the name is taken by the end of the upload. */
export async function createFromFile(bucket: Bucket, path: string, name: string): Promise<boolean> {
  const { client, at } = bucket
  let tag: string | undefined
  const created = await guard(bucket, 'upload', name, () =>
    unlessTaken(async () => void (tag = await uploadIfAbsent(bucket, path, name))),
  ).catch(async (error: unknown) => {
    // The answer to the end of an upload was lost: on a retry, the server no longer knows the upload. The
    // object under the name decides.
    if ((await lookAt(bucket, name)) !== undefined) return false
    throw error
  })
  // A login that may upload may not be allowed to list. A rule of the bucket then has to clean up.
  await endUploads(bucket, at(name).Key, (multipart) => multipart.Key === at(name).Key).catch(() => undefined)
  if (!created || tag === undefined) return created
  // Some servers report success for an upload that another attempt has ended here, as long as an object has
  // the name. The object under the name decides.
  const there = await guard(bucket, 'look at', name, () => client.send(new HeadObjectCommand(at(name))))
  return unquoted(there.ETag) === unquoted(tag)
}

/**
 * The last request of an upload carries the condition. A server without conditions for uploads (501) accepts
 * the file as it comes.
 */
function uploadIfAbsent(bucket: Bucket, path: string, name: string): Promise<string | undefined> {
  return upload(bucket, path, name, { IfNoneMatch: '*' }).catch((error: unknown) => {
    if (statusOf(error) !== 501) throw error
    return upload(bucket, path, name)
  })
}

/** Returns the tag of the new object. */
export async function upload(
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

/** The server does not copy more in one request. A larger file is uploaded from here. */
const COPIED_BYTES = 5 * 1024 * 1024 * 1024

export async function copyObject({ client, at }: Bucket, from: string, to: string): Promise<void> {
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

/** Unfinished uploads are invisible, and cost money. */
export async function endUploads(
  { client, spec }: Bucket,
  prefix: string,
  which: (upload: MultipartUpload) => boolean,
): Promise<void> {
  const { Uploads = [] } = await client.send(
    new ListMultipartUploadsCommand({ Bucket: spec.bucket, Prefix: prefix }),
  )
  for (const multipart of Uploads)
    if (which(multipart))
      await client.send(
        new AbortMultipartUploadCommand({
          Bucket: spec.bucket,
          Key: multipart.Key,
          UploadId: multipart.UploadId,
        }),
      )
}
