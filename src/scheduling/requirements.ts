/** The requirements of a job, checked and completed: the numbers for the scheduler. */
import { failure } from '../core/errors.ts'
import type { Priority } from './fair-share.ts'
import type { ResourceRequirements, SlaRequirements } from './terms.ts'

export const DEFAULT_WINDOW_HOURS = 24

export interface Timing {
  preferred: Date
  deadline: Date
}

/**
 * When an execution should start, and by when it must end: the preferred time (a time of day in UTC, or a
 * moment) at or after `from`, plus the SLA window.
 */
export function timingOf(requirements: ResourceRequirements, from: Date): Timing {
  const preferred =
    requirements.preferred_time === undefined ? from : preferredAfter(requirements.preferred_time, from)
  return {
    preferred,
    deadline: new Date(
      preferred.getTime() + (requirements.sla_window_hours ?? DEFAULT_WINDOW_HOURS) * 3_600_000,
    ),
  }
}

function preferredAfter(text: string, from: Date): Date {
  const day = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text)
  if (day !== null) {
    const at = new Date(from)
    at.setUTCHours(Number(day[1]), Number(day[2]), 0, 0)
    return at < from ? new Date(at.getTime() + 86_400_000) : at
  }
  const at = new Date(text)
  if (Number.isNaN(at.getTime()))
    throw failure('request_invalid', {
      reason: `preferred_time is neither a time of day like 02:30 nor a moment like 2026-01-31T02:30:00Z: ${text.slice(0, 40)}.`,
    })
  return at < from ? from : at
}

export function priorityOf(sla: SlaRequirements): Priority {
  return sla.priority ?? 'medium'
}
