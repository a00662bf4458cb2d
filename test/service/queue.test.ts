/**
 * The queue in a real PostgreSQL: what is booked when, who runs, how a run is cancelled, and when its
 * promise is in danger.
 */
import { afterAll, expect, test } from 'vitest'
import { slowRound } from '../../src/control/loops/scheduler.ts'
import { cancel } from '../../src/state/runs/cancellation.ts'
import { heartbeat } from '../../src/state/runs/heartbeat.ts'
import { run } from '../support/service.ts'
import { queueWorld } from '../support/queue-world.ts'

const { service, clock, now, buyer, queue, round, take, done, row, inOrder } = await queueWorld()
afterAll(() => service.close())

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
  const [claimed] = (await take()).filter((claim) => claim.execution_id === running)
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
  const [claimed] = (await take()).filter((claim) => claim.execution_id === id)
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
  expect((await take()).map((claim) => claim.execution_id)).not.toContain(id)
  await inOrder()
})

test('a warning comes before a promise is missed, once, with the slack that is left', async () => {
  const tenant = await buyer({ hours: 20, jobs: 2 })
  const running = await queue(tenant, tenant.jobs[0], { minutes: 50 })
  const waiting = await queue(tenant, tenant.jobs[1], { minutes: 6_000, cpuCores: 20 })
  await round()
  const [claimed] = (await take()).filter((claim) => claim.execution_id === running)
  const warnings = async () =>
    (
      await service.call<{ items: { event: string; subject: string; data: object }[] }>(
        'GET',
        `/tenants/${tenant.id}/events?limit=500`,
      )
    ).body.items.filter((event) => event.event === 'execution.sla_warning')
  expect((await warnings()).filter((warning) => warning.subject === running)).toEqual([])
  clock.ms += 46 * 60_000
  await round()
  clock.ms += 60_000
  await round()
  expect((await warnings()).filter((warning) => warning.subject === running)).toMatchObject([
    { data: { promise: 'runtime', promised_minutes: 60, slack_minutes: 14 } },
  ])
  expect((await warnings()).filter((warning) => warning.subject === waiting)).toMatchObject([
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
  const [running] = (await take()).filter((claim) => claim.execution_id === first)
  const bookedUntil = (await row(first as string)).booked_until as Date
  const second = await queue(tenant, tenant.jobs[1], draft)
  await round()
  expect((await row(second as string)).booked_from?.getTime()).toBeGreaterThan(clock.ms)
  clock.ms = ((await row(second as string)).booked_from as Date).getTime()
  await round()
  expect(await take()).toEqual([])
  await inOrder()
  await done(running)
  expect((await take()).map((claim) => claim.execution_id)).toEqual([second])
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
    UPDATE job_executions
    SET deadline = deadline + interval '23 hours'
    WHERE execution_id = '${first}';
    INSERT INTO job_executions (job_id, tenant_id, namespace, scheduled_time, cpu_cores, memory_gb,
      estimated_minutes, fair_tag, deadline)
    SELECT job_id, tenant_id, namespace, scheduled_time, cpu_cores, memory_gb,
      estimated_minutes, fair_tag + i, deadline
    FROM job_executions, generate_series(1, 2499) i
    WHERE execution_id = '${first}';
    INSERT INTO queued_executions (execution_id, tenant_id, namespace, cpu_cores, memory_gb,
      estimated_minutes, preferred, deadline, fair_tag, warn_at)
    SELECT execution_id, tenant_id, namespace, cpu_cores, memory_gb,
      estimated_minutes, scheduled_time, deadline, fair_tag, deadline
    FROM job_executions
    WHERE tenant_id = '${tenant.id}'
      AND execution_id <> '${first}';
    CREATE FUNCTION refuse_first() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.execution_id = '${first}' THEN RAISE 'no room for the first'; END IF;
        RETURN NEW;
      END
    $$;
    CREATE TRIGGER refuse_first BEFORE INSERT ON bookings
    FOR EACH ROW EXECUTE FUNCTION refuse_first()
    `,
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
