/**
 * Parses values directly from bytes: valid or refused, nothing is coerced. `docs/reference/types.md` lists
 * what each type accepts. Exact numbers never pass through a double that cannot hold them.
 */

/** 0: a digit of a canonical UUID, 1: an upper-case one, 2: neither. */
const HEX = new Uint8Array(256).fill(2)
for (const c of '0123456789abcdef') HEX[c.charCodeAt(0)] = 0
for (const c of 'ABCDEF') HEX[c.charCodeAt(0)] = 1
const [PLUS, DASH, POINT, ZERO, ONE] = [0x2b, 0x2d, 0x2e, 0x30, 0x31]

/** 1: a canonical UUID, 2: one with upper-case letters, 0: neither. */
export function uuidKind(b: Uint8Array, start: number, length: number): 0 | 1 | 2 {
  if (
    length !== 36 ||
    b[start + 8] !== DASH ||
    b[start + 13] !== DASH ||
    b[start + 18] !== DASH ||
    b[start + 23] !== DASH
  )
    return 0
  // Collect kinds without a branch per byte: this runs for every record.
  let seen = 0
  for (let at = start; at < start + 8; at += 1) seen |= HEX[b[at]]
  for (let at = start + 9; at < start + 13; at += 1) seen |= HEX[b[at]] | HEX[b[at + 5]] | HEX[b[at + 10]]
  for (let at = start + 24; at < start + 36; at += 1) seen |= HEX[b[at]]
  if (seen > 1) return 0
  return seen === 1 ? 2 : 1
}

/**
 * The integer in [start, start + length), or NaN. It may have any number of leading zeros, and at most 15
 * digits after them.
 */
export function integerOf(b: Uint8Array, start: number, length: number): number {
  let at = start
  const end = start + length
  const negative = b[at] === DASH
  if (negative || b[at] === PLUS) at += 1
  if (at >= end) return NaN
  if (end - at > 15) at = behindZeros(b, at, end)
  if (end - at > 15) return NaN
  let value = 0
  for (; at < end; at += 1) {
    const digit = b[at] - 48
    if (digit < 0 || digit > 9) return NaN
    value = value * 10 + digit
  }
  return negative ? 0 - value : value
}

/** The first byte that is not a zero, or the last byte. */
function behindZeros(b: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end - 1 && b[at] === ZERO) at += 1
  return at
}

/**
 * Writes a 64-bit integer as two words (low one first). False if the text is no such integer. Nineteen digits
 * are read as ten and nine, and their product is computed in halves that a double holds exactly: a BigInt per
 * value costs ten times as much.
 */
export function longInto(b: Uint8Array, start: number, length: number, cell: WordCell): boolean {
  let at = start
  const end = start + length
  const negative = b[at] === DASH
  if (negative || b[at] === PLUS) at += 1
  if (at >= end) return false
  if (end - at > 19) at = behindZeros(b, at, end)
  if (end - at > 19) return false
  let low = 0
  let high = 0
  for (const split = end - 9; at < split; at += 1) {
    const digit = b[at] - 48
    if (digit < 0 || digit > 9) return false
    high = high * 10 + digit
  }
  for (; at < end; at += 1) {
    const digit = b[at] - 48
    if (digit < 0 || digit > 9) return false
    low = low * 10 + digit
  }
  const highWord = wordsInto(high, 1e9, low, cell)
  return negative ? negate(cell, highWord) : highWord < TWO_31
}

/** The destination of a 64-bit integer: one object per column, whose row moves on. */
export interface WordCell {
  words: Int32Array
  row: number
}

const TWO_16 = 65_536
const TWO_31 = 2_147_483_648
const TWO_32 = 4_294_967_296

/**
 * Writes `high * unit + low` and returns its high word, which may have more than 31 bits. All are integers
 * and not negative. `high` times `unit` may have 64 bits, with at most 38 and 30 of their own.
 */
export function wordsInto(high: number, unit: number, low: number, { words, row }: WordCell): number {
  const upper = Math.floor(high / TWO_16)
  const bottom = (high - upper * TWO_16) * unit + low
  // The whole value is top * 2^16 + bottom.
  const top = upper * unit
  const topHigh = Math.floor(top / TWO_16)
  const rest = (top - topHigh * TWO_16) * TWO_16 + bottom
  const carry = Math.floor(rest / TWO_32)
  const highWord = topHigh + carry
  words[row * 2] = rest - carry * TWO_32
  words[row * 2 + 1] = highWord
  return highWord
}

/** Negates what `wordsInto` wrote. False beyond 64 bits. */
export function negate({ words, row }: WordCell, highWord: number): boolean {
  const low = words[row * 2]
  words[row * 2] = -low
  words[row * 2 + 1] = low === 0 ? -highWord : -highWord - 1
  return highWord < TWO_31 || (highWord === TWO_31 && low === 0)
}

/** Powers of ten that a double holds exactly. */
const TENS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))

/**
 * A double from its text, or NaN. `NaN` and infinity are refused, as words and as overflow: statistics and
 * comparisons break on them. A negative zero becomes zero: DuckDB's Parquet dictionary treats both as one and
 * keeps the first, Spark's keeps both.
 */
