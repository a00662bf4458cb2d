/**
 * Rounds of deliveries: who gets its events when there are many, when receivers fail or are slow, and when
 * the service stops.
 */
import { createServer as createNetServer } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { record } from '../../src/state/events.ts'
import { until } from '../support/system.ts'
import { run } from '../support/service.ts'
import { OF_TENANT, webhookWorld } from '../support/webhook-world.ts'

const { service, clock, deliveries, receiver, moreDeliveries, close } = await webhookWorld()
afterAll(close)

test('of more webhooks than a round takes each gets its events', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = receiver.host
  const tenant = await service.tenant('many')
  await run(
    service.url,
    `
      INSERT INTO webhooks (tenant_id, url, events)
      SELECT '${tenant.id}', 'http://${receiver.host}/' || i, ARRAY['slow.event']
      FROM generate_series(1, 250) i
    `,
  )
  receiver.got.length = 0
  for (let n = 0; n < 2; n += 1)
    await service.context.gate.transact((tx) =>
      record(tx, { tenantId: tenant.id, actor: 'test', event: 'slow.event' }),
    )
  let rounds = 0
  while ((await deliveries.round()) > 0) rounds += 1
  expect([receiver.got.length, rounds]).toEqual([500, Math.ceil(250 / OF_TENANT)])
  receiver.got.length = 0
  for (let round = 0; round < rounds; round += 1) {
    await service.context.gate.transact((tx) =>
      record(tx, { tenantId: tenant.id, actor: 'test', event: 'slow.event' }),
    )
    await deliveries.round()
  }
  // More comes all the time: those that got something last come last.
  expect(new Set(receiver.got.map((delivery) => delivery.path)).size).toBe(250)
  await run(service.url, 'DELETE FROM webhooks')
})

test('pauses double with each failure; a tenant that is suspended is told nothing until it is active again', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = receiver.host
  const tenant = await service.tenant('paused')
  await service.call('POST', `/tenants/${tenant.id}/webhooks`, {
    token: tenant.owner,
    body: { url: `http://${receiver.host}/x`, events: ['slow.event'] },
  })
  await service.context.gate.transact((tx) =>
    record(tx, { tenantId: tenant.id, actor: 'test', event: 'slow.event' }),
  )
  const failuresAfter = async (ms: number): Promise<unknown> => {
    clock.ms += ms
    await deliveries.round()
    return (
      await service.call<{ items: { failures: number }[] }>('GET', `/tenants/${tenant.id}/webhooks`, {
        token: tenant.viewer,
      })
    ).body.items[0].failures
  }
  receiver.answer = 500
  const seen = []
  for (const ms of [0, 999, 1, 1_999, 1, 3_999, 1]) seen.push(await failuresAfter(ms))
  receiver.answer = 200
  expect(seen).toEqual([1, 1, 2, 2, 3, 3, 4])
  receiver.got.length = 0
  clock.ms += 3_600_000
  const active = (status: string): Promise<unknown> =>
    run(service.url, `UPDATE tenants SET status = '${status}' WHERE tenant_id = '${tenant.id}'`)
  await active('suspended')
  expect(await deliveries.round()).toBe(0)
  await active('active')
  expect([await deliveries.round(), receiver.got.length]).toEqual([1, 1])
})

test('who waits for what seldom comes is moved on past what it does not want, and misses nothing of what it does', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = receiver.host
  const tenant = await service.tenant('seldom')
  await run(
    service.url,
    `
      DELETE FROM webhooks;
      INSERT INTO webhooks (tenant_id, url, events, next_event_id)
      SELECT '${tenant.id}', 'http://${receiver.host}/' || i, ARRAY['slow.event'], (SELECT max(event_id) FROM events)
      FROM generate_series(1, ${OF_TENANT + 1}) i
    `,
  )
  const others = (): Promise<unknown> =>
    run(
      service.url,
      `
        INSERT INTO events (tenant_id, actor, event)
        SELECT '${tenant.id}', 'test', 'other.event'
        FROM generate_series(1, 10100)
      `,
    )
  await others()
  expect(await deliveries.round()).toBe(0)
  const { gate } = service.context
  const { last } = await gate.service
    .selectFrom('events')
    .select(({ fn }) => fn.max('event_id').as('last'))
    .executeTakeFirstOrThrow()
  expect(await gate.service.selectFrom('webhooks').select('next_event_id').distinct().execute()).toEqual([
    { next_event_id: last },
  ])
  receiver.got.length = 0
  await gate.transact((tx) => record(tx, { tenantId: tenant.id, actor: 'test', event: 'slow.event' }))
  await others()
  // One more than a round takes: the last of them still waits for it when the others are moved on.
  expect([await deliveries.round(), await deliveries.round(), receiver.got.length]).toEqual([
    OF_TENANT,
    1,
    OF_TENANT + 1,
  ])
})

