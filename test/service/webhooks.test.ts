/** Webhooks against a real receiver: in order, signed, again after failures, and to no address that is not allowed. */
import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deliverWebhooks } from '../../src/main/service/webhooks.ts'
import { record } from '../../src/state/events.ts'
import { purchase, testService, type TestService } from '../support/service.ts'

let clockMs = Date.now()
let service: TestService
let server: Server
let port: number
let answer = 200
const got: { headers: IncomingHttpHeaders; body: string }[] = []

beforeAll(async () => {
  service = await testService({ now: () => new Date(clockMs) })
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      if (answer === 200) got.push({ headers: request.headers, body })
      response.writeHead(answer, answer === 302 ? { location: `http://127.0.0.1:${port}/elsewhere` } : {}).end()
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  port = (server.address() as { port: number }).port
})
afterAll(async () => {
  server.close()
  await service.close()
})

test('events arrive in order, signed; a receiver that fails gets them again, and none twice after it took them', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${port}`
  const tenant = await service.tenant('hooks')
  await service.call('PUT', `/tenants/${tenant.id}/secrets/hook`, { token: tenant.owner, body: { value: { key: 'k' } } })
  await service.call('POST', `/tenants/${tenant.id}/webhooks`, { token: tenant.owner, body: { url: `http://127.0.0.1:${port}/x`, events: ['purchase.created', 'purchase.cancelled'], secret_name: 'hook' } })
  const bought = await service.call<{ purchase_id: string }>('POST', `/tenants/${tenant.id}/purchases`, { token: tenant.owner, body: purchase('vcpu_hours', 1) })
  for (const status of [500, 302]) {
    answer = status
    await deliverWebhooks(service.context)
    clockMs += 10_000
  }
  expect((await service.call<{ items: { failures: number; last_error: string }[] }>('GET', `/tenants/${tenant.id}/webhooks`, { token: tenant.viewer })).body.items).toMatchObject([{ failures: 2, last_error: expect.stringContaining('302') }])
  answer = 200
  await service.call('POST', `/tenants/${tenant.id}/purchases/${bought.body.purchase_id}/cancel`, { token: tenant.owner })
  await deliverWebhooks(service.context)
  await deliverWebhooks(service.context)
  expect(got.map((one) => one.headers['headrace-event'])).toEqual(['purchase.created', 'purchase.cancelled'])
  for (const { headers, body } of got) expect(headers['headrace-signature']).toBe(`sha256=${createHmac('sha256', 'k').update(`${String(headers['headrace-delivery'])}.${body}`).digest('hex')}`)
})

test('an event whose transaction ends late is not passed over by one that came after it: not by webhooks, nor by who reads on from a number', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${port}`
  const { gate } = service.context
  const tenant = await service.tenant('late')
  const last = (await service.call<{ items: { event_id: string }[] }>('GET', `/tenants/${tenant.id}/events?limit=500`, { token: tenant.viewer })).body.items.at(-1)?.event_id ?? '0'
  await service.call('POST', `/tenants/${tenant.id}/webhooks`, { token: tenant.owner, body: { url: `http://127.0.0.1:${port}/x`, events: ['slow.event', 'purchase.created'] } })
  got.length = 0
  let finish = (): void => undefined
  let written = (): void => undefined
  const inside = new Promise<void>((done) => (written = done))
  const slow = gate.transact(async (tx) => {
    await record(tx, { tenantId: tenant.id, actor: 'test', event: 'slow.event' })
    written()
    await new Promise<void>((done) => (finish = done))
  })
  await inside
  await service.call('POST', `/tenants/${tenant.id}/purchases`, { token: tenant.owner, body: purchase('vcpu_hours', 1) })
  await deliverWebhooks(service.context)
  const read = async (): Promise<unknown[]> => (await service.call<{ items: { event: string }[] }>('GET', `/tenants/${tenant.id}/events?after=${last}&limit=500`, { token: tenant.viewer })).body.items.map((one) => one.event).filter((event) => /slow|purchase/.test(event))
  expect([got.length, await read()]).toEqual([0, []])
  finish()
  await slow
  await deliverWebhooks(service.context)
  expect(got.map((one) => one.headers['headrace-event'])).toEqual(['slow.event', 'purchase.created'])
  expect(await read()).toEqual(['slow.event', 'purchase.created'])
})

test('an address that is not allowed gets nothing', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = ''
  const tenant = await service.tenant('denied')
  for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f000001', 'a@127.0.0.1']) await service.call('POST', `/tenants/${tenant.id}/webhooks`, { token: tenant.owner, body: { url: `http://${host}:${port}/x`, events: ['*'] } })
  await service.call('POST', `/tenants/${tenant.id}/purchases`, { token: tenant.owner, body: purchase('vcpu_hours', 1) })
  const before = got.length
  await deliverWebhooks(service.context)
  expect(got.length).toBe(before)
  const { body } = await service.call<{ items: { url: string; last_error: string }[] }>('GET', `/tenants/${tenant.id}/webhooks`, { token: tenant.viewer })
  expect(body.items.filter((one) => !/tenants may not reach|does not answer/.test(one.last_error))).toEqual([])
})
