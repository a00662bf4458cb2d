/**
 * A day of a large installation in virtual time, by the scheduler's own decisions: many tenants, most of them
 * small, a few large; a night in which most jobs are due. What the paper on growth says (docs/growth.md) is
 * printed and bounded here.
 */
import { expect, test } from 'vitest'
import { DEDICATED, DRAFT, SHARED } from '../../src/core/namespaces.ts'
import { decide } from '../../src/scheduling/cycle.ts'
import type { Queued, Snapshot } from '../../src/scheduling/snapshot.ts'
import { nextTag, type Share } from '../../src/scheduling/fair-share.ts'
import { emptyLane, occupy, type SlotGrid } from '../../src/scheduling/slots.ts'
import { createChance } from '../support/chance.ts'

const TENANTS = Number(process.env.HEADRACE_GROWTH_TENANTS ?? 5_000)
const JOBS = Number(process.env.HEADRACE_GROWTH_JOBS ?? 20_000)
const SLOT_MS = 15 * 60_000
const SLOTS = 192
const DAY_MS = 86_400_000
const HEADS = 2_000

interface Due extends Queued {
  tag: number
}

test.each([1.33, 2, 4])(
  `${TENANTS} tenants and ${JOBS} jobs in a day, capacity %d times an even day: every job ends in its window, small tenants wait no longer than large ones`,
  (size) => {
    const chance = createChance()
    const weights = Array.from({ length: TENANTS }, (_, i) => 1 + Math.floor(200 / (i + 1)))
    const shares = weights.map((weight): Share => ({ weight, lastTag: 0 }))
    // Who bought more runs more: drawn from a list in which each stands as often as its weight.
    const drawn = weights.flatMap((weight, i) => Array.from({ length: weight }, () => i))
    const pick = (): number => drawn[Math.floor(chance() * drawn.length)]
    // Half of the day's jobs are due between two and five at night.
    const due = Array.from(
      { length: JOBS },
      () => (chance() < 0.5 ? 2 + chance() * 3 : chance() * 24) * 3_600_000,
    ).toSorted((a, b) => a - b)
    const minutes = Array.from({ length: JOBS }, () => 1 + Math.floor(chance() * 20))
    const cores = Array.from({ length: JOBS }, () => 1 + Math.floor(chance() * 4))
    const work = minutes.reduce((sum, one, i) => sum + one * cores[i], 0)
    // What does not fit at night waits for the morning.
    const capacity = Math.ceil((work / 1_440) * size)
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
    const waits: { tenant: number; waitMs: number }[] = []
    let [queue, next, virtual, cycles] = [[] as Due[], 0, 0, 0]
    let seconds = 0
    for (let nowMs = 0; next < JOBS; nowMs += 60_000) {
      for (; next < JOBS && due[next] <= nowMs; next += 1) {
        const tenant = pick()
        const { tag, lastTag } = nextTag(shares[tenant], virtual, {
          coreMinutes: cores[next] * minutes[next],
          priority: 'medium',
        })
        shares[tenant].lastTag = lastTag
        queue.push({
          executionId: String(next),
          tenantId: String(tenant),
          namespace: SHARED,
          cpuCores: cores[next],
          memoryGb: cores[next] * 2,
          estimatedMinutes: minutes[next],
          preferredMs: due[next],
          deadlineMs: due[next] + DAY_MS,
          tag,
        })
      }
      queue.sort((a, b) => a.tag - b.tag)
      while (queue.length > 0) {
        const heads = queue.splice(0, HEADS)
        const tenants = new Map(
          heads.map((one) => [one.tenantId, { ...none, lots: [lots[Number(one.tenantId)]], lends: false }]),
        )
        const snapshot: Snapshot = {
          nowMs,
          grid,
          free,
          total: {
            [DEDICATED]: { cpuCores: 0, memoryGb: 0 },
            [SHARED]: { cpuCores: capacity, memoryGb: capacity * 2 },
            [DRAFT]: { cpuCores: 0, memoryGb: 0 },
          },
          tenants,
          queue: heads,
          spillover: false,
        }
        const begun = performance.now()
        const { bookings, waits: refused } = decide(snapshot)
        seconds += (performance.now() - begun) / 1000
        cycles += 1
        expect(refused).toEqual([])
        for (const one of bookings) {
          waits.push({ tenant: Number(one.tenantId), waitMs: one.fromMs - nowMs })
          // They end early, as real ones do: half of the time is given back for what comes.
          const back = {
            first: Math.ceil((one.fromMs + (one.untilMs - one.fromMs) / 2) / SLOT_MS),
            last: one.last,
            fromMs: one.fromMs,
            untilMs: one.untilMs,
          }
          if (back.first <= back.last)
            occupy(free[SHARED], { cpuCores: one.cpuCores, memoryGb: one.memoryGb, durationMs: 0 }, back, -1)
        }
        virtual = Math.max(virtual, ...heads.map((one) => one.tag))
      }
    }
    const p99 = (of: { waitMs: number }[]): number =>
      of.map((one) => one.waitMs).toSorted((a, b) => a - b)[Math.floor(of.length * 0.99)] / 60_000
    const [large, small] = [
      waits.filter((one) => one.tenant < TENANTS / 100),
      waits.filter((one) => one.tenant >= TENANTS / 2),
    ]
    process.stderr.write(
      `growth, ${capacity} cores: ${JOBS} decisions in ${cycles} cycles took ${seconds.toFixed(1)} s of one core (${Math.round((seconds * 1e6) / JOBS)} us each); waits p99: large tenants ${p99(large).toFixed(0)} min, small ones ${p99(small).toFixed(0)} min\n`,
    )
    expect(waits).toHaveLength(JOBS)
    expect(waits.filter((one) => one.waitMs >= DAY_MS)).toEqual([])
    expect(p99(small)).toBeLessThan(Math.max(30, p99(large) * 1.5))
  },
  600_000,
)
