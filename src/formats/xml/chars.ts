/**
 * Character classes of XML 1.0 (fifth edition) over UTF-8 bytes. Tables of 256 bytes cover ASCII. Only bytes
 * from 0x80 up take the slow path, which also checks that the sequence is valid UTF-8 (RFC 3629: no overlong
 * forms, no surrogates), because one bad byte can make a whole DuckDB instance unusable.
 */

/** Where the scan of a text or an attribute must stop. */
export const PLAIN = 0
export const STOP = 1
export const WIDE = 2

/** Text content: stops at markup, references, `]`, carriage returns and characters that XML forbids. */
export const TEXT = new Uint8Array(256)
/**
 * Attribute values: stops at quotes, `<`, references, white space other than a blank, and forbidden
 * characters.
 */
export const ATTRIBUTE = new Uint8Array(256)
/**
 * Comments, CDATA and processing instructions: only forbidden characters and the closing characters matter.
 */
export const RAW = new Uint8Array(256)
/** 1: may start a name, 2: may continue a name, 3: colon, 4: beyond ASCII. */
export const NAME = new Uint8Array(256)
export const SPACE = new Uint8Array(256)

const code = (character: string): number => character.charCodeAt(0)

for (let c = 0; c < 256; c += 1) {
  TEXT[c] = RAW[c] = ATTRIBUTE[c] = c >= 0x80 ? WIDE : PLAIN
  if (c < 0x20 && c !== 9 && c !== 10 && c !== 13) TEXT[c] = RAW[c] = ATTRIBUTE[c] = STOP
  NAME[c] = c >= 0x80 ? 4 : 0
}
for (const c of '<&]\r') TEXT[code(c)] = STOP
for (const c of '<&"\'\t\n\r') ATTRIBUTE[code(c)] = STOP
for (const c of '-]?\r') RAW[code(c)] = STOP
for (const c of ' \t\n\r') SPACE[code(c)] = 1
for (const c of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_') NAME[code(c)] = 1
for (const c of '0123456789-.') NAME[code(c)] = 2
NAME[code(':')] = 3

/**
 * The first position from `p` on that is not PLAIN in TEXT. One word tests four bytes: a high bit stays set
 * where a byte is wide, a control character, or equal to `<`, `&` or `]` (the zero-byte test of Mycroft,
 * 1987; borrows reach only bytes above a hit, and the lowest one is taken). Bytes after the input must be
 * readable.
 */
export function plainEnd(view: DataView, b: Uint8Array, p: number): number {
  for (;;) {
    let hits = 0
    for (;;) {
      const w = view.getInt32(p, true)
      hits =
        (w |
          (w - 0x20202020) |
          ((w ^ 0x3c3c3c3c) - 0x01010101) |
          ((w ^ 0x26262626) - 0x01010101) |
          ((w ^ 0x5d5d5d5d) - 0x01010101)) &
        0x80808080
      if (hits !== 0) break
      p += 4
    }
    p += (31 - Math.clz32(hits & -hits)) >> 3
    if (TEXT[b[p]] !== PLAIN) return p
    p += 1
  }
}

/**
 * The first position from `p` on that is no ordinary text (ASCII as in plainEnd, or a valid character beyond
 * it). -1 for an invalid character.
 */
export function textEnd(view: DataView, b: Uint8Array, p: number): number {
  for (;;) {
    p = plainEnd(view, b, p)
    if (b[p] < 0x80) return p
    const wide = readWide(b, p)
    if (wide < 0 || wide >> 3 === 0xfffe || wide >> 3 === 0xffff) return -1
    p += wide & 7
  }
}

/**
 * Reads the UTF-8 sequence at `p` (a byte >= 0x80). Returns code point * 8 + byte count, or -1 if it is
 * invalid. The caller guarantees a readable sentinel after its input, so there are no bounds checks.
 */
export function readWide(b: Uint8Array, p: number): number {
  const c = b[p]
  const c1 = b[p + 1]
  if (c < 0xc2 || (c1 & 0xc0) !== 0x80) return -1
  if (c < 0xe0) return ((((c & 0x1f) << 6) | (c1 & 0x3f)) << 3) | 2
  const c2 = b[p + 2]
  if ((c2 & 0xc0) !== 0x80) return -1
  if (c < 0xf0) {
    const point = ((c & 0x0f) << 12) | ((c1 & 0x3f) << 6) | (c2 & 0x3f)
    if (point < 0x800 || (point >= 0xd800 && point <= 0xdfff)) return -1
    return (point << 3) | 3
  }
  const c3 = b[p + 3]
  if ((c3 & 0xc0) !== 0x80) return -1
  const point = ((c & 0x07) << 18) | ((c1 & 0x3f) << 12) | ((c2 & 0x3f) << 6) | (c3 & 0x3f)
  if (c > 0xf4 || point < 0x10000 || point > 0x10ffff) return -1
  return (point << 3) | 4
}

/** Production [2] Char, for code points. */
export function isXmlChar(point: number): boolean {
  if (point < 0x20) return point === 9 || point === 10 || point === 13
  return point <= 0xd7ff || (point >= 0xe000 && point <= 0xfffd) || (point >= 0x10000 && point <= 0x10ffff)
}

/** Production [4] NameStartChar beyond ASCII, as pairs of bounds. */
const NAME_START = [
  0xc0, 0xd6, 0xd8, 0xf6, 0xf8, 0x2ff, 0x370, 0x37d, 0x37f, 0x1fff, 0x200c, 0x200d, 0x2070, 0x218f, 0x2c00,
  0x2fef, 0x3001, 0xd7ff, 0xf900, 0xfdcf, 0xfdf0, 0xfffd, 0x10000, 0xeffff,
]

/** Production [4a] NameChar beyond ASCII adds these. */
const NAME_MORE = [0xb7, 0xb7, 0x300, 0x36f, 0x203f, 0x2040]

export function isWideNameStart(point: number): boolean {
  return isInBounds(NAME_START, point)
}

export function isWideNameChar(point: number): boolean {
  return isInBounds(NAME_START, point) || isInBounds(NAME_MORE, point)
}

function isInBounds(bounds: number[], point: number): boolean {
  for (let i = 0; i < bounds.length; i += 2) if (point >= bounds[i] && point <= bounds[i + 1]) return true
  return false
}
