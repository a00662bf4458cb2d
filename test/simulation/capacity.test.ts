/**
 * The scheduler's decisions under a virtual clock: 200 jobs on 50 slots, in thousands of histories from
 * seeds, with cancels, crashes between steps, runs that are shorter or longer than said. The books are kept
 * here, by hand, and compared at every step.
 */
import { expect, test } from 'vitest'
import { estimateOf } from '../../src/core/service/amounts.ts'
import { DEDICATED, DRAFT, NAMESPACES, SHARED, type Namespace } from '../../src/core/service/namespaces.ts'
import { decide } from '../../src/scheduling/cycle.ts'
import type { Booking, Lot, Queued, Snapshot, TenantState } from '../../src/scheduling/snapshot.ts'
import { nextTag, type Share } from '../../src/scheduling/fair-share.ts'
import { emptyLane, type Lane, type SlotGrid } from '../../src/scheduling/slots.ts'
import { createChance } from '../support/chance.ts'
import { limitMs } from '../support/time-limits.ts'

const HISTORIES = Number(process.env.HEADRACE_TEST_HISTORIES ?? 100)
const JOBS = 200
const SLOT_MS = 15 * 60_000
const SLOTS = 50

interface Job extends Queued {
  tag: number
  state: 'waiting' | 'booked' | 'running' | 'done' | 'cancelled' | 'missed'
  booking: Booking | undefined
  endsMs: number
  starts: number
  sleepsUntilMs: number
}

interface World {
  nowMs: number
  total: Record<Namespace, { cpuCores: number; memoryGb: number }>
  jobs: Job[]
  tenants: Map<
    string,
    {
      units: number
      lends: boolean
      lots: (Lot & { held: bigint; consumed: bigint; granted: bigint })[]
      share: Share
    }
  >
  virtual: number
}

function newWorld(chance: () => number): World {
  const whole = (least: number, most: number): number => least + Math.floor(chance() * (most - least + 1))
  const tenants: World['tenants'] = new Map()
  const dedicated = whole(0, 6)
  let unitsLeft = dedicated
  for (let i = 0; i < 8; i += 1) {
    const units = Math.min(unitsLeft, whole(0, 2))
    unitsLeft -= units
    const granted = BigInt(whole(0, 40)) * 3_600_000_000n
    tenants.set(`t${i}`, {
      units,
      lends: chance() < 0.4,
      lots: [
        { lotId: `lot${i}`, available: granted, granted, held: 0n, consumed: 0n, fromMs: 0, untilMs: 8e15 },
      ],
      share: { weight: 1 + units * 4, lastTag: 0 },
    })
  }
  const total = {
    [DEDICATED]: { cpuCores: dedicated * 4, memoryGb: dedicated * 8 },
    [SHARED]: { cpuCores: whole(2, 24), memoryGb: whole(8, 64) },
    [DRAFT]: { cpuCores: 8, memoryGb: 16 },
  } as World['total']
  const world: World = { nowMs: 0, total, jobs: [], tenants, virtual: 0 }
  for (let i = 0; i < JOBS; i += 1) {
    const tenantId = `t${whole(0, 7)}`
    const tenant = tenants.get(tenantId)!
    const production = (): Namespace => (tenant.units > 0 && chance() < 0.7 ? DEDICATED : SHARED)
    const namespace = chance() < 0.2 ? DRAFT : production()
    const job = {
      executionId: `e${i}`,
      tenantId,
      namespace,
      cpuCores: whole(1, 6),
      memoryGb: whole(1, 14),
      estimatedMinutes: whole(1, 90),
      preferredMs: whole(0, 30) * SLOT_MS,
      deadlineMs: Infinity,
      tag: 0,
      state: 'waiting' as const,
      booking: undefined,
      endsMs: 0,
      starts: 0,
      sleepsUntilMs: 0,
    }
    const { tag, lastTag } = nextTag(tenant.share, 0, {
      coreMinutes: job.cpuCores * job.estimatedMinutes,
      priority: 'medium',
    })
    tenant.share.lastTag = lastTag
    world.jobs.push({ ...job, tag, deadlineMs: job.preferredMs + 200 * SLOT_MS })
  }
  return world
}

