/**
 * Dates and times by pattern letters: yyyy MM dd HH mm ss, S (fraction), X (offset: Z, +02, +0200, +02:00), and quoted or
 * other characters as themselves. A small closed dialect, the same on every engine; everything else is refused when the
 * declaration is checked.
 */
import { daysOf } from './values.ts'

export interface TemporalParser {
  /** Days since 1970-01-01, or NaN. */
  date(text: string): number
  /** Microseconds since 1970-01-01T00:00:00Z, or NaN. */
  timestamp(text: string): number
}

const LETTERS: Record<string, string> = {
  yyyy: '(?<year>\\d{4})',
  MM: '(?<month>\\d{2})',
  M: '(?<month>\\d{1,2})',
  dd: '(?<day>\\d{2})',
  d: '(?<day>\\d{1,2})',
  HH: '(?<hour>\\d{2})',
  H: '(?<hour>\\d{1,2})',
  mm: '(?<minute>\\d{2})',
  ss: '(?<second>\\d{2})',
}

const ISO_DATE = /^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})$/
const ISO_TIME =
  /^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})(?:[T ](?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,](?<fraction>\d{1,9}))?)?)?(?<offset>Z|[+-]\d{2}(?::?\d{2})?)?$/

/** Compiles a format; `zone` is what a text without offset means ('' refuses such texts). */
export function compileTemporal(format: string, zone: string): TemporalParser {
  const dates = format === 'iso' ? ISO_DATE : patternOf(format)
  const times = format === 'iso' ? ISO_TIME : dates
  return {
    date(text) {
      const g = dates.exec(text)?.groups
      return g === undefined ? NaN : daysOf(Number(g.year), Number(g.month ?? 1), Number(g.day ?? 1))
    },
    timestamp(text) {
      const g = times.exec(text)?.groups
      return g === undefined ? NaN : microsOf(g, zone)
    },
  }
}

function patternOf(format: string): RegExp {
  const source = format.replace(/'([^']*)'|yyyy|MM?|dd?|HH?|mm|ss|S+|X+|[^A-Za-z]|[A-Za-z]/g, (token, quoted?: string) => {
    if (quoted !== undefined) return escape(quoted)
    if (LETTERS[token] !== undefined) return LETTERS[token]
    if (/^S+$/.test(token)) return `(?<fraction>\\d{${token.length}})`
    if (/^X+$/.test(token)) return '(?<offset>Z|[+-]\\d{2}(?::?\\d{2})?)'
    return escape(token)
  })
  return new RegExp(`^${source}$`)
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
}

function microsOf(g: Record<string, string>, zone: string): number {
  const days = daysOf(Number(g.year), Number(g.month ?? 1), Number(g.day ?? 1))
  const hour = Number(g.hour ?? 0)
  const minute = Number(g.minute ?? 0)
  const second = Number(g.second ?? 0)
  if (hour > 23 || minute > 59 || second > 59) return NaN
  const seconds = days * 86_400 + hour * 3_600 + minute * 60 + second
  const micros = Number((g.fraction ?? '').padEnd(6, '0').slice(0, 6))
  if (g.offset !== undefined) return (seconds - offsetSeconds(g.offset)) * 1e6 + micros
  if (zone === '') return NaN
  return (seconds - zoneOffsetSeconds(zone, seconds)) * 1e6 + micros
}

function offsetSeconds(offset: string): number {
  if (offset === 'Z') return 0
  const [, sign, hours, minutes] = /([+-])(\d{2}):?(\d{2})?/.exec(offset) as RegExpExecArray
  return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes ?? 0) * 60)
}

const formatters = new Map<string, Intl.DateTimeFormat>()

/**
 * Offset of a zone at a local time. Around a clock change the offset before it is meant (RFC 9557 calls it "compatible"): a
 * local time that was skipped moves forward, one that came twice means the first.
 */
export function zoneOffsetSeconds(zone: string, localSeconds: number): number {
  if (zone === 'UTC') return 0
  const before = offsetAt(zone, localSeconds - 86_400)
  const after = offsetAt(zone, localSeconds + 86_400)
  if (before === after || offsetAt(zone, localSeconds - before) === before) return before
  return offsetAt(zone, localSeconds - after) === after ? after : before
}

/** Offset of a zone at an instant, in seconds east of UTC. */
export function offsetAt(zone: string, utcSeconds: number): number {
  if (zone === 'UTC') return 0
  let formatter = formatters.get(zone)
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    formatters.set(zone, formatter)
  }
  const name = formatter.formatToParts(utcSeconds * 1000).find((part) => part.type === 'timeZoneName')?.value ?? 'GMT'
  const match = /GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?/.exec(name)
  if (match === null) return 0
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0))
}
