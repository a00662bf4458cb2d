/** The thread that learns (main/learn-worker.ts), as the rest of the service asks it. */
import { Worker } from 'node:worker_threads'
import { failure } from '../../core/errors.ts'
import { entryOf } from '../../host/package-root.ts'
import type { TenantRun } from '../../learning/correction.ts'
import type { PastRun, RunFeatures } from '../../learning/past-run.ts'
import type { SourceType } from '../../core/service/source-types.ts'

/** A key names a model. */
export type ToLearner =
  | { kind: 'learn'; key: string; source: SourceType; runs: PastRun[]; speed: number }
  | { kind: 'correct'; source: SourceType; runs: TenantRun[]; speed: number }
  | { kind: 'record'; key: string }
  | {
      kind: 'estimate'
      key: string
      source: SourceType
      tenantId: string
      features: RunFeatures
      speed: number
      /** With as many runs as a model needs, one is there, or the answer is `MISSING`. */
      runs: number
    }

/** The thread has let go of the model. */
export const MISSING = 'missing'

export interface LearningThread {
  /** Questions are answered in their order. */
  ask<T>(message: ToLearner): Promise<T>
  close(): Promise<void>
}

/** Started by the first question, and again after a failure; `lost`: then nothing is known any more. */
export function openLearningThread(lost: () => void): LearningThread {
  let worker: Worker | undefined
  let asked = 0
  const waiting = new Map<number, { answer: (answer: unknown) => void; fail: (error: Error) => void }>()
  const open = (): Worker => {
    const started = new Worker(entryOf('learn-worker'))
    started.unref()
    started.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
      waiting.get(id)?.answer(answer)
      waiting.delete(id)
    })
    started.on('error', (error: Error) => {
      worker = undefined
      lost()
      for (const { fail } of waiting.values()) fail(failure('internal', { reason: error.message }, error))
      waiting.clear()
    })
    return started
  }
  return {
    ask<T>(message: ToLearner) {
      worker ??= open()
      asked += 1
      const id = asked
      worker.postMessage({ ...message, id })
      return new Promise<T>((done, fail) => waiting.set(id, { answer: (answer) => done(answer as T), fail }))
    },
    close: async () => void (await worker?.terminate()),
  }
}
