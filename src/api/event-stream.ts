/** Events as a stream (server-sent events): each with its number, so that a client that was cut off goes on where it was. */
import type { FastifyInstance } from 'fastify'
import type { Service } from '../control/service.ts'
import { principalOf } from './auth.ts'

const POLL_MS = 500
const PING_MS = 15_000
/** A client that does not read is let go when so much waits for it. */
const BUFFER_BYTES = 1024 * 1024

export function addEventStream(app: FastifyInstance, service: Service): void {
  app.get('/api/v1/events/stream', { schema: { summary: 'Events as they happen (text/event-stream): the tenant\'s, or all for an operator', tags: ['events'], security: [{ token: [] }], hide: true } }, async (request, reply) => {
    const principal = await principalOf(service, request, { needs: 'viewer', summary: 'Read events' })
    const start = String(request.headers['last-event-id'] ?? (request.query as { after?: string }).after ?? '0')
    reply.hijack()
    const { raw } = reply
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    raw.write(':ok\n\n')
    let after = /^\d{1,18}$/.test(start) ? start : '0'
    let open = true
    raw.on('close', () => (open = false))
    let lastMs = performance.now()
    while (open && raw.writableLength < BUFFER_BYTES) {
      const events = await service.events(principal.tenantId, after, 200).catch(() => [])
      for (const event of events) raw.write(`id: ${String(event.event_id)}\nevent: ${String(event.event)}\ndata: ${JSON.stringify(event)}\n\n`)
      if (events.length > 0) after = String(events.at(-1)?.event_id)
      else if (performance.now() - lastMs > PING_MS) raw.write(':ping\n\n')
      if (events.length > 0 || performance.now() - lastMs > PING_MS) lastMs = performance.now()
      await new Promise((done) => setTimeout(done, POLL_MS))
    }
    raw.end()
  })
}
