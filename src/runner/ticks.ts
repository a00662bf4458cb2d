/** Runs an action at the ticks of a schedule, by a wall clock that may jump. */
import { nextTick, type Schedule } from '../dataset/schedule.ts'

export interface TickOptions {
  schedule: Schedule
  /** It handles its own errors: the next tick comes in any case. */
  action(tickMs: number): Promise<void>
  nowMs: () => number
  pause(ms: number): Promise<void>
  signal: AbortSignal
}

/** How often the clock is checked, to notice a jump or a machine that slept. */
const LOOK_MS = 15_000
/**
 * A clock that is set back further was wrong before: the schedule starts again instead of waiting for the
 * same time.
 */
const SET_BACK_MS = 26 * 3_600_000

/**
 * Returns when the signal aborts or no tick is left. One action makes up at once for all ticks that passed
 * while the action ran, the machine slept or the clock jumped ahead: it takes all new data anyway. No tick
 * runs twice when the clock is set back.
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
