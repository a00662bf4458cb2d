/**
 * The input of a decision: who waits, what is free, what tenants own and have left. And its output: a
 * booking.
 */
import { UNIT, type CpuMicros } from '../core/service/amounts.ts'
import type { Capacity, Namespace } from '../core/service/namespaces.ts'
import { emptyLane, type Lane, type Placement, type SlotGrid } from './slots.ts'

export interface Queued {
  executionId: string
  tenantId: string
  /** The namespace of the job. Drafts stay in theirs. */
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
  /** Dedicated units that it owns in each slot. */
  units: Int32Array
  /** Its dedicated capacity that bookings already use, slot by slot. */
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

/** The part of a snapshot that moving a booking needs: nothing is queued and nothing is paid. */
export type Room = Pick<Snapshot, 'nowMs' | 'grid' | 'free' | 'tenants'>

export interface Booking extends Placement {
  executionId: string
  tenantId: string
  namespace: Namespace
  cpuCores: number
  memoryGb: number
  holds: { lotId: string; amount: CpuMicros }[]
  /** The owner of the dedicated capacity that it uses: its own tenant, another (a lender), or nobody. */
  owner: string | undefined
  lender: string | undefined
}

/**
 * The rest of a tenant's dedicated units, kept for the whole cycle, so that what one execution takes is gone
 * for the next.
 */
export function ownLane(snapshot: Room, own: Map<string, Lane>, tenantId: string): Lane {
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
