/** What is done with capacity beyond booking it: lent and called back, jobs that decay, metrics, the plan. */
import { afterAll, expect, test } from 'vitest'
import { estimateOf } from '../../src/core/service/amounts.ts'
import { failure } from '../../src/core/errors.ts'
import { demoteIfDecayed } from '../../src/control/job-promotion.ts'
import { unentered, type Rolling, type Running } from '../../src/control/loops/running-execution.ts'
import { settleRoll } from '../../src/control/loops/stream-slots.ts'
import { cancel } from '../../src/state/runs/cancellation.ts'
import type { Claimed } from '../../src/state/runs/claim.ts'
import { heartbeat } from '../../src/state/runs/heartbeat.ts'
import { roll } from '../../src/state/runs/longer-holds.ts'
import { queueWorld } from '../support/queue-world.ts'
import { testService } from '../support/service.ts'

const world = await queueWorld()
const { service, clock, now, buyer, queue, round, take, done, row, inOrder } = world
afterAll(() => service.close())

/** A heartbeat of what was claimed; returns what is asked back. */
function beatOf(claimed: Claimed[]): ReturnType<typeof heartbeat> {
  const alive = claimed.map((claim) => ({
    executionId: claim.execution_id,
    generation: claim.generation,
    progress: {},
  }))
  return service.context.gate.transact((tx) =>
    heartbeat(tx, { runner: 'test', now: now(), leaseMs: 15_000, alive }),
  )
}

test('lent units come back when their owner needs them: the newest loan, no more than needed, and it is not lent again meanwhile', async () => {
  const owner = await buyer({ units: 2, jobs: 2, policy: { lends: true } })
  const borrower = await buyer({ hours: 100, jobs: 3 })
  await service.context.gate.service
    .updateTable('ingestion_jobs')
    .set({ namespace: 'vcpu-hours-ns', status: 'active' })
    .where('job_id', 'in', borrower.jobs)
    .execute()
  // More than the shared pool has left at a time: what does not fit there borrows.
  // One after the other: the large one must come first.
  const ids: unknown[] = []
  for (const [i, job] of borrower.jobs.entries()) {
    const more = { cpuCores: i === 0 ? 20 : 4, memoryGb: i === 0 ? 16 : 8, minutes: 60 }
    ids.push(await queue(borrower, job, more))
  }
  await round()
  const loans = (await Promise.all(ids.map((id) => row(id as string)))).filter(
    (execution) => execution.unit_owner === owner.id,
  )
  expect(loans.map((loan) => loan.lender)).toEqual([owner.id, owner.id])
  const taken = await take()
  clock.ms += 5_000
  const own = await queue(owner, owner.jobs[0], {
    namespace: 'dedicated-cpu-ns',
    cpuCores: 4,
    memoryGb: 8,
    minutes: 15,
  })
  await round()
  expect((await row(own as string)).booked_from?.getTime()).not.toBe(clock.ms)
  const asked = await beatOf(taken)
  expect(asked).toMatchObject([{ why: 'recalled' }])
  const back = taken.find((claim) => claim.execution_id === asked[0].execution_id) as Claimed
  clock.ms += 3_000
  await done(back, 1_000_000n, 'requeued')
  await round()
  expect(await row(own as string)).toMatchObject({
    status: 'booked',
    unit_owner: owner.id,
    booked_from: now(),
  })
  expect(await row(back.execution_id)).not.toMatchObject({ unit_owner: owner.id, booked_from: now() })
  const started = await take()
  expect(started.map((claim) => claim.execution_id)).toContain(own)
  for (const claim of [...taken.filter((candidate) => candidate !== back), ...started]) await done(claim)
  await service.context.gate.transact((tx) =>
    cancel(tx, {
      tenantId: borrower.id,
      executionId: back.execution_id,
      actor: 'test',
      now: now(),
      settings: service.context.slots,
    }),
  )
  await inOrder()
})

test('a job whose last three runs took more than 1.5 times their estimate is a draft again; two do not do', async () => {
  const tenant = await buyer({ hours: 100 })
  const [job] = tenant.jobs
  await service.context.gate.service
    .updateTable('ingestion_jobs')
    .set({ namespace: 'vcpu-hours-ns', status: 'active' })
    .where('job_id', '=', job)
    .execute()
  const run = async (minutes: number): Promise<boolean> => {
    const id = await queue(tenant, job, { minutes: 10 })
    await round()
    const [claimed] = (await take()).filter((claim) => claim.execution_id === id)
    clock.ms += minutes * 60_000
    await done(claimed)
    return demoteIfDecayed(service.context, tenant.id, job)
  }
  const verdicts = [await run(16), await run(16), await run(14), await run(16), await run(17), await run(18)]
  expect(verdicts).toEqual([false, false, false, false, false, true])
  const { body } = await service.call<{ status: string; namespace: string; evaluation: { demoted: string } }>(
    'GET',
    `/tenants/${tenant.id}/jobs/${job}`,
  )
  expect(body).toMatchObject({
    status: 'draft',
    namespace: 'draft-ingestion-ns',
    evaluation: { demoted: expect.stringContaining('1.8, 1.7, 1.6 times') },
  })
})

