/**
 * A day of a large installation in virtual time, by the scheduler's own decisions: many tenants, most of them
 * small, a few large; a night in which most jobs are due. What the paper on growth says (docs/growth.md) is
 * printed and bounded here.
 */
import { expect, test } from 'vitest'
import { DEDICATED, DRAFT, SHARED } from '../../src/core/service/namespaces.ts'
import { decide } from '../../src/scheduling/cycle.ts'
import type { Booking, Queued, Snapshot } from '../../src/scheduling/snapshot.ts'
import { nextTag, type Share } from '../../src/scheduling/fair-share.ts'
import { emptyLane, occupy, type Lane, type SlotGrid } from '../../src/scheduling/slots.ts'
import { createChance, type Chance } from '../support/chance.ts'
import { limitMs } from '../support/time-limits.ts'

const TENANTS = Number(process.env.HEADRACE_TEST_GROWTH_TENANTS ?? 5_000)
const JOBS = Number(process.env.HEADRACE_TEST_GROWTH_JOBS ?? 20_000)
const SLOT_MS = 15 * 60_000
const SLOTS = 192
const DAY_MS = 86_400_000
const HEADS = 2_000

interface Due extends Queued {
  tag: number
}

interface Job {
  dueMs: number
  minutes: number
  cores: number
}

interface Wait {
  tenant: number
  waitMs: number
}

/** The jobs of a day: half of them are due between two and five at night. */
function jobsOfADay(chance: Chance): Job[] {
  const due = Array.from(
    { length: JOBS },
    () => (chance() < 0.5 ? 2 + chance() * 3 : chance() * 24) * 3_600_000,
  ).toSorted((a, b) => a - b)
  const minutes = Array.from({ length: JOBS }, () => 1 + Math.floor(chance() * 20))
  const cores = Array.from({ length: JOBS }, () => 1 + Math.floor(chance() * 4))
  return due.map((dueMs, i) => ({ dueMs, minutes: minutes[i], cores: cores[i] }))
}

/** What comes minute by minute, with its tag of fair share. */
function createArrivals(chance: Chance, jobs: Job[]): (nowMs: number, virtual: number) => Due[] {
  const weights = Array.from({ length: TENANTS }, (_, i) => 1 + Math.floor(200 / (i + 1)))
  const shares = weights.map((weight): Share => ({ weight, lastTag: 0 }))
  // Who bought more runs more: drawn from a list in which each stands as often as its weight.
  const drawn = weights.flatMap((weight, i) => Array.from({ length: weight }, () => i))
  let next = 0
  return (nowMs, virtual) => {
    const arrived: Due[] = []
    for (; next < JOBS && jobs[next].dueMs <= nowMs; next += 1) {
      const { dueMs, minutes, cores } = jobs[next]
      const tenant = drawn[Math.floor(chance() * drawn.length)]
      const { tag, lastTag } = nextTag(shares[tenant], virtual, {
        coreMinutes: cores * minutes,
        priority: 'medium',
      })
      shares[tenant].lastTag = lastTag
      arrived.push({
        executionId: String(next),
        tenantId: String(tenant),
        namespace: SHARED,
        cpuCores: cores,
        memoryGb: cores * 2,
        estimatedMinutes: minutes,
        preferredMs: dueMs,
        deadlineMs: dueMs + DAY_MS,
        tag,
      })
    }
    return arrived
  }
}

