/**
 * Delivers events to the URLs that tenants gave: in order, each at least once (the delivery's number is the
 * event's, so that a receiver can tell a second time), signed when the webhook has a secret. A receiver that
 * fails is tried again with growing pauses.
 */
import { createHmac } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIPv6 } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { sql, type RawBuilder } from 'kysely'
import { failure, reasonOf } from '../../core/errors.ts'
import { eventsAfter } from '../../state/events.ts'
import type { Context } from './context.ts'
import { allowedAddress, egressPolicy } from './dial.ts'
import { needMailer } from './mail.ts'

/**
 * `hooks`: how many are delivered to at once, and `ofTenant` of one tenant: receivers of one that are slow
 * must not keep those of others waiting.
 */
const DELIVERY = {
  hooks: 100,
  ofTenant: 8,
  events: 50,
  looked: 10_000n,
  timeoutMs: 10_000,
  turnMs: 10_000,
  stopMs: 3_000,
  longestPauseMs: 3_600_000,
}

export interface Deliveries {
  /**
   * Begins with the webhooks for which something is there, those that are furthest behind first, but for
   * those that are still at it. Resolves when what it began has ended, with the number of events that were
   * delivered.
   */
  round(): Promise<number>
  /** Breaks off what is under way; what no receiver took is delivered again. */
  stop(): Promise<void>
}

/** `failed` is told when what happened could not be noted. */
export function createDeliveries(context: Context, failed: (error: unknown) => void): Deliveries {
  const stopping = new AbortController()
  const busy = new Map<string, Promise<number>>()
  let looking: Promise<Promise<number>[]> | undefined
  const begin = (hook: Hook, through: bigint): Promise<number> => {
    const ended = deliver(context, hook, through, stopping.signal)
      .catch((error: unknown) => (failed(error), 0))
      .finally(() => busy.delete(hook.webhook_id))
    busy.set(hook.webhook_id, ended)
    return ended
  }
  const look = async (): Promise<Promise<number>[]> => {
    const through = await context.settledEvents()
    // Who waits for what seldom comes does not look at the same events again and again.
    await sql`UPDATE webhooks w SET next_event_id = ${through} WHERE w.failures = 0 AND w.next_event_id < ${through - DELIVERY.looked} AND NOT (${isPending(through)})`.execute(
      context.gate.service,
    )
    const due = await dueHooks(context, through, [...busy.keys()])
    return stopping.signal.aborted ? [] : due.map((hook) => begin(hook, through))
  }
  return {
    async round() {
      if (looking !== undefined) return 0
      looking = look().finally(() => (looking = undefined))
      return (await Promise.all(await looking)).reduce((sum, one) => sum + one, 0)
    },
    async stop() {
      stopping.abort()
      await looking?.catch(() => undefined)
      // A mail cannot be broken off: its server may take its time.
      await Promise.race([Promise.all(busy.values()), setTimeout(DELIVERY.stopMs, undefined, { ref: false })])
    },
  }
}

async function dueHooks({ gate, now }: Context, through: bigint, busy: string[]): Promise<Hook[]> {
  const isBusy = sql<boolean>`w.webhook_id = ANY(${busy}::uuid[])`
  const { rows } = await sql<Hook>`
    SELECT webhook_id, tenant_id, url, events, secret_name, next_event_id, failures FROM (
      SELECT w.*, ${isBusy} AS busy, row_number() OVER (PARTITION BY w.tenant_id ORDER BY ${isBusy} DESC, w.next_event_id, w.webhook_id) AS place FROM webhooks w LEFT JOIN tenants t USING (tenant_id)
      WHERE ${isBusy} OR (w.try_after <= ${now()} AND (w.tenant_id IS NULL OR t.status = 'active') AND ${isPending(through)})
    ) due WHERE NOT busy AND place <= ${DELIVERY.ofTenant} ORDER BY next_event_id, webhook_id LIMIT ${DELIVERY.hooks - busy.length}`.execute(
    gate.service,
  )
  return rows
}

/** Whether there are events for a webhook `w`. A tenant's are found by its own index. */
const isPending = (through: bigint): RawBuilder<boolean> => sql<boolean>`CASE WHEN w.tenant_id IS NULL
  THEN EXISTS (SELECT 1 FROM events e WHERE e.event_id > w.next_event_id AND e.event_id <= ${through} AND w.events && ARRAY['*', e.event::text])
  ELSE EXISTS (SELECT 1 FROM events e WHERE e.tenant_id = w.tenant_id AND e.event_id > w.next_event_id AND e.event_id <= ${through} AND w.events && ARRAY['*', e.event::text]) END`

