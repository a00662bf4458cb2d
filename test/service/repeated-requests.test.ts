/** A request that is sent again with its key gets its first answer, whatever has changed since. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { JOB, purchase, testService, type TestService } from '../support/service.ts'

let service: TestService
beforeAll(async () => {
  service = await testService()
})
afterAll(() => service.close())

test('each route that takes a key answers a repeat as before, though its checks would refuse it now', async () => {
  const tenant = await service.tenant('repeats')
  const call = (method: string, path: string, body?: object, key?: string) =>
    service.call<{ job_id: string }>(method, `/tenants/${tenant.id}${path}`, {
      token: tenant.owner,
      ...(body === undefined ? {} : { body }),
      ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
    })
  await service.call('PUT', '/sla-tiers', { body: { tiers: { gold: { max_runtime_minutes: 60 } } } })
  await call('PUT', '/secrets/pg', { value: { user: 'u', password: 'p' } })
  const job = {
    ...JOB,
    source_config: { ...JOB.source_config, credentials_secret: 'pg' },
    sla_requirements: { tier: 'gold' },
  }
  const create = (): ReturnType<typeof call> => call('POST', '/jobs', job, 'create')
  const made = await create()
  expect(made.status).toBe(201)
  const run = (): ReturnType<typeof call> => call('POST', `/jobs/${made.body.job_id}/run`, undefined, 'run')
  const order = purchase('vcpu_hours', 1)
  const buy = (): ReturnType<typeof call> => call('POST', '/purchases', order, 'buy')
  const [ran, bought] = [await run(), await buy()]
  expect([ran.status, bought.status]).toEqual([202, 201])

  await call('DELETE', '/secrets/pg')
  await service.call('PUT', '/sla-tiers', { body: { tiers: {} } })
  await call('POST', `/jobs/${made.body.job_id}/pause`)
  await service.call('PATCH', `/tenants/${tenant.id}`, {
    body: { policy: { most_jobs: 1, most_waiting: 1 } },
  })
  for (const [again, first] of [
    [create, made],
    [run, ran],
    [buy, bought],
  ] as const) {
    const { status, body } = await again()
    expect([status, body]).toEqual([first.status, first.body])
  }
  // With another key, and with another request under this one, it is looked at as it is now.
  expect((await call('POST', '/jobs', job, 'other')).status).toBeGreaterThanOrEqual(400)
  expect(await call('POST', '/jobs', { ...job, job_name: 'another' }, 'create')).toMatchObject({
    status: 409,
    body: { code: 'idempotency_conflict' },
  })
})
