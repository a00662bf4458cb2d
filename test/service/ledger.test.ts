/**
 * The ledger in a real PostgreSQL: what executions hold, what their ends consume and give back, and what is
 * owed.
 */
import { afterAll, expect, test } from 'vitest'
import { estimateOf, vcpuHours } from '../../src/core/service/amounts.ts'
import { createLeaseWatch } from '../../src/control/loops/scheduler.ts'
import { leasesOf, reap } from '../../src/state/runs/lost.ts'
import { turnPeriods } from '../../src/state/purchases.ts'
import { purchase } from '../support/service.ts'
import { queueWorld } from '../support/queue-world.ts'
import { createChance } from '../support/chance.ts'

const chance = createChance()
const { service, clock, now, buyer, queue, round, take, done, row, lots, inOrder } = await queueWorld()
afterAll(() => service.close())

test('hold, settle, release: the estimate is held, the actual is consumed, the rest goes back', async () => {
  const tenant = await buyer({ hours: 10 })
  const id = await queue(tenant, tenant.jobs[0], { cpuCores: 4, minutes: 30 })
  await round()
  expect(await row(id as string)).toMatchObject({ status: 'booked', namespace: 'vcpu-hours-ns' })
  const open = (await lots(tenant)).find((lot) => lot.held > 0n)
  expect(open?.held).toBe(estimateOf(4, 30))
  await inOrder()
  const [claimed] = (await take()).filter((claim) => claim.execution_id === id)
  await done(claimed, 1_234_567_891n)
  const after = (await lots(tenant)).find((lot) => lot.lot_id === open?.lot_id)
  expect(after).toMatchObject({ held: 0n, consumed: 1_234_567_891n })
  expect(await row(id as string)).toMatchObject({ status: 'succeeded', sla_met: true })
  await inOrder()
})

test('a second end of the same run, or one with an old generation, changes nothing', async () => {
  const tenant = await buyer({ hours: 10 })
  const id = await queue(tenant, tenant.jobs[0])
  await round()
  const [claimed] = (await take()).filter((claim) => claim.execution_id === id)
  const watch = createLeaseWatch(15_000)
  expect(watch(await leasesOf(service.context.gate.service), 0)).toEqual([])
  const silent = watch(await leasesOf(service.context.gate.service), 15_001)
  expect(silent).toHaveLength(1)
  expect(
    await service.context.gate.transact((tx) =>
      reap(tx, silent[0], { now: now(), settings: service.context.slots, attempts: 3 }),
    ),
  ).toBe(true)
  await expect(done(claimed)).rejects.toThrow(/lease/)
  expect(await row(id as string)).toMatchObject({ status: 'scheduled', attempt: 2 })
  clock.ms += 10_000
  await round()
  const [again] = (await take()).filter((claim) => claim.execution_id === id)
  expect(again.generation).toBe(claimed.generation + 1n)
  await done(again)
  await expect(done(again)).rejects.toThrow(/lease/)
  await inOrder()
})

test('without balance it waits with the numbers; a purchase wakes it', async () => {
  const tenant = await buyer({ hours: 1 })
  const id = await queue(tenant, tenant.jobs[0], { cpuCores: 4, minutes: 60 })
  await round()
  expect((await row(id as string)).reason).toEqual({
    code: 'no_balance',
    params: expect.objectContaining({ needed: 4, available: 1, missing: 3 }),
  })
  const owner = (
    await service.call<{ token: string }>('POST', `/tenants/${tenant.id}/tokens`, {
      body: { token_name: 'x', role: 'owner' },
    })
  ).body.token
  await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    token: owner,
    body: purchase('vcpu_hours', 3, new Date(clock.ms - 60_000)),
  })
  await round()
  expect(await row(id as string)).toMatchObject({ status: 'booked' })
  expect(((await row(id as string)).holds as object[]).length).toBe(2)
  const [claimed] = (await take()).filter((claim) => claim.execution_id === id)
  await done(claimed)
  await inOrder()
})

test('what is used beyond the balance becomes a debt that the next purchase pays', async () => {
  const tenant = await buyer({ hours: 1 })
  const id = await queue(tenant, tenant.jobs[0], { cpuCores: 1, minutes: 60 })
  await round()
  const [claimed] = (await take()).filter((claim) => claim.execution_id === id)
  await done(claimed, estimateOf(1, 90))
  expect((await row(id as string)).receipt).toMatchObject({ debt_vcpu_hours: 0.5 })
  await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    body: purchase('vcpu_hours', 2, new Date(clock.ms - 60_000)),
  })
  const usage = await service.call<{ current_period: { vcpu_hours: object } }>(
    'GET',
    `/tenants/${tenant.id}/usage`,
  )
  expect(usage.body.current_period.vcpu_hours).toEqual({
    purchased: 3,
    consumed: 1.5,
    held: 0,
    remaining: 1.5,
    expired: 0,
    debt: 0,
  })
  await inOrder()
})

test('periods turn: whose lots are all open is not looked at again; a period that begins wakes its tenant', async () => {
  const tenant = await buyer({ hours: 10 })
  const turn = (): Promise<string[]> => service.context.gate.transact((tx) => turnPeriods(tx, now()))
  await turn()
  clock.ms += 300_000
  expect(await turn()).not.toContain(tenant.id)
  // Periods are days that begin an hour before the purchase was made.
  clock.ms += 23 * 3_600_000 - 300_000 + 30_000
  expect(await turn()).toContain(tenant.id)
  clock.ms += 300_000
  expect(await turn()).not.toContain(tenant.id)
  expect(
    (
      await service.context.gate.service
        .selectFrom('ledger_lots')
        .select('lot_id')
        .where('tenant_id', '=', tenant.id)
        .execute()
    ).length,
  ).toBe(4)
})

test("100 metered ends, a fifth told twice: the total is the oracle's, to the microsecond", async () => {
  const tenant = await buyer({ hours: 100_000, jobs: 1 })
  let oracle = 0n
  const RUNS = 100
  for (let i = 0; i < RUNS; i += 1) {
    const id = await queue(tenant, tenant.jobs[0], { minutes: 1 })
    await round()
    const [claimed] = (await take()).filter((claim) => claim.execution_id === id)
    const used = BigInt(Math.floor(chance() * 200_000_000))
    oracle += used
    await done(claimed, used)
    if (chance() < 0.2) await done(claimed, used).catch(() => undefined)
  }
  const sum = (await lots(tenant)).reduce((total, lot) => total + lot.consumed, 0n)
  expect(sum).toBe(oracle)
  expect(vcpuHours(sum)).toBeGreaterThan(0)
  await inOrder()
})
