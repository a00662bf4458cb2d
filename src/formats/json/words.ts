/** Compares expected bytes at a position, four at a time. */

/** Little-endian words. The last one overlaps the one before, so no byte is left over. */
export interface ByteWords {
  length: number
  words: Int32Array
  /** The start of the last word, and the bytes of it that count (fewer than four in a short text). */
  lastAt: number
  lastMask: number
}

export function byteWords(bytes: Uint8Array): ByteWords {
  const { length } = bytes
  const padded = Buffer.alloc(Math.max(length, 4))
  padded.set(bytes)
  const words = new Int32Array(Math.ceil(padded.length / 4))
  words.forEach((_, i) => (words[i] = padded.readInt32LE(Math.min(i * 4, padded.length - 4))))
  return {
    length,
    words,
    lastAt: Math.max(length - 4, 0),
    lastMask: length < 4 ? (1 << (length * 8)) - 1 : -1,
  }
}

/** True if the bytes are at `p`. The slab is readable beyond its end, so this needs no bounds check. */
export function matchesWords(view: DataView, p: number, { words, lastAt, lastMask }: ByteWords): boolean {
  const last = words.length - 1
  for (let i = 0; i < last; i += 1) if (view.getInt32(p + i * 4, true) !== words[i]) return false
  return (view.getInt32(p + lastAt, true) & lastMask) === words[last]
}
