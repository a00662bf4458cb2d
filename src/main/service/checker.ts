/**
 * Checks the settings of jobs in threads of their own, with a deadline and a bound of memory: a declaration is text that a tenant wrote,
 * and requests of others, leases and the scheduler must not wait for it. A tenant has one check at a time, so that the other threads
 * are there for others.
 */
import { Worker } from 'node:worker_threads'
import { failure } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { JobFields } from '../../state/jobs.ts'
import type { FromChecker, ToChecker } from '../check-worker.ts'
import { entryOf } from '../package-root.ts'

export interface Checker {
  /** Throws what is wrong with the settings, `declaration_too_large`, `check_too_long` or `check_busy`. */
  check(tenantId: string, job: JobFields, now: Date): Promise<void>
  close(): Promise<void>
}

export interface CheckLimits {
  threads: number
  /** For one check, from when a thread has begun with it. */
  deadlineMs: number
  memoryMib: number
  /** Checks of one tenant that wait for its turn. */
  waiting: number
}

const CHECK_LIMITS: CheckLimits = { threads: 2, deadlineMs: 10_000, memoryMib: 256, waiting: 8 }

interface Asked {
  tenantId: string
  message: ToChecker
  done(answer: FromChecker): void
}

interface Thread {
  worker: Worker
  busy: Asked | undefined
  timer: NodeJS.Timeout | undefined
}

export function createChecker(limits: CheckLimits = CHECK_LIMITS): Checker {
  const threads = new Set<Thread>()
  const queue: Asked[] = []
  const tooLong: FromChecker = { code: 'check_too_long', params: { seconds: limits.deadlineMs / 1_000, memory: limits.memoryMib } }
  const settle = (thread: Thread, answer: FromChecker): void => {
    const asked = thread.busy
    clearTimeout(thread.timer)
    thread.busy = undefined
    asked?.done(answer)
    work()
  }
  const start = (): Thread => {
    const worker = new Worker(entryOf('check-worker'), { resourceLimits: { maxOldGenerationSizeMb: limits.memoryMib } })
    const thread: Thread = { worker, busy: undefined, timer: undefined }
    worker.unref()
    worker.on('message', (answer: FromChecker) => settle(thread, answer))
    // Out of memory is an error of the thread, and it ends.
    worker.on('error', () => undefined)
    worker.on('exit', () => {
      threads.delete(thread)
      settle(thread, tooLong)
    })
    threads.add(thread)
    return thread
  }
  const begin = (thread: Thread, asked: Asked): void => {
    thread.busy = asked
    // The thread ends, and a new one is started for the next.
    thread.timer = setTimeout(() => void thread.worker.terminate(), limits.deadlineMs)
    thread.worker.postMessage(asked.message)
  }
  const work = (): void => {
    for (;;) {
      const idle = [...threads].find((one) => one.busy === undefined)
      if (idle === undefined && threads.size >= limits.threads) return
      const busy = new Set([...threads].map((one) => one.busy?.tenantId))
      const next = queue.findIndex((one) => !busy.has(one.tenantId))
      if (next === -1) return
      begin(idle ?? start(), queue.splice(next, 1)[0])
    }
  }
  return {
    async check(tenantId, job, now) {
      checkSize(job)
      const count = queue.filter((one) => one.tenantId === tenantId).length
      if (count >= limits.waiting) throw failure('check_busy', { count, seconds: 1 })
      const answer = await new Promise<FromChecker>((done) => {
        queue.push({ tenantId, message: { job, nowMs: now.getTime() }, done })
        work()
      })
      if (answer.code !== undefined) throw failure(answer.code, answer.params)
    },
    async close() {
      await Promise.all([...threads].map(({ worker }) => worker.terminate()))
    },
  }
}

/** Cheap, and before anything is handed on. */
function checkSize(job: JobFields): void {
  const { declaration } = job.source_config
  const bytes = typeof declaration === 'string' ? Buffer.byteLength(declaration) : 0
  if (bytes > LIMITS.declarationBytes) throw failure('declaration_too_large', { what: 'source_config.declaration', bytes, most: LIMITS.declarationBytes })
  for (const name of ['source_config', 'destination_config'] as const) {
    const size = Buffer.byteLength(JSON.stringify(job[name]))
    if (size > LIMITS.jobConfigBytes) throw failure('declaration_too_large', { what: name, bytes: size, most: LIMITS.jobConfigBytes })
  }
}
