/**
 * Entry point of a thread that sends requests over kept connections and counts answers, so that the server's
 * thread only serves.
 */
import { Agent, request } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'

const { url, token, connections, seconds } = workerData as {
  url: string
  token: string
  connections: number
  seconds: number
}
const agent = new Agent({ keepAlive: true, maxSockets: connections })

const send = (): Promise<void> =>
  new Promise((done, failed) => {
    request(url, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
      response.resume()
      response.on('end', () =>
        response.statusCode === 200 ? done() : failed(new Error(`${url} answered ${response.statusCode}`)),
      )
    })
      .on('error', failed)
      .end()
  })

const end = performance.now() + seconds * 1000
let answers = 0
await Promise.all(
  Array.from({ length: connections }, async () => {
    while (performance.now() < end) {
      await send()
      answers += 1
    }
  }),
)
parentPort?.postMessage(answers)
agent.destroy()
