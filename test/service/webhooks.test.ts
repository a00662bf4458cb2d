/**
 * Webhooks against a real receiver: in order, signed, again after failures, and to no address that is not
 * allowed.
 */
import { createHmac } from 'node:crypto'
import { createServer as createNetServer } from 'node:net'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SMTPServer } from 'smtp-server'
import { createDiskWatch } from '../../src/main/service/disk-watch.ts'
import { mailerOf } from '../../src/main/service/mail.ts'
import { createDeliveries, type Deliveries } from '../../src/main/service/webhooks.ts'
import { record } from '../../src/state/events.ts'
import { until } from '../support/system.ts'
import { purchase, run, testService, type TestService } from '../support/service.ts'

const GB = 1024 ** 3
/** Webhooks of a tenant that are delivered to at once. */
const OF_TENANT = 8
let clockMs = Date.now()
let service: TestService
let deliveries: Deliveries
let server: Server
let port: number
let answer = 200
const unnoted: unknown[] = []
const got: { path: string | undefined; headers: IncomingHttpHeaders; body: string }[] = []

beforeAll(async () => {
  service = await testService({ now: () => new Date(clockMs) })
  deliveries = createDeliveries(service.context, (error) => unnoted.push(error))
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      if (answer === 200) got.push({ path: request.url, headers: request.headers, body })
      response
        .writeHead(answer, answer === 302 ? { location: `http://127.0.0.1:${port}/elsewhere` } : {})
        .end()
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  port = (server.address() as { port: number }).port
})
afterAll(async () => {
  expect(unnoted).toEqual([])
  server.close()
  await service.close()
})

test('events arrive in order, signed; a receiver that fails gets them again, and none twice after it took them', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${port}`
  const tenant = await service.tenant('hooks')
  await service.call('PUT', `/tenants/${tenant.id}/secrets/hook`, {
    token: tenant.owner,
    body: { value: { key: 'k' } },
  })
  await service.call('POST', `/tenants/${tenant.id}/webhooks`, {
    token: tenant.owner,
    body: {
      url: `http://127.0.0.1:${port}/x`,
      events: ['purchase.created', 'purchase.cancelled'],
      secret_name: 'hook',
    },
  })
  const bought = await service.call<{ purchase_id: string }>('POST', `/tenants/${tenant.id}/purchases`, {
    token: tenant.owner,
    body: purchase('vcpu_hours', 1),
  })
  for (const status of [500, 302]) {
    answer = status
    await deliveries.round()
    clockMs += 10_000
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
  answer = 200
  await service.call('POST', `/tenants/${tenant.id}/purchases/${bought.body.purchase_id}/cancel`, {
    token: tenant.owner,
  })
  await deliveries.round()
  await deliveries.round()
  expect(got.map((one) => one.headers['headrace-event'])).toEqual(['purchase.created', 'purchase.cancelled'])
  for (const { headers, body } of got)
    expect(headers['headrace-signature']).toBe(
      `sha256=${createHmac('sha256', 'k')
        .update(`${String(headers['headrace-delivery'])}.${body}`)
        .digest('hex')}`,
    )
})

test('an event whose transaction ends late is not passed over by one that came after it: not by webhooks, nor by who reads on from a number', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${port}`
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
    body: { url: `http://127.0.0.1:${port}/x`, events: ['slow.event', 'purchase.created'] },
  })
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
      .map((one) => one.event)
      .filter((event) => /slow|purchase/.test(event))
  expect([got.length, await read()]).toEqual([0, []])
  finish()
  await slow
  await deliveries.round()
  expect(got.map((one) => one.headers['headrace-event'])).toEqual(['slow.event', 'purchase.created'])
  expect(await read()).toEqual(['slow.event', 'purchase.created'])
})