/** What is booked, counted from the jobs themselves. */
function snapshotOf(world: World, queue: Job[]): Snapshot {
  const grid: SlotGrid = {
    originMs: Math.floor(world.nowMs / SLOT_MS) * SLOT_MS,
    slotMs: SLOT_MS,
    count: SLOTS,
  }
  const free = Object.fromEntries(
    NAMESPACES.map((name) => [
      name,
      emptyLane(SLOTS, world.total[name].cpuCores, world.total[name].memoryGb),
    ]),
  ) as Record<Namespace, Lane>
  const tenants = new Map<string, TenantState>(
    [...world.tenants].map(([id, tenant]) => [
      id,
      {
        units: new Int32Array(SLOTS).fill(tenant.units),
        used: emptyLane(SLOTS),
        lots: tenant.lots.map((lot) => ({ ...lot })),
        lends: tenant.lends,
      },
    ]),
  )
  for (const { booking, state } of world.jobs) {
    if (booking === undefined || (state !== 'booked' && state !== 'running')) continue
    for (
      let ms = Math.max(grid.originMs, Math.floor(booking.fromMs / SLOT_MS) * SLOT_MS);
      ms < booking.untilMs;
      ms += SLOT_MS
    ) {
      const slot = (ms - grid.originMs) / SLOT_MS
      if (slot >= SLOTS) continue
      free[booking.namespace].cpu[slot] -= booking.cpuCores
      free[booking.namespace].memory[slot] -= booking.memoryGb
      const used = booking.owner === undefined ? undefined : tenants.get(booking.owner)?.used
      if (used === undefined) continue
      used.cpu[slot] += booking.cpuCores
      used.memory[slot] += booking.memoryGb
    }
  }
  expectNoneOver(free, tenants)
  return { nowMs: world.nowMs, grid, free, total: world.total, tenants, queue, spillover: true }
}

function expectNoneOver(free: Record<Namespace, Lane>, tenants: Map<string, TenantState>): void {
  for (const name of NAMESPACES)
    for (let slot = 0; slot < SLOTS; slot += 1)
      if (free[name].cpu[slot] < 0 || free[name].memory[slot] < 0)
        throw new Error(`${name} is over-allocated in slot ${slot}`)
  for (const [id, tenant] of tenants)
    for (let slot = 0; slot < SLOTS; slot += 1)
      if (tenant.used.cpu[slot] > tenant.units[slot] * 4 || tenant.used.memory[slot] > tenant.units[slot] * 8)
        throw new Error(`units of ${id} are over-allocated`)
}

function lotOf(
  world: World,
  id: string,
): World['tenants'] extends Map<string, infer T> ? (T extends { lots: (infer L)[] } ? L : never) : never {
  return [...world.tenants.values()].flatMap((tenant) => tenant.lots).find((lot) => lot.lotId === id)!
}

function cycle(world: World, chance: () => number): void {
  const queue = world.jobs
    .filter(
      (job) =>
        job.state === 'waiting' &&
        job.sleepsUntilMs <= world.nowMs &&
        job.preferredMs <= world.nowMs + 10 * SLOT_MS,
    )
    .toSorted((a, b) => a.tag - b.tag)
    .slice(0, 20)
  const { bookings, waits } = decide(snapshotOf(world, queue))
  // A crash before the transaction ends: nothing of it happened.
  if (chance() < 0.1) return
  for (const wait of waits)
    Object.assign(
      queue.find((candidate) => candidate.executionId === wait.executionId)!,
      wait.over ? { state: 'missed' } : { sleepsUntilMs: wait.tryAfterMs },
    )
  for (const booking of bookings) {
    const job = queue.find((candidate) => candidate.executionId === booking.executionId)!
    Object.assign(job, { state: 'booked', booking })
    world.virtual = Math.max(world.virtual, job.tag)
    if (job.namespace === DRAFT && booking.namespace !== DRAFT) throw new Error('a draft left its namespace')
    if (job.namespace !== DRAFT && booking.namespace === DRAFT)
      throw new Error('a production job was sent to the drafts')
    for (const { lotId, amount } of booking.holds) {
      const lot = lotOf(world, lotId)
      lot.available -= amount
      lot.held += amount
      if (lot.available < 0n) throw new Error(`${lotId} is negative`)
    }
  }
}

