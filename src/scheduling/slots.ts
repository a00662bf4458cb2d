/**
 * Free capacity over time, and where a job fits into it. Pure arithmetic over arrays: one number per slot.
 */

/** Free cores and memory of one owner of capacity, slot by slot from the same origin. */
export interface Lane {
  cpu: Int32Array
  memory: Int32Array
}

export interface SlotGrid {
  /** Start of slot 0, in milliseconds since 1970. */
  originMs: number
  slotMs: number
  /** Number of slots that are computed in advance. */
  count: number
}

export interface Need {
  cpuCores: number
  memoryGb: number
  durationMs: number
}

export interface Placement {
  fromMs: number
  untilMs: number
  /** First and last slot it touches. */
  first: number
  last: number
}

/**
 * The first time, from `earliestMs` on, at which all lanes have room in every slot that the job touches, with
 * its end by `deadlineMs`: exactly `earliestMs` if it fits, else the start of a later slot. Undefined if
 * there is none.
 */
export function findPlacement(
  grid: SlotGrid,
  lanes: Lane[],
  need: Need,
  { earliestMs, deadlineMs }: { earliestMs: number; deadlineMs: number },
): Placement | undefined {
  let fromMs = Math.max(earliestMs, grid.originMs)
  for (;;) {
    const untilMs = fromMs + need.durationMs
    const first = Math.floor((fromMs - grid.originMs) / grid.slotMs)
    const last = Math.ceil((untilMs - grid.originMs) / grid.slotMs) - 1
    if (untilMs > deadlineMs || last >= grid.count) return undefined
    const full = lastFull(lanes, need, first, last)
    if (full < 0) return { fromMs, untilMs, first, last }
    fromMs = grid.originMs + (full + 1) * grid.slotMs
  }
}

/**
 * The last slot of the span without room, or -1. The search continues after it: nothing that starts earlier
 * can fit.
 */
export function lastFull(lanes: Lane[], need: Need, first: number, last: number): number {
  for (let slot = last; slot >= first; slot -= 1) {
    for (const lane of lanes)
      if (lane.cpu[slot] < need.cpuCores || lane.memory[slot] < need.memoryGb) return slot
  }
  return -1
}

export function occupy(lane: Lane, need: Need, { first, last }: Placement, sign: 1 | -1 = 1): void {
  for (let slot = first; slot <= last; slot += 1) {
    lane.cpu[slot] -= sign * need.cpuCores
    lane.memory[slot] -= sign * need.memoryGb
  }
}

export function emptyLane(count: number, cpuCores = 0, memoryGb = 0): Lane {
  return { cpu: new Int32Array(count).fill(cpuCores), memory: new Int32Array(count).fill(memoryGb) }
}
