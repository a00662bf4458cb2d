/**
 * Events as a stream (server-sent events): each has its number, so a client that lost its connection
 * continues where it was. One database query serves all streams of a process. Streams of tenants with news
 * then read them, each with its own rights.
 */
import type { ServerResponse } from 'node:http'
import { pause } from '../core/waiting.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Service } from '../control/service.ts'
import { failure } from '../core/errors.ts'
import { admit, principalOf, type Door } from './auth.ts'
import type { Limiter } from './bind-route.ts'

const LOOK_MS = 500
/** How often a quiet stream sends a sign of life, and every token is checked again. */
const PING_MS = 15_000
const PAGE = 500
/** For one tenant, or for all operators, in one process. */
const STREAMS_MAX = 20
/** A client that does not read is disconnected when this much waits for it. */
const WAITING_BYTES = 1024 * 1024
/** How long the end of a stream may take to reach its client. */
const END_MS = 1_000

export function addEventStream(app: FastifyInstance, door: Door, limited: Limiter): void {
  const { service } = door
  const bell = createBell(service)
  const open = new Map<string, number>()
  app.addHook('preClose', async () => bell.close())
  const schema = {
    summary:
      'Stream events as they happen (text/event-stream): of the tenant, or of all tenants for an operator',
    tags: ['events'],
    security: [{ token: [] }],
    hide: true,
  }
  app.get<StreamQuery>(
    '/api/v1/events/stream',
    { schema, onRequest: [(request) => admit(door, request, ROUTE), limited] },
    async (request, reply) => {
      const tenantId = request.principal?.tenantId
      const whose = tenantId ?? ''
      const count = open.get(whose) ?? 0
      if (count >= STREAMS_MAX)
        throw failure('limit_reached', {
          count,
          what: 'open event streams',
          how: 'close streams that nobody reads; one stream carries all events',
        })
      open.set(whose, count + 1)
      try {
        const after = await startOf(service, request)
        reply.hijack()
        await stream(door, bell, { request, raw: reply.raw, tenantId, after })
      } finally {
        open.set(whose, (open.get(whose) ?? 1) - 1)
      }
    },
  )
}

interface StreamQuery {
  Querystring: { after?: string }
}
type StreamRequest = FastifyRequest<StreamQuery>

const ROUTE = { needs: 'viewer', summary: 'Read events' } as const

/** The event after which the stream starts: the last one that the client has, else the newest. */
async function startOf(service: Service, request: StreamRequest): Promise<string> {
  const asked = request.headers['last-event-id'] ?? request.query.after
  if (asked === undefined) return (await service.news()).newest
  if (!/^\d{1,18}$/.test(String(asked)))
    throw failure('request_invalid', { reason: 'Last-Event-ID (or after) is not the number of an event.' })
  return String(asked)
}

interface Watcher {
  request: StreamRequest
  raw: ServerResponse
  tenantId: string | undefined
  after: string
}

async function stream(door: Door, bell: Bell, { request, raw, tenantId, after }: Watcher): Promise<void> {
  using seat = bell.sit(tenantId)
  raw.on('close', seat.wake)
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    connection: 'close',
  })
  raw.write(':ok\n\n')
  let checkedMs = performance.now()
  while (!raw.destroyed && !bell.closed) {
    seat.listen()
    // Events that cannot be read now are read with the next ping.
    const events = await door.service.events(tenantId, after, PAGE).catch(() => [])
    for (const event of events)
      raw.write(`id: ${event.event_id}\nevent: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`)
    if (raw.writableLength > WAITING_BYTES) return void raw.destroy()
    after = events.at(-1)?.event_id ?? after
    if (events.length < PAGE) await seat.news(PING_MS)
    if (performance.now() - checkedMs < PING_MS) continue
    if (!(await stillMay(door, request))) break
    raw.write(':ping\n\n')
    checkedMs = performance.now()
  }
  if (raw.destroyed) return
  raw.end()
  await pause(END_MS, { keepsProcess: false })
  raw.destroy()
}

/**
 * False once the token is revoked or its tenant suspended. If the database is unreachable, the access stays.
 */
async function stillMay(door: Door, request: FastifyRequest): Promise<boolean> {
  return principalOf(door, request, ROUTE).then(
    () => true,
    (error: { errorClass?: string }) => error.errorClass === 'transient',
  )
}

interface Seat {
  /** From now on, news are reported. */
  listen(): void
  /** Resolves if there were news since `listen`, or after this time. */
  news(mostMs: number): Promise<void>
  wake(): void
  [Symbol.dispose](): void
}

interface Bell {
  readonly closed: boolean
  /** For the streams of a tenant, or of an operator. */
  sit(tenantId: string | undefined): Seat
  close(): void
}

/** Looks for events while anyone listens, and wakes the listeners that they concern. */
function createBell(service: Service): Bell {
  const seats = new Set<{ tenantId: string | undefined; wake(): void }>()
  let closed = false
  let looking = false
  const look = async (): Promise<void> => {
    if (looking) return
    looking = true
    for (let seen: string | undefined; seats.size > 0 && !closed; await pause(LOOK_MS)) {
      const news = await service.news(seen).catch(() => undefined)
      if (news === undefined) continue
      const whose = new Set(news.tenants)
      // The first query only finds the present end: earlier events concern nobody, because a stream read them
      // before.
      for (const seat of seats)
        if (seen === undefined || (seat.tenantId === undefined ? whose.size > 0 : whose.has(seat.tenantId)))
          seat.wake()
      seen = news.newest
    }
    looking = false
  }
  return {
    get closed() {
      return closed
    },
    sit(tenantId) {
      let fresh = false
      let heard = (): void => undefined
      const seat = { tenantId, wake: () => ((fresh = true), heard()) }
      seats.add(seat)
      void look()
      return {
        listen: () => void (fresh = false),
        async news(mostMs) {
          if (fresh || closed) return
          const waiting = new AbortController()
          heard = () => waiting.abort()
          await pause(mostMs, { signal: waiting.signal })
        },
        wake: seat.wake,
        [Symbol.dispose]: () => void seats.delete(seat),
      }
    },
    close() {
      closed = true
      for (const seat of seats) seat.wake()
    },
  }
}
