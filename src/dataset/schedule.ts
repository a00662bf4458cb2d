/**
 * Cron schedules as a pure function of time (as croner interprets them). When clocks change, a schedule with
 * one time of day runs once a day: at the end of the gap if its time is skipped, at the first occurrence if
 * its time occurs twice. Every other schedule (lists, ranges, steps, *) runs whenever the local clock shows a
 * matching time: never for skipped times, twice for repeated ones.
 */
import { Cron } from 'croner'

export interface Schedule {
  /**
   * Five fields (minute hour day month weekday), or six with seconds first. If both day and weekday are
   * given, either matches.
   */
  cron: string
  /** IANA name. */
  timezone: string
}

/** Why the text is no schedule. Undefined if it is one that matches some day. */
export function scheduleProblem(cron: string): string | undefined {
  try {
    const parsed = new Cron(cron, { timezone: 'UTC', paused: true })
    // Only a day of a month may not exist. Looking for the next run loads the calendar data of the process:
    // 45 ms.
    const mayNeverCome = /\d/.test(cron.trim().split(/\s+/).at(-3) ?? '')
    return mayNeverCome && parsed.nextRun(new Date(0)) === null ? 'it never matches a date' : undefined
  } catch (error) {
    return (error as Error).message.replace(/^CronPattern: /, '')
  }
}

/** The first tick after a moment, both in milliseconds since 1970. Undefined if there is none. */
export function nextTick(schedule: Schedule, afterMs: number): number | undefined {
  return new Cron(schedule.cron, { timezone: schedule.timezone, paused: true })
    .nextRun(new Date(afterMs))
    ?.getTime()
}
