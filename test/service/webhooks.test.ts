/**
 * Webhooks against a real receiver: in order, signed, again after failures, and to no address that is not
 * allowed.
 */
import { createHmac } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { createDiskWatch } from '../../src/control/loops/disk-watch.ts'
import { record } from '../../src/state/events.ts'
import { purchase, run } from '../support/service.ts'
import { webhookWorld } from '../support/webhook-world.ts'

const { service, clock, deliveries, receiver, close } = await webhookWorld()
afterAll(close)

const GB = 1024 ** 3

test('events arrive in order, signed; a receiver that fails gets them again, and none twice after it took them', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = receiver.host
  const tenant = await service.tenant('hooks')
  await service.call('PUT', `/tenants/${tenant.id}/secrets/hook`, {
    token: tenant.owner,
    body: { value: { key: 'k' } },
  })
  await service.call('POST', `/tenants/${tenant.id}/webhooks`, {
    token: tenant.owner,
    body: {
      url: `http://${receiver.host}/x`,
      events: ['purchase.created', 'purchase.cancelled'],
      secret_name: 'hook',
    },
  })
  const bought = await service.call<{ purchase_id: string }>('POST', `/tenants/${tenant.id}/purchases`, {
    token: tenant.owner,
    body: purchase('vcpu_hours', 1),
  })
  for (const status of [500, 302]) {
    receiver.answer = status
    await deliveries.round()
    clock.ms += 10_000
  }
  expect(
    (
      await service.call<{ items: { failures: number; last_error: string }[] }>(
        'GET',
        `/tenants/${tenant.id}/webhooks`,
        { token: tenant.viewer },
      )
    ).body.items,
  ).toMatchObject([{ failures: 2, last_error: expect.stringContaining('302') }])
  receiver.answer = 200
  await service.call('POST', `/tenants/${tenant.id}/purchases/${bought.body.purchase_id}/cancel`, {
    token: tenant.owner,
  })
  await deliveries.round()
  await deliveries.round()
  expect(receiver.got.map((delivery) => delivery.headers['headrace-event'])).toEqual([
    'purchase.created',
    'purchase.cancelled',
  ])
  for (const { headers, body } of receiver.got)
    expect(headers['headrace-signature']).toBe(
      `sha256=${createHmac('sha256', 'k')
        .update(`${String(headers['headrace-delivery'])}.${body}`)
        .digest('hex')}`,
    )
})

test('an event whose transaction ends late is not passed over by one that came after it: not by webhooks, nor by who reads on from a number', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = receiver.host
  const { gate } = service.context
  const tenant = await service.tenant('late')
  const last =
    (
      await service.call<{ items: { event_id: string }[] }>('GET', `/tenants/${tenant.id}/events?limit=500`, {
        token: tenant.viewer,
      })
    ).body.items.at(-1)?.event_id ?? '0'
  await service.call('POST', `/tenants/${tenant.id}/webhooks`, {
    token: tenant.owner,
    body: { url: `http://${receiver.host}/x`, events: ['slow.event', 'purchase.created'] },
  })
  receiver.got.length = 0
  let finish = (): void => undefined
  let written = (): void => undefined
  const inside = new Promise<void>((done) => (written = done))
  const slow = gate.transact(async (tx) => {
    await record(tx, { tenantId: tenant.id, actor: 'test', event: 'slow.event' })
    written()
    await new Promise<void>((done) => (finish = done))
  })
  await inside
  await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    token: tenant.owner,
    body: purchase('vcpu_hours', 1),
  })
  await deliveries.round()
  const read = async (): Promise<unknown[]> =>
    (
      await service.call<{ items: { event: string }[] }>(
        'GET',
        `/tenants/${tenant.id}/events?after=${last}&limit=500`,
        { token: tenant.viewer },
      )
    ).body.items
      .map((event) => event.event)
      .filter((event) => /slow|purchase/.test(event))
  expect([receiver.got.length, await read()]).toEqual([0, []])
  finish()
  await slow
  await deliveries.round()
  expect(receiver.got.map((delivery) => delivery.headers['headrace-event'])).toEqual([
    'slow.event',
    'purchase.created',
  ])
  expect(await read()).toEqual(['slow.event', 'purchase.created'])
})