export function doubleOf(b: Uint8Array, start: number, length: number): number {
  const end = start + length
  let at = start
  const negative = b[at] === DASH
  if (negative || b[at] === PLUS) at += 1
  let mantissa = 0
  let digits = 0
  let places = 0
  let point = -1
  for (; at < end; at += 1) {
    const digit = b[at] - 48
    if (digit >= 0 && digit <= 9) {
      // Below 9e14, one more digit stays below 2^53.
      if (mantissa < 9e14) mantissa = mantissa * 10 + digit
      else digits = 1e9
      digits += 1
      if (point >= 0) places += 1
    } else if (b[at] === POINT && point < 0) point = at
    else break
  }
  if (digits === 0) return NaN
  const exponent = exponentOf(b, at, end)
  if (Number.isNaN(exponent)) return NaN
  const tens = exponent - places
  if (digits < 1e9 && Math.abs(tens) <= 22) {
    const value = scaled(mantissa, tens)
    return negative ? 0 - value : value
  }
  const value = Number(asciiText(b, start, length)) + 0
  return Number.isFinite(value) ? value : NaN
}

/**
 * An integer below 2^53, times or divided by an exact power of ten, is rounded once, so the result is the
 * nearest double (Clinger).
 */
const scaled = (mantissa: number, tens: number): number =>
  tens < 0 ? mantissa / TENS[-tens] : mantissa * TENS[tens]

/**
 * The exponent in [at, end), which starts with its letter: 0 if nothing is there, NaN if it is invalid, and
 * some large number for all that are large.
 */
function exponentOf(b: Uint8Array, start: number, end: number): number {
  if (start >= end) return 0
  if ((b[start] | 0x20) !== 0x65) return NaN
  let at = start + 1
  const negative = b[at] === DASH
  if (negative || b[at] === PLUS) at += 1
  if (at >= end) return NaN
  let value = 0
  for (; at < end; at += 1) {
    const digit = b[at] - 48
    if (digit < 0 || digit > 9) return NaN
    value = Math.min(value * 10 + digit, 1e9)
  }
  return negative ? 0 - value : value
}

/** How the canonical text of a decimal (`-12.5`) relates to the bytes. */
export const [NO_DECIMAL, SPAN_OF_TEXT, NEEDS_TEXT] = [0, 1, 2] as const

/**
 * A decimal of at most `whole` digits before the point and `scale` after it, and the destination of its text.
 */
export interface DecimalCell {
  whole: number
  scale: number
  spans: Int32Array
  row: number
}

/**
 * Checks a decimal; zeros that change nothing do not count. Its canonical text is nearly always a part of the
 * text (`12.50`, `+5`, `007`), whose span goes to the cell. Otherwise (`.5`, `-007`), `decimalText` writes
 * it.
 */
export function decimalInto(b: Uint8Array, start: number, length: number, cell: DecimalCell): 0 | 1 | 2 {
  const end = start + length
  const negative = b[start] === DASH
  const digitsFrom = negative || b[start] === PLUS ? start + 1 : start
  const from = zerosEnd(b, digitsFrom, end)
  const wholeEnd = digitsEnd(b, from, end)
  const last = wholeEnd < end ? fractionEnd(b, wholeEnd, end) : wholeEnd
  // An empty text is no number, nor is a single point.
  if (last < 0 || (wholeEnd === digitsFrom && end - wholeEnd < 2)) return NO_DECIMAL
  if (wholeEnd - from > cell.whole || last - wholeEnd - 1 > cell.scale) return NO_DECIMAL
  const zeros = from - digitsFrom
  // A zero precedes a point without digits before it; a sign precedes anything but zero.
  const zero = from === wholeEnd ? 1 : 0
  const sign = negative && (zero === 0 || last > wholeEnd) ? 1 : 0
  if (zeros < zero || (sign === 1 && zeros > zero)) return NEEDS_TEXT
  const first = from - zero - sign
  cell.spans[cell.row * 2] = first
  cell.spans[cell.row * 2 + 1] = last - first
  return SPAN_OF_TEXT
}

function zerosEnd(b: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && b[at] === ZERO) at += 1
  return at
}

export function digitsEnd(b: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && b[at] >= 48 && b[at] <= 57) at += 1
  return at
}

/** The end of a fraction's digits without trailing zeros. -1: it is no fraction. */
function fractionEnd(b: Uint8Array, point: number, end: number): number {
  if (b[point] !== POINT) return -1
  let last = point
  for (let at = point + 1; at < end; at += 1) {
    if (b[at] === ZERO) continue
    if (b[at] < 48 || b[at] > 57) return -1
    last = at + 1
  }
  return last
}

/** The canonical text of a decimal that `decimalInto` accepted. */
export function decimalText(b: Uint8Array, start: number, length: number): string {
  const match = /^([+-]?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(asciiText(b, start, length)) as RegExpExecArray
  const fraction = match[3] === undefined || match[3] === '' ? '' : `.${match[3]}`
  const whole = match[2] === '' ? '0' : match[2]
  const sign = match[1] === '-' && (whole !== '0' || fraction !== '') ? '-' : ''
  return `${sign}${whole}${fraction}`
}

/** 1 for true, 0 for false, -1 for neither: the words in any case, or the digits. */
export function booleanOf(b: Uint8Array, start: number, length: number): 1 | 0 | -1 {
  if (length === 1 && b[start] === ONE) return 1
  if (length === 1) return b[start] === ZERO ? 0 : -1
  if (length === 4) return isWord(b, start, TRUE) ? 1 : -1
  return length === 5 && isWord(b, start, FALSE) ? 0 : -1
}

const TRUE = Uint8Array.from('true', (c) => c.charCodeAt(0))
const FALSE = Uint8Array.from('false', (c) => c.charCodeAt(0))

/** Whether these letters are at a position, in any case. */
export function isWord(b: Uint8Array, start: number, small: Uint8Array): boolean {
  for (let i = 0; i < small.length; i += 1) if ((b[start + i] | 0x20) !== small[i]) return false
  return true
}

export function asciiText(b: Uint8Array, start: number, length: number): string {
  return Buffer.from(b.buffer, b.byteOffset + start, length).toString('latin1')
}