test('an operator is told of every tenant and of the service, on this machine too; no tenant sees that webhook', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = ''
  const tenants = [await service.tenant('one'), await service.tenant('two')]
  const hook = await service.call<{ webhook_id: string }>('POST', '/webhooks', {
    body: { url: `http://127.0.0.1:${port}/alerts`, events: ['purchase.created', 'service.disk_low'] },
  })
  got.length = 0
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
  clockMs += 7 * 3_600_000
  await watch()
  await deliveries.round()
  const told = got.map(
    ({ body }) =>
      JSON.parse(body) as { event: string; tenant_id: string | null; data: { free_bytes?: number } },
  )
  expect(told.map((one) => [one.event, one.tenant_id, one.data.free_bytes])).toEqual([
    ...tenants.map((one) => ['purchase.created', one.id, undefined]),
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

test('mail goes through the SMTP server, one for what came since the last; what the server refuses is sent again, and a line in a name makes no header', async () => {
  const mails: string[] = []
  let refusing = true
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    onData(stream, _, done) {
      let text = ''
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
      stream.on('end', () => {
        if (!refusing) mails.push(text.replaceAll(/=\r\n/g, ''))
        done(refusing ? new Error('the mailbox is full') : null)
      })
    },
  })
  await new Promise<void>((done) => smtp.listen(0, '127.0.0.1', done))
  const url = `smtp://127.0.0.1:${(smtp.server.address() as { port: number }).port}`
  const tenant = await service.tenant('mailed')
  const add = (): Promise<{ status: number; body: { code?: string } }> =>
    service.call('POST', `/tenants/${tenant.id}/webhooks`, {
      token: tenant.owner,
      body: { url: 'mailto:ops@example.com', events: ['slow.event'] },
    })
  expect((await add()).body.code).toBe('setting_missing')
  service.context.mail = mailerOf({ HEADRACE_SMTP_URL: url, HEADRACE_MAIL_FROM: 'headrace@example.com' })
  expect((await add()).status).toBe(201)
  await service.context.gate.transact((tx) =>
    record(
      tx,
      ...[1, 2].map((n) => ({
        tenantId: tenant.id,
        actor: 'test',
        event: 'slow.event',
        data: { n, text: 'a\r\nBcc: everybody@example.com' },
      })),
    ),
  )
  await deliveries.round()
  expect(
    (
      await service.call<{ items: { last_error: string }[] }>('GET', `/tenants/${tenant.id}/webhooks`, {
        token: tenant.viewer,
      })
    ).body.items[0].last_error,
  ).toContain('mailbox is full')
  refusing = false
  clockMs += 10_000
  await deliveries.round()
  await deliveries.round()
  expect(mails).toHaveLength(1)
  const [head, text] = mails[0].split('\r\n\r\n')
  expect(head).toMatch(/^To: ops@example.com$/m)
  expect(head).toMatch(/^Subject: \[headrace\] 2 events: slow.event$/m)
  expect(head).not.toMatch(/^Bcc/m)
  expect(text).toContain(`slow.event of tenant ${tenant.id}`)
  await new Promise<void>((done) => smtp.close(() => done()))
})

test.each([
  ['ftp://x', undefined],
  ['smtp://host', undefined],
])('%s without a sender is refused at the start', (url, from) => {
  expect(() => mailerOf({ HEADRACE_SMTP_URL: url, HEADRACE_MAIL_FROM: from })).toThrow(/HEADRACE_SMTP_URL/)
})

test('of more webhooks than a round takes each gets its events', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${port}`
  const tenant = await service.tenant('many')
  await run(
    service.url,
    `INSERT INTO webhooks (tenant_id, url, events) SELECT '${tenant.id}', 'http://127.0.0.1:${port}/' || i, ARRAY['slow.event'] FROM generate_series(1, 250) i`,
  )
  got.length = 0
  for (let n = 0; n < 2; n += 1)
    await service.context.gate.transact((tx) =>
      record(tx, { tenantId: tenant.id, actor: 'test', event: 'slow.event' }),
    )
  let rounds = 0
  while ((await deliveries.round()) > 0) rounds += 1
  expect([got.length, rounds]).toEqual([500, Math.ceil(250 / OF_TENANT)])
  got.length = 0
  for (let round = 0; round < rounds; round += 1) {
    await service.context.gate.transact((tx) =>
      record(tx, { tenantId: tenant.id, actor: 'test', event: 'slow.event' }),
    )
    await deliveries.round()
  }
  // More comes all the time: those that got something last come last.
  expect(new Set(got.map((one) => one.path)).size).toBe(250)
  await run(service.url, 'DELETE FROM webhooks')
})

test('pauses double with each failure; a tenant that is suspended is told nothing until it is active again', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${port}`
  const tenant = await service.tenant('paused')
  await service.call('POST', `/tenants/${tenant.id}/webhooks`, {
    token: tenant.owner,
    body: { url: `http://127.0.0.1:${port}/x`, events: ['slow.event'] },
  })
  await service.context.gate.transact((tx) =>
    record(tx, { tenantId: tenant.id, actor: 'test', event: 'slow.event' }),
  )
  const failuresAfter = async (ms: number): Promise<unknown> => {
    clockMs += ms
    await deliveries.round()
    return (
      await service.call<{ items: { failures: number }[] }>('GET', `/tenants/${tenant.id}/webhooks`, {
        token: tenant.viewer,
      })
    ).body.items[0].failures
  }
  answer = 500
  const seen = []
  for (const ms of [0, 999, 1, 1_999, 1, 3_999, 1]) seen.push(await failuresAfter(ms))
  answer = 200
  expect(seen).toEqual([1, 1, 2, 2, 3, 3, 4])
  got.length = 0
  clockMs += 3_600_000
  const active = (status: string): Promise<unknown> =>
    run(service.url, `UPDATE tenants SET status = '${status}' WHERE tenant_id = '${tenant.id}'`)
  await active('suspended')
  expect(await deliveries.round()).toBe(0)
  await active('active')
  expect([await deliveries.round(), got.length]).toEqual([1, 1])
})