function end(world: World, job: Job, state: 'done' | 'waiting' | 'cancelled', share: number): void {
  let used = BigInt(Math.floor(Number(estimateOf(job.cpuCores, job.estimatedMinutes)) * Math.min(1, share)))
  for (const { lotId, amount } of job.booking?.holds ?? []) {
    const lot = lotOf(world, lotId)
    const taken = used < amount ? used : amount
    used -= taken
    lot.held -= amount
    lot.consumed += taken
    lot.available += amount - taken
  }
  Object.assign(job, { state, booking: undefined })
}

function step(world: World, chance: () => number): void {
  for (const job of world.jobs) {
    if (job.state === 'booked' && job.booking!.fromMs <= world.nowMs) {
      Object.assign(job, {
        state: 'running',
        starts: job.starts + 1,
        endsMs: world.nowMs + job.estimatedMinutes * 60_000 * (0.2 + chance() * 0.8),
      })
    } else if (job.state === 'running' && job.endsMs <= world.nowMs) end(world, job, 'done', chance())
    else if (job.state === 'running' && chance() < 0.02) {
      end(world, job, 'waiting', chance() * 0.5)
      job.deadlineMs = Math.max(job.deadlineMs, world.nowMs + 96 * SLOT_MS)
    } else if ((job.state === 'booked' || job.state === 'waiting') && chance() < 0.001)
      end(world, job, 'cancelled', 0)
  }
  cycle(world, chance)
  world.nowMs += 5 * 60_000
}

test(
  `${HISTORIES} histories of ${JOBS} jobs on ${SLOTS} slots: nothing over-allocated, negative, leaked, started twice or starved`,
  () => {
    const first = createChance().seed
    for (let i = 0; i < HISTORIES; i += 1) {
      const seed = first + i
      const chance = createChance(seed)
      const world = newWorld(chance)
      try {
        for (
          let steps = 0;
          steps < 700 &&
          world.jobs.some(
            (job) => job.state === 'waiting' || job.state === 'booked' || job.state === 'running',
          );
          steps += 1
        )
          step(world, chance)
        check(world)
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
      }
    }
  },
  limitMs(1_200_000),
)

function check(world: World): void {
  const open = world.jobs.filter((job) => job.state === 'booked' || job.state === 'running').length
  for (const job of world.jobs.filter(
    (candidate) => candidate.state === 'booked' || candidate.state === 'running',
  ))
    end(world, job, 'done', 0)
  for (const { lots } of world.tenants.values())
    for (const lot of lots) {
      if (lot.held !== 0n) throw new Error(`${lot.lotId} still holds ${lot.held}`)
      expect(lot.available + lot.consumed).toBe(lot.granted)
    }
  // What still waits must be unable to run: too large, not paid for, or its units are too few.
  for (const job of world.jobs.filter((candidate) => candidate.state === 'waiting')) {
    const { waits } = decide(
      snapshotOf({ ...world, jobs: [] }, [
        { ...job, preferredMs: world.nowMs, deadlineMs: world.nowMs + 1e12 },
      ]),
    )
    if (waits.length === 0)
      throw new Error(
        `${job.executionId} starved: it would fit (${JSON.stringify({ ...job, booking: undefined }, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}, now ${world.nowMs}, ${JSON.stringify(world.total)}, running ${open})`,
      )
    expect(['no_balance', 'too_large', 'no_entitlement']).toContain(waits[0].reason.code)
  }
}
