/**
 * Names (productions 4 to 7 of XML 1.0, and QName of Namespaces in XML): where a name ends, and its parts.
 */
import { NAME, isWideNameChar, isWideNameStart, readWide } from './chars.ts'
import { atEnd, fault, type ScanState } from './scan-state.ts'
import type { TagWords } from './shape.ts'

/** The colon of the last scanned name, or -1. Two results without an object: the scanner is one thread. */
export let lastColon = -1

/** Scans the name at `p` and returns its end. Qualified names have at most one colon, inside (`a:b`). */
export function scanName(s: ScanState, p: number, what: string): number {
  const b = s.bytes
  lastColon = -1
  let at = nameStart(s, p, what)
  for (;;) {
    const kind = NAME[b[at]]
    if (kind === 1 || kind === 2) at += 1
    else if (kind === 3) {
      if (lastColon >= 0) throw fault(s, `malformed name in ${what}`, at)
      lastColon = at
      at = nameStart(s, at + 1, what)
    } else if (kind === 4) {
      const wide = readWide(b, at)
      if (at + (wide & 7) > s.end) throw atEnd(s, s.end, what)
      if (wide < 0 || !isWideNameChar(wide >> 3)) throw fault(s, `disallowed character in ${what}`, at)
      at += wide & 7
    } else break
  }
  if (at >= s.end) throw atEnd(s, at, what)
  if (at - p > s.limits.nameBytes) throw fault(s, `name longer than ${s.limits.nameBytes} bytes`, p)
  return at
}

function nameStart(s: ScanState, p: number, what: string): number {
  if (p >= s.end) throw atEnd(s, s.end, what)
  const kind = NAME[s.bytes[p]]
  if (kind === 1) return p + 1
  if (kind === 4) {
    if (!s.final && p + 4 > s.end) throw atEnd(s, s.end, what)
    const wide = readWide(s.bytes, p)
    if (wide >= 0 && p + (wide & 7) <= s.end && isWideNameStart(wide >> 3)) return p + (wide & 7)
  }
  throw fault(s, `disallowed character in ${what}`, p)
}

/** True if the tag is at `p`. The slab is readable beyond its end, so this needs no bounds check. */
export function matchesTag(view: DataView, p: number, tag: TagWords): boolean {
  const { words } = tag
  const last = words.length - 1
  for (let i = 0; i < last; i += 1) if (view.getInt32(p + i * 4, true) !== words[i]) return false
  return (view.getInt32(p + tag.lastAt, true) & tag.lastMask) === words[last]
}

/** True if the bytes at `p` are exactly `name`. The caller checks what follows. */
export function matches(b: Uint8Array, p: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i += 1) if (b[p + i] !== name[i]) return false
  return true
}

/** The bytes [from, to) as text; only for names, messages and slow paths. */
export function textOf(b: Uint8Array, from: number, to: number): string {
  return Buffer.from(b.buffer, b.byteOffset + from, to - from).toString('utf8')
}
