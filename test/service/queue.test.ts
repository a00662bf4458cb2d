/**
 * Ledger, slots and queue in a real PostgreSQL: many at once, clocks that jump, processes that sleep; the
 * books are checked from outside.
 */
import { afterAll, expect, test } from 'vitest'
import { estimateOf, vcpuHours } from '../../src/core/amounts.ts'
import { createLeaseWatch, slowRound } from '../../src/main/service/scheduler.ts'
import { cancel } from '../../src/state/runs/cancellation.ts'
import { heartbeat } from '../../src/state/runs/heartbeat.ts'
import { leasesOf, reap } from '../../src/state/runs/lost.ts'
import { holdLease } from '../../src/state/leases.ts'
import { auditLedger } from '../../src/state/ledger.ts'
import { turnPeriods } from '../../src/state/purchases.ts'
import { createChance } from '../support/chance.ts'
import { purchase, run } from '../support/service.ts'
import { queueWorld } from '../support/queue-world.ts'

const chance = createChance()
const world = await queueWorld()
const { service, clock, now, buyer, queue, round, take, done, row, lots, inOrder } = world
process.stderr.write(`seed ${chance.seed} (HEADRACE_SEED repeats it)\n`)
afterAll(() => service.close())

test('hold, settle, release: the estimate is held, the actual is consumed, the rest goes back', async () => {
  const tenant = await buyer({ hours: 10 })
  const id = await queue(tenant, tenant.jobs[0], { cpuCores: 4, minutes: 30 })
  await round()
  expect(await row(id as string)).toMatchObject({ status: 'booked', namespace: 'vcpu-hours-ns' })
  const open = (await lots(tenant)).find((lot) => lot.held > 0n)
  expect(open?.held).toBe(estimateOf(4, 30))
  await inOrder()
  const [claimed] = (await take()).filter((one) => one.execution_id === id)
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
  const [claimed] = (await take()).filter((one) => one.execution_id === id)
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
  const [again] = (await take()).filter((one) => one.execution_id === id)
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
  const [claimed] = (await take()).filter((one) => one.execution_id === id)
  await done(claimed)
  await inOrder()
})

test('what is used beyond the balance becomes a debt that the next purchase pays', async () => {
  const tenant = await buyer({ hours: 1 })
  const id = await queue(tenant, tenant.jobs[0], { cpuCores: 1, minutes: 60 })
  await round()
  const [claimed] = (await take()).filter((one) => one.execution_id === id)
  await done(claimed, estimateOf(1, 90))
  expect((await row(id as string)).receipt).toMatchObject({ debt_vcpu_hours: 0.5 })
  await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    body: purchase('vcpu_hours', 2, new Date(clock.ms - 60_000)),
  })
  const usage = await service.call<{ current_period: { vcpu_hours: object } }>(
    'GET',
    `/tenants/${tenant.id}/usage`,
  )
  expect(usage.body.current_period.vcpu_hours).toEqual({ purchased: 3, consumed: 1.5, remaining: 1.5 })
  await inOrder()
})

