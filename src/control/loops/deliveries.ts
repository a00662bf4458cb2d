/**
 * Delivers events to the URLs of tenants: in order, each at least once, signed if the webhook has a secret.
 * The number of a delivery is that of its event, so a receiver can detect a repetition. A receiver that fails
 * is retried with growing pauses.
 */
import { pause } from '../../core/waiting.ts'
import { failure, reasonOf } from '../../core/errors.ts'
import { dueWebhooks, noteDelivery, passOverEvents, type DueWebhook } from '../../state/deliveries.ts'
import { eventsAfter } from '../../state/events.ts'
import type { Context } from '../context.ts'
import { settings } from '../../host/settings.ts'
import { egressPolicy } from '../../net/dial.ts'
import { needMailer } from '../../net/mail.ts'
import { postEvent } from '../../net/webhook-post.ts'

/**
 * `hooks`: how many webhooks get deliveries at once; `ofTenant`: how many of one tenant. Slow receivers of
 * one tenant must not delay those of others.
 */
const DELIVERY = {
  hooks: 100,
  ofTenant: 8,
  events: 50,
  looked: 10_000n,
  turnMs: 10_000,
  stopMs: 3_000,
  longestPauseMs: 3_600_000,
}

export interface Deliveries {
  /**
   * Starts deliveries of the webhooks that have events, those furthest behind first, except those that are
   * still busy. Resolves when these deliveries have ended, with the number of delivered events.
   */
  round(): Promise<number>
  /** Aborts deliveries under way. What no receiver accepted is delivered again. */
  stop(): Promise<void>
}

/** `failed` is called if a result could not be recorded. */
export function createDeliveries(context: Context, failed: (error: unknown) => void): Deliveries {
  const stopping = new AbortController()
  const busy = new Map<string, Promise<number>>()
  let looking: Promise<Promise<number>[]> | undefined
  const begin = (hook: DueWebhook, through: bigint): Promise<number> => {
    const ended = deliver(context, hook, through, stopping.signal)
      .catch((error: unknown) => (failed(error), 0))
      .finally(() => busy.delete(hook.webhook_id))
    busy.set(hook.webhook_id, ended)
    return ended
  }
  const look = async (): Promise<Promise<number>[]> => {
    const through = await context.settledEvents()
    await passOverEvents(context.gate.service, { through, behind: DELIVERY.looked })
    const due = await dueWebhooks(context.gate.service, {
      through,
      now: context.now(),
      busy: [...busy.keys()],
      ofTenant: DELIVERY.ofTenant,
      limit: DELIVERY.hooks - busy.size,
    })
    return stopping.signal.aborted ? [] : due.map((hook) => begin(hook, through))
  }
  return {
    async round() {
      if (looking !== undefined) return 0
      looking = look().finally(() => (looking = undefined))
      return (await Promise.all(await looking)).reduce((sum, count) => sum + count, 0)
    },
    async stop() {
      stopping.abort()
      await looking?.catch(() => undefined)
      // A mail cannot be aborted: its server may take its time.
      await Promise.race([Promise.all(busy.values()), pause(DELIVERY.stopMs, { keepsProcess: false })])
    },
  }
}

async function deliver(
  context: Context,
  hook: DueWebhook,
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
  // Events after the last of a part have not been read yet. If the part is not full, there are none.
  const end = events.length < DELIVERY.events ? through : idOf(events[events.length - 1])
  const taken: Taken = { done: hook.next_event_id, count: 0 }
  try {
    if (hook.url.startsWith('mailto:')) {
      await needMailer(context.mail).send(hook.url.slice('mailto:'.length), events)
      Object.assign(taken, { done: end, count: events.length })
    } else await postEach(context, hook, { events, end, stopping }, taken)
    await noteDelivery(gate.service, hook.webhook_id, {
      next_event_id: taken.done,
      failures: 0,
      last_error: null,
    })
  } catch (error) {
    const pauseMs = Math.min(DELIVERY.longestPauseMs, 1_000 * 2 ** hook.failures)
    // A delivery that a stop aborted did not fail.
    const failed = stopping.aborted
      ? {}
      : {
          failures: hook.failures + 1,
          last_error: reasonOf(error).slice(0, 300),
          try_after: new Date(now().getTime() + pauseMs),
        }
    await noteDelivery(gate.service, hook.webhook_id, { next_event_id: taken.done, ...failed })
  }
  return taken.count
}

/** How far a receiver got, even if it fails on the way. */
interface Taken {
  done: bigint
  count: number
}

interface Part {
  events: Record<string, unknown>[]
  /** The number to record once all of these events are accepted. */
  end: bigint
  stopping: AbortSignal
}

const idOf = (event: Record<string, unknown>): bigint => BigInt(String(event.event_id))

/**
 * Sends one after the other. `taken` is updated on the way, so that the caller knows it when a delivery
 * throws.
 */
async function postEach(
  context: Context,
  hook: DueWebhook,
  { events, end, stopping }: Part,
  taken: Taken,
): Promise<void> {
  const begun = performance.now()
  const key = await keyOf(context, hook)
  for (const event of events) {
    await postEvent(hook.url, JSON.stringify(event), {
      id: String(event.event_id),
      name: String(event.event),
      key,
      // An operator may send events to this machine itself.
      anywhere: hook.tenant_id === null,
      policy: egressPolicy(settings()),
      stopping,
    })
    taken.count += 1
    taken.done = taken.count === events.length ? end : idOf(event)
    // A slow receiver continues in the next round: record what it accepted before it gets much more.
    if (performance.now() - begun > DELIVERY.turnMs) break
  }
}

/** The key that signs the deliveries. Undefined if the webhook names no secret. */
async function keyOf(
  { secrets }: Context,
  { tenant_id: tenantId, secret_name: name }: DueWebhook,
): Promise<string | undefined> {
  if (name === null || tenantId === null) return undefined
  const key = (await secrets.get(tenantId, name))?.key
  if (key === undefined) throw failure('secret_not_found', { name: `${name} with a field key` })
  return key
}
