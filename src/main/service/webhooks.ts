/**
 * Delivers events to the URLs that tenants gave: in order, each at least once (the delivery's number is the event's, so that a receiver
 * can tell a second time), signed when the webhook has a secret. A receiver that fails is tried again with growing pauses.
 */
import { createHmac } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIPv6 } from 'node:net'
import { sql, type RawBuilder } from 'kysely'
import { failure, reasonOf } from '../../core/errors.ts'
import { eventsAfter } from '../../state/events.ts'
import type { Context } from './context.ts'
import { allowedAddress, egressPolicy } from './dial.ts'
import { needMailer } from './mail.ts'

const DELIVERY = { hooks: 100, events: 50, looked: 10_000n, timeoutMs: 10_000, turnMs: 10_000, longestPauseMs: 3_600_000 }

/** One round over the webhooks for which something is there, those that are furthest behind first. Returns how many events were delivered. */
export async function deliverWebhooks(context: Context): Promise<number> {
  const { gate, now } = context
  const through = await context.settledEvents()
  const { rows: due } = await sql<Hook>`
    SELECT w.webhook_id, w.tenant_id, w.url, w.events, w.secret_name, w.next_event_id, w.failures FROM webhooks w LEFT JOIN tenants t USING (tenant_id)
    WHERE w.try_after <= ${now()} AND (w.tenant_id IS NULL OR t.status = 'active') AND ${isPending(through)} ORDER BY w.next_event_id, w.webhook_id LIMIT ${DELIVERY.hooks}`.execute(gate.service)
  const delivered = await Promise.all(due.map((hook) => deliver(context, hook, through)))
  // Who waits for what seldom comes does not look at the same events again and again.
  await sql`UPDATE webhooks w SET next_event_id = ${through} WHERE w.failures = 0 AND w.next_event_id < ${through - DELIVERY.looked} AND NOT (${isPending(through)})`.execute(gate.service)
  return delivered.reduce((sum, one) => sum + one, 0)
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
async function deliver(context: Context, hook: Hook, through: bigint): Promise<number> {
  const { gate, now } = context
  const events = await eventsAfter(gate.service, { after: hook.next_event_id, through, tenantId: hook.tenant_id ?? undefined, names: hook.events.includes('*') ? undefined : hook.events, limit: DELIVERY.events })
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
        await post(hook.url, JSON.stringify(event), { id: String(event.event_id), name: String(event.event), key, anywhere: hook.tenant_id === null })
        count += 1
        done = count === events.length ? end : idOf(event)
        // A slow receiver goes on in the next round: the others wait for this one to end.
        if (performance.now() - begun > DELIVERY.turnMs) break
      }
    }
    await gate.service.updateTable('webhooks').set({ next_event_id: done, failures: 0, last_error: null }).where('webhook_id', '=', hook.webhook_id).execute()
  } catch (error) {
    const pauseMs = Math.min(DELIVERY.longestPauseMs, 1_000 * 2 ** hook.failures)
    await gate.service.updateTable('webhooks').set({ next_event_id: done, failures: hook.failures + 1, last_error: reasonOf(error).slice(0, 300), try_after: new Date(now().getTime() + pauseMs) }).where('webhook_id', '=', hook.webhook_id).execute()
  }
  return count
}

/** What signs the deliveries; undefined when the webhook names no secret. */
async function keyOf({ secrets }: Context, { tenant_id: tenantId, secret_name: name }: Hook): Promise<string | undefined> {
  if (name === null || tenantId === null) return undefined
  const key = (await secrets.get(tenantId, name))?.key
  if (key === undefined) throw failure('secret_not_found', { name: `${name} with a field key` })
  return key
}

/** Posts to the address that was checked and to no other; redirects are not followed. */
async function post(target: string, body: string, { id, name, key, anywhere }: { id: string; name: string; key: string | undefined; anywhere: boolean }): Promise<void> {
  const url = new URL(target)
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port || (secure ? 443 : 80))
  const address = await allowedAddress(anywhere ? { allow: [host] } : egressPolicy(), host, port)
  const signature = key === undefined ? {} : { 'headrace-signature': `sha256=${createHmac('sha256', key).update(`${id}.${body}`).digest('hex')}` }
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'headrace-event': name, 'headrace-delivery': id, ...signature }
  await new Promise<void>((resolve, reject) => {
    const sent = (secure ? httpsRequest : httpRequest)(url, { method: 'POST', headers, timeout: DELIVERY.timeoutMs, agent: false, lookup: (_, options, done) => (options.all ? done(null, [{ address, family: isIPv6(address) ? 6 : 4 }]) : done(null, address, isIPv6(address) ? 6 : 4)) }, (response) => {
      response.resume()
      const status = response.statusCode ?? 0
      if (status >= 200 && status < 300) resolve()
      else reject(failure('source_unreachable', { address: url.host, reason: `it answered ${status}` }))
    })
    sent.on('timeout', () => sent.destroy(failure('source_unreachable', { address: url.host, reason: `no answer within ${DELIVERY.timeoutMs / 1000} s` })))
    sent.on('error', reject)
    sent.end(body)
  })
}
