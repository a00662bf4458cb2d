/** A bucket: its client, its names, and the answers of its server, objects and refusals, in our terms. */
import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { Agent as HttpAgent } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import { HeadraceError, failure, reasonOf } from '../../core/errors.ts'
import type { StoredObject } from '../../core/object-store.ts'

export interface S3Spec {
  bucket: string
  /** Without slashes at its ends; may be empty. */
  prefix: string
  /** Of a server that is not Amazon's. Requests use paths instead of a host name per bucket. */
  endpoint: string | undefined
  region: string
  /** Undefined: from where AWS tools find logins. A tenant's store never uses those of this installation. */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }
  /** They make the connections. */
  agents?: { http: HttpAgent; https: HttpsAgent }
}

/** How often a request is sent before it fails. */
export const ATTEMPTS = 6
const CONNECT_MS = 5_000
const REQUEST_MS = 60_000

export interface Bucket {
  spec: S3Spec
  root: string
  client: S3Client
  at(name: string): { Bucket: string; Key: string }
}

export function openBucket(spec: S3Spec): Bucket {
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
    // Servers that are not Amazon's support neither the newer checksums nor their encoding.
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

export function lookAt(bucket: Bucket, name: string): Promise<StoredObject | undefined> {
  return guard(bucket, 'look at', name, () =>
    orMissing(async () =>
      objectOf(name, await bucket.client.send(new HeadObjectCommand(bucket.at(name))), 'ContentLength'),
    ),
  )
}

export function objectOf<Field extends string>(
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

export const unquoted = (tag: string | undefined): string | undefined => tag?.replaceAll('"', '')

/**
 * An object in chunks: copies may be larger than memory. A connection that breaks in the middle becomes an
 * error of our table.
 */
export async function* fromBody(bucket: Bucket, name: string, body: unknown): AsyncGenerator<Uint8Array> {
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

const nameOf = (error: unknown): string => (error as Error).name ?? ''
export const statusOf = (error: unknown): number =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0

export async function orMissing<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action()
  } catch (error) {
    if (['NoSuchKey', 'NotFound'].includes(nameOf(error))) return undefined
    throw error
  }
}

/** Runs an action, and turns refusals of the server into errors of our table. */
export async function guard<T>(
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
