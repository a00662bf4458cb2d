/**
 * Finds the encoding of a document: first from its byte order mark, then from `record.encoding` of the
 * declaration, then from XML's own declaration, then from the zeros of UTF-16 between letters; else UTF-8.
 */
import { behindMark } from './utf8.ts'

export { behindMark } from './utf8.ts'

export type TextFormat = 'xml' | 'json' | 'ndjson' | 'csv'

/** A label for a converter; '' for UTF-8, which is not converted. */
export interface Encoding {
  label: string
  /** Bytes of the byte order mark. */
  mark: number
}

/** Remembers the last XML declaration: messages of one topic begin with the same bytes. */
interface EncodingMemory {
  declaration: Buffer
  encoding: string
}

/** Finds the encodings of documents of one dataset. `declared` is its `record.encoding`, '' for none. */
export function createEncodingFinder(
  format: TextFormat,
  declared: string,
): (b: Buffer, start: number, end: number) => Encoding {
  const memory: EncodingMemory = { declaration: Buffer.alloc(0), encoding: '' }
  const found: Encoding = { label: '', mark: 0 }
  const say = (label: string, mark: number): Encoding => {
    found.label = label
    found.mark = mark
    return found
  }
  return (b, start, end) => {
    const marked = markedEncoding(b, start, end)
    if (marked !== undefined) return marked
    const [c0, c1] = [b[start], b[start + 1]]
    if (declared !== '') return say(declared, 0)
    if (c0 === 0 || c1 === 0 || format === 'csv') {
      const label = zerosOf(b, start, end, format)
      if (label !== '') return say(label, 0)
    }
    return say(format === 'xml' && c0 === 0x3c && c1 === 0x3f ? declaredInXml(b, start, end, memory) : '', 0)
  }
}

const UTF_8: Encoding = { label: '', mark: 3 }
const UTF_16LE: Encoding = { label: 'utf-16le', mark: 2 }
const UTF_16BE: Encoding = { label: 'utf-16be', mark: 2 }

/** The encoding of a byte order mark. */
function markedEncoding(b: Buffer, start: number, end: number): Encoding | undefined {
  const [c0, c1] = [b[start], b[start + 1]]
  if (c0 === 0xef && behindMark(b, start) > start) return UTF_8
  if (end - start < 2) return undefined
  if (c0 === 0xff && c1 === 0xfe) return UTF_16LE
  return c0 === 0xfe && c1 === 0xff ? UTF_16BE : undefined
}

/** How many bytes of a document are searched for the zeros of UTF-16. */
const SEARCHED_BYTES = 1024

/**
 * UTF-16 without a mark, by its zeros: the first two characters are ASCII, as in XML, JSON and most headers.
 * A header in another script has ASCII only at its delimiters: at least four, all on the same side, in every
 * sixteenth character.
 */
function zerosOf(b: Buffer, start: number, end: number, format: TextFormat): string {
  const [c0, c1, c2, c3] = [b[start], b[start + 1], b[start + 2], b[start + 3]]
  const first = zeroOfPair(c0, c1)
  if (end - start === 2 && format === 'json') return first
  if (end - start < 4) return ''
  if (first !== '' && first === zeroOfPair(c2, c3)) return first
  return format === 'csv' ? zerosOfDelimiters(b, start, end) : ''
}

/** The byte order in which two bytes are one ASCII character. Empty if they are none. */
function zeroOfPair(first: number, second: number): string {
  if ((first === 0) === (second === 0)) return ''
  return second === 0 ? 'utf-16le' : 'utf-16be'
}

function zerosOfDelimiters(b: Buffer, start: number, end: number): string {
  const head = b.subarray(start, Math.min(end, start + SEARCHED_BYTES))
  const zeros = [0, 0]
  for (let at = head.indexOf(0); at >= 0; at = head.indexOf(0, at + 1)) zeros[at & 1] += 1
  const [high, low] = zeros
  if (Math.max(high, low) < 4 || Math.min(high, low) > 0 || (high + low) * 32 < head.length) return ''
  return low > 0 ? 'utf-16le' : 'utf-16be'
}

/** The encoding that `<?xml ... ?>` names. */
function declaredInXml(b: Buffer, start: number, end: number, memory: EncodingMemory): string {
  if (beginsWith(b, start, end, memory.declaration)) return memory.encoding
  const head = b.toString('latin1', start, Math.min(end, start + 256))
  const close = head.indexOf('?>')
  if (close < 0) return ''
  const named =
    /\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._:-]*)["']/.exec(head.slice(0, close))?.[1].toLowerCase() ?? ''
  memory.declaration = Buffer.from(b.subarray(start, start + close + 2))
  // It was read as bytes, so it cannot be UTF-16, whatever it states.
  memory.encoding = /^(utf-?8|utf-16.*)?$/.test(named) ? '' : named
  return memory.encoding
}

function beginsWith(b: Buffer, start: number, end: number, declaration: Buffer): boolean {
  const { length } = declaration
  if (length === 0 || start + length > end) return false
  for (let i = 0; i < length; i += 1) if (b[start + i] !== declaration[i]) return false
  return true
}
