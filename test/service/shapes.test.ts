/** The shapes of the sources, answered exactly, and the life of a purchase and a job around them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { JOB, purchase, testService, type TestService } from '../support/service.ts'

type Tenant = Awaited<ReturnType<TestService['tenant']>>

let service: TestService
beforeAll(async () => {
  service = await testService({
    capacity: {
      'dedicated-cpu-ns': { cpuCores: 400, memoryGb: 800 },
      'vcpu-hours-ns': { cpuCores: 2_000, memoryGb: 4_000 },
      'draft-ingestion-ns': { cpuCores: 200, memoryGb: 400 },
    },
  })
})
afterAll(() => service.close())

test('a purchase as in the sources; usage answers from the ledger with exactly its fields', async () => {
  const tenant = await service.tenant('acme')
  const from = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth(), 1))
  const body = {
    resource_type: 'dedicated_units',
    quantity: 80,
    time_period: 'monthly',
    valid_from: from.toISOString(),
    valid_until: new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1, 1)).toISOString(),
  }
  const bought = await service.call('POST', `/tenants/${tenant.id}/purchases`, { token: tenant.owner, body })
  expect(bought).toMatchObject({ status: 201, body: { ...body, status: 'active', tenant_id: tenant.id } })
  expect(
    (
      await service.call('POST', `/tenants/${tenant.id}/purchases`, {
        token: tenant.owner,
        body: { ...body, resource_type: 'vcpu_hours', quantity: 1_000 },
      })
    ).status,
  ).toBe(201)
  const usage = await service.call('GET', `/tenants/${tenant.id}/usage`, { token: tenant.viewer })
  expect(usage.body).toEqual({
    tenant_id: tenant.id,
    current_period: {
      dedicated_units: { purchased: 80, allocated: 0, available: 80 },
      vcpu_hours: { purchased: 1_000, consumed: 0, remaining: 1_000 },
    },
  })
})

test('validity that is no whole number of periods says which ends would do', async () => {
  const tenant = await service.tenant('parts')
  const answer = await service.call<{ code: string; next: string }>(
    'POST',
    `/tenants/${tenant.id}/purchases`,
    {
      token: tenant.owner,
      body: {
        resource_type: 'vcpu_hours',
        quantity: 1,
        valid_from: '2024-01-01T00:00:00Z',
        valid_until: '2024-02-15T00:00:00Z',
      },
    },
  )
  expect(answer.status).toBe(422)
  expect(answer.body).toMatchObject({
    code: 'validity_not_whole',
    next: 'Set valid_until to 2024-02-01T00:00:00.000Z or 2024-03-01T00:00:00.000Z.',
  })
  expect(answer.headers['content-type']).toContain('application/problem+json')
})

test('units that others bought are not sold again', async () => {
  const tenant = await service.tenant('late')
  const answer = await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    token: tenant.owner,
    body: purchase('dedicated_units', 21),
  })
  expect(answer).toMatchObject({
    status: 409,
    body: { code: 'capacity_not_for_sale', params: { free: 20, total: 100 } },
  })
  expect(
    (
      await service.call('POST', `/tenants/${tenant.id}/purchases`, {
        token: tenant.owner,
        body: purchase('dedicated_units', 20),
      })
    ).status,
  ).toBe(201)
})

test('the estimation example of the sources', async () => {
  const tenant = await service.tenant('estimates')
  const answer = await service.call('POST', '/estimation/calculate', {
    token: tenant.viewer,
    body: {
      source_type: 'postgres',
      source_config: {},
      data_volume_gb: 100,
      transformation_complexity: 'medium',
    },
  })
  expect(answer.body).toMatchObject({
    estimated_resources: { cpu_cores: 12, memory_gb: 24, runtime_minutes: 210 },
    confidence_level: 0.6,
    recommended_units: { dedicated_units: 4, vcpu_hours: 42 },
    explanation: { bare_dedicated_units: 3 },
  })
  expect(
    await service.call('POST', '/estimation/calculate', {
      token: tenant.viewer,
      body: { source_type: 'oracle' },
    }),
  ).toMatchObject({ status: 422, body: { code: 'source_type_unknown' } })
})

/** 60 runs of a job that reads from a host, of 1 to 20 GB, each as long as its bytes say. */
async function addHistory(tenant: Tenant, host: string, minutesPerGb: number): Promise<void> {
  const { body: job } = await service.call<{ job_id: string }>('POST', `/tenants/${tenant.id}/jobs`, {
    token: tenant.editor,
    body: {
      ...JOB,
      job_name: `from ${host}`,
      source_type: 'mysql',
      source_config: { host, database: 'd', table: 't' },
      schedule_cron: null,
    },
  })
  const runs = Array.from({ length: 60 }, (_, i) => {
    const gb = 1 + (i % 20)
    const start = new Date(Date.UTC(2026, 0, 1, 0, i))
    return {
      job_id: job.job_id,
      tenant_id: tenant.id,
      namespace: 'vcpu-hours-ns',
      scheduled_time: start,
      actual_start_time: start,
      actual_end_time: new Date(start.getTime() + gb * minutesPerGb * 60_000),
      status: 'succeeded',
      resource_used: JSON.stringify({ cpu_seconds: gb * 30 }),
      sla_met: true,
      error_message: null,
      cpu_cores: 1,
      memory_gb: 2,
      estimated_minutes: 10,
      fair_tag: 0,
      deadline: start,
      reason: null,
      booked_from: null,
      booked_until: null,
      lender: null,
      unit_owner: null,
      runner: null,
      lease_until: null,
      progress: null,
      receipt: JSON.stringify({ bytes_read: gb * 1e9, startup_seconds: 0.1, peak_memory_mib: 900 }),
      tick: null,
    } as const
  })
  await service.context.gate.service.insertInto('job_executions').values(runs).execute()
}