test('who waits for what seldom comes is moved on past what it does not want, and misses nothing of what it does', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${port}`
  const tenant = await service.tenant('seldom')
  await run(
    service.url,
    `DELETE FROM webhooks; INSERT INTO webhooks (tenant_id, url, events, next_event_id) SELECT '${tenant.id}', 'http://127.0.0.1:${port}/' || i, ARRAY['slow.event'], (SELECT max(event_id) FROM events) FROM generate_series(1, ${OF_TENANT + 1}) i`,
  )
  const others = (): Promise<unknown> =>
    run(
      service.url,
      `INSERT INTO events (tenant_id, actor, event) SELECT '${tenant.id}', 'test', 'other.event' FROM generate_series(1, 10100)`,
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
  got.length = 0
  await gate.transact((tx) => record(tx, { tenantId: tenant.id, actor: 'test', event: 'slow.event' }))
  await others()
  // One more than a round takes: the last of them still waits for it when the others are moved on.
  expect([await deliveries.round(), await deliveries.round(), got.length]).toEqual([
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

const told = (tenantId: string): Promise<void> =>
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
      `INSERT INTO webhooks (tenant_id, url, events) SELECT '${tenantId}', 'http://${receivers.url}/${path}', ARRAY['slow.event'] FROM generate_series(1, ${count})`,
    )
  await add(slow.id, 'late', 1)
  await add(slow.id, 'drip', OF_TENANT + 2)
  await add(other.id, 'quick', 1)
  for (let n = 0; n < 6; n += 1) await told(slow.id)
  const begun = performance.now()
  const first = deliveries.round()
  await until('the slow ones to be asked', () => receivers.took.length >= OF_TENANT || undefined)
  await told(other.id)
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
}, 60_000)

test('a stop breaks off what is under way; it is no failure, and is delivered again', async () => {
  await run(service.url, 'DELETE FROM webhooks')
  const receivers = await slowReceivers()
  process.env.HEADRACE_ALLOW_HOSTS = receivers.url
  const tenant = await service.tenant('stopped')
  await run(
    service.url,
    `INSERT INTO webhooks (tenant_id, url, events) SELECT '${tenant.id}', 'http://${receivers.url}/late', ARRAY['slow.event']`,
  )
  for (let n = 0; n < 3; n += 1) await told(tenant.id)
  const stopped = createDeliveries(service.context, (error) => unnoted.push(error))
  const round = stopped.round()
  await until('the second event to be on its way', () => receivers.took.length === 2 || undefined)
  const begun = performance.now()
  await stopped.stop()
  expect([performance.now() - begun < 1_000, await round]).toEqual([true, 1])
  expect(await hooksOf(tenant.id)).toMatchObject([{ failures: 0, last_error: null }])
  expect([await deliveries.round(), receivers.took.length]).toEqual([2, 4])
  receivers.close()
}, 60_000)

test('a tenant has a hundred webhooks at most', async () => {
  await run(service.url, 'DELETE FROM webhooks')
  const tenant = await service.tenant('hundred')
  await run(
    service.url,
    `INSERT INTO webhooks (tenant_id, url, events) SELECT '${tenant.id}', 'http://example.com/', ARRAY['slow.event'] FROM generate_series(1, 99)`,
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
      body: { url: `http://${host}:${port}/x`, events: ['*'] },
    })
  await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    token: tenant.owner,
    body: purchase('vcpu_hours', 1),
  })
  const before = got.length
  await deliveries.round()
  expect(got.length).toBe(before)
  const { body } = await service.call<{ items: { url: string; last_error: string }[] }>(
    'GET',
    `/tenants/${tenant.id}/webhooks`,
    { token: tenant.viewer },
  )
  expect(body.items.filter((one) => !/tenants may not reach|does not answer/.test(one.last_error))).toEqual(
    [],
  )
})
