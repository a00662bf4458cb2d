/** Values that are read whole: their extent, and the part that becomes a cell. */
import { beginKeys, isSecond } from './keys.ts'
import { innerPath, noteValue } from './notes.ts'
import { fault, unexpected, type ScanState } from './scan-state.ts'
import type { JsonNode } from './shape.ts'
import {
  CLOSE,
  CLOSE_LIST,
  COMMA,
  LETTER_N,
  OPEN,
  OPEN_LIST,
  QUOTE,
  decodeString,
  hasEscapes,
  readKey,
  skipSpace,
  stringEnd,
  wordEnd,
} from './tokens.ts'

export function enter(s: ScanState, p: number): void {
  s.depth += 1
  if (s.depth > s.limits.depth) throw fault(s, `nested deeper than ${s.limits.depth}`, p)
}

/** The position after the value at `p`. `checks`: a repeated key in an object is a finding. */
export function skipValue(s: ScanState, p: number, checks: boolean): number {
  const c = s.bytes[p]
  if (c === QUOTE) return stringEnd(s, p + 1) + 1
  if (c === OPEN) return skipObject(s, p, checks)
  if (c === OPEN_LIST) return skipList(s, p, checks)
  return wordEnd(s, p)
}

function skipObject(s: ScanState, from: number, checks: boolean): number {
  enter(s, from)
  const ledger = beginKeys(s)
  const b = s.bytes
  let p = skipSpace(s, from + 1)
  if (b[p] !== CLOSE) {
    for (;;) {
      p = readKey(s, p)
      const isRepeated = checks && isSecond(s, ledger)
      if (checks) {
        s.trailStart[s.depth] = s.keyStart
        s.trailLength[s.depth] = s.keyLength
      }
      const end = skipValue(s, p, checks)
      if (isRepeated) noteValue(s, 'repeated', innerPath(s), { from: p, end })
      p = skipSpace(s, end)
      if (b[p] === CLOSE) break
      if (b[p] !== COMMA) throw unexpected(s, p, 'a comma or }')
      p = skipSpace(s, p + 1)
    }
  }
  s.depth -= 1
  return p + 1
}

function skipList(s: ScanState, from: number, checks: boolean): number {
  enter(s, from)
  s.trailLength[s.depth] = -1
  const b = s.bytes
  let p = skipSpace(s, from + 1)
  if (b[p] !== CLOSE_LIST) {
    for (;;) {
      p = skipSpace(s, skipValue(s, p, checks))
      if (b[p] === CLOSE_LIST) break
      if (b[p] !== COMMA) throw unexpected(s, p, 'a comma or ]')
      p = skipSpace(s, p + 1)
    }
  }
  s.depth -= 1
  return p + 1
}

/** The position after the value at `p`, which belongs to `holder`. Repeated keys inside are findings. */
export function skipHeld(s: ScanState, p: number, holder: JsonNode | string): number {
  s.holder = holder
  s.holderDepth = s.depth
  return skipValue(s, p, true)
}

/**
 * Reads the value at `p` for the column of `node`. Its span goes into the state, with length -1 for null. A
 * string gives its characters; a number, a word, an object or an array gives its text; an array column takes
 * any value as text.
 */
export function readValue(s: ScanState, p: number, node: JsonNode): number {
  const c = s.bytes[p]
  if (c === LETTER_N) {
    s.valueLength = -1
    return wordEnd(s, p)
  }
  if (c === QUOTE && !node.isList) {
    const close = stringEnd(s, p + 1)
    s.valueStart = hasEscapes ? decodeString(s, p + 1, close) : p + 1
    s.valueLength = hasEscapes ? s.slab.end - s.valueStart : close - p - 1
    return close + 1
  }
  if (c !== OPEN && c !== OPEN_LIST) {
    s.valueStart = p
    p = c === QUOTE ? stringEnd(s, p + 1) + 1 : wordEnd(s, p)
    s.valueLength = p - s.valueStart
    return p
  }
  const end = skipHeld(s, p, node)
  s.valueStart = p
  s.valueLength = end - p
  return end
}
