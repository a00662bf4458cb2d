/**
 * A tenant that is suspended or deleted: what runs ends, nothing starts, nothing is held; active again, it
 * goes on.
 */
import { afterAll, expect, test } from 'vitest'
import { heartbeat } from '../../src/state/runs/heartbeat.ts'
import { queueWorld, type Buyer } from '../support/queue-world.ts'

const world = await queueWorld()
const { service, clock, now, buyer, queue, round, take, row, inOrder } = world
const { gate } = service.context
afterAll(() => service.close())

const statusTo = (tenant: Buyer, status: string): Promise<{ status: number }> =>
  service.call('PATCH', `/tenants/${tenant.id}`, { body: { status } })
const statusesOf = async (tenant: Buyer): Promise<string[]> => {
  const rows = await gate.service
    .selectFrom('job_executions')
    .select('status')
    .where('tenant_id', '=', tenant.id)
    .execute()
  return rows.map((execution) => execution.status).toSorted()
}
const dueNow = (tenant: Buyer): Promise<unknown> =>
  gate.service
    .updateTable('ingestion_jobs')
    .set({
      status: 'active',
      namespace: 'vcpu-hours-ns',
      schedule_cron: '0 0 1 1 *',
      next_run_at: new Date(clock.ms - 1_000),
    })
    .where('job_id', '=', tenant.jobs[2])
    .execute()

test.each(['suspended', 'deleted'])(
  '%s: what waits and what runs ends, and nothing new starts',
  async (status) => {
    const tenant = await buyer({ hours: 100, jobs: 3 })
    const running = (await queue(tenant, tenant.jobs[0])) as string
    await round()
    const [claimed] = (await take()).filter((claim) => claim.execution_id === running)
    // More than one look for them finds.
    const many = await Promise.all(
      Array.from({ length: 120 }, () => queue(tenant, tenant.jobs[1], { cpuCores: 20 })),
    )
    // Too large for what is left: it waits.
    const waiting = (await queue(tenant, tenant.jobs[1], { cpuCores: 20, memoryGb: 40 })) as string
    await round()
    await dueNow(tenant)
    expect((await statusTo(tenant, status)).status).toBe(200)
    const alive = [{ executionId: running, generation: claimed.generation, progress: {} }]
    const asked = await gate.transact((tx) =>
      heartbeat(tx, { runner: 'test', now: now(), leaseMs: 15_000, alive }),
    )
    expect(asked).toMatchObject([{ why: 'cancelled' }])
    await world.done(claimed, 1_000_000n, 'failed')
    await round()
    expect(await take()).toEqual([])
    expect((await row(waiting)).status).toBe('cancelled')
    const statuses = await statusesOf(tenant)
    expect([
      statuses.length,
      statuses.filter((executionStatus) => executionStatus === 'cancelled').length,
    ]).toEqual([many.length + 2, many.length + 1])
    await inOrder()
    if (status === 'deleted') return
    await statusTo(tenant, 'active')
    await round()
    expect((await take()).map((claim) => claim.job_id)).toEqual([tenant.jobs[2]])
  },
)
