/**
 * A service with two tenants that each have one of everything; what belongs to the second can be told by its
 * name.
 */
import { enqueue } from '../../src/state/queue.ts'
import { JOB, purchase, testService, type TestService } from './service.ts'

type Tenant = Awaited<ReturnType<TestService['tenant']>>

/** Stands in names of the second tenant and its things. */
export const CANARY = 'canary-of-b'

export interface TwoTenants {
  service: TestService
  a: Tenant
  b: Tenant
  /** Ids of the things of both and of the operator: `a.job_id`, `b.name`, `operator.webhook_id`. */
  ids: Record<string, string>
}

export async function twoTenants(): Promise<TwoTenants> {
  const service = await testService({
    capacity: {
      'dedicated-cpu-ns': { cpuCores: 400, memoryGb: 800 },
      'vcpu-hours-ns': { cpuCores: 100, memoryGb: 200 },
      'draft-ingestion-ns': { cpuCores: 8, memoryGb: 16 },
    },
  })
  const [a, b] = [await service.tenant('a'), await service.tenant(CANARY)]
  const { body: operators } = await service.call<{ webhook_id: string }>('POST', '/webhooks', {
    body: { url: 'https://example.com/operator', events: ['*'] },
  })
  const ids: Record<string, string> = { 'operator.webhook_id': operators.webhook_id }
  for (const [tenant, prefix] of [
    [a, 'a'],
    [b, 'b'],
  ] as const)
    for (const [name, id] of Object.entries(await thingsOf(service, tenant, `${CANARY}-${prefix}`)))
      ids[`${prefix}.${name}`] = id
  return { service, a, b, ids }
}

/** Makes one of everything for a tenant; returns the ids. */
async function thingsOf(
  service: TestService,
  tenant: Tenant,
  jobName: string,
): Promise<Record<string, string>> {
  const post = async (path: string, body: unknown): Promise<Record<string, string>> =>
    (
      await service.call<Record<string, string>>('POST', `/tenants/${tenant.id}${path}`, {
        token: tenant.owner,
        body,
      })
    ).body
  const { purchase_id } = await post('/purchases', purchase('vcpu_hours', 10))
  const { job_id } = await post('/jobs', { ...JOB, job_name: jobName, schedule_cron: null })
  const { webhook_id } = await post('/webhooks', { url: 'https://example.com/hook', events: ['*'] })
  const { token_id } = await post('/tokens', { token_name: CANARY, role: 'viewer' })
  await service.call('PUT', `/tenants/${tenant.id}/secrets/${CANARY}`, {
    token: tenant.owner,
    body: { value: { password: CANARY } },
  })
  const execution_id = (await service.context.gate.transact((tx) =>
    enqueue(tx, {
      jobId: job_id,
      tenantId: tenant.id,
      namespace: 'vcpu-hours-ns',
      cpuCores: 1,
      memoryGb: 1,
      estimatedMinutes: 1,
      priority: 'medium',
      preferred: new Date(),
      deadline: new Date(Date.now() + 3_600_000),
    }),
  )) as string
  return { purchase_id, job_id, webhook_id, token_id, execution_id, name: CANARY }
}
