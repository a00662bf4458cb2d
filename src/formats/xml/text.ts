/** Character data: checked byte by byte, and decoded only if a value needs it. */
import { reserve } from '../../core/slab.ts'
import { PLAIN, RAW, SPACE, WIDE, plainEnd, readWide } from './chars.ts'
import { decodeInto, referenceAt, referenceEnd } from './references.ts'
import { atEnd, fault, type ScanState } from './scan-state.ts'

const LT = 0x3c
const AMPERSAND = 0x26
const BRACKET = 0x5d
const GT = 0x3e
const CR = 0x0d

/** Set by scanText: the stretch has references or carriage returns, and must be decoded to become a value. */
export let textNeedsDecoding = false

/** Scans character data from `p` and returns the position of the next `<`, or of the end of the input. */
export function scanText(s: ScanState, p: number): number {
  const b = s.bytes
  textNeedsDecoding = false
  for (;;) {
    p = plainEnd(s.slab.view, b, p)
    if (p >= s.end) return s.end
    const c = b[p]
    if (c === LT) return p
    if (c >= 0x80) p = wideChar(s, p, 'text')
    else if (c === AMPERSAND) {
      textNeedsDecoding = true
      referenceAt(s, p)
      p = referenceEnd(s, p)
    } else if (c === CR) {
      textNeedsDecoding = true
      p += 1
    } else if (c === BRACKET) {
      if (p + 2 >= s.end && !s.final) return s.end
      if (b[p + 1] === BRACKET && b[p + 2] === GT && p + 2 < s.end)
        throw fault(s, 'the string "]]>" is disallowed in text', p)
      p += 1
    } else throw fault(s, 'disallowed character in text', p)
  }
}

/** Checks the multi-byte character at `p`. Returns the position after it. */
export function wideChar(s: ScanState, p: number, inside: string): number {
  if (!s.final && p + 4 > s.end) throw atEnd(s, s.end, inside)
  const wide = readWide(s.bytes, p)
  if (wide < 0 || p + (wide & 7) > s.end) throw fault(s, `invalid UTF-8 in ${inside}`, p)
  const point = wide >> 3
  if (point === 0xfffe || point === 0xffff) throw fault(s, `disallowed character in ${inside}`, p)
  return p + (wide & 7)
}

/** Scans to the closing bytes (`-->`, `]]>`, `?>`) and returns their position. */
export function scanUntil(s: ScanState, p: number, closing: string, inside: string): number {
  const b = s.bytes
  const first = closing.charCodeAt(0)
  for (;;) {
    while (RAW[b[p]] === PLAIN) p += 1
    if (p >= s.end) throw atEnd(s, s.end, inside)
    if (RAW[b[p]] === WIDE) p = wideChar(s, p, inside)
    else if (b[p] === first && closes(s, p, closing, inside)) return p
    else if (b[p] < 0x20 && b[p] !== CR) throw fault(s, `disallowed character in ${inside}`, p)
    else p += 1
  }
}

function closes(s: ScanState, p: number, closing: string, inside: string): boolean {
  for (let i = 1; i < closing.length; i += 1) {
    if (p + i >= s.end) throw atEnd(s, s.end, inside)
    if (s.bytes[p + i] !== closing.charCodeAt(i)) return false
  }
  return true
}

/** True if [from, to) is only white space. */
export function isBlank(b: Uint8Array, from: number, to: number): boolean {
  for (let p = from; p < to; p += 1) if (SPACE[b[p]] === 0) return false
  return true
}

/**
 * Adds a stretch of character data to the text of the open element. The first plain stretch stays a span of
 * the input. A second one (after a comment, a CDATA section, a child) turns the value into a copy after the
 * input.
 */
export function addText(
  s: ScanState,
  from: number,
  to: number,
  decodeAs: 'text' | 'cdata' | undefined,
): void {
  if (from === to) return
  const d = s.depth
  const before = s.textLength[d]
  if (before < 0 && decodeAs === undefined) {
    s.textStart[d] = from
    s.textLength[d] = to - from
    return
  }
  let start = s.slab.end
  if (before > 0) {
    if (s.textStart[d] + before === start) start = s.textStart[d]
    else copyBehind(s, s.textStart[d], before)
  }
  decodeInto(s, from, to, decodeAs ?? 'text')
  s.textStart[d] = start
  s.textLength[d] = s.slab.end - start
  if (s.textLength[d] > s.limits.textBytes)
    throw fault(s, `text longer than ${s.limits.textBytes} bytes`, from)
}

function copyBehind(s: ScanState, from: number, length: number): void {
  const { slab } = s
  reserve(slab, length)
  slab.bytes.copyWithin(slab.end, from, from + length)
  slab.end += length
}
