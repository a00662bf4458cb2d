/** What an owner of units feels of those that borrow them when it has work again. */
import { expect, test } from 'vitest'
import type { Claimed } from '../../src/state/runs/claim.ts'
import { heartbeat } from '../../src/state/runs/heartbeat.ts'
import { createChance } from '../support/chance.ts'
import { quantile } from '../support/quantile.ts'
import { queueWorld, type Buyer } from '../support/queue-world.ts'

const MINUTE_MS = 60_000
const STEP_MS = 5_000
const EXECUTIONS = 10

type World = Awaited<ReturnType<typeof queueWorld>>

interface Running {
  claimed: Claimed
  endsMs: number
}

/** Somebody with work for days, who may borrow all that is lent. */
async function addBorrower(world: World): Promise<void> {
  const large = await world.buyer({ hours: 5_000, jobs: 30 })
  await world.service.context.gate.service
    .updateTable('ingestion_jobs')
    .set({ namespace: 'vcpu-hours-ns', status: 'active' })
    .where('job_id', 'in', large.jobs)
    .execute()
  for (const job of large.jobs) await world.queue(large, job, { cpuCores: 4, memoryGb: 8, minutes: 240 })
}

/** The owner's executions: they arrive within two hours, and wait from then on until they run. */
function createOwner(world: World, { id, jobs }: Buyer) {
  const chance = createChance(188022)
  const begun = world.clock.ms
  const arrivals = Array.from({ length: EXECUTIONS }, () => ({
    atMs: begun + Math.floor(chance() * 120) * MINUTE_MS,
    minutes: 5 + Math.floor(chance() * 10),
  })).toSorted((a, b) => a.atMs - b.atMs)
  const asked = new Map<string, { atMs: number; minutes: number }>()
  return {
    asked,
    nextMs: (): number => arrivals[0]?.atMs ?? Infinity,
    async arrive(): Promise<void> {
      while (arrivals.length > 0 && arrivals[0].atMs <= world.clock.ms) {
        const [{ minutes }] = arrivals.splice(0, 1)
        const execution = await world.queue({ id, jobs }, jobs[asked.size], {
          namespace: 'dedicated-cpu-ns',
          cpuCores: 4,
          memoryGb: 8,
          minutes,
        })
        asked.set(String(execution), { minutes, atMs: world.clock.ms })
      }
    },
  }
}

/** Tells the service what runs; what it asks back is given back. */
async function beat(world: World, running: Map<string, Running>): Promise<void> {
  const alive = [...running.values()].map(({ claimed }) => ({
    executionId: claimed.execution_id,
    generation: claimed.generation,
    progress: {},
  }))
  const asked = await world.service.context.gate.transact((tx) =>
    heartbeat(tx, { runner: 'test', now: world.now(), leaseMs: 60_000, alive }),
  )
  for (const { execution_id: id } of asked) {
    await world.done((running.get(id) as Running).claimed, 1_000_000n, 'requeued')
    running.delete(id)
  }
}

async function endDue(world: World, running: Map<string, Running>): Promise<void> {
  for (const [id, run] of running) {
    if (run.endsMs > world.clock.ms) continue
    await world.done(run.claimed)
    running.delete(id)
  }
}

/**
 * Two hours of a tenant with two units of its own, ten executions of 5 to 15 minutes; `lent`: all it does not
 * use is lent to somebody with work for days. Returns its waits.
 */
async function waitsOf(lent: boolean): Promise<number[]> {
  const world = await queueWorld()
  const { clock } = world
  const small = await world.buyer({ units: 2, jobs: EXECUTIONS, policy: { lends: lent } })
  if (lent) await addBorrower(world)
  const owner = createOwner(world, small)
  const running = new Map<string, Running>()
  const waits: number[] = []
  let eventMs = clock.ms
  while (waits.length < EXECUTIONS) {
    // As often as heartbeats come while loans may be on their way back, else on to the next arrival or end.
    const nextMs = Math.min(owner.nextMs(), ...[...running.values()].map((run) => run.endsMs))
    const callsBack = lent && owner.asked.size > waits.length
    if (callsBack && clock.ms < eventMs + 45_000) clock.ms += STEP_MS
    else
      clock.ms = Math.max(clock.ms + STEP_MS, Math.min(nextMs, callsBack ? clock.ms + MINUTE_MS : Infinity))
    if (clock.ms >= nextMs) eventMs = clock.ms
    await owner.arrive()
    await endDue(world, running)
    if (running.size > 0) await beat(world, running)
    await world.round()
    for (const claimed of await world.take()) {
      const own = owner.asked.get(claimed.execution_id)
      running.set(claimed.execution_id, { claimed, endsMs: clock.ms + (own?.minutes ?? 240) * MINUTE_MS })
      if (own !== undefined) waits.push(clock.ms - own.atMs)
    }
  }
  if (lent) expect([...running.keys()].filter((id) => !owner.asked.has(id)).length).toBeGreaterThan(0)
  await world.service.close()
  return waits
}

test("idle units are lent to a large tenant: the owner's slowest start takes at most twice as long as on a system of its own, and none half a minute longer", async () => {
  const [alone, beside] = [await waitsOf(false), await waitsOf(true)]
  const [idle, lent] = [quantile(alone, 0.99), quantile(beside, 0.99)]
  process.stderr.write(`p99 of the wait: ${idle / 1_000} s alone, ${lent / 1_000} s with loans\n`)
  expect(idle).toBeGreaterThan(MINUTE_MS)
  expect(lent).toBeLessThanOrEqual(2 * idle)
  expect(Math.max(...beside.map((wait, i) => wait - alone[i]))).toBeLessThanOrEqual(30_000)
})
