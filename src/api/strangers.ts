/**
 * Limits how often a client without a valid token may try, before any lookup. Each address has this many
 * tries at once, and regains one every half second. A token that was valid within the last hour costs no try,
 * and one that proves valid returns its try. So a client that shares an address with a flood (one NAT, one
 * proxy) does not notice it if it was here before, and gets in as tries come back if it is new. A request
 * without a token costs a try as well.
 */
import { createHash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { failure } from '../core/errors.ts'
import { groupsOf } from '../core/ip-address.ts'

export interface Strangers {
  /** Takes a try. Throws `too_many_tries` if there is none. */
  enter(address: string, token: string | undefined): Try
}

export interface Try {
  /** The token is valid: returns the try, and remembers the token. */
  held(): void
  /** The token is invalid. */
  failed(): void
  /** Nothing is known: the database was away. */
  undone(): void
}

export interface StrangerLimits {
  tries: number
  perSecond: number
  addresses: number
  knownTokens: number
  knownMs: number
}

const STRANGER_LIMITS: StrangerLimits = {
  tries: 200,
  perSecond: 2,
  addresses: 100_000,
  knownTokens: 20_000,
  knownMs: 3_600_000,
}

interface Bucket {
  left: number
  atMs: number
}

export function createStrangers(
  limits: StrangerLimits = STRANGER_LIMITS,
  clock = (): number => performance.now(),
): Strangers {
  const buckets = new Map<string, Bucket>()
  const known = new Map<string, number>()
  /** Tokens under lookup: many requests with one token are one lookup, and one try. */
  const underWay = new Set<string>()
  const refilled = (bucket: Bucket, at: number): Bucket => ({
    left: Math.min(limits.tries, bucket.left + ((at - bucket.atMs) / 1_000) * limits.perSecond),
    atMs: at,
  })
  return {
    enter(address, token) {
      const at = clock()
      const print = token === undefined ? undefined : createHash('sha256').update(token).digest('base64')
      const isKnown = print !== undefined && (known.get(print) ?? -Infinity) > at
      const failed = (): void => {
        if (print === undefined) return
        known.delete(print)
        underWay.delete(print)
      }
      if (print !== undefined && (isKnown || underWay.has(print)))
        return { held: () => undefined, undone: () => undefined, failed }
      const network = networkOf(address)
      const bucket = refilled(buckets.get(network) ?? { left: limits.tries, atMs: at }, at)
      if (bucket.left < 1)
        throw failure('too_many_tries', {
          address: network,
          seconds: Math.ceil((1 - bucket.left) / limits.perSecond),
        })
      bucket.left -= 1
      // The newest goes last: the first ones were quiet the longest.
      buckets.delete(network)
      buckets.set(network, bucket)
      trim(buckets, limits.addresses)
      if (print !== undefined) underWay.add(print)
      const undone = (): void => {
        if (print !== undefined) underWay.delete(print)
        const now = buckets.get(network)
        if (now !== undefined) now.left = Math.min(limits.tries, now.left + 1)
      }
      return {
        undone,
        failed,
        held() {
          undone()
          if (print === undefined) return
          known.delete(print)
          known.set(print, clock() + limits.knownMs)
          trim(known, limits.knownTokens)
        },
      }
    },
  }
}

function trim(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return
    map.delete(key)
  }
}

/** For IPv6 the first half: the holder of one address has all of that network. */
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '')
  if (!isIPv6(plain)) return plain
  const network = groupsOf(plain).slice(0, 4)
  return `${network.map((group) => group.toString(16)).join(':')}::/64`
}
