/** The schedule's loop under a clock that jumps: nothing runs twice, what was missed is made good once. */
import { expect, test } from 'vitest'
import { runAtTicks } from '../../src/runner/ticks.ts'

const HOUR = 3_600_000
const START = Date.UTC(2026, 10, 21, 8, 30)

/** Runs the loop for so many pauses; `jumps` moves the clock at the n-th. */
async function ticksUnder(
  jumps: Record<number, number>,
  pauses: number,
  firstActionMs = 0,
): Promise<string[]> {
  let now = START
  let paused = 0
  const seen: string[] = []
  const stop = new AbortController()
  await runAtTicks({
    schedule: { cron: '0 * * * *', timezone: 'UTC' },
    nowMs: () => now,
    async action() {
      seen.push(new Date(now).toISOString().slice(8, 16))
      if (seen.length === 1) now += firstActionMs
    },
    async pause(ms) {
      now += ms + (jumps[paused] ?? 0)
      paused += 1
      if (paused >= pauses) stop.abort()
    },
    signal: stop.signal,
  })
  return seen
}

const AN_HOUR_OF_LOOKS = 240

test('one action an hour', async () => {
  expect(await ticksUnder({}, 3 * AN_HOUR_OF_LOOKS)).toEqual(['21T09:00', '21T10:00', '21T11:00'])
})

test('a clock set ahead, or a machine that slept: what was missed is made good by one action, at once', async () => {
  expect(await ticksUnder({ 10: 5 * HOUR + 60_000 }, 2 * AN_HOUR_OF_LOOKS)).toEqual([
    '21T13:33',
    '21T14:00',
    '21T15:00',
  ])
})

test('a clock set back by two hours or a day repeats no tick', async () => {
  expect(await ticksUnder({ 130: -2 * HOUR }, 5 * AN_HOUR_OF_LOOKS)).toEqual([
    '21T09:00',
    '21T10:00',
    '21T11:00',
  ])
  expect(await ticksUnder({ 130: -24 * HOUR }, 26 * AN_HOUR_OF_LOOKS)).toEqual(['21T09:00', '21T10:00'])
})

test('a clock that was days ahead and is set right starts the schedule anew', async () => {
  expect(await ticksUnder({ 10: 72 * HOUR, 20: -72 * HOUR }, 2 * AN_HOUR_OF_LOOKS)).toEqual([
    '24T08:32',
    '21T09:00',
    '21T10:00',
  ])
})

test('an action that takes longer than an hour is followed by one for all that it missed', async () => {
  expect(await ticksUnder({}, 2 * AN_HOUR_OF_LOOKS, 2.5 * HOUR)).toEqual(['21T09:00', '21T11:30', '21T12:00'])
})
