/**
 * Entry point of the process that checks what tenants wrote: it may take long or all of its memory, and
 * nothing else must suffer from it.
 */
import { HeadraceError, reasonOf } from '../core/errors.ts'
import type { JobFields } from '../state/jobs.ts'
import type { FromChecker, ToChecker } from '../control/checker.ts'
import { checkSettings } from '../control/job-check.ts'

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
