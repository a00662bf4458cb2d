/**
 * Entry point of the process that checks what tenants wrote: it may take long or all of its memory, and
 * nothing else must suffer from it.
 */
import { HeadraceError, reasonOf } from '../core/errors.ts'
import type { JobFields } from '../state/jobs.ts'
import { checkSettings } from './service/job-check.ts'

export interface ToChecker {
  job: JobFields
  nowMs: number
}

export type FromChecker = { code?: HeadraceError['code']; params?: Record<string, unknown> }

process.on('message', ({ job, nowMs }: ToChecker) => process.send?.(answerTo(job, nowMs)))

function answerTo(job: JobFields, nowMs: number): FromChecker {
  try {
    checkSettings(job, new Date(nowMs))
    return {}
  } catch (error) {
    if (error instanceof HeadraceError) return { code: error.code, params: error.params }
    return { code: 'internal', params: { reason: reasonOf(error) } }
  }
}