/** Receivers that take their time: each answers as its path says. */
async function slowReceivers(): Promise<{ url: string; took: string[]; close(): void }> {
  const took: string[] = []
  const slow = createNetServer((socket) => {
    socket
      .on('error', () => undefined)
      .once('data', (data) => {
        const path = data.toString().split(' ')[1]
        took.push(path)
        const answer = (): unknown => socket.end('HTTP/1.1 204 \r\n\r\n')
        if (path === '/quick') answer()
        else if (path === '/late') setTimeout(answer, 2_600)
        else {
          // A header that never ends.
          socket.write('HTTP/1.1 200 OK\r\nx: ')
          const drip = setInterval(() => socket.write('x'), 500)
          socket.on('close', () => clearInterval(drip))
        }
      })
  })
  await new Promise<void>((done) => slow.listen(0, '127.0.0.1', done))
  return { url: `127.0.0.1:${(slow.address() as { port: number }).port}`, took, close: () => slow.close() }
}

const recordEvent = (tenantId: string): Promise<void> =>
  service.context.gate.transact((tx) => record(tx, { tenantId, actor: 'test', event: 'slow.event' }))
const hooksOf = (
  tenantId: string,
): Promise<{ url: string; failures: number; last_error: string | null; next_event_id: bigint }[]> =>
  service.context.gate.service
    .selectFrom('webhooks')
    .select(['url', 'failures', 'last_error', 'next_event_id'])
    .where('tenant_id', '=', tenantId)
    .orderBy('url')
    .execute()

test('receivers of a tenant that drip, or are slow, keep nobody else waiting: they fail after 10 s, or go on in the next round', async () => {
  await run(service.url, 'DELETE FROM webhooks')
  const receivers = await slowReceivers()
  process.env.HEADRACE_ALLOW_HOSTS = receivers.url
  const [slow, other] = [await service.tenant('drips'), await service.tenant('quick')]
  const add = (tenantId: string, path: string, count: number): Promise<unknown> =>
    run(
      service.url,
      `
        INSERT INTO webhooks (tenant_id, url, events)
        SELECT '${tenantId}', 'http://${receivers.url}/${path}', ARRAY['slow.event']
        FROM generate_series(1, ${count})
      `,
    )
  await add(slow.id, 'late', 1)
  await add(slow.id, 'drip', OF_TENANT + 2)
  await add(other.id, 'quick', 1)
  for (let n = 0; n < 6; n += 1) await recordEvent(slow.id)
  const begun = performance.now()
  const first = deliveries.round()
  await until('the slow ones to be asked', () => receivers.took.length >= OF_TENANT || undefined)
  await recordEvent(other.id)
  expect([await deliveries.round(), performance.now() - begun < 3_000]).toEqual([1, true])
  expect(receivers.took.filter((path) => path !== '/quick')).toHaveLength(OF_TENANT)
  await first
  const seconds = (performance.now() - begun) / 1_000
  expect([seconds > 9, seconds < 16]).toEqual([true, true])
  for (const hook of await hooksOf(slow.id))
    if (hook.failures > 0)
      expect(hook).toMatchObject({
        failures: 1,
        last_error: expect.stringContaining('no answer within 10 s'),
      })
  // Of six events a turn of ten seconds takes four.
  while (
    (await hooksOf(slow.id)).some(
      (hook) => hook.url.endsWith('late') && receivers.took.filter((path) => path === '/late').length < 4,
    )
  )
    await deliveries.round()
  expect(receivers.took.filter((path) => path === '/late')).toHaveLength(4)
  receivers.close()
})

test('a stop breaks off what is under way; it is no failure, and is delivered again', async () => {
  await run(service.url, 'DELETE FROM webhooks')
  const receivers = await slowReceivers()
  process.env.HEADRACE_ALLOW_HOSTS = receivers.url
  const tenant = await service.tenant('stopped')
  await run(
    service.url,
    `
      INSERT INTO webhooks (tenant_id, url, events)
      SELECT '${tenant.id}', 'http://${receivers.url}/late', ARRAY['slow.event']
    `,
  )
  for (let n = 0; n < 3; n += 1) await recordEvent(tenant.id)
  const stopped = moreDeliveries()
  const round = stopped.round()
  await until('the second event to be on its way', () => receivers.took.length === 2 || undefined)
  const begun = performance.now()
  await stopped.stop()
  expect([performance.now() - begun < 1_000, await round]).toEqual([true, 1])
  expect(await hooksOf(tenant.id)).toMatchObject([{ failures: 0, last_error: null }])
  expect([await deliveries.round(), receivers.took.length]).toEqual([2, 4])
  receivers.close()
})
