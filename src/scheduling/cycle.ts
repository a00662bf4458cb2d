/**
 * One decision of the scheduler over a snapshot, in six steps. Pure: it returns the decision as data,
 * and `state/` applies it in the transaction that read the snapshot.
 *
 * 1. heads: the executions whose turn it is, in the order of their fair-share tags (from the snapshot).
 * 2. snapshot: free capacity slot by slot, what tenants own and have left.
 * 3. nominate: in which namespaces each may run, and with whose capacity.
 * 4. place: the preferred time, else the next that fits inside its SLA window.
 * 5. pay: whether the ledger holds what it needs then.
 * 6. admit: book it in the working copy, or state why not and when to look again.
 */
import { SHARED } from '../core/service/namespaces.ts'
import { neverFits, noCapacity, nominate, windowMissed, type Offer } from './offers.ts'
import { pay } from './payment.ts'
import type { ServiceReason } from './reasons.ts'
import { findPlacement, occupy, type Lane, type Need, type Placement } from './slots.ts'
import type { Booking, Queued, Snapshot } from './snapshot.ts'

export interface Wait {
  executionId: string
  reason: ServiceReason
  tryAfterMs: number
  /** It can never be placed: its window is over. */
  over: boolean
}

export interface Decisions {
  bookings: Booking[]
  waits: Wait[]
}

/** How long an execution without capacity or balance sleeps, unless either becomes available earlier. */
const SLEEP_MS = { no_capacity: 60_000, no_balance: 900_000, never: 3_600_000 }

export function decide(snapshot: Snapshot): Decisions {
  const decisions: Decisions = { bookings: [], waits: [] }
  const own = new Map<string, Lane>()
  for (const queued of snapshot.queue) {
    const booking = admit(snapshot, own, queued)
    if ('holds' in booking) decisions.bookings.push(booking)
    else decisions.waits.push(booking)
  }
  return decisions
}

/** A way to run that has room, with its time. */
interface Place {
  offer: Offer
  placement: Placement
}

/** Places one execution and takes its capacity out of the snapshot, or states why it waits. */
function admit(snapshot: Snapshot, own: Map<string, Lane>, queued: Queued): Booking | Wait {
  const need: Need = {
    cpuCores: queued.cpuCores,
    memoryGb: queued.memoryGb,
    durationMs: queued.estimatedMinutes * 60_000,
  }
  const found = findPlaces(snapshot, own, queued, need)
  let { refusal } = found
  for (const { offer, placement } of found.places) {
    const holds = offer.paid ? pay(snapshot.tenants.get(queued.tenantId)?.lots ?? [], queued, placement) : []
    if (!Array.isArray(holds)) {
      refusal = holds
      continue
    }
    for (const lane of offer.lanes) occupy(lane, need, placement)
    for (const hold of holds) hold.lot.available -= hold.amount
    return {
      executionId: queued.executionId,
      tenantId: queued.tenantId,
      namespace: offer.namespace,
      cpuCores: queued.cpuCores,
      memoryGb: queued.memoryGb,
      ...placement,
      holds: holds.map(({ lot, amount }) => ({ lotId: lot.lotId, amount })),
      owner: offer.owner,
      lender: offer.lender,
    }
  }
  const over = snapshot.nowMs + need.durationMs > queued.deadlineMs
  const reason = over ? windowMissed(queued) : (refusal ?? noCapacity(queued, queued.namespace))
  return {
    executionId: queued.executionId,
    reason,
    over,
    tryAfterMs: snapshot.nowMs + (SLEEP_MS[reason.code as keyof typeof SLEEP_MS] ?? SLEEP_MS.never),
  }
}

/** All places to consider, the earliest first, and why the first one without room has none. */
function findPlaces(
  snapshot: Snapshot,
  own: Map<string, Lane>,
  queued: Queued,
  need: Need,
): { places: Place[]; refusal: ServiceReason | undefined } {
  const earliestMs = Math.max(snapshot.nowMs, queued.preferredMs)
  const places: Place[] = []
  let refusal: ServiceReason | undefined
  for (const offer of nominate(snapshot, own, queued)) {
    const never = neverFits(snapshot, queued, offer)
    const placement =
      never === undefined
        ? findPlacement(snapshot.grid, offer.lanes, need, { earliestMs, deadlineMs: queued.deadlineMs })
        : undefined
    if (placement === undefined) {
      refusal ??= never ?? noCapacity(queued, offer.namespace)
      continue
    }
    places.push({ offer, placement })
    // Its own units cost nothing more, so it rather waits for them than pays to start at once. In the pool, a
    // loan costs the same as waiting.
    if (queued.namespace !== SHARED || placement.fromMs <= earliestMs) break
  }
  return { places: places.sort((a, b) => a.placement.fromMs - b.placement.fromMs), refusal }
}
