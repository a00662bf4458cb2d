/**
 * Values of JSON text as spans of its bytes, so that numbers keep every digit of the source. Strict: invalid
 * JSON has no end. Needed where `JSON.parse` would turn numbers into doubles.
 */

export type JsonKind = 'string' | 'number' | 'true' | 'false' | 'null' | 'object' | 'array'

export interface JsonSpan {
  kind: JsonKind
  /** Includes the quotes of a string. */
  start: number
  end: number
}

/** The depth that all our readers reach. Deeper text counts as invalid JSON. */
const DEEPEST = 512
const [QUOTE, BACKSLASH, COMMA, COLON, DASH, POINT, ZERO] = [0x22, 0x5c, 0x2c, 0x3a, 0x2d, 0x2e, 0x30]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

/** The only value in [start, end), or undefined. */
export function jsonValue(b: Uint8Array, start: number, end: number): JsonSpan | undefined {
  const from = behindBlanks(b, start, end)
  const to = valueEnd(b, from, end, 0)
  return to < 0 || behindBlanks(b, to, end) !== end ? undefined : spanOf(b, from, to)
}

/** Items of an array that `jsonValue` found. */
export function jsonItems(b: Uint8Array, array: JsonSpan): JsonSpan[] {
  const items: JsonSpan[] = []
  let at = behindBlanks(b, array.start + 1, array.end)
  while (b[at] !== CLOSE_LIST) {
    const to = valueEnd(b, at, array.end, 0)
    items.push(spanOf(b, at, to))
    at = behindBlanks(b, to, array.end)
    if (b[at] === COMMA) at = behindBlanks(b, at + 1, array.end)
  }
  return items
}

/** Members of an object that `jsonValue` found. Of a repeated key, the first counts. */
export function jsonMembers(b: Uint8Array, object: JsonSpan): Map<string, JsonSpan> {
  const members = new Map<string, JsonSpan>()
  let at = behindBlanks(b, object.start + 1, object.end)
  while (b[at] !== CLOSE_OBJECT) {
    const keyEnd = stringEnd(b, at, object.end)
    const key = stringOf(b, at, keyEnd)
    const from = behindBlanks(b, behindBlanks(b, keyEnd, object.end) + 1, object.end)
    const to = valueEnd(b, from, object.end, 0)
    if (!members.has(key)) members.set(key, spanOf(b, from, to))
    at = behindBlanks(b, to, object.end)
    if (b[at] === COMMA) at = behindBlanks(b, at + 1, object.end)
  }
  return members
}

/** Text of the string in [start, end), quotes included. */
export function stringOf(b: Uint8Array, start: number, end: number): string {
  const text = Buffer.from(b.buffer, b.byteOffset + start, end - start).toString('utf8')
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1)
}

/** Whether a string contains an escape. Without one, its bytes are its text. */
export function hasEscape(b: Uint8Array, { start, end }: JsonSpan): boolean {
  for (let at = start; at < end; at += 1) if (b[at] === BACKSLASH) return true
  return false
}

function spanOf(b: Uint8Array, start: number, end: number): JsonSpan {
  return { kind: KINDS[String.fromCharCode(b[start])] ?? 'number', start, end }
}

const KINDS: Readonly<Record<string, JsonKind>> = {
  '"': 'string',
  '{': 'object',
  '[': 'array',
  t: 'true',
  f: 'false',
  n: 'null',
}

function behindBlanks(b: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && (b[at] === 0x20 || b[at] === 0x0a || b[at] === 0x0d || b[at] === 0x09)) at += 1
  return at
}

/** The end of the value at a position, or -1. */
function valueEnd(b: Uint8Array, at: number, end: number, depth: number): number {
  if (at >= end || depth > DEEPEST) return -1
  const first = b[at]
  if (first === QUOTE) return stringEnd(b, at, end)
  if (first === OPEN_LIST) return listEnd(b, at, end, depth)
  if (first === OPEN_OBJECT) return objectEnd(b, at, end, depth)
  if (first === DASH || (first >= 48 && first <= 57)) return numberEnd(b, at, end)
  for (const literal of WORDS)
    if (first === literal[0])
      return literal.every((byte, i) => b[at + i] === byte) && at + literal.length <= end
        ? at + literal.length
        : -1
  return -1
}

const WORDS = ['true', 'false', 'null'].map((literal) => new TextEncoder().encode(literal))

function listEnd(b: Uint8Array, start: number, end: number, depth: number): number {
  let at = behindBlanks(b, start + 1, end)
  if (at < end && b[at] === CLOSE_LIST) return at + 1
  for (;;) {
    const to = valueEnd(b, at, end, depth + 1)
    if (to < 0) return -1
    at = behindBlanks(b, to, end)
    if (at >= end) return -1
    if (b[at] === CLOSE_LIST) return at + 1
    if (b[at] !== COMMA) return -1
    at = behindBlanks(b, at + 1, end)
  }
}

function objectEnd(b: Uint8Array, start: number, end: number, depth: number): number {
  let at = behindBlanks(b, start + 1, end)
  if (at < end && b[at] === CLOSE_OBJECT) return at + 1
  for (;;) {
    if (at >= end || b[at] !== QUOTE) return -1
    at = stringEnd(b, at, end)
    if (at < 0) return -1
    at = behindBlanks(b, at, end)
    if (at >= end || b[at] !== COLON) return -1
    const to = valueEnd(b, behindBlanks(b, at + 1, end), end, depth + 1)
    if (to < 0) return -1
    at = behindBlanks(b, to, end)
    if (at >= end) return -1
    if (b[at] === CLOSE_OBJECT) return at + 1
    if (b[at] !== COMMA) return -1
    at = behindBlanks(b, at + 1, end)
  }
}

function stringEnd(b: Uint8Array, start: number, end: number): number {
  for (let at = start + 1; at < end; at += 1) {
    const byte = b[at]
    if (byte === QUOTE) return at + 1
    if (byte < 0x20) return -1
    if (byte !== BACKSLASH) continue
    at += 1
    if (b[at] === 0x75) {
      for (let i = 1; i <= 4; i += 1) if (at + i >= end || !isHex(b[at + i])) return -1
      at += 4
    } else if (at >= end || !ESCAPES.has(b[at])) return -1
  }
  return -1
}

const ESCAPES = new Set(new TextEncoder().encode('"\\/bfnrt'))

function isHex(byte: number): boolean {
  const small = byte | 0x20
  return (byte >= 48 && byte <= 57) || (small >= 0x61 && small <= 0x66)
}

function numberEnd(b: Uint8Array, start: number, end: number): number {
  let at = b[start] === DASH ? start + 1 : start
  const digits = (): boolean => {
    const from = at
    while (at < end && b[at] >= 48 && b[at] <= 57) at += 1
    return at > from
  }
  if (at < end && b[at] === ZERO) at += 1
  else if (!digits()) return -1
  if (at < end && b[at] === POINT) {
    at += 1
    if (!digits()) return -1
  }
  if (at < end && (b[at] | 0x20) === 0x65) {
    at += 1
    if (at < end && (b[at] === 0x2b || b[at] === DASH)) at += 1
    if (!digits()) return -1
  }
  return at
}
