/** Runs an action at the ticks of a schedule, by a wall clock that may jump. */
import { nextTick, type Schedule } from '../dataset/schedule.ts'

export interface TickOptions {
  schedule: Schedule
  /** Errors are its own affair: the next tick comes whatever it does. */
  action(tickMs: number): Promise<void>
  nowMs: () => number
  pause(ms: number): Promise<void>
  signal: AbortSignal
}

/** The clock is looked at so often, so that a jump or a machine that slept is noticed. */
const LOOK_MS = 15_000
/**
 * A clock set back further than this was wrong before: the schedule begins anew instead of waiting for it to
 * come by again.
 */
const SET_BACK_MS = 26 * 3_600_000

/**
 * Returns when the signal aborts or no tick is left. Ticks that passed while the action ran, the machine
 * slept or the clock jumped ahead are made good by one action, at once: it takes all that is new anyway. No
 * tick runs twice when the clock is set back.
 */
export async function runAtTicks(options: TickOptions): Promise<void> {
  const { schedule, signal } = options
  let last = options.nowMs()
  while (!signal.aborted) {
    const now = options.nowMs()
    if (now < last - SET_BACK_MS) last = now
    const next = nextTick(schedule, last)
    if (next === undefined) return
    if (next > now) {
      await options.pause(Math.min(next - now, LOOK_MS))
      continue
    }
    last = now
    await options.action(next)
  }
}
