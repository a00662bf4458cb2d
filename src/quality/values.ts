/**
 * Text to typed values, straight from bytes where it is hot (integers, uuids, ISO dates) and through strings where it is
 * rare. A value is right or it is refused: nothing is coerced (`0x1F`, `1e5` and `00123` are no integers by accident).
 */

/** 0: a digit of a canonical UUID, 1: a capital one, 2: none. */
const HEX = new Uint8Array(256).fill(2)
for (const c of '0123456789abcdef') HEX[c.charCodeAt(0)] = 0
for (const c of 'ABCDEF') HEX[c.charCodeAt(0)] = 1
const DASH = 0x2d

/** 1: a UUID as it is written canonically, 2: one with capital letters, 0: none. */
export function uuidKind(b: Uint8Array, start: number, length: number): 0 | 1 | 2 {
  if (length !== 36 || b[start + 8] !== DASH || b[start + 13] !== DASH || b[start + 18] !== DASH || b[start + 23] !== DASH) return 0
  // Kinds are gathered without a branch per byte: this runs for every record.
  let seen = 0
  for (let at = start; at < start + 8; at += 1) seen |= HEX[b[at]]
  for (let at = start + 9; at < start + 13; at += 1) seen |= HEX[b[at]] | HEX[b[at + 5]] | HEX[b[at + 10]]
  for (let at = start + 24; at < start + 36; at += 1) seen |= HEX[b[at]]
  return seen > 1 ? 0 : seen === 1 ? 2 : 1
}

/** The integer written in [start, start + length), or NaN. An optional sign, digits, nothing else; exact to 2^53. */
export function integerOf(b: Uint8Array, start: number, length: number): number {
  let at = start
  const end = start + length
  const negative = b[at] === DASH
  if (negative || b[at] === 0x2b) at += 1
  if (at === end || end - at > 15) return NaN
  let value = 0
  for (; at < end; at += 1) {
    const digit = b[at] - 48
    if (digit < 0 || digit > 9) return NaN
    value = value * 10 + digit
  }
  return negative ? -value : value
}

/** A 64-bit integer written as text, or undefined. */
export function longOf(text: string): bigint | undefined {
  if (!/^[+-]?\d{1,19}$/.test(text)) return undefined
  const value = BigInt(text)
  return BigInt.asIntN(64, value) === value ? value : undefined
}

const DOUBLE = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/

/**
 * A double written as text, or NaN. `NaN` and `Infinity` are refused: statistics and comparisons break on them. A negative zero becomes
 * zero: DuckDB's Parquet dictionary takes the two for one and keeps whichever came first, Spark's keeps both.
 */
export function doubleOf(text: string): number {
  return DOUBLE.test(text) ? Number(text) + 0 : NaN
}

/** A decimal in canonical text (`-12.50`), or undefined when it does not fit precision and scale exactly. */
export function decimalOf(text: string, precision: number, scale: number): string | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text)
  if (match === null || (match[2] === '' && !match[3])) return undefined
  const whole = match[2].replace(/^0+(?=\d)/, '') || '0'
  const fraction = (match[3] ?? '').replace(/0+$/, '')
  if (fraction.length > scale || whole.replace(/^0$/, '').length > precision - scale) return undefined
  return `${match[1] === '-' ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

export function booleanOf(text: string): boolean | undefined {
  const word = text.toLowerCase()
  if (word === 'true' || word === '1') return true
  return word === 'false' || word === '0' ? false : undefined
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** Days since 1970-01-01 of a calendar date, or NaN when there is no such day. */
export function daysOf(year: number, month: number, day: number): number {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return NaN
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  if (day > DAYS[month - 1] + (month === 2 && leap ? 1 : 0)) return NaN
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return Math.round(date.getTime() / 86_400_000)
}
