/** Markup without values: the XML declaration, comments, processing instructions, CDATA, DOCTYPE. */
import { SPACE } from './chars.ts'
import { scanDoctype } from './doctype.ts'
import { scanName, lastColon, matches, textOf } from './names.ts'
import { atEnd, fault, type ScanState } from './scan-state.ts'
import { addText, isBlank, scanUntil } from './text.ts'

const VERSION = `version\\s*=\\s*(?:"1\\.[0-9]+"|'1\\.[0-9]+')`
const ENCODING = `(?:\\s+encoding\\s*=\\s*(?:"[A-Za-z][A-Za-z0-9._-]*"|'[A-Za-z][A-Za-z0-9._-]*'))?`
const STANDALONE = `(?:\\s+standalone\\s*=\\s*(?:"(?:yes|no)"|'(?:yes|no)'))?`
const DECLARATION = new RegExp(`^<\\?xml\\s+${VERSION}${ENCODING}${STANDALONE}\\s*\\?>$`)

/** The token that starts with `<!` at `p`. Returns the position after it. */
export function scanBang(s: ScanState, p: number): number {
  if (p + 9 > s.end && !s.final) throw atEnd(s, s.end, 'markup')
  const b = s.bytes
  if (b[p + 2] === 0x2d && b[p + 3] === 0x2d) return scanComment(s, p)
  if (startsWith(s, p, '<![CDATA[')) return scanCdata(s, p)
  if (startsWith(s, p, '<!DOCTYPE')) return scanDoctype(s, p)
  throw fault(s, 'unknown markup', p)
}

function scanComment(s: ScanState, p: number): number {
  const end = scanUntil(s, p + 4, '--', 'a comment')
  if (end + 2 >= s.end) throw atEnd(s, s.end, 'a comment')
  if (s.bytes[end + 2] !== 0x3e) throw fault(s, 'malformed comment ("--" inside)', end)
  return end + 3
}

function scanCdata(s: ScanState, p: number): number {
  if (s.depth === 0) throw fault(s, 'text outside the root element', p)
  const end = scanUntil(s, p + 9, ']]>', 'a CDATA section')
  if (s.textLength[s.depth] < 0) {
    s.textStart[s.depth] = p + 9
    s.textLength[s.depth] = 0
  }
  let needsDecoding = false
  for (let i = p + 9; i < end && !needsDecoding; i += 1) needsDecoding = s.bytes[i] === 0x0d
  if (s.textLength[s.depth] === 0 && !needsDecoding) {
    s.textStart[s.depth] = p + 9
    s.textLength[s.depth] = end - p - 9
  } else addText(s, p + 9, end, 'cdata')
  return end + 3
}

/** A processing instruction at `p`, or the XML declaration if it comes first. */
export function scanInstruction(s: ScanState, p: number): number {
  if (p + 6 > s.end && !s.final) throw atEnd(s, s.end, 'a processing instruction')
  const nameEnd = scanName(s, p + 2, 'a processing instruction')
  if (lastColon >= 0) throw fault(s, 'the name of a processing instruction contains a colon', p)
  const name = textOf(s.bytes, p + 2, nameEnd)
  if (SPACE[s.bytes[nameEnd]] === 0 && s.bytes[nameEnd] !== 0x3f)
    throw fault(s, 'malformed processing instruction', nameEnd)
  const end = scanUntil(s, nameEnd, '?>', 'a processing instruction')
  if (name === 'xml') checkDeclaration(s, p, end + 2)
  else if (SPACE[s.bytes[nameEnd]] === 0 && end !== nameEnd)
    throw fault(s, 'malformed processing instruction', nameEnd)
  return end + 2
}

/**
 * Skips the declaration at the start if it equals the last checked one byte for byte: messages of a topic
 * begin alike.
 */
export function skipKnownDeclaration(s: ScanState, p: number): number {
  const { declaration: known } = s
  if (known.length === 0 || p + known.length >= s.end) return p
  return matches(s.bytes, p, known) ? p + known.length : p
}

function checkDeclaration(s: ScanState, from: number, to: number): void {
  if (from !== s.start) throw fault(s, 'the XML declaration must be at the start of the document', from)
  const text = textOf(s.bytes, from, to)
  if (!DECLARATION.test(text)) throw fault(s, 'malformed XML declaration', from)
  if (!/version\s*=\s*["']1\.0/.test(text)) throw fault(s, 'only XML 1.0 is supported', from)
  s.declaration = Uint8Array.from(s.bytes.subarray(from, to))
}

/** Outside the root element, text between tokens must be white space. */
export function checkOutside(s: ScanState, from: number, to: number): void {
  if (!isBlank(s.bytes, from, to)) throw fault(s, 'text outside the root element', from)
}

function startsWith(s: ScanState, p: number, text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (s.bytes[p + i] !== text.charCodeAt(i)) return false
  return true
}
