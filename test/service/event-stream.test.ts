/**
 * Events as a stream, over real connections: nothing lost or doubled, nobody else's, and no stream that holds
 * up the others or the end.
 */
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApi } from '../../src/api/server.ts'
import { openService } from '../../src/control/open.ts'
import { record } from '../../src/state/events.ts'
import { createChance } from '../support/chance.ts'
import { openFolder, testService, type TestService } from '../support/service.ts'
import { sleep, until } from '../support/system.ts'

const chance = createChance()
let service: TestService
let address: string

beforeAll(async () => {
  service = await testService()
  address = await service.api.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => service.close())

interface Watching {
  status: number
  body: string
  events: { id: string; event: string; data: { n?: number; tenant_id: string | null } }[]
  ended: Promise<'ended' | 'broken'>
  close(): void
}

/** A client that reads a stream; the answer as a text when it is none. */
async function watch(
  token: string,
  {
    headers = {},
    query = '',
    at = address,
  }: { headers?: Record<string, string>; query?: string; at?: string } = {},
): Promise<Watching> {
  const closing = new AbortController()
  const answer = await fetch(`${at}/api/v1/events/stream${query}`, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    signal: closing.signal,
  })
  const events: Watching['events'] = []
  const streams = answer.headers.get('content-type') === 'text/event-stream'
  const read = async (): Promise<'ended' | 'broken'> => {
    let rest = ''
    try {
      for await (const chunk of (answer.body as ReadableStream<Uint8Array>).pipeThrough(
        new TextDecoderStream() as never,
      ) as unknown as AsyncIterable<string>) {
        const blocks = (rest + chunk).split('\n\n')
        rest = blocks.pop() ?? ''
        for (const block of blocks) {
          const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
          if (!block.startsWith(':'))
            events.push({
              id: field('id'),
              event: field('event'),
              data: { ...JSON.parse(field('data')).data, tenant_id: JSON.parse(field('data')).tenant_id },
            })
        }
      }
      return 'ended'
    } catch {
      return 'broken'
    }
  }
  return {
    status: answer.status,
    body: streams ? '' : await answer.text(),
    events,
    ended: streams ? read() : Promise.resolve('ended'),
    close: () => closing.abort(),
  }
}

const happens = (tenantId: string | null, n: number, text = ''): Promise<void> =>
  service.context.gate.transact((tx) =>
    record(tx, { tenantId, actor: 'test', event: 'test.event', data: { n, text } }),
  )
const numbers = (watching: Watching): (number | undefined)[] => watching.events.map(({ data }) => data.n)

test('a tenant sees its own from now on, an operator all; who was cut off goes on where it was, and from the first on when it asks for that', async () => {
  const [firstTenant, secondTenant] = [await service.tenant('one'), await service.tenant('two')]
  await happens(firstTenant.id, 0)
  const [mine, theirs, all] = [
    await watch(firstTenant.viewer),
    await watch(secondTenant.viewer),
    await watch(service.operator),
  ]
  for (const n of [1, 2]) await happens(firstTenant.id, n)
  await happens(secondTenant.id, 3)
  await happens(null, 4)
  await until(
    'what happened',
    () => (all.events.length === 4 && mine.events.length === 2 && theirs.events.length === 1) || undefined,
    10_000,
  )
  expect([numbers(mine), numbers(theirs), numbers(all)]).toEqual([[1, 2], [3], [1, 2, 3, 4]])
  mine.close()
  await happens(firstTenant.id, 5)
  const [again, first] = [
    await watch(firstTenant.viewer, { headers: { 'last-event-id': mine.events[0].id } }),
    await watch(firstTenant.viewer, { query: '?after=0' }),
  ]
  await until(
    'the rest',
    () => (numbers(again).length === 2 && numbers(first).includes(5)) || undefined,
    10_000,
  )
  expect([numbers(again), numbers(first).filter((n) => n !== undefined)]).toEqual([
    [2, 5],
    [0, 1, 2, 5],
  ])
  expect(new Set(first.events.map(({ data }) => data.tenant_id))).toEqual(new Set([firstTenant.id]))
  for (const stream of [theirs, all, again, first]) stream.close()
  const wrong = await watch(firstTenant.viewer, { query: '?after=x' })
  expect([wrong.status, JSON.parse(wrong.body).code]).toEqual([400, 'request_invalid'])
  expect((await watch('hr_nobody')).status).toBe(401)
})