interface Hook {
  webhook_id: string
  /** Null: the installation's. */
  tenant_id: string | null
  url: string
  events: string[]
  secret_name: string | null
  next_event_id: bigint
  failures: number
}

/** `next_event_id` is the last event that is done with: delivered, or not asked for. */
async function deliver(
  context: Context,
  hook: Hook,
  through: bigint,
  stopping: AbortSignal,
): Promise<number> {
  const { gate, now } = context
  const events = await eventsAfter(gate.service, {
    after: hook.next_event_id,
    through,
    tenantId: hook.tenant_id ?? undefined,
    names: hook.events.includes('*') ? undefined : hook.events,
    limit: DELIVERY.events,
  })
  if (events.length === 0) return 0
  // What lies behind the last of a part is not looked at yet; when it was not a whole part, all of it was.
  const idOf = (event: Record<string, unknown>): bigint => BigInt(String(event.event_id))
  const end = events.length < DELIVERY.events ? through : idOf(events[events.length - 1])
  let [done, count] = [hook.next_event_id, 0]
  const begun = performance.now()
  try {
    if (hook.url.startsWith('mailto:')) {
      await needMailer(context.mail).send(hook.url.slice('mailto:'.length), events)
      count = events.length
      done = end
    } else {
      const key = await keyOf(context, hook)
      for (const event of events) {
        // An operator may have things told to this machine itself.
        await post(hook.url, JSON.stringify(event), {
          id: String(event.event_id),
          name: String(event.event),
          key,
          anywhere: hook.tenant_id === null,
          stopping,
        })
        count += 1
        done = count === events.length ? end : idOf(event)
        // A slow receiver goes on in the next round: what it took is noted before it gets much more.
        if (performance.now() - begun > DELIVERY.turnMs) break
      }
    }
    await gate.service
      .updateTable('webhooks')
      .set({ next_event_id: done, failures: 0, last_error: null })
      .where('webhook_id', '=', hook.webhook_id)
      .execute()
  } catch (error) {
    const pauseMs = Math.min(DELIVERY.longestPauseMs, 1_000 * 2 ** hook.failures)
    // What a stop broke off did not fail.
    const failed = stopping.aborted
      ? {}
      : {
          failures: hook.failures + 1,
          last_error: reasonOf(error).slice(0, 300),
          try_after: new Date(now().getTime() + pauseMs),
        }
    await gate.service
      .updateTable('webhooks')
      .set({ next_event_id: done, ...failed })
      .where('webhook_id', '=', hook.webhook_id)
      .execute()
  }
  return count
}

/** What signs the deliveries; undefined when the webhook names no secret. */
async function keyOf(
  { secrets }: Context,
  { tenant_id: tenantId, secret_name: name }: Hook,
): Promise<string | undefined> {
  if (name === null || tenantId === null) return undefined
  const key = (await secrets.get(tenantId, name))?.key
  if (key === undefined) throw failure('secret_not_found', { name: `${name} with a field key` })
  return key
}

interface Delivery {
  id: string
  name: string
  key: string | undefined
  /** To this machine and its network too. */
  anywhere: boolean
  stopping: AbortSignal
}

/** Posts to the address that was checked and to no other; redirects are not followed. */
async function post(
  target: string,
  body: string,
  { id, name, key, anywhere, stopping }: Delivery,
): Promise<void> {
  const url = new URL(target)
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port || (secure ? 443 : 80))
  const address = await allowedAddress(
    anywhere ? { allow: [host] } : { ...egressPolicy(), publicOnly: true },
    host,
    port,
  )
  const signature =
    key === undefined
      ? {}
      : { 'headrace-signature': `sha256=${createHmac('sha256', key).update(`${id}.${body}`).digest('hex')}` }
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'headrace-event': name,
    'headrace-delivery': id,
    ...signature,
  }
  // From first to last, whatever comes in between: a receiver that sends a byte now and then never falls
  // silent.
  const late = AbortSignal.timeout(DELIVERY.timeoutMs)
  await new Promise<void>((resolve, reject) => {
    const sent = (secure ? httpsRequest : httpRequest)(
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
        // What it says is not read, but neither is it an error that it says too much.
        response.on('error', () => undefined).resume()
        const status = response.statusCode ?? 0
        if (status >= 200 && status < 300) resolve()
        else reject(failure('source_unreachable', { address: url.host, reason: `it answered ${status}` }))
      },
    )
    sent.on('error', (error) =>
      reject(
        late.aborted
          ? failure(
              'source_unreachable',
              { address: url.host, reason: `no answer within ${DELIVERY.timeoutMs / 1000} s` },
              error,
            )
          : error,
      ),
    )
    sent.end(body)
  })
}
