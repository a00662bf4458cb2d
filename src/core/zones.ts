/**
 * Offsets of time zones at local times. The platform computes one instant at a time (`Intl`, about 2
 * microseconds each). So the changes of a zone are looked up once per year of data and cached: a column of
 * local times then costs one comparison per value.
 */
import { DAY_SECONDS, daysOf } from './calendar.ts'

export interface Zone {
  /**
   * Seconds east of UTC at a local time (seconds since 1970-01-01T00:00 on the zone's own clock) of `year`. A
   * local time that a clock change skips uses the offset before the change, so it moves forward. A local time
   * that occurs twice means the first.
   */
  offsetAt(localSeconds: number, year: number): number
  /** The same for a few times: it looks up the surrounding days instead of a whole year. */
  offsetOnce(localSeconds: number, year: number): number
}

interface ZoneSpan {
  /** Offset before the first change. */
  first: number
  changes: Change[]
}

interface Change {
  /** The local time of the change, on the clock before it. */
  at: number
  before: number
  after: number
}

/**
 * No zone of the IANA database changes earlier. From `RULES_FROM` on, all have constant or yearly rules
 * (Morocco's last listed year is 2087).
 */
const CHANGES_FROM = 1800
const RULES_FROM = 2200
/** The Gregorian calendar repeats after 400 years, weekdays included, and yearly rules with it. */
const CYCLE_YEARS = 400
const CYCLE_SECONDS = 146_097 * DAY_SECONDS
/** A time in a year without changes. It stands for all earlier years. */
const BEFORE_CHANGES = daysOf(CHANGES_FROM - 1, 7, 1) * DAY_SECONDS

const opened = new Map<string, Zone>()

/** The zone of an IANA name, in any case. One object per name, so that every column shares its cache. */
export function openZone(name: string): Zone {
  const key = name.toLowerCase()
  const known = opened.get(key)
  if (known !== undefined) return known
  const zone = key === 'utc' ? { offsetAt: () => 0, offsetOnce: () => 0 } : learningZone(name)
  opened.set(key, zone)
  return zone
}

function learningZone(name: string): Zone {
  const years = new Map<number, ZoneSpan>()
  let utcOffset: ((utcSeconds: number) => number) | undefined
  let lastYear = -1
  let last: ZoneSpan = { first: 0, changes: [] }
  const learn = (year: number): ZoneSpan => {
    utcOffset ??= utcOffsets(name)
    // Two days beyond the year: local days reach that far in UTC.
    const [start, end] = [daysOf(year, 1, 1) - 2, daysOf(year, 12, 31) + 3]
    const made = scan(utcOffset, start * DAY_SECONDS, end * DAY_SECONDS)
    years.set(year, made)
    return made
  }
  return {
    offsetOnce(localSeconds, year) {
      utcOffset ??= utcOffsets(name)
      const ahead = cyclesAhead(year) * CYCLE_SECONDS
      const at = year < CHANGES_FROM ? BEFORE_CHANGES : localSeconds - ahead
      return offsetIn(scan(utcOffset, at - 2 * DAY_SECONDS, at + 2 * DAY_SECONDS), at)
    },
    offsetAt(localSeconds, year) {
      let at = localSeconds
      let ruled = year
      if (year < CHANGES_FROM) ruled = CHANGES_FROM - 1
      else if (year >= RULES_FROM + CYCLE_YEARS) {
        const cycles = cyclesAhead(year)
        ruled -= cycles * CYCLE_YEARS
        at -= cycles * CYCLE_SECONDS
      }
      if (ruled !== lastYear) {
        last = years.get(ruled) ?? learn(ruled)
        lastYear = ruled
      }
      return last.changes.length === 0 ? last.first : offsetIn(last, at)
    },
  }
}

/** How many cycles of the calendar a year is ahead of the years that are looked up. */
function cyclesAhead(year: number): number {
  return Math.max(0, Math.floor((year - RULES_FROM) / CYCLE_YEARS))
}

function offsetIn({ first, changes }: ZoneSpan, local: number): number {
  for (let i = changes.length - 1; i >= 0; i -= 1) {
    const { at, before, after } = changes[i]
    // The local times that the change skipped lie between `at` and `at + (after - before)`.
    if (local >= at) return local < at + after - before ? before : after
  }
  return first
}

/** Looks day by day: no zone ever changed twice within a day. */
function scan(utcOffset: (utcSeconds: number) => number, start: number, end: number): ZoneSpan {
  const first = utcOffset(start)
  const changes: Change[] = []
  let before = first
  for (let at = start; at < end; at += DAY_SECONDS) {
    const after = utcOffset(at + DAY_SECONDS)
    if (after === before) continue
    let [low, high] = [at, at + DAY_SECONDS]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (utcOffset(middle) === before) low = middle
      else high = middle
    }
    changes.push({ at: high + before, before, after })
    before = after
  }
  return { first, changes }
}

/** Offset of a zone at an instant, in seconds east of UTC; historical ones have seconds of their own. */
function utcOffsets(name: string): (utcSeconds: number) => number {
  const formatter = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
  return (utcSeconds) => {
    const match = /GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?$/.exec(formatter.format(utcSeconds * 1000))
    if (match === null) return 0
    const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0)
    return match[1] === '-' ? -seconds : seconds
  }
}