test('beside transactions that end late, streams that begin at any moment, and are cut off, have each event once and in order', async () => {
  const tenant = await service.tenant('busy')
  const isMine = ({ data }: Watching['events'][number]): boolean =>
    data.tenant_id === tenant.id && data.n !== undefined
  let n = 0
  const written: number[] = []
  const writing = Promise.all(
    Array.from({ length: 12 }, async () => {
      for (let i = 0; i < 25; i += 1) {
        const mine = [(n += 1), (n += 1)]
        await service.context.gate.transact(async (tx) => {
          await record(tx, { tenantId: tenant.id, actor: 'test', event: 'test.event', data: { n: mine[0] } })
          await sleep(chance() * 150)
          await record(tx, { tenantId: tenant.id, actor: 'test', event: 'test.event', data: { n: mine[1] } })
        })
        written.push(...mine)
      }
    }),
  )
  const readers = Promise.all(
    [tenant.viewer, tenant.owner, tenant.editor, service.operator].map(async (token) => {
      const seen: Watching['events'] = []
      let last = '0'
      for (let over = false; !over;) {
        const stream = await watch(token, { headers: { 'last-event-id': last } })
        over = await Promise.race([writing.then(() => true), sleep(200 + chance() * 900).then(() => false)])
        if (over)
          await until(
            'the last of them',
            () => seen.concat(stream.events).filter(isMine).length >= written.length || undefined,
            20_000,
          )
        stream.close()
        await stream.ended
        seen.push(...stream.events)
        last = seen.at(-1)?.id ?? last
      }
      return seen.filter(isMine)
    }),
  )
  for (const seen of await readers) {
    expect(
      seen.map(({ data }) => data.n).toSorted((a, b) => Number(a) - Number(b)),
      `seed ${chance.seed}`,
    ).toEqual(written.toSorted((a, b) => a - b))
    expect(seen.map(({ id }) => Number(id))).toEqual(
      seen.map(({ id }) => Number(id)).toSorted((a, b) => a - b),
    )
  }
})

test('twenty streams of a tenant are one look at the database while nothing happens; a twenty-first is refused by name until one is closed', async () => {
  const tenant = await service.tenant('many')
  const asked = { events: 0, news: 0 }
  const opened = await openService({
    databaseUrl: service.url,
    home: openFolder('headrace-service-'),
    version: 'test',
  })
  const api = await createApi({
    rehearsal: opened.rehearsal,
    log: () => undefined,
    service: {
      ...opened.service,
      events: (...args) => ((asked.events += 1), opened.service.events(...args)),
      news: (...args) => ((asked.news += 1), opened.service.news(...args)),
    },
  })
  const at = await api.listen({ host: '127.0.0.1', port: 0 })
  const streams = await Promise.all(Array.from({ length: 20 }, () => watch(tenant.viewer, { at })))
  const more = await watch(tenant.owner, { at })
  expect([more.status, JSON.parse(more.body).code]).toEqual([409, 'limit_reached'])
  expect((await watch(service.operator, { at })).status).toBe(200)
  await sleep(1_500)
  Object.assign(asked, { events: 0, news: 0 })
  await sleep(3_000)
  expect(asked.events).toBe(0)
  expect(asked.news).toBeLessThan(8)
  await happens(tenant.id, 1)
  await until('it', () => streams.every((stream) => stream.events.length === 1) || undefined, 5_000)
  streams[0].close()
  await until(
    'a free place',
    async () => ((await watch(tenant.owner, { at })).status === 200 ? true : undefined),
    5_000,
  )
  // It waits for no client: these would go on for ever.
  await api.close()
  expect(await Promise.all(streams.slice(1).map((stream) => stream.ended))).toEqual(
    streams.slice(1).map(() => 'ended'),
  )
  await opened.close()
})

test('a client that does not read is let go; one whose token is revoked, or whose tenant is suspended, is told nothing more', async () => {
  const [tenant, other] = [await service.tenant('revoked'), await service.tenant('suspended')]
  const connections = (): Promise<number> =>
    new Promise((done, failed) =>
      service.api.server.getConnections((error, count) => (error === null ? done(count) : failed(error))),
    )
  const [revoked, suspended] = [await watch(tenant.viewer), await watch(other.viewer)]
  const before = await connections()
  const deaf = connect({ port: Number(new URL(address).port), host: '127.0.0.1' }).on(
    'error',
    () => undefined,
  )
  deaf.write(`GET /api/v1/events/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tenant.owner}\r\n\r\n`)
  deaf.pause()
  await until('the third stream', async () => ((await connections()) > before ? true : undefined))
  for (let n = 0; n < 40; n += 1)
    await service.context.gate.transact((tx) =>
      record(
        tx,
        ...Array.from({ length: 500 }, () => ({
          tenantId: tenant.id,
          actor: 'test',
          event: 'test.event',
          data: { text: 'x'.repeat(1_000) },
        })),
      ),
    )
  await until(
    'the deaf one to be let go',
    async () => ((await connections()) <= before ? true : undefined),
    30_000,
  )
  await until('those who read to have it all', () => revoked.events.length === 20_000 || undefined, 30_000)
  const { body } = await service.call<{ items: { token_id: string; token_name: string }[] }>(
    'GET',
    `/tenants/${tenant.id}/tokens`,
  )
  await service.call(
    'DELETE',
    `/tenants/${tenant.id}/tokens/${body.items.find((token) => token.token_name === 'viewer')?.token_id ?? ''}`,
  )
  const { headers } = await service.call('GET', `/tenants/${other.id}`)
  expect(
    (
      await service.call('PATCH', `/tenants/${other.id}`, {
        body: { status: 'suspended' },
        headers: { 'if-match': String(headers.etag) },
      })
    ).status,
  ).toBe(200)
  expect(await Promise.race([Promise.all([revoked.ended, suspended.ended]), sleep(20_000)])).toEqual([
    'ended',
    'ended',
  ])
  deaf.destroy()
})
