/** When a job with a schedule runs next. Schedules of jobs are in UTC. */
import { failure } from '../core/errors.ts'
import { nextTick as tickAfter, scheduleProblem } from '../dataset/schedule.ts'

/** The first tick after `from`; null for a job without a schedule. Throws `schedule_invalid`. */
export function nextTick(cron: string | null, from: Date): Date | null {
  if (cron === null) return null
  const problem =
    cron.trim().split(/\s+/).length === 5 ? scheduleProblem(cron) : 'it does not have five fields'
  if (problem !== undefined) throw failure('schedule_invalid', { cron, reason: problem })
  const next = tickAfter({ cron, timezone: 'UTC' }, from.getTime())
  return next === undefined ? null : new Date(next)
}