test('an operator is told of every tenant and of the service, on this machine too; no tenant sees that webhook', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = ''
  const tenants = [await service.tenant('one'), await service.tenant('two')]
  const hook = await service.call<{ webhook_id: string }>('POST', '/webhooks', {
    body: { url: `http://${receiver.host}/alerts`, events: ['purchase.created', 'service.disk_low'] },
  })
  receiver.got.length = 0
  for (const tenant of tenants)
    await service.call('POST', `/tenants/${tenant.id}/purchases`, {
      token: tenant.owner,
      body: purchase('vcpu_hours', 1),
    })
  const space = { free: 100 * GB, whole: 1_000 * GB }
  const watch = createDiskWatch(service.context, async () => space)
  // Little for its size but much, much for its size but little, and then too little.
  for (const [free, whole] of [
    [100, 1_000],
    [20, 1_000],
    [7, 100],
    [9, 1_000],
    [8, 1_000],
  ]) {
    Object.assign(space, { free: free * GB, whole: whole * GB })
    await watch()
  }
  clock.ms += 7 * 3_600_000
  await watch()
  await deliveries.round()
  const received = receiver.got.map(
    ({ body }) =>
      JSON.parse(body) as { event: string; tenant_id: string | null; data: { free_bytes?: number } },
  )
  expect(received.map((event) => [event.event, event.tenant_id, event.data.free_bytes])).toEqual([
    ...tenants.map((tenant) => ['purchase.created', tenant.id, undefined]),
    ['service.disk_low', null, 9 * GB],
    ['service.disk_low', null, 8 * GB],
  ])
  expect(
    (await service.call('GET', `/tenants/${tenants[0].id}/webhooks`, { token: tenants[0].owner })).body,
  ).toEqual({ items: [] })
  expect((await service.call<{ items: unknown[] }>('GET', '/webhooks')).body.items).toMatchObject([
    { webhook_id: hook.body.webhook_id, failures: 0 },
  ])
  expect((await service.call('DELETE', `/webhooks/${hook.body.webhook_id}`)).status).toBe(204)
})

test('a tenant has a hundred webhooks at most', async () => {
  await run(service.url, 'DELETE FROM webhooks')
  const tenant = await service.tenant('hundred')
  await run(
    service.url,
    `
      INSERT INTO webhooks (tenant_id, url, events)
      SELECT '${tenant.id}', 'http://example.com/', ARRAY['slow.event']
      FROM generate_series(1, 99)
    `,
  )
  const add = (): Promise<{ status: number; body: { code?: string } }> =>
    service.call('POST', `/tenants/${tenant.id}/webhooks`, {
      token: tenant.owner,
      body: { url: 'http://example.com/', events: ['slow.event'] },
    })
  expect([(await add()).status, (await add()).body.code]).toEqual([201, 'limit_reached'])
  await run(service.url, 'DELETE FROM webhooks')
})

test('an address that is not allowed gets nothing', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = ''
  const tenant = await service.tenant('denied')
  for (const host of [
    '127.0.0.1',
    'localhost',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '2130706433',
    '0x7f000001',
    'a@127.0.0.1',
  ])
    await service.call('POST', `/tenants/${tenant.id}/webhooks`, {
      token: tenant.owner,
      body: { url: `http://${host}:${receiver.port}/x`, events: ['*'] },
    })
  await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    token: tenant.owner,
    body: purchase('vcpu_hours', 1),
  })
  const before = receiver.got.length
  await deliveries.round()
  expect(receiver.got.length).toBe(before)
  const { body } = await service.call<{ items: { url: string; last_error: string }[] }>(
    'GET',
    `/tenants/${tenant.id}/webhooks`,
    { token: tenant.viewer },
  )
  expect(
    body.items.filter((webhook) => !/tenants may not reach|does not answer/.test(webhook.last_error)),
  ).toEqual([])
})
