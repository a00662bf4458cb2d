/**
 * Ticks against an oracle that walks real minutes and asks Intl what the local clock shows: no tick skipped,
 * none doubled, each as the documented policy for changes of the clocks says, and the next tick always lies
 * ahead (fault case C1).
 */
import { expect, test } from 'vitest'
import { nextTick, scheduleProblem } from '../../src/dataset/schedule.ts'
import { limitMs } from '../support/time-limits.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const ALL = process.env.HEADRACE_TEST_ZONES === 'all'
const ZONES = ALL
  ? Intl.supportedValuesOf('timeZone')
  : [
      'UTC',
      'Europe/Berlin',
      'America/New_York',
      'Australia/Lord_Howe',
      'America/Santiago',
      'Africa/Cairo',
      'Asia/Beirut',
      'Asia/Kolkata',
    ]
const [FIRST, LAST] = ALL
  ? [Date.UTC(2020, 0, 1), Date.UTC(2030, 0, 1)]
  : [Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1)]

/**
 * Minute, hour, day, month and weekday of a form as sets, for the oracle; and whether it names one time of
 * day.
 */
const FORMS = [
  '*/7 * * * *',
  '5 * * * *',
  '*/15 * * * *',
  '30 2 * * *',
  '0 0 * * *',
  '30 1 * * *',
  '0 3 * * 0',
  '15 1,2 * * *',
  '*/20 0-3 * * *',
  '0 */2 * * *',
  '10-12 2 * * *',
  '0 2 29 2 *',
  '30 2 1-7 3,10,11 *',
  '59 23 31 12 *',
  '0 1 13 * 5',
]

interface Local {
  at: number
  minute: number
  hour: number
  day: number
  month: number
  weekday: number
}

function localClock(zone: string): (at: number) => Local {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    weekday: 'short',
  })
  return (at) => {
    const parts = Object.fromEntries(format.formatToParts(at).map((part) => [part.type, part.value]))
    return {
      at,
      minute: Number(parts.minute),
      hour: Number(parts.hour),
      day: Number(parts.day),
      month: Number(parts.month),
      weekday: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].indexOf(parts.weekday),
    }
  }
}

function field(text: string, least: number, most: number): Set<number> {
  const found = new Set<number>()
  for (const part of text.split(',')) {
    const [range, step = '1'] = part.split('/')
    const [from, to] =
      range === '*' ? [least, most] : [Number(range.split('-')[0]), Number(range.split('-').at(-1))]
    for (let value = from; value <= to; value += Number(step)) found.add(value)
  }
  return found
}

/** Ticks among the minutes of a window, by the documented policy. */
function oracle(form: string, minutes: Local[]): number[] {
  const [minuteText, hourText, dayText, monthText, weekdayText] = form.split(' ')
  const [minute, hour, day, month, weekday] = [
    field(minuteText, 0, 59),
    field(hourText, 0, 23),
    field(dayText, 1, 31),
    field(monthText, 1, 12),
    field(weekdayText, 0, 6),
  ]
  const onDay = (local: Local): boolean =>
    month.has(local.month) &&
    (dayText !== '*' && weekdayText !== '*'
      ? day.has(local.day) || weekday.has(local.weekday)
      : day.has(local.day) && weekday.has(local.weekday))
  const matches = (local: Local): boolean => onDay(local) && minute.has(local.minute) && hour.has(local.hour)
  if (minute.size > 1 || hour.size > 1) return minutes.filter(matches).map((local) => local.at)
  const [h] = hour
  const [m] = minute
  const time = (local: Local): number => local.hour * 60 + local.minute
  // Of each day the first minute at or behind the time that was not already behind it a minute before.
  const ticks = new Map<string, number>()
  for (const local of minutes)
    if (onDay(local) && time(local) >= h * 60 + m)
      ticks.set(
        `${local.month}-${local.day}`,
        Math.min(local.at, ticks.get(`${local.month}-${local.day}`) ?? Infinity),
      )
  return [...ticks.values()]
}

/** Moments at which the zone changes its offset, to the minute. */
function changes(zone: string): number[] {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
  const offset = (at: number): string =>
    format.formatToParts(at).find((part) => part.type === 'timeZoneName')?.value ?? ''
  const found: number[] = []
  for (let at = FIRST; at < LAST; at += 7 * DAY) {
    if (offset(at) === offset(at + 7 * DAY)) continue
    let [low, high] = [at, at + 7 * DAY]
    while (high - low > MINUTE) {
      const middle = low + Math.floor((high - low) / 2 / MINUTE) * MINUTE
      if (offset(middle) === offset(low)) low = middle
      else high = middle
    }
    found.push(high)
  }
  return found
}

function ticksBetween(cron: string, timezone: string, from: number, to: number): number[] {
  const ticks: number[] = []
  for (let at = from - 1; ;) {
    const next = nextTick({ cron, timezone }, at)
    if (next === undefined || next >= to) return ticks
    if (next <= at)
      throw new Error(
        `${cron} in ${timezone}: ${new Date(next).toISOString()} is not behind ${new Date(at).toISOString()}`,
      )
    ticks.push(next)
    at = next
  }
}

/** The start of a local day, where a day's first tick cannot have passed already. */
function dayStart(clock: (at: number) => Local, near: number): number {
  let at = near
  while (clock(at).day === clock(near).day) at -= MINUTE
  return at + MINUTE
}

test.each(ZONES)(
  'ticks of %s over every change of its clocks, and around the ends of months and years',
  (zone) => {
    const clock = localClock(zone)
    const year = new Date(FIRST).getUTCFullYear()
    const around = [...changes(zone), Date.UTC(year, 1, 28, 12), Date.UTC(year, 11, 31, 12)]
    for (const moment of around) {
      const [from, to] = [dayStart(clock, moment - DAY / 2), dayStart(clock, moment + DAY)]
      const minutes = Array.from({ length: (to - from) / MINUTE }, (_, i) => clock(from + i * MINUTE))
      for (const form of FORMS)
        expect({
          zone,
          form,
          ticks: ticksBetween(form, zone, from, to).map((at) => new Date(at).toISOString()),
        }).toEqual({ zone, form, ticks: oracle(form, minutes).map((at) => new Date(at).toISOString()) })
    }
  },
  limitMs(600_000),
)

test.each([
  ['99 * * * *', /99/],
  ['* * * *', /five/],
  ['a b c d e', /a/],
  ['0 0 31 2 *', /never/],
])('%s is refused with the reason', (cron, reason) => {
  expect(scheduleProblem(cron)).toMatch(reason)
})

test.each(['5 * * * *', '@hourly', '0 0 L * *', '0 5 * * * *'])('%s is a schedule', (cron) => {
  expect(scheduleProblem(cron)).toBeUndefined()
})
