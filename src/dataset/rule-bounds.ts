/**
 * Bounds and sets of rules as exact values of their column's type: integers of any size, decimals as digits,
 * times as microseconds. If the type cannot hold a bound, there is no value, and the declaration is refused.
 */
import { DAY_SECONDS, END_SECOND, FIRST_SECOND, daysOf } from '../core/calendar.ts'
import { openZone } from '../core/zones.ts'
import type { Column } from './declaration.ts'

export type BoundColumn = Pick<Column, 'type' | 'precision' | 'scale' | 'timezone'>

/**
 * integer, long: the number; date: days, timestamp: microseconds since 1970; boolean: 1 or 0; double: the
 * number; decimal: its digits scaled to the column's scale; string and uuid: the text.
 */
export type Bound = bigint | number | string

const MICROS = 1_000_000n
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6}))?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/

/**
 * The value of a bound. Undefined if the column's type cannot hold it. Dates and times are in ISO notation.
 */
export function boundOf(written: number | string, column: BoundColumn): Bound | undefined {
  const text = String(written)
  switch (column.type) {
    case 'string':
      return text
    case 'uuid':
      return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : undefined
    case 'integer':
      return wholeOf(text, 32)
    case 'long':
      return wholeOf(text, 64)
    case 'double':
      return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text))
        ? Number(text)
        : undefined
    case 'decimal':
      return scaledOf(text, column.precision, column.scale)
    case 'boolean':
      return truthOf(text)
    case 'date':
      return dayOf(text)
    case 'timestamp':
      return microsOf(text, column.timezone)
  }
}

function truthOf(text: string): bigint | undefined {
  if (/^(true|1)$/i.test(text)) return 1n
  return /^(false|0)$/i.test(text) ? 0n : undefined
}

function wholeOf(text: string, bits: number): bigint | undefined {
  if (!/^[+-]?\d{1,60}$/.test(text)) return undefined
  const value = BigInt(text.replace(/^\+/, ''))
  return BigInt.asIntN(bits, value) === value ? value : undefined
}

function scaledOf(text: string, precision: number, scale: number): bigint | undefined {
  if (text.length > 100) return undefined
  const match = /^([+-]?)(\d*)(?:\.(\d*?)0*)?$/.exec(text)
  if (match === null || !/\d/.test(text)) return undefined
  const [, sign, whole, fraction = ''] = match
  if (fraction.length > scale) return undefined
  const size = BigInt(`${whole}${fraction.padEnd(scale, '0')}` || '0')
  if (size >= 10n ** BigInt(precision)) return undefined
  return sign === '-' ? -size : size
}

function dayOf(text: string): bigint | undefined {
  const match = DATE.exec(text)
  const days = match === null ? NaN : daysOf(Number(match[1]), Number(match[2]), Number(match[3]))
  return Number.isNaN(days) ? undefined : BigInt(days)
}

/** Without an offset, the column's time zone applies; without that, UTC. */
function microsOf(text: string, timezone: string): bigint | undefined {
  const match = TIME.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', offset] = match
  const days = daysOf(Number(year), Number(month), Number(day))
  if (Number.isNaN(days) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const local = days * DAY_SECONDS + Number(hour) * 3600 + Number(minute) * 60 + Number(second)
  const east =
    offset === undefined
      ? openZone(timezone === '' ? 'UTC' : timezone).offsetOnce(local, Number(year))
      : offsetOf(offset)
  const seconds = local - east
  if (!(seconds >= FIRST_SECOND && seconds < END_SECOND)) return undefined
  return BigInt(seconds) * MICROS + BigInt(fraction.padEnd(6, '0'))
}

/** Seconds; NaN beyond 18 hours. */
function offsetOf(text: string): number {
  if (text === 'Z') return 0
  const digits = text.slice(1).replace(':', '').padEnd(4, '0')
  const [hours, minutes] = [Number(digits.slice(0, 2)), Number(digits.slice(2))]
  const seconds = hours * 3600 + minutes * 60
  if (minutes > 59 || seconds > 18 * 3600) return NaN
  return text.startsWith('-') ? -seconds : seconds
}
