/** The CLI's client: lists that are longer than a page, and names among thousands. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient } from '../../src/cli/api-client.ts'
import { JOB, run, testService, type TestService } from '../support/service.ts'

const TENANTS = 1_100
let service: TestService
beforeAll(async () => {
  service = await testService()
  await run(
    service.url,
    `INSERT INTO tenants (tenant_name) SELECT 'tenant ' || i FROM generate_series(1, ${TENANTS}) i`,
  )
  process.env.HEADRACE_URL = await service.api.listen({ host: '127.0.0.1', port: 0 })
  process.env.HEADRACE_TOKEN = service.operator
})
afterAll(async () => {
  delete process.env.HEADRACE_URL
  delete process.env.HEADRACE_TOKEN
  await service.close()
})

test('a list is all of it, in its order, each thing once; or as many as were asked for, and where to go on', async () => {
  const client = createClient()
  const { items, next } = await client.list<{ tenant_id: string }>('/tenants')
  const ids = items.map((tenant) => tenant.tenant_id)
  expect([ids.length, new Set(ids).size, next]).toEqual([TENANTS, TENANTS, undefined])
  const some = await client.list<{ tenant_id: string }>('/tenants', { limit: 700 })
  expect([some.items.map((tenant) => tenant.tenant_id), some.next]).toEqual([ids.slice(0, 700), ids[699]])
})

test('a tenant is found by its name, among all, in whatever letters', async () => {
  const client = createClient()
  for (const name of ['tenant 1', 'tenant 700', 'TENANT 1100'])
    expect(await client.tenant(name)).toMatch(/^[0-9a-f-]{36}$/)
  await expect(client.tenant('tenant 1101')).rejects.toMatchObject({ code: 'not_found' })
})

test('a job is found by its name in its own tenant, and no deleted one is', async () => {
  const { id, editor } = await service.tenant('named')
  const other = await service.tenant('other')
  const make = async (tenant: { id: string; editor: string }, name: string): Promise<string> =>
    (
      await service.call<{ job_id: string }>('POST', `/tenants/${tenant.id}/jobs`, {
        token: tenant.editor,
        body: { ...JOB, job_name: name },
      })
    ).body.job_id
  const [gone] = [await make({ id, editor }, 'orders'), await make(other, 'orders')]
  await service.call('DELETE', `/tenants/${id}/jobs/${gone}`, { token: editor })
  const found = async (name: string): Promise<string[]> =>
    (
      await service.call<{ items: { job_id: string }[] }>(
        'GET',
        `/tenants/${id}/jobs?name=${encodeURIComponent(name)}`,
        { token: editor },
      )
    ).body.items.map((job) => job.job_id)
  expect(await found('orders')).toEqual([])
  const made = await make({ id, editor }, 'orders')
  await make({ id, editor }, 'orders 2')
  expect([await found('ORDERS'), await found('order_'), await found("x' OR '1'='1")]).toEqual([
    [made],
    [],
    [],
  ])
})
