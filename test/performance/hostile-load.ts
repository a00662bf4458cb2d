/**
 * Entry point of a thread that sends the requests of `hostile-tenant.ts`, and times those of a neighbour
 * beside them.
 */
import { Agent, request as open } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'
import { hostileRequests, type HostileIds } from '../support/hostile-tenant.ts'

export interface HostileLoad {
  url: string
  seed: number
  seconds: number
  /** Connections that send hostile requests. */
  attackers: number
  ids: HostileIds
  token: string
  neighbour: { path: string; token: string }
}

export interface HostileFigures {
  hostile: number
  p50Ms: number
  p99Ms: number
  mostMs: number
}

const { url, seed, seconds, attackers, ids, token, neighbour } = workerData as HostileLoad
const agent = new Agent({ keepAlive: true })
const end = performance.now() + seconds * 1_000

function send(method: string, path: string, bearer: string, payload: string | undefined): Promise<void> {
  const headers = {
    authorization: `Bearer ${bearer}`,
    ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
  }
  return new Promise((done) => {
    const sent = open(`${url}${path}`, { agent, method, headers }, (response) => {
      response.resume()
      response.on('end', done)
    })
    // A request that is cut off for its size is answered, too.
    sent.on('error', () => done())
    sent.end(payload)
  })
}

/** The seed decides which come first: a minute is not enough for all. */
const requests = hostileRequests(seed, 0.05, ids)
const rotated = [...requests.slice(seed % requests.length), ...requests.slice(0, seed % requests.length)]
let hostile = 0

async function attack(): Promise<void> {
  for (let next = rotated.shift(); next !== undefined && performance.now() < end; next = rotated.shift()) {
    await send(next.method, next.url, token, next.payload())
    hostile += 1
  }
}

const waits: number[] = []

async function work(): Promise<void> {
  while (performance.now() < end) {
    const started = performance.now()
    await send('GET', neighbour.path, neighbour.token, undefined)
    waits.push(performance.now() - started)
    await new Promise((done) => setTimeout(done, 20))
  }
}

await Promise.all([work(), ...Array.from({ length: attackers }, attack)])
waits.sort((a, b) => a - b)
const at = (share: number): number => waits[Math.min(Math.floor(waits.length * share), waits.length - 1)]
parentPort?.postMessage({ hostile, p50Ms: at(0.5), p99Ms: at(0.99), mostMs: at(1) } satisfies HostileFigures)
agent.destroy()
