/**
 * Entry point of the process that checks what tenants wrote. A check may take long or use all of its memory,
 * and nothing else must suffer from it.
 */
import { HeadraceError, reasonOf } from '../core/errors.ts'
import type { JobFields } from '../state/jobs.ts'
import type { FromChecker, JobTexts, ToChecker } from '../control/checker.ts'
import { checkSettings } from '../control/job-check.ts'

// A declaration may have thousands of mistakes, each an error to its parser. Nobody needs their stack traces.
Error.stackTraceLimit = 0

process.on('message', (asked: ToChecker) => process.send?.(answerTo(asked)))

function answerTo({ job, nowMs }: ToChecker): FromChecker {
  try {
    checkSettings(read(job), new Date(nowMs))
    return {}
  } catch (error) {
    if (error instanceof HeadraceError) return { code: error.code, params: error.params }
    return { code: 'internal', params: { reason: reasonOf(error) } }
  }
}

const read = ({ source_config: source, destination_config: destination, ...rest }: JobTexts): JobFields => ({
  ...rest,
  source_config: JSON.parse(source) as JobFields['source_config'],
  destination_config: JSON.parse(destination) as JobFields['destination_config'],
})
