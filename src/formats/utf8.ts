/** UTF-8 as bytes: where the text of a document begins, and where it is broken. */
import { isUtf8 } from 'node:buffer'

/** Where the document at `at` begins: after the byte order mark of UTF-8 (EF BB BF), if it has one. */
export function behindMark(b: Uint8Array, at: number): number {
  return b[at] === 0xef && b[at + 1] === 0xbb && b[at + 2] === 0xbf ? at + 3 : at
}

/** `end`, or less if a character is incomplete there: it may continue in the next window. */
export function endOfCharacters(b: Uint8Array, from: number, end: number): number {
  for (let back = 1; back <= 3 && end - back >= from; back += 1) {
    const c = b[end - back]
    if (c < 0x80) return end
    if (c < 0xc0) continue
    return lengthOf(c) > back ? end - back : end
  }
  return end
}

/** The first byte in [from, end) that starts no UTF-8 character. -1: there is none. */
export function firstInvalid(b: Buffer, from: number, end: number): number {
  if (isUtf8(b.subarray(from, end))) return -1
  // Halves until a piece is small: the platform's check is a hundred times faster than ours.
  let [low, high] = [from, end]
  while (high - low > 64) {
    const middle = endOfCharacters(b, low, (low + high) >> 1)
    if (middle > low && isUtf8(b.subarray(low, middle))) low = middle
    else if (middle > low) high = middle
    else break
  }
  for (let at = low; at < end;) {
    const length = lengthOf(b[at])
    if (length === 0 || at + length > end || !isUtf8(b.subarray(at, at + length))) return at
    at += length
  }
  return low
}

/** Bytes of the character that starts with `c`. 0: no character does. */
function lengthOf(c: number): number {
  if (c < 0x80) return 1
  return c < 0xc2 || c > 0xf4 ? 0 : announcedLength(c)
}

/** The fault of the invalid UTF-8 in [start, end), which begins at byte `position` of its document. */
export function invalidIn(bytes: Buffer, start: number, end: number, position: number): string | undefined {
  const found = firstInvalid(bytes, start, end)
  if (found < 0) return undefined
  const byte = bytes[found].toString(16).toUpperCase().padStart(2, '0')
  const place = `byte ${position + found - start} (0x${byte})`
  return `invalid UTF-8 at ${place}; if the file is windows-1252, declare record.encoding`
}

/**
 * The length of a character that its first byte (at least 0xc0) announces. The character may still be
 * invalid.
 */
export function announcedLength(first: number): number {
  if (first >= 0xf0) return 4
  return first >= 0xe0 ? 3 : 2
}
