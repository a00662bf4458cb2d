/** The shapes of the sources, answered exactly, and the life of a purchase and a job around them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { JOB, purchase, testService, type TestService } from '../support/service.ts'

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
      vcpu_hours: { purchased: 1_000, consumed: 0, held: 0, remaining: 1_000, expired: 0, debt: 0 },
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
  expect(usage.body.current_period.vcpu_hours).toEqual({
    purchased: 0,
    consumed: 0,
    held: 0,
    remaining: 0,
    expired: 0,
    debt: 0,
  })
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
