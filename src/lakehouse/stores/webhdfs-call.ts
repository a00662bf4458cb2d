/**
 * One call of WebHDFS over HTTP: retried while the cluster is unreachable, with its refusals as errors of our
 * table.
 */
import { createReadStream } from 'node:fs'
import { request as httpRequest, type Agent as HttpAgent, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type Agent as HttpsAgent } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { HeadraceError, failure, reasonOf } from '../../core/errors.ts'
import { retry, hasCode } from '../../core/waiting.ts'

export interface WebHdfsSpec {
  /** Address of the name node for Hadoop's own clients: `host:8020`. */
  nameNode: string
  /** Its address for HTTP: `http://host:9870`. */
  http: string
  /** Absolute, without a slash at its end. */
  path: string
  /** Simple authentication: the user name that we give. */
  user: string
  /** They make the connections, also those to data nodes. */
  agents?: { http: HttpAgent; https: HttpsAgent }
}

const ATTEMPTS = 6
const FIRST_PAUSE_MS = 200
const TIMEOUT_MS = 60_000

/** Bytes, or a file that is read again at each attempt. */
export type Body = Buffer | { path: string; size: number }

export interface Call {
  method: string
  url: string
  body?: Body
  /** The path of the object and the operation, for messages. */
  path: string
  op: string
}

interface Answer {
  status: number
  bytes: Buffer
}

/** Makes a call once. Refusals of the cluster become errors of our table. */
export async function callOnce(spec: WebHdfsSpec, call: Call): Promise<Buffer> {
  let answer: Answer
  try {
    answer = await send(spec, call)
  } catch (error) {
    if (error instanceof HeadraceError) throw error
    throw failure('store_unreachable', { store: spec.http, reason: reasonOf(error) }, error)
  }
  if (answer.status >= 200 && answer.status < 300) return answer.bytes
  throw hdfsError(spec, call, answer)
}

/** Retries while the cluster is unreachable. */
export async function retryUnreachable<T>(action: () => Promise<T>): Promise<T> {
  return retry(action, {
    mayPass: (error) => hasCode(error, 'store_unreachable'),
    attempts: ATTEMPTS,
    firstPauseMs: FIRST_PAUSE_MS,
    longestPauseMs: Infinity,
  })
}

export async function orMissing<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action()
  } catch (error) {
    if (hasCode(error, 'path_not_found')) return undefined
    throw error
  }
}

/** Node's own client: fetch rejects the answers of a data node as broken. */
async function send(spec: WebHdfsSpec, { method, url, body }: Call): Promise<Answer> {
  const headers =
    method === 'PUT' ? { 'content-type': 'application/octet-stream', 'content-length': sizeOf(body) } : {}
  const secure = url.startsWith('https:')
  const request = (secure ? httpsRequest : httpRequest)(url, {
    method,
    headers,
    timeout: TIMEOUT_MS,
    agent: secure ? spec.agents?.https : spec.agents?.http,
  })
  // Headers and body are two packets: without this, the second waits 40 ms for the acknowledgment of the
  // first.
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

function sizeOf(body: Body | undefined): number {
  if (body === undefined) return 0
  return Buffer.isBuffer(body) ? body.length : body.size
}

function hdfsError(spec: WebHdfsSpec, { path, op }: Call, { status, bytes }: Answer): HeadraceError {
  const text = bytes.toString('utf8')
  const { exception = '', message = text } = parse(text)
  const reason = `${exception} ${message}`.trim().split('\n')[0].slice(0, 300)
  if (exception === 'FileNotFoundException' || status === 404)
    return failure('path_not_found', { path, base: 'the root of HDFS' })
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
