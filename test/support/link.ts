/**
 * A TCP link between a client and a server that can be slowed, silenced and cut: what happens to packets in
 * between.
 */
import { connect, createServer, type Socket } from 'node:net'

export interface Link {
  readonly port: number
  /** Passes on at most so many bytes a second and direction; Infinity for all there are. */
  limit(bytesPerSecond: number): void
  /**
   * Nothing arrives any more and nobody is told, as when a firewall drops packets. New connections are taken
   * and stay silent too.
   */
  silence(on: boolean): void
  /** The most connections that answers came through at the same moment, since it was last asked. */
  mostAtOnce(): number
  /** Ends all connections with a reset. */
  cut(): void
  close(): Promise<void>
}

const STEP_MS = 50

/** `target` is asked at each connection: the server may not be there yet. */
export async function openLink(target: () => number): Promise<Link> {
  const pairs = new Set<[Socket, Socket]>()
  let [bytesPerSecond, silent] = [Infinity, false]
  let [flowing, most] = [0, 0]
  const server = createServer((near) => {
    const far = connect(target(), '127.0.0.1')
    const pair: [Socket, Socket] = [near, far]
    pairs.add(pair)
    for (const [from, to] of [pair, pair.toReversed()] as [Socket, Socket][]) {
      from.on('error', () => to.destroy())
      from.on('close', () => {
        pairs.delete(pair)
        to.destroy()
      })
      void pass(from, to, from === far)
    }
  })
  const pass = async (from: Socket, to: Socket, isAnswer: boolean): Promise<void> => {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        if (isAnswer) most = Math.max(most, (flowing += 1))
        for (let at = 0; at < chunk.length;) {
          while (silent && !to.destroyed) await new Promise((resolve) => setTimeout(resolve, STEP_MS))
          const size = Math.min(chunk.length - at, Math.max(1, Math.floor((bytesPerSecond * STEP_MS) / 1000)))
          to.write(chunk.subarray(at, at + size))
          at += size
          if (bytesPerSecond !== Infinity) await new Promise((resolve) => setTimeout(resolve, STEP_MS))
        }
        if (isAnswer) flowing -= 1
      }
    } catch {
      to.destroy()
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    port,
    limit: (rate) => (bytesPerSecond = rate),
    silence: (on) => (silent = on),
    mostAtOnce() {
      const seen = most
      most = 0
      return seen
    },
    cut() {
      for (const [near, far] of pairs) {
        near.resetAndDestroy()
        far.destroy()
      }
    },
    async close() {
      for (const [near, far] of pairs) for (const socket of [near, far]) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