test("metrics of the service are an operator's, and say what waits, what is booked and what tenants have", async () => {
  const tenant = await buyer({ hours: 7 })
  expect(
    (await service.call('GET', '/metrics', { token: (await service.tenant('metrics reader')).owner })).status,
  ).toBe(403)
  await queue(tenant, tenant.jobs[0], { cpuCores: 1, inMs: 3_600_000 })
  const text = async (): Promise<string> => String((await service.call('GET', '/metrics')).body)
  expect(await text()).toMatch(
    /^headrace_queued_executions\{namespace="vcpu-hours-ns",reason="waits_in_queue"\} 1$/m,
  )
  await round()
  const after = await text()
  expect(after).toMatch(/^headrace_open_bookings\{namespace="vcpu-hours-ns",status="booked"\} \d+$/m)
  expect(after).toMatch(/^headrace_admissions_total [1-9]\d*$/m)
  expect(after).toMatch(
    new RegExp(
      `^headrace_tenant_vcpu_hours\\{tenant="buyer ${clock.names}",account="available"\\} 6\\.8\\d+$`,
      'm',
    ),
  )
  expect(after).toMatch(
    /^headrace_http_request_seconds_count\{route="\/api\/v1\/tenants",status="201"\} \d+$/m,
  )
})

test('the plan of capacity: full on a day by its own history; who bought too much or too little is told', async () => {
  const at = clock.ms
  const db = service.context.gate.service
  const idle = await buyer({ hours: 300, units: 1 })
  const short = await buyer({ hours: 1 })
  await db
    .updateTable('tenants')
    .set({ created_at: new Date(at - 40 * 86_400_000) })
    .where('tenant_id', 'in', [idle.id, short.id])
    .execute()
  for (let day = 1; day <= 40; day += 1) {
    await db
      .insertInto('capacity_slots')
      .values({
        namespace: 'vcpu-hours-ns',
        time_slot: new Date(Math.floor((at - day * 86_400_000) / 900_000) * 900_000),
        slot_duration_minutes: 15,
        total_cpu_capacity: 20,
        total_memory_capacity: 40,
        allocated_cpu: Math.round(15 - day * 0.25),
        allocated_memory: 1,
      })
      .execute()
  }
  const id = await queue(short, short.jobs[0], { cpuCores: 4, minutes: 60 })
  await round()
  expect((await row(id as string)).reason).toMatchObject({ code: 'no_balance' })
  const { status, body } = await service.call<{
    namespaces: { namespace: string; full_on?: string; growth_per_day?: number; reason?: string }[]
    advice: { tenant_id: string; what: string; needs: number }[]
  }>('GET', '/capacity/plan?days=90')
  expect(status).toBe(200)
  const plan = body.namespaces.find((pool) => pool.namespace === 'vcpu-hours-ns')
  expect(plan?.growth_per_day).toBeCloseTo(0.25, 1)
  const days = (Date.parse(plan?.full_on ?? '') - at) / 86_400_000
  expect(days).toBeGreaterThan(8)
  expect(days).toBeLessThan(30)
  expect(body.namespaces.find((pool) => pool.namespace === 'dedicated-cpu-ns')?.reason).toMatch(/14 days/)
  expect(body.advice).toContainEqual(
    expect.objectContaining({ tenant_id: idle.id, what: 'dedicated_units', needs: 0 }),
  )
  expect(body.advice).toContainEqual(expect.objectContaining({ tenant_id: short.id, what: 'vcpu_hours' }))
})

test('an operator sets what is offered: slots follow, sold units cannot be taken away, another process takes it over', async () => {
  const { body: before } = await service.call<{
    namespaces: Record<string, object>
    overcommit: { cpu: number }
  }>('GET', '/capacity')
  expect(before.namespaces['draft-ingestion-ns']).toEqual({ cpu_cores: 8, memory_gb: 16 })
  const changed = await service.call<{ namespaces: Record<string, object> }>('PUT', '/capacity', {
    body: { 'draft-ingestion-ns': { cpu_cores: 200, memory_gb: 400 } },
  })
  expect(changed).toMatchObject({
    status: 200,
    body: {
      namespaces: {
        'draft-ingestion-ns': { cpu_cores: 200, memory_gb: 400 },
        'vcpu-hours-ns': before.namespaces['vcpu-hours-ns'],
      },
    },
  })
  const totals = await service.context.gate.service
    .selectFrom('capacity_slots')
    .select('total_cpu_capacity')
    .distinct()
    .where('namespace', '=', 'draft-ingestion-ns')
    .where('time_slot', '>', now())
    .execute()
  expect(totals).toEqual([{ total_cpu_capacity: 200 }])
  await buyer({ units: 2 })
  expect(
    await service.call('PUT', '/capacity', { body: { 'dedicated-cpu-ns': { cpu_cores: 4, memory_gb: 8 } } }),
  ).toMatchObject({ status: 400, body: { detail: expect.stringMatching(/dedicated units are sold/) } })
  for (const body of [
    {},
    { 'other-ns': { cpu_cores: 1, memory_gb: 1 } },
    { 'draft-ingestion-ns': { cpu_cores: 0, memory_gb: 1 } },
    { 'draft-ingestion-ns': { cpu_cores: 1 } },
  ])
    expect((await service.call('PUT', '/capacity', { body })).status, JSON.stringify(body)).toBe(400)
  const other = await testService({ url: service.url })
  expect((await other.call<typeof before>('GET', '/capacity')).body.namespaces['draft-ingestion-ns']).toEqual(
    { cpu_cores: 200, memory_gb: 400 },
  )
  await other.close()
})

