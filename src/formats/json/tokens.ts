/** Tokens of JSON (RFC 8259), strictly: strings and their escapes, numbers, the three words, white space. */
import { reserve } from '../../core/slab.ts'
import { NEED_MORE, fault, unexpected, type ScanState } from './scan-state.ts'

export const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c]
export const [OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d]
export const LETTER_N = 0x6e
const [MINUS, PLUS, POINT, ZERO, NINE] = [0x2d, 0x2b, 0x2e, 0x30, 0x39]
const [LETTER_E, LETTER_F, LETTER_T, LETTER_U] = [0x65, 0x66, 0x74, 0x75]

export const SPACE = Uint8Array.from({ length: 256 }, (_, c) => Number([0x20, 0x09, 0x0a, 0x0d].includes(c)))
/** For records that end at a line feed. */
export const SPACE_IN_LINE = SPACE.map((is, c) => (c === 0x0a ? 0 : is))

/** The characters for `\b` and the other escapes. 0: no escape. */
const ESCAPES = new Uint8Array(256)
for (const [letter, character] of Object.entries({
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}))
  ESCAPES[letter.charCodeAt(0)] = character.charCodeAt(0)

const HEX = new Int8Array(256).fill(-1)
for (const c of '0123456789abcdefABCDEF') HEX[c.charCodeAt(0)] = Number.parseInt(c, 16)

export function skipSpace(s: ScanState, p: number): number {
  const b = s.bytes
  if (b[p] > 0x20) return p
  const { space } = s
  while (space[b[p]] === 1) p += 1
  return p
}

/**
 * The first position from `p` on of a quote, a backslash or a control character. One word tests four bytes
 * (the zero-byte test of Mycroft, 1987; the lowest hit is real). Bytes after the input must be readable.
 */
export function plainEnd(view: DataView, p: number): number {
  for (;;) {
    const w = view.getInt32(p, true)
    const hits =
      ((w - 0x20202020) | ((w ^ 0x22222222) - 0x01010101) | ((w ^ 0x5c5c5c5c) - 0x01010101)) & ~w & 0x80808080
    if (hits !== 0) return p + ((31 - Math.clz32(hits & -hits)) >> 3)
    p += 4
  }
}

/** Set by stringEnd: the string has escapes, and must be decoded to become a value. */
export let hasEscapes = false

/** The closing quote of the string whose first character is at `p`. */
export function stringEnd(s: ScanState, p: number): number {
  hasEscapes = false
  for (;;) {
    p = plainEnd(s.view, p)
    const c = s.bytes[p]
    if (c === QUOTE && p < s.end) return p
    if (c !== BACKSLASH || p >= s.end) throw unexpected(s, p, 'a character of a string')
    hasEscapes = true
    p = escapeEnd(s, p)
  }
}

/** Checks the escape at `p`. Returns the position after it, or after both halves of a surrogate pair. */
function escapeEnd(s: ScanState, p: number): number {
  const b = s.bytes
  if (b[p + 1] !== LETTER_U) {
    if (ESCAPES[b[p + 1]] === 0 || p + 1 >= s.end) throw unexpected(s, p + 1, 'an escape')
    return p + 2
  }
  const unit = unitAt(s, p + 2)
  if (unit < 0xd800 || unit > 0xdfff) return p + 6
  if (unit > 0xdbff) throw fault(s, 'an escaped surrogate is unpaired', p)
  for (const [i, c] of [BACKSLASH, LETTER_U].entries()) {
    if (p + 6 + i >= s.end) throw unexpected(s, s.end, 'a surrogate')
    if (b[p + 6 + i] !== c) throw fault(s, 'an escaped surrogate is unpaired', p)
  }
  const low = unitAt(s, p + 8)
  if (low < 0xdc00 || low > 0xdfff) throw fault(s, 'an escaped surrogate is unpaired', p)
  return p + 12
}

function unitAt(s: ScanState, p: number): number {
  let unit = 0
  for (let i = p; i < p + 4; i += 1) {
    const digit = HEX[s.bytes[i]]
    if (digit < 0 || i >= s.end) throw unexpected(s, i, 'a hexadecimal digit')
    unit = (unit << 4) | digit
  }
  return unit
}

