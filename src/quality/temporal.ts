/**
 * Dates and times from bytes: ISO by fixed positions, other formats by the steps that
 * `dataset/temporal-format.ts` compiles, counts since 1970 by their unit. Seconds and microseconds of a
 * timestamp are kept apart, because their product needs more bits than a double has: exact from year 1 to
 * 9999, refused outside.
 */
import { DAY_SECONDS, END_SECOND, FIRST_SECOND, daysOf, weekdayOf } from '../core/calendar.ts'
import { failure } from '../core/errors.ts'
import { openZone, type Zone } from '../core/zones.ts'
import { EPOCH_PLACES, parseTemporalFormat, type TemporalStep } from '../dataset/temporal-format.ts'
import { asciiText, digitsEnd, isWord, negate, wordsInto, type WordCell } from './values.ts'

/**
 * Reads the text in [start, start + length) and writes microseconds since 1970 to the cell. False if it is no
 * timestamp.
 */
export type TimestampReader = (b: Uint8Array, start: number, length: number, cell: WordCell) => boolean

/** Days since 1970-01-01 of the text in [start, start + length), or NaN. */
export type DateReader = (b: Uint8Array, start: number, length: number) => number

const [ZERO, PLUS, DASH, POINT, COMMA, COLON, BLANK] = [0x30, 0x2b, 0x2d, 0x2e, 0x2c, 0x3a, 0x20]
const [CAPITAL_T, CAPITAL_Z] = [0x54, 0x5a]

export function dateReader(format: string): DateReader {
  if (format === 'iso') return isoDate
  const steps = compileSteps(format, 'date')
  return (b, start, length) => (readSteps(steps, b, start, start + length) ? dayOf(steps.fields) : NaN)
}

/** `timezone` applies to a text without an offset. Empty: such texts are refused. */
export function timestampReader(format: string, timezone: string): TimestampReader {
  if (Object.hasOwn(EPOCH_PLACES, format)) return epochReader(EPOCH_PLACES[format])
  const zone = timezone === '' ? undefined : openZone(timezone)
  if (format === 'iso') return isoTimestamp(zone)
  const steps = compileSteps(format, 'timestamp')
  const { fields } = steps
  return (b, start, length, cell) => {
    if (!readSteps(steps, b, start, start + length)) return false
    const days = dayOf(fields)
    if (Number.isNaN(days) || fields.minute > 59 || fields.second > 59) return false
    const hour = hourOf(fields)
    if (hour < 0 || hour > 23) return false
    const local = days * DAY_SECONDS + hour * 3600 + fields.minute * 60 + fields.second
    return microsInto(utcOf(local, fields.year, fields.offset, zone), fields.micros, cell)
  }
}

/** Two digits at a position, or a large negative number. */
function twoDigits(b: Uint8Array, at: number): number {
  const tens = b[at] - ZERO
  const ones = b[at + 1] - ZERO
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -10_000
}

/** `yyyy-MM-dd`. */
export function isoDate(b: Uint8Array, start: number, length: number): number {
  if (length !== 10 || b[start + 4] !== DASH || b[start + 7] !== DASH) return NaN
  return daysOf(
    twoDigits(b, start) * 100 + twoDigits(b, start + 2),
    twoDigits(b, start + 5),
    twoDigits(b, start + 8),
  )
}

/**
 * `yyyy-MM-dd`, then `T` or a blank, `HH:mm`, `:ss`, a fraction, an offset: each part only after the one
 * before.
 */
function isoTimestamp(zone: Zone | undefined): TimestampReader {
  return (b, start, length, cell) => {
    const days = isoDate(b, start, length < 10 ? length : 10)
    const end = start + length
    if (Number.isNaN(days) || !readClock(b, start + 10, end)) return false
    const offset = clock.end === end ? NaN : offsetOf(b, clock.end, end)
    if (offset === REFUSED) return false
    const year = twoDigits(b, start) * 100 + twoDigits(b, start + 2)
    return microsInto(utcOf(days * DAY_SECONDS + clock.seconds, year, offset, zone), clock.micros, cell)
  }
}

/** The last time of day, and where it ends. One thread, and no object per value. */
const clock = { seconds: 0, micros: 0, end: 0 }

