/**
 * The conditional put (`If-None-Match: *`): the server creates an object whole, or answers that it exists. A
 * server that ignores the condition is detected before it is used.
 */
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { randomUUID } from 'node:crypto'
import { failure } from '../../core/errors.ts'
import { ATTEMPTS, statusOf, type Bucket } from './s3-bucket.ts'
import { retry } from '../../core/waiting.ts'

/** Prefix of the objects that only test the server. */
export const PROBE = '_delta_log/.probe-'

/** Sends a request with the condition `If-None-Match: *`. False if the name is taken. */
export async function unlessTaken(send: () => Promise<unknown>): Promise<boolean> {
  try {
    // Two conditional puts collided, and neither is decided. A retry finds the other's object, or succeeds.
    await retry(send, { mayPass: (error) => statusOf(error) === 409, attempts: ATTEMPTS })
    return true
  } catch (error) {
    if (isTaken(error)) return false
    throw error
  }
}

const isTaken = (error: unknown): boolean => statusOf(error) === 412

/** Once per process: the second of two conditional puts must be refused. */
export async function trust(
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
      instead: 'Use a server that has them: Amazon S3, MinIO, Ceph Squid or newer, versitygw.',
    })
}