/** Writes the checked string [from, to) without its escapes after the input. Returns its start. */
export function decodeString(s: ScanState, from: number, to: number): number {
  const { slab, bytes: b } = s
  reserve(slab, to - from)
  const out = slab.bytes
  const start = slab.end
  let at = start
  for (let p = from; p < to;) {
    if (b[p] !== BACKSLASH) out[at++] = b[p++]
    else if (b[p + 1] !== LETTER_U) {
      out[at++] = ESCAPES[b[p + 1]]
      p += 2
    } else {
      let point = unitAt(s, p + 2)
      p += 6
      if (point >= 0xd800 && point <= 0xdfff) {
        point = 0x10000 + ((point & 0x3ff) << 10) + (unitAt(s, p + 2) & 0x3ff)
        p += 6
      }
      at = writePoint(out, at, point)
    }
  }
  slab.end = at
  return start
}

function writePoint(out: Uint8Array, at: number, point: number): number {
  if (point < 0x80) {
    out[at] = point
    return at + 1
  }
  const more = bytesBehindFirst(point)
  // The ones of the leading byte tell how many bytes follow: 110, 1110, 11110.
  out[at] = ((0xf00 >> (more + 1)) & 0xff) | (point >> (6 * more))
  for (let i = 1; i <= more; i += 1) out[at + i] = 0x80 | ((point >> (6 * (more - i))) & 0x3f)
  return at + more + 1
}

/** How many bytes follow the first one of a multi-byte character. */
function bytesBehindFirst(point: number): number {
  if (point < 0x800) return 1
  return point < 0x10000 ? 2 : 3
}

/** The position after the number at `p`. */
export function numberEnd(s: ScanState, p: number): number {
  const b = s.bytes
  if (b[p] === MINUS) p += 1
  if (b[p] === ZERO) p += 1
  else p = digitsEnd(s, p, 'a value')
  if (b[p] === POINT) p = digitsEnd(s, p + 1, 'a digit')
  if ((b[p] | 0x20) === LETTER_E) {
    p += 1
    if (b[p] === MINUS || b[p] === PLUS) p += 1
    p = digitsEnd(s, p, 'a digit')
  }
  // At the end of a window, more digits may come.
  if (p >= s.end && !s.final) throw NEED_MORE
  return p
}

function digitsEnd(s: ScanState, p: number, wanted: string): number {
  const b = s.bytes
  if (b[p] < ZERO || b[p] > NINE) throw unexpected(s, p, wanted)
  do p += 1
  while (b[p] >= ZERO && b[p] <= NINE)
  return p
}

const [TRUE, FALSE, NULL] = ['true', 'false', 'null'].map((literal) => Buffer.from(literal))

/** The position after the number, `true`, `false` or `null` at `p`. */
export function wordEnd(s: ScanState, p: number): number {
  const c = s.bytes[p]
  if (c === LETTER_T) return literalEnd(s, p, TRUE)
  if (c === LETTER_F) return literalEnd(s, p, FALSE)
  if (c === LETTER_N) return literalEnd(s, p, NULL)
  return numberEnd(s, p)
}

function literalEnd(s: ScanState, p: number, literal: Uint8Array): number {
  for (let i = 1; i < literal.length; i += 1)
    if (s.bytes[p + i] !== literal[i]) throw unexpected(s, p + i, 'a value')
  return p + literal.length
}

/** Reads the key whose quote is at `p` into the state. Returns the position of its value, after the colon. */
export function readKey(s: ScanState, p: number): number {
  if (s.bytes[p] !== QUOTE) throw unexpected(s, p, 'a key')
  const close = stringEnd(s, p + 1)
  if (close - p > s.limits.keyBytes) throw fault(s, `a key of more than ${s.limits.keyBytes} bytes`, p)
  if (hasEscapes) {
    s.keyStart = decodeString(s, p + 1, close)
    s.keyLength = s.slab.end - s.keyStart
  } else {
    s.keyStart = p + 1
    s.keyLength = close - p - 1
  }
  return behindColon(s, close + 1)
}

export function behindColon(s: ScanState, p: number): number {
  p = skipSpace(s, p)
  if (s.bytes[p] !== COLON) throw unexpected(s, p, 'a colon')
  return skipSpace(s, p + 1)
}

export function keyText(s: ScanState): string {
  return s.slab.bytes.toString('utf8', s.keyStart, s.keyStart + s.keyLength)
}
