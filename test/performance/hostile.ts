/**
 * The service under its most hostile tenant: the longest stop of its event loop against the 250 ms that are
 * promised, what a neighbour waits for against what it waits for in peace, memory, and leases that were lost.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isDeepStrictEqual } from 'node:util'
import { Worker } from 'node:worker_threads'
import { sql } from 'kysely'
import { startRunner } from '../../src/control/loops/runner.ts'
import { startScheduler } from '../../src/control/loops/scheduler.ts'
import { JOB, testService, type TestService } from '../support/service.ts'
import { until } from '../support/system.ts'
import type { HostileLoad, HostileFigures } from './hostile-load.ts'
import { load, median, type BenchReport } from './measure.ts'
import type { BenchOptions } from './measure.ts'

const PROMISED_MS = 250
const ATTACK_S = 60
const PEACE_S = 10

interface Round {
  stopMs: number
  memoryBytes: number
  figures: HostileFigures
}

export async function benchHostile({ pairs }: BenchOptions): Promise<BenchReport> {
  const before = load()
  const service = await testService()
  const log = (): void => undefined
  const loops = [startScheduler(service.context, log), startRunner(service.context, log)]
  try {
    const url = await service.api.listen({ host: '127.0.0.1', port: 0 })
    const request = await parties(service)
    const lead = await until('a leader', async () => leadOf(service))
    const rounds: { peace: Round; attack: Round }[] = []
    for (let pair = 0; pair < pairs; pair += 1) {
      const round = { ...request, url, seed: Date.now() % 1_000_000 }
      const peace = await measured({ ...round, seconds: PEACE_S, attackers: 0 })
      rounds.push({ peace, attack: await measured({ ...round, seconds: ATTACK_S, attackers: 4 }) })
    }
    const of = (value: (round: Round) => number, when: 'peace' | 'attack'): number =>
      median(rounds.map((round) => value(round[when])))
    const worst = Math.max(...rounds.map(({ attack }) => attack.stopMs))
    const p99 = (round: Round): number => round.figures.p99Ms
    return {
      bench: 'hostile',
      ratios: {
        'the 250 ms that are promised (longest stop of the event loop)': Number(
          (PROMISED_MS / worst).toFixed(2),
        ),
        'peace (99th percentile of what a neighbour waits for)': Number(
          (of(p99, 'peace') / of(p99, 'attack')).toFixed(2),
        ),
      },
      figures: {
        longest_stop_ms: Math.round(worst),
        neighbour_p50_ms: Number(of((round) => round.figures.p50Ms, 'attack').toFixed(1)),
        neighbour_p99_ms: Number(of(p99, 'attack').toFixed(1)),
        neighbour_p99_in_peace_ms: Number(of(p99, 'peace').toFixed(1)),
        neighbour_most_ms: Math.round(Math.max(...rounds.map(({ attack }) => attack.figures.mostMs))),
        hostile_requests: rounds.reduce((sum, { attack }) => sum + attack.figures.hostile, 0),
        memory_of_the_service_mb: Math.round(
          Math.max(...rounds.map(({ attack }) => attack.memoryBytes)) / 1e6,
        ),
        lead_kept: isDeepStrictEqual(await leadOf(service), lead) ? 'yes' : 'no',
      },
      load: [before, load()],
    }
  } finally {
    for (const loop of loops.toReversed()) await loop.stop()
    await service.close()
  }
}

async function parties(service: TestService): Promise<Pick<HostileLoad, 'ids' | 'token' | 'neighbour'>> {
  const [evil, good] = [await service.tenant('evil'), await service.tenant('good')]
  const made = await service.call<{ job_id: string }>('POST', `/tenants/${evil.id}/jobs`, {
    token: evil.editor,
    body: JOB,
  })
  const neighbour = { path: `/api/v1/tenants/${good.id}/jobs`, token: good.viewer }
  return { ids: { tenant: evil.id, job: made.body.job_id }, token: evil.owner, neighbour }
}

const leadOf = async (service: TestService): Promise<object | undefined> =>
  (await sql<object>`SELECT lease_name, holder, generation FROM leases`.execute(service.context.gate.service))
    .rows[0]

/** One round: the load is another thread's, so that only the service's own work stops its event loop. */
async function measured(request: HostileLoad): Promise<Round> {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  let memoryBytes = 0
  const watch = setInterval(() => (memoryBytes = Math.max(memoryBytes, process.memoryUsage().rss)), 100)
  delay.enable()
  const worker = new Worker(new URL('hostile-load.ts', import.meta.url), { workerData: request })
  const figures = await new Promise<HostileFigures>((done, failed) =>
    worker.once('message', done).once('error', failed),
  )
  delay.disable()
  clearInterval(watch)
  return { stopMs: delay.max / 1e6, memoryBytes, figures }
}
