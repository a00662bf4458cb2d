/**
 * A document type declaration is skipped if it only names a type or an external DTD, which is never fetched.
 * One with an internal subset is refused: its entities can turn small documents into huge ones.
 */
import { SPACE } from './chars.ts'
import { scanName } from './names.ts'
import { atEnd, fault, type ScanState } from './scan-state.ts'
import { wideChar } from './text.ts'

const QUOTES = [0x22, 0x27]
const PUBLIC_ID = /^[ \r\nA-Za-z0-9\-'()+,./:=?;!*#@$_%]*$/
const INSIDE = 'a document type declaration'

/** Reads `<!DOCTYPE name [SYSTEM "..." | PUBLIC "..." "..."]>` at `p`. Returns the position after it. */
export function scanDoctype(s: ScanState, p: number): number {
  if (s.doctypeSeen) throw fault(s, 'a second <!DOCTYPE>', p)
  if (s.rootSeen) throw fault(s, 'a <!DOCTYPE> must come before the root element', p)
  let q = skipBlank(s, scanName(s, blank(s, p + 9), INSIDE))
  const kind = ['SYSTEM', 'PUBLIC'].find((keyword) => startsWith(s, q, keyword))
  if (kind !== undefined) {
    if (SPACE[s.bytes[q - 1]] === 0) throw fault(s, `malformed <!DOCTYPE>: no white space before ${kind}`, q)
    q = scanLiteral(s, blank(s, q + 6), kind === 'PUBLIC')
    if (kind === 'PUBLIC') q = scanLiteral(s, blank(s, q), false)
    q = skipBlank(s, q)
  }
  const c = byteAt(s, q)
  if (c === 0x5b)
    throw fault(s, '<!DOCTYPE> contains a DTD, which Headrace refuses: its entities can be an attack', p)
  if (c !== 0x3e) throw fault(s, 'malformed <!DOCTYPE>', q)
  s.doctypeSeen = true
  return q + 1
}

function byteAt(s: ScanState, p: number): number {
  if (p >= s.end) throw atEnd(s, s.end, INSIDE)
  return s.bytes[p]
}

function skipBlank(s: ScanState, p: number): number {
  while (SPACE[byteAt(s, p)] === 1) p += 1
  return p
}

/** White space that is required. */
function blank(s: ScanState, p: number): number {
  if (SPACE[byteAt(s, p)] === 0) throw fault(s, 'malformed <!DOCTYPE>: white space is missing', p)
  return skipBlank(s, p)
}

function startsWith(s: ScanState, p: number, keyword: string): boolean {
  for (let i = 0; i < keyword.length; i += 1) if (byteAt(s, p + i) !== keyword.charCodeAt(i)) return false
  return true
}

function scanLiteral(s: ScanState, p: number, isPublic: boolean): number {
  const quote = byteAt(s, p)
  if (!QUOTES.includes(quote)) throw fault(s, 'malformed <!DOCTYPE>: an identifier must be in quotes', p)
  const end = literalEnd(s, p + 1, quote)
  const text = isPublic ? s.bytes.toString('latin1', p + 1, end) : ''
  if (isPublic && !PUBLIC_ID.test(text))
    throw fault(s, 'malformed <!DOCTYPE>: disallowed character in a public identifier', p)
  return end + 1
}

function literalEnd(s: ScanState, p: number, quote: number): number {
  for (;;) {
    const c = byteAt(s, p)
    if (c === quote) return p
    if (c >= 0x80) p = wideChar(s, p, INSIDE)
    else if (c >= 0x20 || SPACE[c] === 1) p += 1
    else throw fault(s, `disallowed character in ${INSIDE}`, p)
  }
}
