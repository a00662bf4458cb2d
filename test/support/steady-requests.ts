/**
 * Entry point of a thread that sends one request each so many milliseconds, whether the one before was
 * answered or not, and reports every answer.
 */
import { Agent, request } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'

/** One answer: what the client saw, and how long it waited. */
export interface SteadyAnswer {
  status: number
  ms: number
  retryAfter?: number
}

export interface SteadyRequests {
  url: string
  token: string
  everyMs: number
  forMs: number
}

const { url, token, everyMs, forMs } = workerData as SteadyRequests
const agent = new Agent({ keepAlive: true })

const send = (): Promise<SteadyAnswer> =>
  new Promise((done, failed) => {
    const begun = performance.now()
    request(url, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
      response.resume()
      const { 'retry-after': after } = response.headers
      response.on('end', () =>
        done({
          status: response.statusCode ?? 0,
          ms: performance.now() - begun,
          ...(after === undefined ? {} : { retryAfter: Number(after) }),
        }),
      )
    })
      .on('error', failed)
      .end()
  })

const answers: Promise<SteadyAnswer>[] = []
const end = Date.now() + forMs
let due = Date.now()
const ticking = setInterval(() => {
  for (const now = Date.now(); due < Math.min(now, end); due += everyMs) answers.push(send())
  if (Date.now() < end) return
  clearInterval(ticking)
  void Promise.all(answers)
    .then((all) => parentPort?.postMessage(all))
    .finally(() => agent.destroy())
}, 1)
