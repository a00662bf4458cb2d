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

/**
 * Two hours of a tenant with two units of its own, ten executions of 5 to 15 minutes; `lent`: all it does not
 * use is lent to somebody with work for days. Returns its waits.
 */
async function waitsOf(lent: boolean): Promise<number[]> {
  const world = await queueWorld()
  const chance = createChance(188022)
  const small = await world.buyer({ units: 2, jobs: EXECUTIONS, policy: { lends: lent } })
  let large: Buyer | undefined
  if (lent) {
    large = await world.buyer({ hours: 5_000, jobs: 30 })
    await world.service.context.gate.service
      .updateTable('ingestion_jobs')
      .set({ namespace: 'vcpu-hours-ns', status: 'active' })
      .where('job_id', 'in', large.jobs)
      .execute()
    for (const job of large.jobs) await world.queue(large, job, { cpuCores: 4, memoryGb: 8, minutes: 240 })
  }
  const begun = world.clock.ms
  const arrivals = Array.from({ length: EXECUTIONS }, () => ({
    atMs: begun + Math.floor(chance() * 120) * MINUTE_MS,
    minutes: 5 + Math.floor(chance() * 10),
  })).toSorted((a, b) => a.atMs - b.atMs)
  const asked = new Map<string, { atMs: number; minutes: number }>()
  const running = new Map<string, { claimed: Claimed; endsMs: number }>()
  const waits: number[] = []
  let [beatMs, eventMs] = [0, begun]
  while (waits.length < EXECUTIONS) {
    // As often as heartbeats come while loans may be on their way back, else on to the next arrival or end.
    const next = Math.min(
      ...arrivals.map((one) => one.atMs),
      ...[...running.values()].map((one) => one.endsMs),
    )
    const settling = lent && asked.size > waits.length && world.clock.ms < eventMs + 45_000
    const waiting = lent && asked.size > waits.length ? world.clock.ms + MINUTE_MS : Infinity
    world.clock.ms = settling
      ? world.clock.ms + STEP_MS
      : Math.max(world.clock.ms + STEP_MS, Math.min(next, waiting))
    if (world.clock.ms >= next) eventMs = world.clock.ms
    for (let next = arrivals[0]; next !== undefined && next.atMs <= world.clock.ms; next = arrivals[0]) {
      arrivals.shift()
      asked.set(
        String(
          await world.queue(small, small.jobs[asked.size], {
            namespace: 'dedicated-cpu-ns',
            cpuCores: 4,
            memoryGb: 8,
            minutes: next.minutes,
          }),
        ),
        { ...next, atMs: world.clock.ms },
      )
    }
    for (const [id, one] of running)
      if (one.endsMs <= world.clock.ms) await world.done(one.claimed).then(() => running.delete(id))
    beatMs += STEP_MS
    if (beatMs >= 3_000 && running.size > 0) {
      beatMs = 0
      const alive = [...running.values()].map(({ claimed }) => ({
        executionId: claimed.execution_id,
        generation: claimed.generation,
        progress: {},
      }))
      const told = await world.service.context.gate.transact((tx) =>
        heartbeat(tx, { runner: 'test', now: world.now(), leaseMs: 60_000, alive }),
      )
      for (const { execution_id: id } of told)
        await world
          .done((running.get(id) as { claimed: Claimed }).claimed, 1_000_000n, 'requeued')
          .then(() => running.delete(id))
    }
    await world.round()
    for (const claimed of await world.take()) {
      const own = asked.get(claimed.execution_id)
      running.set(claimed.execution_id, {
        claimed,
        endsMs: world.clock.ms + (own?.minutes ?? 240) * MINUTE_MS,
      })
      if (own !== undefined) waits.push(world.clock.ms - own.atMs)
    }
  }
  expect(lent ? [...running.keys()].filter((id) => !asked.has(id)).length : 1).toBeGreaterThan(0)
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
}, 180_000)