/** Cycles on a grid whose shared lane has so many cores; tenants have all the balance they may want. */
function createCycles(capacity: number): {
  run(nowMs: number, heads: Due[]): Wait[]
  cycles: number
  seconds: number
} {
  const free = { [DEDICATED]: emptyLane(SLOTS), [SHARED]: emptyLane(SLOTS), [DRAFT]: emptyLane(SLOTS) }
  free[SHARED].cpu.fill(capacity)
  free[SHARED].memory.fill(capacity * 2)
  const grid: SlotGrid = { originMs: 0, slotMs: SLOT_MS, count: SLOTS }
  const lots = Array.from({ length: TENANTS }, (_, i) => ({
    lotId: `${i}`,
    available: 1_000_000_000_000_000n,
    fromMs: 0,
    untilMs: 8e15,
  }))
  const none = { units: new Int32Array(SLOTS), used: emptyLane(SLOTS) }
  const total = {
    [DEDICATED]: { cpuCores: 0, memoryGb: 0 },
    [SHARED]: { cpuCores: capacity, memoryGb: capacity * 2 },
    [DRAFT]: { cpuCores: 0, memoryGb: 0 },
  }
  const done = {
    cycles: 0,
    seconds: 0,
    run(nowMs: number, heads: Due[]): Wait[] {
      const tenants = new Map(
        heads.map((head) => [head.tenantId, { ...none, lots: [lots[Number(head.tenantId)]], lends: false }]),
      )
      const snapshot: Snapshot = { nowMs, grid, free, total, tenants, queue: heads, spillover: false }
      const begun = performance.now()
      const { bookings, waits: refused } = decide(snapshot)
      done.seconds += (performance.now() - begun) / 1000
      done.cycles += 1
      expect(refused).toEqual([])
      for (const booking of bookings) giveBackHalf(free[SHARED], booking)
      return bookings.map((booking) => ({ tenant: Number(booking.tenantId), waitMs: booking.fromMs - nowMs }))
    },
  }
  return done
}

/** They end early, as real ones do: half of the time is given back for what comes. */
function giveBackHalf(lane: Lane, { fromMs, untilMs, last, cpuCores, memoryGb }: Booking): void {
  const first = Math.ceil((fromMs + (untilMs - fromMs) / 2) / SLOT_MS)
  if (first > last) return
  occupy(lane, { cpuCores, memoryGb, durationMs: 0 }, { first, last, fromMs, untilMs }, -1)
}

const p99Minutes = (of: Wait[]): number =>
  of.map((wait) => wait.waitMs).toSorted((a, b) => a - b)[Math.floor(of.length * 0.99)] / 60_000

test.each([1.33, 2, 4])(
  `${TENANTS} tenants and ${JOBS} jobs in a day, capacity %d times an even day: every job ends in its window, small tenants wait no longer than large ones`,
  (size) => {
    const chance = createChance()
    const jobs = jobsOfADay(chance)
    const work = jobs.reduce((sum, job) => sum + job.minutes * job.cores, 0)
    // What does not fit at night waits for the morning.
    const capacity = Math.ceil((work / 1_440) * size)
    const arrivals = createArrivals(chance, jobs)
    const cycles = createCycles(capacity)
    const waits: Wait[] = []
    let virtual = 0
    for (let nowMs = 0; waits.length < JOBS && nowMs < 2 * DAY_MS; nowMs += 60_000) {
      const queue = arrivals(nowMs, virtual).toSorted((a, b) => a.tag - b.tag)
      while (queue.length > 0) {
        const heads = queue.splice(0, HEADS)
        waits.push(...cycles.run(nowMs, heads))
        virtual = Math.max(virtual, ...heads.map((head) => head.tag))
      }
    }
    const large = p99Minutes(waits.filter((wait) => wait.tenant < TENANTS / 100))
    const small = p99Minutes(waits.filter((wait) => wait.tenant >= TENANTS / 2))
    process.stderr.write(
      `growth, ${capacity} cores: ${JOBS} decisions in ${cycles.cycles} cycles took ${cycles.seconds.toFixed(1)} s of one core (${Math.round((cycles.seconds * 1e6) / JOBS)} us each); waits p99: large tenants ${large.toFixed(0)} min, small ones ${small.toFixed(0)} min\n`,
    )
    expect(waits).toHaveLength(JOBS)
    expect(waits.filter((wait) => wait.waitMs >= DAY_MS)).toEqual([])
    expect(small).toBeLessThan(Math.max(30, large * 1.5))
  },
  limitMs(600_000),
)
