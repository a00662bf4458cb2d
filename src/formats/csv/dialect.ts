/**
 * The characters of a CSV dialect as bytes of UTF-8: any single character can be the delimiter or the quote.
 */
import { reserve, type Slab } from '../../core/slab.ts'

export interface Dialect {
  delimiter: Uint8Array
  /** Empty if no field is quoted. */
  quote: Uint8Array
  /** Per byte: 1 where an unquoted field may end (the delimiter's first byte, line ends). */
  ends: Uint8Array
}

export const [LF, CR] = [0x0a, 0x0d]

export function createDialect(delimiter: string, quote: string): Dialect {
  const ends = new Uint8Array(256)
  const bytes = Buffer.from(delimiter)
  for (const byte of [bytes[0], LF, CR]) ends[byte] = 1
  return { delimiter: bytes, quote: Buffer.from(quote), ends }
}

/** Whether the character `mark` is at `at`, where its first byte is. */
export function hasRest(bytes: Uint8Array, at: number, mark: Uint8Array): boolean {
  for (let i = 1; i < mark.length; i += 1) if (bytes[at + i] !== mark[i]) return false
  return true
}

/** The end of the line that contains `at`: its CR or LF, or `end`. */
export function lineEndFrom(bytes: Uint8Array, at: number, end: number): number {
  let to = at
  while (to < end && bytes[to] !== LF && bytes[to] !== CR) to += 1
  return to
}

/** The position after the line end at `at`. CR LF is one. */
export function behindLineEnd(bytes: Uint8Array, at: number, end: number): number {
  return Math.min(end, at + (bytes[at] === CR && at + 1 < end && bytes[at + 1] === LF ? 2 : 1))
}

/** Line ends in [from, to). */
export function countLineEnds(bytes: Uint8Array, from: number, to: number): number {
  let count = 0
  for (
    let at = lineEndFrom(bytes, from, to);
    at < to;
    at = lineEndFrom(bytes, behindLineEnd(bytes, at, to), to)
  )
    count += 1
  return count
}

/** The last line end in (from, to), or `from`, which is a line end. */
export function lastLineEnd(bytes: Uint8Array, from: number, to: number): number {
  let at = to - 1
  while (at > from && bytes[at] !== LF && bytes[at] !== CR) at -= 1
  return at
}

/** Writes a field with its doubled quotes undoubled, after the input, and sets its span. */
export function halveQuotes(slab: Slab, spans: Int32Array, field: number, quote: Uint8Array): void {
  const [from, length] = [spans[field * 2], spans[field * 2 + 1]]
  reserve(slab, length)
  const { bytes } = slab
  let to = slab.end
  for (let at = from; at < from + length; at += 1) {
    bytes[to++] = bytes[at]
    if (bytes[at] !== quote[0] || !hasRest(bytes, at, quote)) continue
    for (let i = 1; i < quote.length; i += 1) bytes[to++] = quote[i]
    at += quote.length * 2 - 1
  }
  spans[field * 2] = slab.end
  spans[field * 2 + 1] = to - slab.end
  slab.end = to
}