/** Reads the time after an ISO date, up to an offset. No time means midnight. */
function readClock(b: Uint8Array, from: number, end: number): boolean {
  clock.seconds = clock.micros = 0
  clock.end = from
  if (from >= end) return true
  if (end - from < 6 || (b[from] !== CAPITAL_T && b[from] !== BLANK) || b[from + 3] !== COLON) return false
  const hour = twoDigits(b, from + 1)
  const minute = twoDigits(b, from + 4)
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return false
  clock.seconds = hour * 3600 + minute * 60
  clock.end = from + 6
  return end - from < 9 || b[from + 6] !== COLON || readSeconds(b, from + 7, end)
}

function readSeconds(b: Uint8Array, from: number, end: number): boolean {
  const second = twoDigits(b, from)
  if (second < 0 || second > 59) return false
  clock.seconds += second
  clock.end = from + 2
  if (from + 2 >= end || (b[from + 2] !== POINT && b[from + 2] !== COMMA)) return true
  clock.end = digitsEnd(b, from + 3, Math.min(end, from + 12))
  clock.micros = microsOf(b, from + 3, clock.end)
  return clock.end > from + 3
}

/** Microseconds from the digits of a fraction. Digits after the sixth are cut. */
function microsOf(b: Uint8Array, from: number, end: number): number {
  let micros = 0
  for (let at = from; at < from + 6; at += 1) micros = micros * 10 + (at < end ? b[at] - ZERO : 0)
  return micros
}

const REFUSED = Infinity
const MOST_OFFSET = 18 * 3600

/**
 * Seconds of `Z`, `+02`, `+0200` or `+02:00`, which must fill [at, end). REFUSED otherwise, or beyond 18
 * hours.
 */
function offsetOf(b: Uint8Array, at: number, end: number): number {
  const length = end - at
  if (length === 1 && b[at] === CAPITAL_Z) return 0
  if ((b[at] !== PLUS && b[at] !== DASH) || (length !== 3 && length !== 5 && length !== 6)) return REFUSED
  if (length === 6 && b[at + 3] !== COLON) return REFUSED
  const hours = twoDigits(b, at + 1)
  const minutes = length === 3 ? 0 : twoDigits(b, end - 2)
  if (hours < 0 || minutes < 0 || minutes > 59) return REFUSED
  const seconds = hours * 3600 + minutes * 60
  if (seconds > MOST_OFFSET) return REFUSED
  return b[at] === DASH ? 0 - seconds : seconds
}

/**
 * From local time to an instant, in seconds. `offset` is NaN if the text has none: then the zone decides. NaN
 * if there is no zone either.
 */
function utcOf(local: number, year: number, offset: number, zone: Zone | undefined): number {
  if (!Number.isNaN(offset)) return local - offset
  return zone === undefined ? NaN : local - zone.offsetAt(local, year)
}

function microsInto(seconds: number, micros: number, cell: WordCell): boolean {
  if (!(seconds >= FIRST_SECOND && seconds < END_SECOND)) return false
  if (seconds < 0) return beforeEpochInto(-seconds, micros, cell)
  wordsInto(seconds, 1e6, micros, cell)
  return true
}

/** Writes `micros` after a second that is `seconds` before 1970. */
const beforeEpochInto = (seconds: number, micros: number, cell: WordCell): boolean =>
  micros === 0
    ? negate(cell, wordsInto(seconds, 1e6, 0, cell))
    : negate(cell, wordsInto(seconds - 1, 1e6, 1e6 - micros, cell))

/**
 * A sign, digits, and 1 to 9 digits after a point. `places`: how many digits the unit's point lies after the
 * second's.
 */
function epochReader(places: number): TimestampReader {
  const shape = /^([+-]?)0*(\d{1,25})(?:\.(\d{1,9}))?$/
  return (b, start, length, cell) => {
    const match = shape.exec(asciiText(b, start, length))
    if (match === null) return false
    const whole = match[2].padStart(places + 1, '0')
    const cut = whole.length - places
    const seconds = Number(whole.slice(0, cut))
    const micros = Number((whole.slice(cut) + (match[3] ?? '')).padEnd(6, '0').slice(0, 6))
    if (match[1] !== '-') return microsInto(seconds, micros, cell)
    return micros === 0 ? microsInto(0 - seconds, 0, cell) : microsInto(-seconds - 1, 1e6 - micros, cell)
  }
}

interface Fields {
  year: number
  month: number
  day: number
  /** -1: not stated. */
  weekday: number
  hour: number
  hour12: number
  half: number
  minute: number
  second: number
  micros: number
  /** NaN: not stated. */
  offset: number
}

/** Reads one step at a position. Returns its end, or -1. */
type StepReader = (fields: Fields, b: Uint8Array, at: number, end: number) => number

