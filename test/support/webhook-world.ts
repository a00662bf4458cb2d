/**
 * A service with a clock that tests move, its deliveries, and a receiver of webhooks that answers as it is
 * told.
 */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { expect } from 'vitest'
import { createDeliveries, type Deliveries } from '../../src/control/loops/deliveries.ts'
import { testService, type TestService } from './service.ts'

/** Webhooks of a tenant that are delivered to at once. */
export const OF_TENANT = 8

interface Receiver {
  /** `host:port`, as HEADRACE_ALLOW_HOSTS names it. */
  host: string
  port: number
  /** The status of its answers; a 302 leads elsewhere. */
  answer: number
  /** What it took, which is what it answered with 200. */
  got: { path: string | undefined; headers: IncomingHttpHeaders; body: string }[]
  close(): void
}

export interface WebhookWorld {
  service: TestService
  clock: { ms: number }
  deliveries: Deliveries
  receiver: Receiver
  /** Other deliveries of the same service, whose errors count too. */
  moreDeliveries(): Deliveries
  /** Ends all of it; no delivery may have failed without being noted. */
  close(): Promise<void>
}

export async function webhookWorld(): Promise<WebhookWorld> {
  const clock = { ms: Date.now() }
  const unnoted: unknown[] = []
  const service = await testService({ now: () => new Date(clock.ms) })
  const moreDeliveries = (): Deliveries => createDeliveries(service.context, (error) => unnoted.push(error))
  const receiver = await startReceiver()
  return {
    service,
    clock,
    deliveries: moreDeliveries(),
    receiver,
    moreDeliveries,
    async close() {
      expect(unnoted).toEqual([])
      receiver.close()
      await service.close()
    },
  }
}

async function startReceiver(): Promise<Receiver> {
  const receiver: Receiver = { host: '', port: 0, answer: 200, got: [], close: () => void server.close() }
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const { answer, host } = receiver
      if (answer === 200) receiver.got.push({ path: request.url, headers: request.headers, body })
      response.writeHead(answer, answer === 302 ? { location: `http://${host}/elsewhere` } : {}).end()
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  receiver.port = (server.address() as { port: number }).port
  receiver.host = `127.0.0.1:${receiver.port}`
  return receiver
}