interface Estimate {
  confidence_level: number
  estimated_resources: { runtime_minutes: number }
  explanation: {
    by: string
    similar_runs?: number
    runtime_minutes_80_percent: { low: number; high: number }
  }
}

/** The estimate for 10 GB, of the source at a host if one is given. */
async function estimateFor(token: string, host?: string): Promise<Estimate> {
  const source = host === undefined ? {} : { source_config: { host, database: 'd', table: 't' } }
  const { body } = await service.call<Estimate>('POST', '/estimation/calculate', {
    token,
    body: { source_type: 'mysql', ...source, data_volume_gb: 10 },
  })
  return body
}

test('with 60 runs of its own the installation answers by its model, with an interval and how often it was right', async () => {
  const tenant = await service.tenant('history')
  await addHistory(tenant, 'h', 0.5)
  const estimate = await estimateFor(tenant.viewer)
  expect(estimate.explanation.by).toBe('model')
  expect(estimate.estimated_resources.runtime_minutes).toBeGreaterThanOrEqual(4)
  expect(estimate.estimated_resources.runtime_minutes).toBeLessThanOrEqual(7)
  expect(estimate.explanation.runtime_minutes_80_percent.low).toBeLessThanOrEqual(5.5)
  expect(estimate.confidence_level).toBeGreaterThan(0.5)
  // Runs of the same source count more than those of another: the slow one takes four times as long.
  await addHistory(tenant, 'slow', 2)
  const [fast, slow] = [await estimateFor(tenant.viewer, 'h'), await estimateFor(tenant.viewer, 'slow')]
  expect([fast.explanation.similar_runs, slow.explanation.similar_runs]).toEqual([50, 50])
  expect(fast.estimated_resources.runtime_minutes).toBeLessThanOrEqual(8)
  expect(slow.estimated_resources.runtime_minutes).toBeGreaterThanOrEqual(15)
  const stranger = await service.tenant('stranger')
  expect((await estimateFor(stranger.viewer, 'h')).explanation.similar_runs).toBeUndefined()
})

