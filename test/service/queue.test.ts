/** Ledger, slots and queue in a real PostgreSQL: many at once, clocks that jump, processes that sleep; the books are checked from outside. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { estimateOf, vcpuHours } from '../../src/core/amounts.ts'
import { demoteIfDecayed } from '../../src/main/service/jobs.ts'
import { createLeaseWatch, schedulerRound, slowRound } from '../../src/main/service/scheduler.ts'
import { enqueue } from '../../src/state/queue.ts'
import { cancel, claim, finish, heartbeat, leasesOf, reap, type Claimed } from '../../src/state/runs.ts'
import { holdLease } from '../../src/state/leases.ts'
import { auditLedger } from '../../src/state/ledger.ts'
import { booksOf, IN_ORDER } from '../support/books-of-capacity.ts'
import { createChance } from '../support/chance.ts'
import { JOB, purchase, testService, type TestService } from '../support/service.ts'

const chance = createChance()
let clockMs = Date.now()
const now = (): Date => new Date(clockMs)
let service: TestService
const CAPACITY = { 'dedicated-cpu-ns': { cpuCores: 32, memoryGb: 64 }, 'vcpu-hours-ns': { cpuCores: 20, memoryGb: 40 }, 'draft-ingestion-ns': { cpuCores: 8, memoryGb: 16 } }

beforeAll(async () => {
  service = await testService({ capacity: CAPACITY, now })
  process.stderr.write(`seed ${chance.seed} (HEADRACE_SEED repeats it)\n`)
})
afterAll(() => service.close())

interface Tenant {
  id: string
  jobs: string[]
}

let names = 0
async function buyer({ hours = 0, units = 0, jobs = 1, policy = {} }: { hours?: number; units?: number; jobs?: number; policy?: object } = {}): Promise<Tenant> {
  names += 1
  const { id, owner } = await service.tenant(`buyer ${names}`)
  await service.call('PATCH', `/tenants/${id}`, { body: { policy } })
  if (hours > 0) expect((await service.call('POST', `/tenants/${id}/purchases`, { token: owner, body: purchase('vcpu_hours', hours, new Date(clockMs - 3_600_000)) })).status).toBe(201)
  if (units > 0) expect((await service.call('POST', `/tenants/${id}/purchases`, { token: owner, body: purchase('dedicated_units', units, new Date(clockMs - 3_600_000)) })).status).toBe(201)
  const made: string[] = []
  for (let i = 0; i < jobs; i += 1) made.push((await service.call<{ job_id: string }>('POST', `/tenants/${id}/jobs`, { token: owner, body: { ...JOB, job_name: `job ${i}`, schedule_cron: null } })).body.job_id)
  return { id, jobs: made }
}

const queue = (tenant: Tenant, jobId: string, more: { namespace?: 'vcpu-hours-ns' | 'dedicated-cpu-ns' | 'draft-ingestion-ns'; cpuCores?: number; memoryGb?: number; minutes?: number; inMs?: number } = {}): Promise<string | undefined> =>
  service.context.gate.transact((tx) => enqueue(tx, { jobId, tenantId: tenant.id, namespace: more.namespace ?? 'vcpu-hours-ns', cpuCores: more.cpuCores ?? 1, memoryGb: more.memoryGb ?? 2, estimatedMinutes: more.minutes ?? 10, priority: 'medium', preferred: new Date(clockMs + (more.inMs ?? 0)), deadline: new Date(clockMs + 24 * 3_600_000) }))

const round = (): Promise<void> => schedulerRound(service.context)
const take = (limit = 100): Promise<Claimed[]> => service.context.gate.transact((tx) => claim(tx, { runner: 'test', now: now(), leaseMs: 15_000, limit, capacity: CAPACITY }))
const done = (one: { execution_id: string; generation: bigint }, cpuMicros = 60_000_000n, outcome: 'succeeded' | 'requeued' | 'failed' = 'succeeded'): Promise<void> =>
  service.context.gate.transact((tx) => finish(tx, { executionId: one.execution_id, generation: one.generation, outcome, used: { cpuMicros, memoryGbSeconds: 1n }, receipt: {}, tryAfter: now() }, { actor: 'test', now: now(), settings: service.context.slots }))
const row = async (id: string) => service.context.gate.service.selectFrom('job_executions').selectAll().where('execution_id', '=', id).executeTakeFirstOrThrow()
const lots = async (tenant: Tenant) => (await service.context.gate.service.selectFrom('ledger_lots').selectAll().where('tenant_id', '=', tenant.id).execute())
const inOrder = async (): Promise<void> => expect(await booksOf(service.url, now())).toMatchObject(IN_ORDER)

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
  expect(await service.context.gate.transact((tx) => reap(tx, silent, { now: now(), settings: service.context.slots, attempts: 3 }))).toBe(1)
  await expect(done(claimed)).rejects.toThrow(/lease/)
  expect(await row(id as string)).toMatchObject({ status: 'scheduled', attempt: 2 })
  clockMs += 10_000
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
  expect((await row(id as string)).reason).toEqual({ code: 'no_balance', params: expect.objectContaining({ needed: 4, available: 1, missing: 3 }) })
  const owner = (await service.call<{ token: string }>('POST', `/tenants/${tenant.id}/tokens`, { body: { token_name: 'x', role: 'owner' } })).body.token
  await service.call('POST', `/tenants/${tenant.id}/purchases`, { token: owner, body: purchase('vcpu_hours', 3, new Date(clockMs - 60_000)) })
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
  await service.call('POST', `/tenants/${tenant.id}/purchases`, { body: purchase('vcpu_hours', 2, new Date(clockMs - 60_000)) })
  const usage = await service.call<{ current_period: { vcpu_hours: object } }>('GET', `/tenants/${tenant.id}/usage`)
  expect(usage.body.current_period.vcpu_hours).toEqual({ purchased: 3, consumed: 1.5, remaining: 1.5 })
  await inOrder()
})

test('dedicated units are their owner\'s: another tenant never gets them, unless they are lent, and then by name', async () => {
  const owner = await buyer({ units: 2, jobs: 3 })
  const other = await buyer({ units: 1, jobs: 2 })
  const mine = await Promise.all(owner.jobs.map((job) => queue(owner, job, { namespace: 'dedicated-cpu-ns', cpuCores: 4, memoryGb: 8, minutes: 15 })))
  const theirs = await queue(other, other.jobs[0], { namespace: 'dedicated-cpu-ns', cpuCores: 8, memoryGb: 8, minutes: 15 })
  await round()
  const starts = await Promise.all(mine.map(async (id) => (await row(id as string)).booked_from?.getTime()))
  expect(starts.filter((at) => at === clockMs)).toHaveLength(2)
  expect((await row(theirs as string)).reason).toMatchObject({ code: 'no_entitlement', params: { units: 1, missing: 1 } })
  await inOrder()
})

test('lent units come back when their owner needs them: the newest loan, no more than needed, and it is not lent again meanwhile', async () => {
  const owner = await buyer({ units: 2, jobs: 2, policy: { lends: true } })
  const borrower = await buyer({ hours: 100, jobs: 3 })
  await service.context.gate.service.updateTable('ingestion_jobs').set({ namespace: 'vcpu-hours-ns', status: 'active' }).where('job_id', 'in', borrower.jobs).execute()
  // More than the shared pool has left at a time: what does not fit there borrows.
  const ids = await Promise.all(borrower.jobs.map((job, i) => queue(borrower, job, { cpuCores: i === 0 ? 20 : 4, memoryGb: i === 0 ? 16 : 8, minutes: 60 })))
  await round()
  const loans = (await Promise.all(ids.map((id) => row(id as string)))).filter((one) => one.unit_owner === owner.id)
  expect(loans.map((one) => one.lender)).toEqual([owner.id, owner.id])
  const taken = await take()
  clockMs += 5_000
  const own = await queue(owner, owner.jobs[0], { namespace: 'dedicated-cpu-ns', cpuCores: 4, memoryGb: 8, minutes: 15 })
  await round()
  expect((await row(own as string)).booked_from?.getTime()).not.toBe(clockMs)
  const alive = taken.map((one) => ({ executionId: one.execution_id, generation: one.generation, progress: {} }))
  const asked = await service.context.gate.transact((tx) => heartbeat(tx, { runner: 'test', now: now(), leaseMs: 15_000, alive }))
  expect(asked).toMatchObject([{ why: 'recalled' }])
  const back = taken.find((one) => one.execution_id === asked[0].execution_id) as Claimed
  clockMs += 3_000
  await done(back, 1_000_000n, 'requeued')
  await round()
  expect(await row(own as string)).toMatchObject({ status: 'booked', unit_owner: owner.id, booked_from: now() })
  expect(await row(back.execution_id)).not.toMatchObject({ unit_owner: owner.id, booked_from: now() })
  const started = await take()
  expect(started.map((one) => one.execution_id)).toContain(own)
  for (const one of [...taken.filter((one) => one !== back), ...started]) await done(one)
  await service.context.gate.transact((tx) => cancel(tx, { tenantId: borrower.id, executionId: back.execution_id, actor: 'test', now: now(), settings: service.context.slots }))
  await inOrder()
})

test('a job whose last three runs took more than 1.5 times their estimate is a draft again; two do not do', async () => {
  const tenant = await buyer({ hours: 100 })
  const [job] = tenant.jobs
  await service.context.gate.service.updateTable('ingestion_jobs').set({ namespace: 'vcpu-hours-ns', status: 'active' }).where('job_id', '=', job).execute()
  const run = async (minutes: number): Promise<boolean> => {
    const id = await queue(tenant, job, { minutes: 10 })
    await round()
    const [claimed] = (await take()).filter((one) => one.execution_id === id)
    clockMs += minutes * 60_000
    await done(claimed)
    return demoteIfDecayed(service.context, tenant.id, job)
  }
  const verdicts = [await run(16), await run(16), await run(14), await run(16), await run(17), await run(18)]
  expect(verdicts).toEqual([false, false, false, false, false, true])
  const { body } = await service.call<{ status: string; namespace: string; evaluation: { demoted: string } }>('GET', `/tenants/${tenant.id}/jobs/${job}`)
  expect(body).toMatchObject({ status: 'draft', namespace: 'draft-ingestion-ns', evaluation: { demoted: expect.stringContaining('1.8, 1.7, 1.6 times') } })
})

test('metrics of the service are an operator\'s, and say what waits, what is booked and what tenants have', async () => {
  const tenant = await buyer({ hours: 7 })
  expect((await service.call('GET', '/metrics', { token: (await service.tenant('metrics reader')).owner })).status).toBe(403)
  await queue(tenant, tenant.jobs[0], { cpuCores: 1, inMs: 3_600_000 })
  const text = async (): Promise<string> => String((await service.call('GET', '/metrics')).body)
  expect(await text()).toMatch(/^headrace_queued_executions\{namespace="vcpu-hours-ns",reason="waits_in_queue"\} 1$/m)
  await round()
  const after = await text()
  expect(after).toMatch(/^headrace_open_bookings\{namespace="vcpu-hours-ns",status="booked"\} \d+$/m)
  expect(after).toMatch(/^headrace_admissions_total [1-9]\d*$/m)
  expect(after).toMatch(new RegExp(`^headrace_tenant_vcpu_hours\\{tenant="buyer ${names}",account="available"\\} 6\\.8\\d+$`, 'm'))
  expect(after).toMatch(/^headrace_http_request_seconds_count\{route="\/api\/v1\/tenants",status="201"\} \d+$/m)
})

test('200 allocators at once on what fits a few: nothing over-allocated, nothing negative, each start once', async () => {
  const tenants = await Promise.all(Array.from({ length: 10 }, () => buyer({ hours: 30, jobs: 20 })))
  await Promise.all(tenants.flatMap((tenant) => tenant.jobs.map((job) => queue(tenant, job, { cpuCores: 1 + Math.floor(chance() * 4), minutes: 1 + Math.floor(chance() * 40) }))))
  const started = new Map<string, number>()
  for (let turn = 0; turn < 100; turn += 1) {
    await Promise.all([round(), round(), round(), slowRound(service.context)])
    const claims = (await Promise.all([take(20), take(20), take(20)])).flat()
    for (const one of claims.filter((claimed) => tenants.some((tenant) => tenant.id === claimed.tenant_id))) started.set(one.execution_id, (started.get(one.execution_id) ?? 0) + 1)
    await Promise.all(claims.map((one) => (chance() < 0.8 ? done(one, BigInt(Math.floor(chance() * 1e9))) : done(one, 0n, 'requeued').then(() => started.delete(one.execution_id)))))
    if (turn % 10 === 0) await inOrder()
    clockMs += 5 * 60_000
    const { count } = await service.context.gate.service.selectFrom('job_executions').select(({ fn }) => fn.countAll<bigint>().as('count')).where('tenant_id', 'in', tenants.map((one) => one.id)).where('status', 'in', ['scheduled', 'booked', 'running']).executeTakeFirstOrThrow()
    if (count === 0n) break
  }
  expect([...started.values()].every((times) => times === 1)).toBe(true)
  expect(started.size).toBe(200)
  expect(await service.context.gate.service.selectFrom('events').select('data').where('event', '=', 'capacity.corrected').execute()).toEqual([])
  expect(await auditLedger(service.context.gate.service)).toEqual([])
  await inOrder()
})

test('clocks that jump by hours or a day steal no lease and start nothing twice', async () => {
  const tenant = await buyer({ hours: 20, jobs: 4 })
  const ids = await Promise.all(tenant.jobs.map((job) => queue(tenant, job)))
  await round()
  const first = (await take()).filter((one) => ids.includes(one.execution_id))
  expect(first).toHaveLength(4)
  const before = clockMs
  for (const jump of [-7_200_000, 7_200_000, -86_400_000]) {
    clockMs = before + jump
    await round()
    expect((await take()).filter((one) => first.some((other) => other.execution_id === one.execution_id && other.generation === one.generation))).toEqual([])
  }
  clockMs = before
  await slowRound(service.context)
  const ends = await Promise.all((await Promise.all(ids.map((id) => row(id as string)))).map(async (one) => one.status))
  expect(ends).toEqual(['running', 'running', 'running', 'running'])
  await Promise.all(first.map((one) => done(one)))
  const consumption = await service.context.gate.service.selectFrom('resource_consumption').select('consumption_id').whereRef('end_time', '<', 'start_time').execute()
  expect(consumption).toEqual([])
  await inOrder()
})

test('ten runners that claim at once: of each job one runs, however many are due', async () => {
  const tenant = await buyer({ hours: 100, jobs: 2 })
  const ids = await Promise.all(Array.from({ length: 12 }, (_, i) => queue(tenant, tenant.jobs[i % 2], { cpuCores: 1, minutes: 1 })))
  await round()
  const claimed = (await Promise.all(Array.from({ length: 10 }, () => take(5)))).flat().filter((one) => ids.includes(one.execution_id))
  expect(claimed.map((one) => one.job_id).toSorted()).toEqual(tenant.jobs.toSorted())
  for (let left = claimed; left.length > 0; left = (await take()).filter((one) => ids.includes(one.execution_id))) for (const one of left) await done(one)
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
  const [waiting, running] = await Promise.all(tenant.jobs.map((job, i) => queue(tenant, job, { inMs: i === 0 ? 7_200_000 : 0 })))
  await round()
  const act = (id: string): Promise<void> => service.context.gate.transact((tx) => cancel(tx, { tenantId: tenant.id, executionId: id, actor: 'me', now: now(), settings: service.context.slots }))
  const [claimed] = (await take()).filter((one) => one.execution_id === running)
  await act(waiting as string)
  expect(await row(waiting as string)).toMatchObject({ status: 'cancelled', holds: [] })
  await act(running as string)
  expect(await service.context.gate.transact((tx) => heartbeat(tx, { runner: 'test', now: now(), leaseMs: 15_000, alive: [{ executionId: claimed.execution_id, generation: claimed.generation, progress: {} }] }))).toEqual([{ execution_id: running, why: 'cancelled' }])
  await done(claimed)
  await expect(act(running as string)).rejects.toThrow(/cannot be cancelled/)
  await inOrder()
})

test('300 metered ends, a fifth told twice: the total is the oracle\'s, to the microsecond', async () => {
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
  const warnings = async () => (await service.call<{ items: { event: string; subject: string; data: object }[] }>('GET', `/tenants/${tenant.id}/events?limit=500`)).body.items.filter((one) => one.event === 'execution.sla_warning')
  expect((await warnings()).filter((one) => one.subject === running)).toEqual([])
  clockMs += 46 * 60_000
  await round()
  clockMs += 60_000
  await round()
  expect((await warnings()).filter((one) => one.subject === running)).toMatchObject([{ data: { promise: 'runtime', promised_minutes: 60, slack_minutes: 14 } }])
  expect((await warnings()).filter((one) => one.subject === waiting)).toMatchObject([{ data: { promise: 'window' } }])
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
  expect((await row(second as string)).booked_from?.getTime()).toBeGreaterThan(clockMs)
  clockMs = ((await row(second as string)).booked_from as Date).getTime()
  await round()
  expect(await take()).toEqual([])
  await inOrder()
  await done(running)
  expect((await take()).map((one) => one.execution_id)).toEqual([second])
  expect((await row(first as string)).booked_until).toEqual(bookedUntil)
  clockMs = ((await row(second as string)).booked_until as Date).getTime() - 30_000
  await round()
  expect((await row(second as string)).booked_until?.getTime()).toBeGreaterThan(clockMs + 30_000)
  await inOrder()
  const { generation } = await row(second as string)
  await done({ execution_id: second as string, generation })
  await inOrder()
})

test('the plan of capacity: full on a day by its own history; who bought too much or too little is told', async () => {
  const at = clockMs
  const db = service.context.gate.service
  const idle = await buyer({ hours: 300, units: 1 })
  const short = await buyer({ hours: 1 })
  await db.updateTable('tenants').set({ created_at: new Date(at - 40 * 86_400_000) }).where('tenant_id', 'in', [idle.id, short.id]).execute()
  for (let day = 1; day <= 40; day += 1) {
    await db.insertInto('capacity_slots').values({ namespace: 'vcpu-hours-ns', time_slot: new Date(Math.floor((at - day * 86_400_000) / 900_000) * 900_000), slot_duration_minutes: 15, total_cpu_capacity: 20, total_memory_capacity: 40, allocated_cpu: Math.round(15 - day * 0.25), allocated_memory: 1 }).execute()
  }
  const id = await queue(short, short.jobs[0], { cpuCores: 4, minutes: 60 })
  await round()
  expect((await row(id as string)).reason).toMatchObject({ code: 'no_balance' })
  const { status, body } = await service.call<{ namespaces: { namespace: string; full_on?: string; growth_per_day?: number; reason?: string }[]; advice: { tenant_id: string; what: string; needs: number }[] }>('GET', '/capacity/plan?days=90')
  expect(status).toBe(200)
  const plan = body.namespaces.find((one) => one.namespace === 'vcpu-hours-ns')
  expect(plan?.growth_per_day).toBeCloseTo(0.25, 1)
  const days = (Date.parse(plan?.full_on ?? '') - at) / 86_400_000
  expect(days).toBeGreaterThan(8)
  expect(days).toBeLessThan(30)
  expect(body.namespaces.find((one) => one.namespace === 'dedicated-cpu-ns')?.reason).toMatch(/14 days/)
  expect(body.advice).toContainEqual(expect.objectContaining({ tenant_id: idle.id, what: 'dedicated_units', needs: 0 }))
  expect(body.advice).toContainEqual(expect.objectContaining({ tenant_id: short.id, what: 'vcpu_hours' }))
})
