/** Where an execution may run, and with whose capacity; and why it can run nowhere, or not yet. */
import { UNIT } from '../core/service/amounts.ts'
import { DEDICATED, DRAFT, SHARED, type Namespace } from '../core/service/namespaces.ts'
import type { ServiceReason } from './reasons.ts'
import type { Lane } from './slots.ts'
import { ownLane, type Queued, type Snapshot } from './snapshot.ts'

/**
 * A way to run: the namespace, the lanes that must have room, the owner of the dedicated capacity, and
 * whether it is paid by the hour.
 */
export interface Offer {
  namespace: Namespace
  lanes: Lane[]
  owner: string | undefined
  lender: string | undefined
  paid: boolean
}

/**
 * Its own namespace first, then idle capacity of others whose policy allows it. A production job never uses
 * the namespace of drafts.
 */
export function* nominate(snapshot: Snapshot, own: Map<string, Lane>, queued: Queued): Generator<Offer> {
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

/** Why it can never run there, however long it waits. */
export function neverFits(snapshot: Snapshot, queued: Queued, offer: Offer): ServiceReason | undefined {
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

export function windowMissed(queued: Queued): ServiceReason {
  return { code: 'window_missed', params: { ...noCapacity(queued, queued.namespace).params } }
}

export function noCapacity(queued: Queued, namespace: Namespace): ServiceReason {
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