/** The steps of a format, and the fields that they read last. */
interface Steps {
  readers: StepReader[]
  fields: Fields
}

function compileSteps(format: string, type: 'date' | 'timestamp'): Steps {
  const steps = parseTemporalFormat(format, type)
  if (!Array.isArray(steps))
    throw failure('internal', { reason: `format ${format} was not checked: ${steps.message}` })
  const time = { hour: 0, hour12: 0, half: -1, minute: 0, second: 0, micros: 0, offset: NaN }
  return { readers: steps.map(stepReader), fields: { year: 0, month: 0, day: 0, weekday: -1, ...time } }
}

function readSteps({ readers, fields }: Steps, b: Uint8Array, start: number, end: number): boolean {
  let at = start
  for (let i = 0; i < readers.length && at >= 0; i += 1) at = readers[i](fields, b, at, end)
  return at === end
}

function dayOf({ year, month, day, weekday }: Fields): number {
  const days = daysOf(year, month, day)
  // A date that names another weekday than its own contradicts itself.
  return weekday >= 0 && weekday !== weekdayOf(days) ? NaN : days
}

function hourOf({ hour, hour12, half }: Fields): number {
  if (half < 0) return hour
  return hour12 < 1 || hour12 > 12 ? -1 : (hour12 % 12) + half * 12
}

function stepReader(step: TemporalStep): StepReader {
  if (step.kind === 'text') return textReader(new TextEncoder().encode(step.text))
  if (step.kind === 'word') return wordReader(step.field as 'month' | 'weekday' | 'half', step.words)
  if (step.kind === 'offset') return offsetReader(step.named)
  const { least, most } = step
  if (step.field === 'fraction')
    return (fields, b, at, end) => {
      const stop = digitsEnd(b, at, Math.min(end, at + most))
      fields.micros = microsOf(b, at, stop)
      return stop - at === least ? stop : -1
    }
  const field = step.field as 'year'
  return (fields, b, at, end) => {
    const stop = digitsEnd(b, at, Math.min(end, at + most))
    let value = 0
    for (let i = at; i < stop; i += 1) value = value * 10 + b[i] - ZERO
    fields[field] = value
    return stop - at < least ? -1 : stop
  }
}

function textReader(text: Uint8Array): StepReader {
  return (_, b, at, end) => {
    if (end - at < text.length) return -1
    for (let i = 0; i < text.length; i += 1) if (b[at + i] !== text[i]) return -1
    return at + text.length
  }
}

function wordReader(field: 'month' | 'weekday' | 'half', words: readonly string[]): StepReader {
  const small = words.map((word) => new TextEncoder().encode(word.toLowerCase()))
  const base = field === 'month' ? 1 : 0
  return (fields, b, at, end) => {
    const index = small.findIndex((word) => end - at >= word.length && isWord(b, at, word))
    if (index < 0) return -1
    fields[field] = index + base
    return at + small[index].length
  }
}

/**
 * Zones that RFC 5322 (section 4.3) defines for old mails and feeds. Its single letters are refused: they
 * were used inconsistently.
 */
const NAMED_OFFSETS: Readonly<Record<string, number>> = {
  GMT: 0,
  UTC: 0,
  UT: 0,
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
}

/** The end of an offset that starts at a position: after `Z`, the hours, or the minutes if there are any. */
function offsetEnd(b: Uint8Array, at: number, end: number): number {
  if (at < end && b[at] === CAPITAL_Z) return at + 1
  if (end - at >= 6 && b[at + 3] === COLON && twoDigits(b, at + 4) >= 0) return at + 6
  if (end - at >= 5 && twoDigits(b, at + 3) >= 0) return at + 5
  return Math.min(at + 3, end)
}

function offsetReader(named: boolean): StepReader {
  const names = Object.entries(named ? NAMED_OFFSETS : {}).map(([name, hours]) => ({
    word: new TextEncoder().encode(name),
    seconds: hours * 3600,
  }))
  return (fields, b, at, end) => {
    const fits = (word: Uint8Array): boolean =>
      end - at >= word.length && word.every((byte, i) => b[at + i] === byte)
    const name = names.find(({ word }) => fits(word))
    if (name !== undefined) {
      fields.offset = name.seconds
      return at + name.word.length
    }
    const stop = offsetEnd(b, at, end)
    fields.offset = offsetOf(b, at, stop)
    return fields.offset === REFUSED ? -1 : stop
  }
}
