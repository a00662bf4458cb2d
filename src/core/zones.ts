/**
 * Offsets of time zones at local times. The platform knows them only one instant at a time (`Intl`, about 2
 * microseconds a question), so the changes of a zone are looked up once a year of data and remembered: a
 * column of local times then costs a comparison a value.
 */
import { DAY_SECONDS, daysOf } from './calendar.ts'

export interface Zone {
  /**
   * Seconds east of UTC at a local time (seconds since 1970-01-01T00:00 on the zone's own clock) of `year`. A
   * local time that a change of clocks skips counts with the offset before the change, so it moves forward;
   * one that comes twice means the first.
   */
  offsetAt(localSeconds: number, year: number): number
  /** The same for few times: asks for the days around each, and not for those of its year. */
  offsetOnce(localSeconds: number, year: number): number
}

interface ZoneSpan {
  /** Offset before the first change. */
  first: number
  changes: Change[]
}

interface Change {
  /** Local time, on the clock before the change, at which it happens. */
  at: number
  before: number
  after: number
}

/**
 * No zone of the IANA database changes before; all have constant or yearly rules from `RULES_FROM` on
 * (Morocco's last listed year is 2087).
 */
const CHANGES_FROM = 1800
const RULES_FROM = 2200
/** The Gregorian calendar repeats after 400 years, weekdays included, and yearly rules with it. */
const CYCLE_YEARS = 400
const CYCLE_SECONDS = 146_097 * DAY_SECONDS
/** A time in a year without changes, for all years before. */
const BEFORE_CHANGES = daysOf(CHANGES_FROM - 1, 7, 1) * DAY_SECONDS

const opened = new Map<string, Zone>()

/** The zone of an IANA name, in any case. One for each name: what it learned serves every column. */
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

/** Cycles of the calendar by which a year lies behind those that are asked about. */
function cyclesAhead(year: number): number {
  return Math.max(0, Math.floor((year - RULES_FROM) / CYCLE_YEARS))
}

function offsetIn({ first, changes }: ZoneSpan, local: number): number {
  for (let i = changes.length - 1; i >= 0; i -= 1) {
    const { at, before, after } = changes[i]
    // Between `at` and `at + (after - before)` lie the local times that the change skipped.
    if (local >= at) return local < at + after - before ? before : after
  }
  return first
}

/** Asks day by day: no zone changed twice within a day. */
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
