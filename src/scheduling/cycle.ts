/**
 * One decision of the scheduler over a snapshot, in six steps. Pure: what is decided comes back as data,
 * `state/` applies it in the transaction that read the snapshot.
 *
 * 1. heads: the executions whose turn it is, in the order of their fair-share tags (the snapshot brings
 *   them).
 * 2. snapshot: free capacity slot by slot, what tenants own and have left.
 * 3. nominate: in which namespaces each may run, and with whose capacity.
 * 4. pay: whether the ledger holds what it needs.
 * 5. place: the preferred time, else the next that fits inside its SLA window.
 * 6. admit into the working copy, or say why not and when to look again.
 */
import { DEDICATED, DRAFT, SHARED, type Capacity, type Namespace } from '../core/namespaces.ts'
import { UNIT, estimateOf, vcpuHours, vcpuHoursUp, type CpuMicros } from '../core/amounts.ts'
import type { ServiceReason } from './reasons.ts'
import {
  emptyLane,
  findPlacement,
  lastFull,
  occupy,
  type Lane,
  type Need,
  type Placement,
  type SlotGrid,
} from './slots.ts'

export interface Queued {
  executionId: string
  tenantId: string
  /** Where the job belongs; drafts stay in theirs. */
  namespace: Namespace
  cpuCores: number
  memoryGb: number
  estimatedMinutes: number
  preferredMs: number
  deadlineMs: number
}

export interface Lot {
  lotId: string
  available: CpuMicros
  fromMs: number
  untilMs: number
}

export interface TenantState {
  /** Dedicated units it owns in each slot. */
  units: Int32Array
  /** Dedicated capacity of its own that bookings already use, slot by slot. */
  used: Lane
  /** Open lots of vCPU-hours, the one that ends first at the front. */
  lots: Lot[]
  /** Whether others may use its idle dedicated capacity. */
  lends: boolean
}

export interface Snapshot {
  nowMs: number
  grid: SlotGrid
  free: Record<Namespace, Lane>
  total: Record<Namespace, Capacity>
  tenants: Map<string, TenantState>
  queue: Queued[]
  /** Whether idle capacity of another namespace may be used at all. */
  spillover: boolean
}

/** What moving a booking needs of a snapshot: nothing is queued and nothing is paid. */
export type Room = Pick<Snapshot, 'nowMs' | 'grid' | 'free' | 'tenants'>

export interface Booking extends Placement {
  executionId: string
  tenantId: string
  namespace: Namespace
  cpuCores: number
  memoryGb: number
  holds: { lotId: string; amount: CpuMicros }[]
  /** Whose dedicated capacity it uses: its own tenant, another (a lender), or nobody's. */
  owner: string | undefined
  lender: string | undefined
}

export interface Wait {
  executionId: string
  reason: ServiceReason
  tryAfterMs: number
  /** It can never be placed any more: its window is over. */
  over: boolean
}

export interface Decisions {
  bookings: Booking[]
  waits: Wait[]
}

/** How long one that found no capacity or no balance sleeps, unless what it lacks arrives before. */
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

/**
 * A way to run: the namespace, the lanes that must have room, whose dedicated capacity is used and whether it
 * is paid by the hour.
 */
interface Offer {
  namespace: Namespace
  lanes: Lane[]
  owner: string | undefined
  lender: string | undefined
  paid: boolean
}

