/**
 * Models of how long jobs take, learned from the executions of this installation. They live in a separate
 * thread and are renewed as more jobs run.
 */
import { Worker } from 'node:worker_threads'
import { LEAST_RUNS, type PastRun, type RunFeatures, type estimate } from '../../learning/estimate.ts'
import type { SourceType } from '../../learning/rules.ts'
import type { Db } from '../../state/database.ts'
import { countPastRuns, readPastRuns } from '../../state/past-runs.ts'
import { entryOf } from '../../host/package-root.ts'

/** A request to the thread that learns (main/learn-worker.ts). */
export type ToLearner = { id: number; source: SourceType } & (
  | { kind: 'learn'; runs: PastRun[] }
  | { kind: 'estimate'; features: RunFeatures; speed: number }
)

export type Estimated = ReturnType<typeof estimate>

export interface Learner {
  /** `speed`: of this machine, relative to the one on which the rules were measured. */
  estimate(source: SourceType, features: RunFeatures, speed: number): Promise<Estimated>
  close(): Promise<void>
}

/** A source learns again when it has a tenth more runs than the last time. */
const RENEW_AT = 1.1

export function createLearner(db: Db): Learner {
  let worker: Worker | undefined
  let asked = 0
  const waiting = new Map<number, (answer: unknown) => void>()
  const learned = new Map<SourceType, { runs: number; at: Promise<unknown> }>()
  const ask = <T>(
    message:
      | Omit<Extract<ToLearner, { kind: 'learn' }>, 'id'>
      | Omit<Extract<ToLearner, { kind: 'estimate' }>, 'id'>,
  ): Promise<T> => {
    if (worker === undefined) {
      worker = new Worker(entryOf('learn-worker'))
      worker.unref()
      worker.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
        waiting.get(id)?.(answer)
        waiting.delete(id)
      })
    }
    asked += 1
    const id = asked
    worker.postMessage({ ...message, id })
    return new Promise<unknown>((done) => waiting.set(id, done)) as Promise<T>
  }
  return {
    async estimate(source, features, speed) {
      const runs = await countPastRuns(db, source)
      const before = learned.get(source)
      if (runs >= LEAST_RUNS && (before === undefined || runs >= before.runs * RENEW_AT)) {
        learned.set(source, {
          runs,
          at: readPastRuns(db, source).then((past) => ask({ kind: 'learn', source, runs: past })),
        })
        // The caller waits for the first model; later, the previous model answers until the new one is ready.
        if (before === undefined) await learned.get(source)?.at
      } else await before?.at
      return ask<Estimated>({ kind: 'estimate', source, features, speed })
    },
    close: async () => void (await worker?.terminate()),
  }
}
