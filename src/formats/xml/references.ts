/**
 * References (`&amp;`, `&#x41;`) and line ends: values that are not a plain stretch of the input are decoded
 * into the slab after it. DTDs are not read, so only the five predefined entities exist, and nothing can
 * expand.
 */
import { reserve } from '../../core/slab.ts'
import { isXmlName } from '../../core/xml-path.ts'
import { isXmlChar } from './chars.ts'
import { atEnd, fault, type ScanState } from './scan-state.ts'

const SEMICOLON = 0x3b
/** White space, quotes, `&`, `<`, `>`: a reference cannot continue after these. */
const ENDS_REFERENCE = new Set([9, 10, 13, 32, 0x22, 0x26, 0x27, 0x3c, 0x3e])

const PREDEFINED = new Map([
  ['amp', 0x26],
  ['lt', 0x3c],
  ['gt', 0x3e],
  ['apos', 0x27],
  ['quot', 0x22],
])

/** Checks the reference at `p` (an ampersand) and returns its code point. `referenceEnd` returns its end. */
export function referenceAt(s: ScanState, p: number): number {
  if (
    s.bytes[p + 1] === 0x61 &&
    s.bytes[p + 2] === 0x6d &&
    s.bytes[p + 3] === 0x70 &&
    s.bytes[p + 4] === SEMICOLON
  )
    return 0x26
  const end = referenceEnd(s, p)
  const name = s.bytes.toString('utf8', p + 1, end - 1)
  const point = name.startsWith('#') ? numeric(name) : (PREDEFINED.get(name) ?? -1)
  if (point >= 0 && isXmlChar(point)) return point
  if (!isXmlName(name)) throw fault(s, `malformed reference &${name};`, p)
  throw fault(
    s,
    s.doctypeSeen
      ? `the entity &${name}; needs a DTD, which Headrace does not read`
      : `reference to the entity &${name};, which XML does not define`,
    p,
  )
}

/** The position after the semicolon of the reference at `p`. */
export function referenceEnd(s: ScanState, p: number): number {
  for (let i = p + 1; i <= p + s.limits.nameBytes; i += 1) {
    if (i >= s.end) throw atEnd(s, s.end, 'a reference')
    if (s.bytes[i] === SEMICOLON) return i + 1
    if (s.bytes[i] <= 0x3f && ENDS_REFERENCE.has(s.bytes[i])) break
  }
  throw fault(s, 'malformed reference: write &amp; for a bare &', p)
}

function numeric(name: string): number {
  if (/^#[0-9]+$/.test(name)) return Number.parseInt(name.slice(1), 10)
  if (/^#x[0-9a-fA-F]+$/.test(name)) return Number.parseInt(name.slice(2), 16)
  return -1
}

/** Character data, the value of an attribute, or a CDATA section, in which `&` starts no reference. */
export type DecodedText = 'text' | 'attribute' | 'cdata'

/**
 * Decodes [from, to) of the input into the slab: references become characters, CR and CRLF become LF, and in
 * attributes white space becomes a blank (XML 1.0 sections 2.11, 3.3.3). Returns the length; the value starts
 * at the old slab end.
 */
export function decodeInto(s: ScanState, from: number, to: number, of: DecodedText): number {
  const isAttribute = of === 'attribute'
  const keepReferences = of === 'cdata'
  reserve(s.slab, to - from)
  const out = s.slab.bytes
  const b = s.bytes
  let at = s.slab.end
  for (let p = from; p < to; p += 1) {
    const c = b[p]
    if (c === 0x26 && !keepReferences) {
      at += writePoint(out, at, referenceAt(s, p))
      p = referenceEnd(s, p) - 1
    } else if (c === 0x0d) {
      if (b[p + 1] === 0x0a && p + 1 < to) p += 1
      out[at++] = isAttribute ? 0x20 : 0x0a
    } else {
      out[at++] = isAttribute && (c === 0x09 || c === 0x0a) ? 0x20 : c
    }
  }
  const length = at - s.slab.end
  s.slab.end = at
  return length
}

function writePoint(out: Uint8Array, at: number, point: number): number {
  if (point < 0x80) {
    out[at] = point
    return 1
  }
  const encoded = Buffer.from(String.fromCodePoint(point))
  out.set(encoded, at)
  return encoded.length
}
