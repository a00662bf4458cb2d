/**
 * Many allocators at once, clocks that jump and leaders that sleep: nothing is given twice, and the books
 * stay in order.
 */
import { afterAll, expect, test } from 'vitest'
import { slowRound } from '../../src/control/loops/scheduler.ts'
import { holdLease } from '../../src/state/leases.ts'
import { auditLedger } from '../../src/state/ledger.ts'
import { queueWorld } from '../support/queue-world.ts'
import { createChance } from '../support/chance.ts'

const chance = createChance()
const { service, clock, buyer, queue, round, take, done, row, inOrder } = await queueWorld()
afterAll(() => service.close())

test('200 allocators at once on what fits a few: nothing over-allocated, nothing negative, each start once', async () => {
  const tenants = await Promise.all(Array.from({ length: 10 }, () => buyer({ hours: 30, jobs: 20 })))
  await Promise.all(
    tenants.flatMap((tenant) =>
      tenant.jobs.map((job) =>
        queue(tenant, job, {
          cpuCores: 1 + Math.floor(chance() * 4),
          minutes: 1 + Math.floor(chance() * 40),
        }),
      ),
    ),
  )
  const started = new Map<string, number>()
  for (let turn = 0; turn < 100; turn += 1) {
    await Promise.all([round(), round(), round(), slowRound(service.context)])
    const claims = (await Promise.all([take(20), take(20), take(20)])).flat()
    for (const claim of claims.filter((claimed) => tenants.some((tenant) => tenant.id === claimed.tenant_id)))
      started.set(claim.execution_id, (started.get(claim.execution_id) ?? 0) + 1)
    await Promise.all(
      claims.map((claim) =>
        chance() < 0.8
          ? done(claim, BigInt(Math.floor(chance() * 1e9)))
          : done(claim, 0n, 'requeued').then(() => started.delete(claim.execution_id)),
      ),
    )
    if (turn % 10 === 0) await inOrder()
    clock.ms += 5 * 60_000
    const { count } = await service.context.gate.service
      .selectFrom('job_executions')
      .select(({ fn }) => fn.countAll<bigint>().as('count'))
      .where(
        'tenant_id',
        'in',
        tenants.map((tenant) => tenant.id),
      )
      .where('status', 'in', ['scheduled', 'booked', 'running'])
      .executeTakeFirstOrThrow()
    if (count === 0n) break
  }
  expect([...started.values()].every((times) => times === 1)).toBe(true)
  expect(started.size).toBe(200)
  expect(
    await service.context.gate.service
      .selectFrom('events')
      .select('data')
      .where('event', '=', 'capacity.corrected')
      .execute(),
  ).toEqual([])
  expect(await auditLedger(service.context.gate.service)).toEqual([])
  await inOrder()
})

test('clocks that jump by hours or a day steal no lease and start nothing twice', async () => {
  const tenant = await buyer({ hours: 20, jobs: 4 })
  const ids = await Promise.all(tenant.jobs.map((job) => queue(tenant, job)))
  await round()
  const first = (await take()).filter((claim) => ids.includes(claim.execution_id))
  expect(first).toHaveLength(4)
  const before = clock.ms
  for (const jump of [-7_200_000, 7_200_000, -86_400_000]) {
    clock.ms = before + jump
    await round()
    expect(
      (await take()).filter((claim) =>
        first.some(
          (other) => other.execution_id === claim.execution_id && other.generation === claim.generation,
        ),
      ),
    ).toEqual([])
  }
  clock.ms = before
  await slowRound(service.context)
  const ends = await Promise.all(
    (await Promise.all(ids.map((id) => row(id as string)))).map(async (execution) => execution.status),
  )
  expect(ends).toEqual(['running', 'running', 'running', 'running'])
  await Promise.all(first.map((claim) => done(claim)))
  const consumption = await service.context.gate.service
    .selectFrom('resource_consumption')
    .select('consumption_id')
    .whereRef('end_time', '<', 'start_time')
    .execute()
  expect(consumption).toEqual([])
  await inOrder()
})

test('ten runners that claim at once: of each job one runs, however many are due', async () => {
  const tenant = await buyer({ hours: 100, jobs: 2 })
  const ids = await Promise.all(
    Array.from({ length: 12 }, (_, i) => queue(tenant, tenant.jobs[i % 2], { cpuCores: 1, minutes: 1 })),
  )
  await round()
  const claimed = (await Promise.all(Array.from({ length: 10 }, () => take(5))))
    .flat()
    .filter((claim) => ids.includes(claim.execution_id))
  expect(claimed.map((claim) => claim.job_id).toSorted()).toEqual(tenant.jobs.toSorted())
  for (
    let left = claimed;
    left.length > 0;
    left = (await take()).filter((claim) => ids.includes(claim.execution_id))
  )
    for (const claim of left) await done(claim)
  await inOrder()
})

test('a leader that slept finds its lease gone, and what it decides late is decided once', async () => {
  const db = service.context.gate.service
  const first = await holdLease(db, { name: 'test', holder: 'a', leaseMs: 50 })
  expect(await holdLease(db, { name: 'test', holder: 'b', leaseMs: 50 })).toBeUndefined()
  await new Promise((resolve) => setTimeout(resolve, 80))
  expect(await holdLease(db, { name: 'test', holder: 'b', leaseMs: 5_000 })).toBe((first as bigint) + 1n)
  expect(await holdLease(db, { name: 'test', holder: 'a', leaseMs: 50 })).toBeUndefined()
})
