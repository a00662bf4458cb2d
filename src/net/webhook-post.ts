/** One delivery of a webhook: posts an event to its receiver, signed, within a time limit. */
import { createHmac } from 'node:crypto'
import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIPv6 } from 'node:net'
import { failure } from '../core/errors.ts'
import { allowedAddress } from './dial.ts'
import type { EgressPolicy } from './egress.ts'

const TIMEOUT_MS = 10_000

export interface Delivery {
  id: string
  name: string
  key: string | undefined
  /** May also connect to this machine and its network. */
  anywhere: boolean
  policy: EgressPolicy
  stopping: AbortSignal
}

/** Posts only to the address that was checked. It does not follow redirects. */
export async function postEvent(target: string, body: string, delivery: Delivery): Promise<void> {
  const url = new URL(target)
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port || (secure ? 443 : 80))
  const address = await allowedAddress(
    delivery.anywhere ? { allow: [host] } : { ...delivery.policy, publicOnly: true },
    host,
    port,
  )
  await send({
    url,
    address,
    headers: headersOf(body, delivery),
    body,
    stopping: delivery.stopping,
  })
}

/** The signature covers the number, too, so nobody can send a body again as another delivery. */
function headersOf(body: string, { id, name, key }: Delivery): OutgoingHttpHeaders {
  const signature =
    key === undefined
      ? {}
      : { 'headrace-signature': `sha256=${createHmac('sha256', key).update(`${id}.${body}`).digest('hex')}` }
  return {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'headrace-event': name,
    'headrace-delivery': id,
    ...signature,
  }
}

interface Sending {
  url: URL
  /** The checked address: the name is not resolved a second time. */
  address: string
  headers: OutgoingHttpHeaders
  body: string
  stopping: AbortSignal
}

/** Resolves when the receiver has accepted it. */
async function send({ url, address, headers, body, stopping }: Sending): Promise<void> {
  // A limit for the whole delivery: a receiver that sends a byte now and then never falls silent.
  const late = AbortSignal.timeout(TIMEOUT_MS)
  await new Promise<void>((resolve, reject) => {
    const sent = (url.protocol === 'https:' ? httpsRequest : httpRequest)(
      url,
      {
        method: 'POST',
        headers,
        signal: AbortSignal.any([late, stopping]),
        agent: false,
        lookup: (_, options, done) =>
          options.all
            ? done(null, [{ address, family: isIPv6(address) ? 6 : 4 }])
            : done(null, address, isIPv6(address) ? 6 : 4),
      },
      (response) => {
        // The body of the answer is not read, and a long one is no error.
        response.on('error', () => undefined).resume()
        const status = response.statusCode ?? 0
        if (status >= 200 && status < 300) resolve()
        else reject(failure('source_unreachable', { address: url.host, reason: `HTTP status ${status}` }))
      },
    )
    sent.on('error', (error) =>
      reject(
        late.aborted
          ? failure(
              'source_unreachable',
              { address: url.host, reason: `no answer within ${TIMEOUT_MS / 1000} s` },
              error,
            )
          : error,
      ),
    )
    sent.end(body)
  })
}
