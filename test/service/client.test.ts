/** The CLI's client: lists that are longer than a page, and names among thousands. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient } from '../../src/main/api-client.ts'
import { run, testService, type TestService } from '../support/service.ts'

const TENANTS = 1_100
let service: TestService
beforeAll(async () => {
  service = await testService()
  await run(service.url, `INSERT INTO tenants (tenant_name) SELECT 'tenant ' || i FROM generate_series(1, ${TENANTS}) i`)
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
  const ids = items.map((one) => one.tenant_id)
  expect([ids.length, new Set(ids).size, next]).toEqual([TENANTS, TENANTS, undefined])
  const some = await client.list<{ tenant_id: string }>('/tenants', { limit: 700 })
  expect([some.items.map((one) => one.tenant_id), some.next]).toEqual([ids.slice(0, 700), ids[699]])
})

test('a tenant is found by its name, on whatever page it is', async () => {
  const client = createClient()
  for (const name of ['tenant 1', 'tenant 700', 'TENANT 1100']) expect(await client.tenant(name)).toMatch(/^[0-9a-f-]{36}$/)
  await expect(client.tenant('tenant 1101')).rejects.toMatchObject({ code: 'not_found' })
})
