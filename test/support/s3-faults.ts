/**
 * A proxy before a store's HTTP server that does what networks and busy servers do: refuses, breaks off, and
 * loses answers of what was done.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { Chance } from './chance.ts'

export interface FaultyServer {
  endpoint: string
  /** How often each trouble was made. */
  made: Record<string, number>
  close(): void
}

const TROUBLES = ['refused', 'reset', 'lost'] as const
type Trouble = (typeof TROUBLES)[number]

/** `share` of all requests meet trouble. */
export function atRandom(share: number, chance: Chance): () => Trouble | undefined {
  return () => (chance() < share ? TROUBLES[Math.floor(chance() * 3)] : undefined)
}

/** Says of each request what becomes of it. The host header stays as the client signed it. */
export async function faultyServer(
  target: string,
  troubleOf: (request: IncomingMessage) => Trouble | undefined,
): Promise<FaultyServer> {
  const made: Record<string, number> = { refused: 0, reset: 0, lost: 0 }
  const to = new URL(target)
  const pass = (
    incoming: IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; headers: IncomingMessage['headers']; bytes: Buffer }> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          host: to.hostname,
          port: to.port,
          method: incoming.method,
          path: incoming.url,
          headers: incoming.headers,
        },
        (answer) => {
          buffer(answer).then(
            (bytes) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, bytes }),
            reject,
          )
        },
      )
      request.once('error', reject)
      request.end(body)
    })
  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const trouble = troubleOf(incoming)
    if (trouble !== undefined) made[trouble] += 1
    const body = await buffer(incoming)
    if (trouble === 'refused')
      return void response
        .writeHead(503, { 'content-type': 'application/xml' })
        .end('<Error><Code>SlowDown</Code><Message>later</Message></Error>')
    if (trouble === 'reset') return void incoming.socket.resetAndDestroy()
    const { status, headers, bytes } = await pass(incoming, body)
    if (trouble === 'lost') return void incoming.socket.resetAndDestroy()
    response.writeHead(status, headers).end(bytes)
  }
  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return { endpoint: `http://127.0.0.1:${port}`, made, close: () => void server.close() }
}