test("dedicated units are their owner's: another tenant never gets them, unless they are lent, and then by name", async () => {
  const owner = await buyer({ units: 2, jobs: 3 })
  const other = await buyer({ units: 1, jobs: 2 })
  const mine = await Promise.all(
    owner.jobs.map((job) =>
      queue(owner, job, { namespace: 'dedicated-cpu-ns', cpuCores: 4, memoryGb: 8, minutes: 15 }),
    ),
  )
  const theirs = await queue(other, other.jobs[0], {
    namespace: 'dedicated-cpu-ns',
    cpuCores: 8,
    memoryGb: 8,
    minutes: 15,
  })
  await round()
  const starts = await Promise.all(mine.map(async (id) => (await row(id as string)).booked_from?.getTime()))
  expect(starts.filter((at) => at === clock.ms)).toHaveLength(2)
  expect((await row(theirs as string)).reason).toMatchObject({
    code: 'no_entitlement',
    params: { units: 1, missing: 1 },
  })
  await inOrder()
})

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
    for (const one of claims.filter((claimed) => tenants.some((tenant) => tenant.id === claimed.tenant_id)))
      started.set(one.execution_id, (started.get(one.execution_id) ?? 0) + 1)
    await Promise.all(
      claims.map((one) =>
        chance() < 0.8
          ? done(one, BigInt(Math.floor(chance() * 1e9)))
          : done(one, 0n, 'requeued').then(() => started.delete(one.execution_id)),
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
        tenants.map((one) => one.id),
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
  const first = (await take()).filter((one) => ids.includes(one.execution_id))
  expect(first).toHaveLength(4)
  const before = clock.ms
  for (const jump of [-7_200_000, 7_200_000, -86_400_000]) {
    clock.ms = before + jump
    await round()
    expect(
      (await take()).filter((one) =>
        first.some((other) => other.execution_id === one.execution_id && other.generation === one.generation),
      ),
    ).toEqual([])
  }
  clock.ms = before
  await slowRound(service.context)
  const ends = await Promise.all(
    (await Promise.all(ids.map((id) => row(id as string)))).map(async (one) => one.status),
  )
  expect(ends).toEqual(['running', 'running', 'running', 'running'])
  await Promise.all(first.map((one) => done(one)))
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
    .filter((one) => ids.includes(one.execution_id))
  expect(claimed.map((one) => one.job_id).toSorted()).toEqual(tenant.jobs.toSorted())
  for (
    let left = claimed;
    left.length > 0;
    left = (await take()).filter((one) => ids.includes(one.execution_id))
  )
    for (const one of left) await done(one)
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

test('cancel: at once while it waits, with all it held; by request while it runs', async () => {
  const tenant = await buyer({ hours: 20, jobs: 2 })
  const [waiting, running] = await Promise.all(
    tenant.jobs.map((job, i) => queue(tenant, job, { inMs: i === 0 ? 7_200_000 : 0 })),
  )
  await round()
  const act = (id: string): Promise<void> =>
    service.context.gate.transact((tx) =>
      cancel(tx, {
        tenantId: tenant.id,
        executionId: id,
        actor: 'me',
        now: now(),
        settings: service.context.slots,
      }),
    )
  const [claimed] = (await take()).filter((one) => one.execution_id === running)
  await act(waiting as string)
  expect(await row(waiting as string)).toMatchObject({ status: 'cancelled', holds: [] })
  await act(running as string)
  expect(
    await service.context.gate.transact((tx) =>
      heartbeat(tx, {
        runner: 'test',
        now: now(),
        leaseMs: 15_000,
        alive: [{ executionId: claimed.execution_id, generation: claimed.generation, progress: {} }],
      }),
    ),
  ).toEqual([{ execution_id: running, why: 'cancelled' }])
  await done(claimed)
  await expect(act(running as string)).rejects.toThrow(/cannot be cancelled/)
  await inOrder()
})

test('a cancel that comes while the run fails for a moment is not forgotten by another attempt', async () => {
  const tenant = await buyer({ hours: 20 })
  const id = (await queue(tenant, tenant.jobs[0])) as string
  await round()
  const [claimed] = (await take()).filter((one) => one.execution_id === id)
  await service.context.gate.transact((tx) =>
    cancel(tx, {
      tenantId: tenant.id,
      executionId: id,
      actor: 'me',
      now: now(),
      settings: service.context.slots,
    }),
  )
  await done(claimed, 1_000n, 'requeued')
  expect(await row(id)).toMatchObject({ status: 'cancelled', reason: { code: 'cancelled' } })
  await round()
  expect((await take()).map((one) => one.execution_id)).not.toContain(id)
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

test("300 metered ends, a fifth told twice: the total is the oracle's, to the microsecond", async () => {
  const tenant = await buyer({ hours: 100_000, jobs: 1 })
  let oracle = 0n
  const RUNS = 300
  for (let i = 0; i < RUNS; i += 1) {
    const id = await queue(tenant, tenant.jobs[0], { minutes: 1 })
    await round()
    const [claimed] = (await take()).filter((one) => one.execution_id === id)
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

test('a warning comes before a promise is missed, once, with the slack that is left', async () => {
  const tenant = await buyer({ hours: 20, jobs: 2 })
  const running = await queue(tenant, tenant.jobs[0], { minutes: 50 })
  const waiting = await queue(tenant, tenant.jobs[1], { minutes: 6_000, cpuCores: 20 })
  await round()
  const [claimed] = (await take()).filter((one) => one.execution_id === running)
  const warnings = async () =>
    (
      await service.call<{ items: { event: string; subject: string; data: object }[] }>(
        'GET',
        `/tenants/${tenant.id}/events?limit=500`,
      )
    ).body.items.filter((one) => one.event === 'execution.sla_warning')
  expect((await warnings()).filter((one) => one.subject === running)).toEqual([])
  clock.ms += 46 * 60_000
  await round()
  clock.ms += 60_000
  await round()
  expect((await warnings()).filter((one) => one.subject === running)).toMatchObject([
    { data: { promise: 'runtime', promised_minutes: 60, slack_minutes: 14 } },
  ])
  expect((await warnings()).filter((one) => one.subject === waiting)).toMatchObject([
    { data: { promise: 'window' } },
  ])
  await done(claimed)
})

test('a run that outruns its booking keeps its cores: where the next slot is free it gets it, else who was booked there waits', async () => {
  // The draft namespace has 8 cores, and nobody else uses it here.
  const tenant = await buyer({ jobs: 2 })
  const draft = { namespace: 'draft-ingestion-ns' as const, cpuCores: 8, memoryGb: 16, minutes: 15 }
  const first = await queue(tenant, tenant.jobs[0], draft)
  await round()
  const [running] = (await take()).filter((one) => one.execution_id === first)
  const bookedUntil = (await row(first as string)).booked_until as Date
  const second = await queue(tenant, tenant.jobs[1], draft)
  await round()
  expect((await row(second as string)).booked_from?.getTime()).toBeGreaterThan(clock.ms)
  clock.ms = ((await row(second as string)).booked_from as Date).getTime()
  await round()
  expect(await take()).toEqual([])
  await inOrder()
  await done(running)
  expect((await take()).map((one) => one.execution_id)).toEqual([second])
  expect((await row(first as string)).booked_until).toEqual(bookedUntil)
  clock.ms = ((await row(second as string)).booked_until as Date).getTime() - 30_000
  await round()
  expect((await row(second as string)).booked_until?.getTime()).toBeGreaterThan(clock.ms + 30_000)
  await inOrder()
  const { generation } = await row(second as string)
  await done({ execution_id: second as string, generation })
  await inOrder()
})

test('2,500 are booked in one cycle, in parts; when one part fails none of them is, and the next cycle books all', async () => {
  const tenant = await buyer({ hours: 1_000 })
  await slowRound(service.context)
  const first = await queue(tenant, tenant.jobs[0])
  await run(
    service.url,
    `
    UPDATE job_executions SET deadline = deadline + interval '23 hours' WHERE execution_id = '${first}';
    INSERT INTO job_executions (job_id, tenant_id, namespace, scheduled_time, cpu_cores, memory_gb, estimated_minutes, fair_tag, deadline)
      SELECT job_id, tenant_id, namespace, scheduled_time, cpu_cores, memory_gb, estimated_minutes, fair_tag + i, deadline FROM job_executions, generate_series(1, 2499) i WHERE execution_id = '${first}';
    INSERT INTO queued_executions (execution_id, tenant_id, namespace, cpu_cores, memory_gb, estimated_minutes, preferred, deadline, fair_tag, warn_at)
      SELECT execution_id, tenant_id, namespace, cpu_cores, memory_gb, estimated_minutes, scheduled_time, deadline, fair_tag, deadline FROM job_executions WHERE tenant_id = '${tenant.id}' AND execution_id <> '${first}';
    CREATE FUNCTION refuse_first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.execution_id = '${first}' THEN RAISE 'no room for the first'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER refuse_first BEFORE INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION refuse_first()`,
  )
  const booked = async (): Promise<number> =>
    Number(
      (
        await service.context.gate.service
          .selectFrom('bookings')
          .select(({ fn }) => fn.countAll().as('n'))
          .where('tenant_id', '=', tenant.id)
          .executeTakeFirstOrThrow()
      ).n,
    )
  await expect(round()).rejects.toThrow('no room for the first')
  expect(await booked()).toBe(0)
  await inOrder()
  await run(service.url, 'DROP TRIGGER refuse_first ON bookings')
  await round()
  expect(await booked()).toBe(2_500)
  await inOrder()
})