test('a job as in the sources begins as a draft; its changes carry an ETag', async () => {
  const tenant = await service.tenant('jobs')
  const made = await service.call<{ job_id: string }>('POST', `/tenants/${tenant.id}/jobs`, {
    token: tenant.editor,
    body: JOB,
  })
  expect(made).toMatchObject({
    status: 201,
    body: { ...JOB, status: 'draft', namespace: 'draft-ingestion-ns' },
  })
  const at = `/tenants/${tenant.id}/jobs/${made.body.job_id}`
  const { headers } = await service.call('GET', at, { token: tenant.viewer })
  expect(headers.etag).toBe('"1"')
  expect(
    await service.call('PATCH', at, {
      token: tenant.editor,
      body: { job_name: 'renamed' },
      headers: { 'if-match': '"1"' },
    }),
  ).toMatchObject({ status: 200, body: { job_name: 'renamed', version: 2 } })
  expect(
    await service.call('PATCH', at, {
      token: tenant.editor,
      body: { job_name: 'again' },
      headers: { 'if-match': '"1"' },
    }),
  ).toMatchObject({ status: 412, body: { code: 'version_moved' } })
  expect(
    await service.call('POST', `/tenants/${tenant.id}/jobs`, {
      token: tenant.editor,
      body: { ...JOB, job_name: 'RENAMED' },
    }),
  ).toMatchObject({ status: 409, body: { code: 'name_taken' } })
  expect(
    await service.call('POST', `/tenants/${tenant.id}/jobs`, {
      token: tenant.editor,
      body: { ...JOB, schedule_cron: 'every day' },
    }),
  ).toMatchObject({ status: 422, body: { code: 'schedule_invalid' } })
  expect(await service.call('POST', `${at}/promote`, { token: tenant.editor })).toMatchObject({
    status: 409,
    body: { code: 'draft_missing' },
  })
  expect((await service.call('DELETE', at, { token: tenant.editor })).status).toBe(204)
  expect((await service.call('GET', at, { token: tenant.editor })).status).toBe(404)
})

test('numbers that are none are refused and change nothing', async () => {
  const tenant = await service.tenant('numbers')
  for (const quantity of [-1, 0, null, 1e308, 2 ** 63, 1.5, '4 ', 'NaN', [1], {}]) {
    const answer = await service.call('POST', `/tenants/${tenant.id}/purchases`, {
      token: tenant.owner,
      body: { ...purchase('vcpu_hours', 1), quantity },
    })
    expect(answer.status, JSON.stringify(quantity)).toBe(400)
  }
  const raw = await service.api.inject({
    method: 'POST',
    url: `/api/v1/tenants/${tenant.id}/purchases`,
    headers: { authorization: `Bearer ${tenant.owner}`, 'content-type': 'application/json' },
    payload: JSON.stringify(purchase('vcpu_hours', 1)).replace('"quantity":1', '"quantity":NaN'),
  })
  expect(raw.statusCode).toBe(400)
  const usage = await service.call<{ current_period: { vcpu_hours: object } }>(
    'GET',
    `/tenants/${tenant.id}/usage`,
    { token: tenant.viewer },
  )
  expect(usage.body.current_period.vcpu_hours).toEqual({ purchased: 0, consumed: 0, remaining: 0 })
})

test('100 identical purchases at once with one key: one row, one answer; another body is refused', async () => {
  const tenant = await service.tenant('keys')
  const body = purchase('vcpu_hours', 7)
  const send = (sentBody: object) =>
    service.call<{ purchase_id: string }>('POST', `/tenants/${tenant.id}/purchases`, {
      token: tenant.owner,
      body: sentBody,
      headers: { 'idempotency-key': 'k1' },
    })
  const answers = await Promise.all(Array.from({ length: 100 }, () => send(body)))
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([201]))
  expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1)
  expect(await send({ ...body, quantity: 8 })).toMatchObject({
    status: 409,
    body: { code: 'idempotency_conflict' },
  })
  expect(
    (
      await service.call<{ items: object[] }>('GET', `/tenants/${tenant.id}/purchases`, {
        token: tenant.viewer,
      })
    ).body.items,
  ).toHaveLength(1)
})
