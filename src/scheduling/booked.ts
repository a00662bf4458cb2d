/**
 * Changes of bookings after the decision: moved forward into room that became free, or extended for a run
 * that outruns its booking. Pure, like cycle.ts.
 */
import type { Namespace } from '../core/service/namespaces.ts'
import {
  findPlacement,
  lastFull,
  occupy,
  type Lane,
  type Need,
  type Placement,
  type SlotGrid,
} from './slots.ts'
import { ownLane, type Room } from './snapshot.ts'

/** A later booking of an execution that may start now. */
export interface Later {
  executionId: string
  namespace: Namespace
  owner: string | undefined
  cpuCores: number
  memoryGb: number
  preferredMs: number
  fromMs: number
  untilMs: number
  /** The latest start of the lots that it holds from: a hold cannot be used earlier. */
  paidFromMs: number
}

export interface Advance {
  executionId: string
  fromMs: number
  untilMs: number
}

/**
 * Bookings that can start earlier, because bookings before them ended early. In the given order, each moves
 * into the room that is free now, plus the room of its own later booking. Each keeps at least what it had.
 */
export function advance(snapshot: Room, booked: Later[]): Advance[] {
  const own = new Map<string, Lane>()
  const moves: Advance[] = []
  for (const execution of booked) {
    const lanes = lanesOf(snapshot, own, execution)
    const need: Need = {
      cpuCores: execution.cpuCores,
      memoryGb: execution.memoryGb,
      durationMs: execution.untilMs - execution.fromMs,
    }
    const held = touched(snapshot.grid, execution)
    for (const lane of lanes) occupy(lane, need, held, -1)
    // Earlier than its own time: at its own time, it fits already.
    const found = findPlacement(snapshot.grid, lanes, need, {
      earliestMs: Math.max(snapshot.nowMs, execution.preferredMs, execution.paidFromMs),
      deadlineMs: execution.untilMs - 1,
    })
    const better = found !== undefined && found.fromMs < execution.fromMs ? found : undefined
    if (better !== undefined)
      moves.push({ executionId: execution.executionId, fromMs: better.fromMs, untilMs: better.untilMs })
    for (const lane of lanes) occupy(lane, need, better ?? held)
  }
  return moves
}

/** A run whose booking ends soon. */
export type Outrunning = Pick<
  Later,
  'executionId' | 'namespace' | 'owner' | 'cpuCores' | 'memoryGb' | 'untilMs'
>

/** The slots that a longer booking adds. None if it ends within a slot that it already has. */
export interface Extension {
  executionId: string
  fromMs: number
  untilMs: number
}

/** Bookings that can be extended to the end of the next slot, because it is free. In the given order. */
export function extendRunning(snapshot: Room, running: Outrunning[]): Extension[] {
  const { grid, nowMs } = snapshot
  const own = new Map<string, Lane>()
  return running.flatMap((execution) => {
    const endedMs = Math.max(execution.untilMs, grid.originMs)
    const untilMs = (Math.floor(Math.max(endedMs, nowMs) / grid.slotMs) + 1) * grid.slotMs
    // A slot that the booking touches already belongs to it; only the whole slots after it are new.
    const first = Math.ceil((endedMs - grid.originMs) / grid.slotMs)
    const span: Placement = {
      fromMs: grid.originMs + first * grid.slotMs,
      untilMs,
      first,
      last: Math.ceil((untilMs - grid.originMs) / grid.slotMs) - 1,
    }
    const need: Need = { cpuCores: execution.cpuCores, memoryGb: execution.memoryGb, durationMs: 0 }
    const lanes = lanesOf(snapshot, own, execution)
    if (lastFull(lanes, need, span.first, span.last) >= 0) return []
    for (const lane of lanes) occupy(lane, need, span)
    return [{ executionId: execution.executionId, fromMs: span.fromMs, untilMs }]
  })
}

/**
 * The lanes that must have room for a booking: its namespace, and the units of their owner if it uses them.
 */
function lanesOf(
  snapshot: Room,
  own: Map<string, Lane>,
  { namespace, owner }: Pick<Later, 'namespace' | 'owner'>,
): Lane[] {
  return [snapshot.free[namespace], ...(owner === undefined ? [] : [ownLane(snapshot, own, owner)])]
}

/** The slots of the grid that a booking touches. */
function touched(grid: SlotGrid, { fromMs, untilMs }: { fromMs: number; untilMs: number }): Placement {
  return {
    fromMs,
    untilMs,
    first: Math.max(0, Math.floor((fromMs - grid.originMs) / grid.slotMs)),
    last: Math.min(grid.count, Math.ceil((untilMs - grid.originMs) / grid.slotMs)) - 1,
  }
}