test('a stream rolls: use is settled, the next slot held; a roll that is told twice is one; the end enters what came after', async () => {
  const tenant = await buyer({ hours: 10 })
  const id = (await queue(tenant, tenant.jobs[0], { cpuCores: 4, minutes: 15 })) as string
  await round()
  const [claimed] = (await take()).filter((claim) => claim.execution_id === id)
  const rolling = (cpuMicros: bigint, last: Date | null): Promise<Awaited<ReturnType<typeof roll>>> =>
    service.context.gate.transact((tx) =>
      roll(tx, {
        executionId: id,
        generation: claimed.generation,
        used: { cpuMicros, memoryGbSeconds: 5n },
        ahead: estimateOf(4, 15),
        last,
        now: now(),
      }),
    )
  clock.ms += 840_000
  const first = await rolling(100_000_000n, null)
  expect(first).toMatchObject({ held: estimateOf(4, 15), at: now() })
  clock.ms += 1_000
  // The answer was lost: the same is said again, and is entered once.
  expect(await rolling(100_000_000n, null)).toMatchObject({ held: estimateOf(4, 15), at: first?.at })
  clock.ms += 900_000
  await rolling(50_000_000n, first?.at ?? null)
  clock.ms += 60_000
  await done(claimed, 7_000_000n)
  const lines = await service.context.gate.service
    .selectFrom('resource_consumption')
    .select(['cpu_microseconds', 'memory_gb_seconds'])
    .where('execution_id', '=', id)
    .orderBy('start_time')
    .execute()
  expect(lines.map((line) => line.cpu_microseconds)).toEqual([100_000_000n, 50_000_000n, 7_000_000n])
  expect((await row(id)).resource_used).toMatchObject({ cpu_seconds: 157 })
  const { current_period: period } = (
    await service.call<{ current_period: { vcpu_hours: { consumed: number } } }>(
      'GET',
      `/tenants/${tenant.id}/usage`,
    )
  ).body
  expect(period.vcpu_hours.consumed).toBeCloseTo(157 / 3_600, 2)
  await inOrder()
})

test('a stream ends while the answer to a roll is lost: what that roll entered is known first, and entered once', async () => {
  const tenant = await buyer({ hours: 10 })
  const id = (await queue(tenant, tenant.jobs[0], { cpuCores: 4, minutes: 15 })) as string
  await round()
  const [claimed] = (await take()).filter((claim) => claim.execution_id === id)
  const { gate } = service.context
  const transact = gate.transact.bind(gate)
  const losing = {
    ...service.context,
    gate: {
      ...gate,
      transact: (async (work: never) => {
        await transact(work)
        throw failure('database_unreachable', { address: 'here', reason: 'the answer is lost' })
      }) as typeof gate.transact,
    },
  }
  const rolling: Rolling = {
    atMs: 0,
    ahead: estimateOf(4, 15),
    entered: { cpuMicros: 0n, memoryByteMs: 0 },
    last: null,
    entry: {
      name: 'unanswered',
      use: {
        used: { cpuMicros: 100_000_000n, memoryGbSeconds: 5n },
        measured: { cpuMicros: 100_000_000n, memoryByteMs: 5_000 * 1024 ** 3 },
      },
    },
  }
  const running = {
    claimed,
    cpuMicros: 103_000_000n,
    memoryByteMs: 6_000 * 1024 ** 3,
    rolling,
    held: estimateOf(4, 15),
    limits: { overage: 'stop' },
    state: { name: 'running' },
  } as unknown as Running
  clock.ms += 600_000
  await expect(settleRoll(losing, running, rolling)).rejects.toMatchObject({ code: 'database_unreachable' })
  await settleRoll(service.context, running, rolling)
  expect(unentered(running)).toEqual({ cpuMicros: 3_000_000n, memoryGbSeconds: 1n })
  await done(claimed, unentered(running).cpuMicros)
  expect((await row(id)).resource_used).toMatchObject({ cpu_seconds: 103 })
  await inOrder()
})