function admit(snapshot: Snapshot, own: Map<string, Lane>, queued: Queued): Booking | Wait {
  const need: Need = {
    cpuCores: queued.cpuCores,
    memoryGb: queued.memoryGb,
    durationMs: queued.estimatedMinutes * 60_000,
  }
  const earliestMs = Math.max(snapshot.nowMs, queued.preferredMs)
  let refusal: ServiceReason | undefined
  const placed: { offer: Offer; placement: Placement }[] = []
  for (const offer of nominate(snapshot, own, queued)) {
    const room = fitsAtAll(snapshot, queued, offer)
    const placement =
      room === undefined
        ? findPlacement(snapshot.grid, offer.lanes, need, earliestMs, queued.deadlineMs)
        : undefined
    if (placement === undefined) {
      refusal ??= room ?? noCapacity(queued, offer.namespace)
      continue
    }
    placed.push({ offer, placement })
    // Its own units cost nothing more: rather later in them than at once for a price. In the pool a loan
    // costs the same as waiting.
    if (queued.namespace !== SHARED || placement.fromMs <= earliestMs) break
  }
  for (const { offer, placement } of placed.toSorted((a, b) => a.placement.fromMs - b.placement.fromMs)) {
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

/**
 * Its own namespace first, then idle capacity of others whose policy allows it. A production job never goes
 * to the drafts.
 */
function* nominate(snapshot: Snapshot, own: Map<string, Lane>, queued: Queued): Generator<Offer> {
  const { namespace } = queued
  if (namespace === DRAFT) {
    yield { namespace, lanes: [snapshot.free[DRAFT]], owner: undefined, lender: undefined, paid: false }
    return
  }
  if (namespace === DEDICATED) {
    yield {
      namespace,
      lanes: [snapshot.free[DEDICATED], ownLane(snapshot, own, queued.tenantId)],
      owner: queued.tenantId,
      lender: undefined,
      paid: false,
    }
    if (snapshot.spillover && (snapshot.tenants.get(queued.tenantId)?.lots.length ?? 0) > 0)
      yield {
        namespace: SHARED,
        lanes: [snapshot.free[SHARED]],
        owner: undefined,
        lender: SHARED,
        paid: true,
      }
    return
  }
  yield { namespace: SHARED, lanes: [snapshot.free[SHARED]], owner: undefined, lender: undefined, paid: true }
  if (!snapshot.spillover) return
  for (const [tenantId, state] of snapshot.tenants) {
    if (state.lends && tenantId !== queued.tenantId)
      yield {
        namespace: DEDICATED,
        lanes: [snapshot.free[DEDICATED], ownLane(snapshot, own, tenantId)],
        owner: tenantId,
        lender: tenantId,
        paid: true,
      }
  }
}

/**
 * What is left of a tenant's dedicated units, kept for the whole cycle so that what one execution takes the
 * next one misses.
 */
function ownLane(snapshot: Room, own: Map<string, Lane>, tenantId: string): Lane {
  const known = own.get(tenantId)
  if (known !== undefined) return known
  const state = snapshot.tenants.get(tenantId)
  const lane = emptyLane(snapshot.grid.count)
  for (let slot = 0; state !== undefined && slot < snapshot.grid.count; slot += 1) {
    lane.cpu[slot] = state.units[slot] * UNIT.cpuCores - state.used.cpu[slot]
    lane.memory[slot] = state.units[slot] * UNIT.memoryGb - state.used.memory[slot]
  }
  own.set(tenantId, lane)
  return lane
}

/** Why it can never run there, however long it waits. */
function fitsAtAll(snapshot: Snapshot, queued: Queued, offer: Offer): ServiceReason | undefined {
  const total = snapshot.total[offer.namespace]
  if (queued.cpuCores > total.cpuCores || queued.memoryGb > total.memoryGb) {
    return {
      code: 'too_large',
      params: {
        cores: queued.cpuCores,
        memory: queued.memoryGb,
        namespace: offer.namespace,
        totalCores: total.cpuCores,
        totalMemory: total.memoryGb,
      },
    }
  }
  if (offer.owner !== queued.tenantId) return undefined
  const units = Math.max(0, ...(snapshot.tenants.get(queued.tenantId)?.units ?? []))
  if (queued.cpuCores <= units * UNIT.cpuCores && queued.memoryGb <= units * UNIT.memoryGb) return undefined
  const missing =
    Math.ceil(Math.max(queued.cpuCores / UNIT.cpuCores, queued.memoryGb / UNIT.memoryGb)) - units
  return {
    code: 'no_entitlement',
    params: {
      cores: queued.cpuCores,
      memory: queued.memoryGb,
      units,
      unitCores: units * UNIT.cpuCores,
      unitMemory: units * UNIT.memoryGb,
      missing,
    },
  }
}

function windowMissed(queued: Queued): ServiceReason {
  return { code: 'window_missed', params: { ...noCapacity(queued, queued.namespace).params } }
}

function noCapacity(queued: Queued, namespace: Namespace): ServiceReason {
  return {
    code: 'no_capacity',
    params: {
      minutes: queued.estimatedMinutes,
      cores: queued.cpuCores,
      memory: queued.memoryGb,
      namespace,
      deadline: new Date(queued.deadlineMs).toISOString(),
    },
  }
}

/**
 * Takes the estimate from lots that are valid when it starts, the one that ends first at the front; none for
 * a part.
 */
function pay(
  lots: Lot[],
  queued: Queued,
  placement: Placement,
): { lot: Lot; amount: CpuMicros }[] | ServiceReason {
  const needed = estimateOf(queued.cpuCores, queued.estimatedMinutes)
  const usable = lots.filter(
    (lot) => lot.fromMs <= placement.fromMs && placement.fromMs < lot.untilMs && lot.available > 0n,
  )
  const holds: { lot: Lot; amount: CpuMicros }[] = []
  let left = needed
  for (const lot of usable) {
    const amount = lot.available < left ? lot.available : left
    holds.push({ lot, amount })
    left -= amount
    if (left === 0n) return holds
  }
  const last = usable.at(-1)
  return {
    code: 'no_balance',
    params: {
      needed: vcpuHoursUp(needed),
      available: vcpuHours(needed - left),
      missing: vcpuHoursUp(left),
      until: last === undefined ? 'now' : new Date(last.untilMs).toISOString(),
    },
  }
}

/** A booking for later of something that may start now. */
export interface Later {
  executionId: string
  namespace: Namespace
  owner: string | undefined
  cpuCores: number
  memoryGb: number
  preferredMs: number
  fromMs: number
  untilMs: number
  /** The latest start of the lots it holds from: a hold cannot be used before. */
  paidFromMs: number
}

export interface Advance {
  executionId: string
  fromMs: number
  untilMs: number
}

/**
 * Bookings that can begin earlier, because what was before them ended early: in the order given, each into
 * the room that is free now and by giving up its own later one. Whoever was booked keeps at least what it
 * had.
 */
export function advance(snapshot: Room, booked: Later[]): Advance[] {
  const own = new Map<string, Lane>()
  const moves: Advance[] = []
  for (const one of booked) {
    const lanes = lanesOf(snapshot, own, one)
    const need: Need = {
      cpuCores: one.cpuCores,
      memoryGb: one.memoryGb,
      durationMs: one.untilMs - one.fromMs,
    }
    const held = touched(snapshot.grid, one)
    for (const lane of lanes) occupy(lane, need, held, -1)
    // Just before its own time at the latest: where it is, it fits.
    const better = findPlacement(
      snapshot.grid,
      lanes,
      need,
      Math.max(snapshot.nowMs, one.preferredMs, one.paidFromMs),
      one.untilMs - 1,
    )
    if (better !== undefined && better.fromMs < one.fromMs)
      moves.push({ executionId: one.executionId, fromMs: better.fromMs, untilMs: better.untilMs })
    for (const lane of lanes)
      occupy(lane, need, better !== undefined && better.fromMs < one.fromMs ? better : held)
  }
  return moves
}

/** A run whose booking ends soon. */
export type Outrunning = Pick<
  Later,
  'executionId' | 'namespace' | 'owner' | 'cpuCores' | 'memoryGb' | 'untilMs'
>

/** The slots that a longer booking adds: none when it ends inside of one that it has. */
export interface Extension {
  executionId: string
  fromMs: number
  untilMs: number
}

/** Bookings that can reach to the end of the next slot: those for which it is free, in the order given. */
export function extendRunning(snapshot: Room, running: Outrunning[]): Extension[] {
  const { grid, nowMs } = snapshot
  const own = new Map<string, Lane>()
  return running.flatMap((one) => {
    const endedMs = Math.max(one.untilMs, grid.originMs)
    const untilMs = (Math.floor(Math.max(endedMs, nowMs) / grid.slotMs) + 1) * grid.slotMs
    // A slot that the booking touches is its own already: only whole ones after it are new.
    const first = Math.ceil((endedMs - grid.originMs) / grid.slotMs)
    const span: Placement = {
      fromMs: grid.originMs + first * grid.slotMs,
      untilMs,
      first,
      last: Math.ceil((untilMs - grid.originMs) / grid.slotMs) - 1,
    }
    const need: Need = { cpuCores: one.cpuCores, memoryGb: one.memoryGb, durationMs: 0 }
    const lanes = lanesOf(snapshot, own, one)
    if (lastFull(lanes, need, span.first, span.last) >= 0) return []
    for (const lane of lanes) occupy(lane, need, span)
    return [{ executionId: one.executionId, fromMs: span.fromMs, untilMs }]
  })
}

/** What must have room for a booking: its namespace, and its owner's units when it uses somebody's. */
function lanesOf(
  snapshot: Room,
  own: Map<string, Lane>,
  { namespace, owner }: Pick<Later, 'namespace' | 'owner'>,
): Lane[] {
  return [snapshot.free[namespace], ...(owner === undefined ? [] : [ownLane(snapshot, own, owner)])]
}

function touched(grid: SlotGrid, { fromMs, untilMs }: { fromMs: number; untilMs: number }): Placement {
  return {
    fromMs,
    untilMs,
    first: Math.max(0, Math.floor((fromMs - grid.originMs) / grid.slotMs)),
    last: Math.min(grid.count, Math.ceil((untilMs - grid.originMs) / grid.slotMs)) - 1,
  }
}
