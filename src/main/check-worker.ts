/** Entry point of the thread that checks what tenants wrote: it may take long, and nothing else must wait for it. */
import { parentPort } from 'node:worker_threads'
import { HeadraceError, reasonOf } from '../core/errors.ts'
import type { JobFields } from '../state/jobs.ts'
import { checkSettings } from './service/job-check.ts'

export interface ToChecker {
  job: JobFields
  nowMs: number
}

export type FromChecker = { code?: HeadraceError['code']; params?: Record<string, unknown> }

parentPort?.on('message', ({ job, nowMs }: ToChecker) => parentPort?.postMessage(answerTo(job, nowMs)))

function answerTo(job: JobFields, nowMs: number): FromChecker {
  try {
    checkSettings(job, new Date(nowMs))
    return {}
  } catch (error) {
    if (error instanceof HeadraceError) return { code: error.code, params: error.params }
    return { code: 'internal', params: { reason: reasonOf(error) } }
  }
}
