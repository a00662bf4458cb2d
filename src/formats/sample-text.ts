/** The text of a sample: its encoding, or its kind if it is no text. */
import { isUtf8 } from 'node:buffer'
import { announcedLength } from './utf8.ts'
import type { OutlineFault, SampleText } from '../core/outline.ts'
import { HEAD_BYTES, foreignKind } from './signature.ts'

export interface DecodedSample extends SampleText {
  /**
   * For a declaration. Empty if a reader finds the encoding itself: UTF-8, a byte order mark, an XML
   * declaration.
   */
  encoding: string
  /** Places that are not UTF-8 in a text that otherwise is. */
  broken: number
}

const UNPACK = 'Unpack it, and run the command with a file in it.'
const EXPORT = 'Export it as CSV or JSON, and run the command with that file.'
const SHEET = 'Save the sheet as CSV UTF-8, and run the command with that file.'
const PACKED = /archive|bzip2|xz|lz4|snappy|compress/

export function textOfSample(bytes: Buffer, cut: boolean): DecodedSample | OutlineFault {
  if (bytes.length === 0) return { reason: 'it is empty', instead: 'Name a sample that has some records.' }
  const known = kindOf(bytes)
  if (known !== undefined) return known
  const [encoding, mark] = encodingOf(bytes)
  if (encoding !== '')
    return decodedBy(bytes, encoding, cut, mark > 0 || startsLikeXml(bytes) ? '' : encoding)
  const whole = cut ? bytes.subarray(0, wholeCharacters(bytes)) : bytes
  const declared = declaredEncoding(bytes)
  if (declared !== '') return decodedBy(bytes, declared, cut, '')
  const text = whole.toString('utf8').replace(/^\uFEFF/, '')
  if (isUtf8(whole)) return refuseBinary({ text, cut, encoding: '', broken: 0 })
  // Valid UTF-8 characters outnumber the broken ones: the text is damaged, but in no other encoding.
  const broken = text.match(/\uFFFD+/g)?.length ?? 0
  const valid = text.match(/[^\0-\x7f\uFFFD]+/g)?.length ?? 0
  return refuseBinary(
    valid > broken
      ? { text, cut, encoding: '', broken }
      : decodedBy(bytes, 'windows-1252', cut, 'windows-1252'),
  )
}

/** The kind of a sample that is no text, as a stream names such a file. */
function kindOf(bytes: Buffer): OutlineFault | undefined {
  const name = foreignKind(bytes.subarray(0, HEAD_BYTES))
  if (name === undefined) return undefined
  if (/Excel|XLSX|spreadsheet/.test(name)) return { reason: `it is ${name}`, instead: SHEET }
  return { reason: `it is ${name}`, instead: PACKED.test(name) ? UNPACK : EXPORT }
}

/** UTF-16 by its mark, or by the zeros of its ASCII characters. Also returns the length of the mark. */
function encodingOf(bytes: Buffer): [encoding: string, mark: number] {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return ['utf-16le', 2]
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return ['utf-16be', 2]
  const head = bytes.subarray(0, Math.min(bytes.length, 1000) & ~1)
  let [even, odd] = [0, 0]
  for (let i = 0; i < head.length; i += 2) {
    if (head[i] === 0) even += 1
    if (head[i + 1] === 0) odd += 1
  }
  const most = head.length / 2
  if (most > 1 && odd >= most * 0.6 && even === 0) return ['utf-16le', 0]
  return most > 1 && even >= most * 0.6 && odd === 0 ? ['utf-16be', 0] : ['', 0]
}

function startsLikeXml(bytes: Buffer): boolean {
  return bytes[0] === 0x3c || bytes[1] === 0x3c
}

function declaredEncoding(bytes: Buffer): string {
  const named =
    /^<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][\w.-]*)["']/
      .exec(bytes.toString('latin1', 0, 256))?.[1]
      .toLowerCase() ?? ''
  return /^(utf-?8|us-ascii|ascii|utf-16.*)?$/.test(named) ? '' : named
}

function decodedBy(
  bytes: Buffer,
  encoding: string,
  cut: boolean,
  declared: string,
): DecodedSample | OutlineFault {
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: cut })
    return { text: text.replace(/^\uFEFF/, ''), cut, encoding: declared, broken: 0 }
  } catch {
    return {
      reason: `it looks like ${encoding} or declares it, but is not valid ${encoding}`,
      instead: 'Convert it to UTF-8, for example: iconv -f ENCODING -t UTF-8.',
    }
  }
}

function refuseBinary(sample: DecodedSample | OutlineFault): DecodedSample | OutlineFault {
  if ('reason' in sample || !/\0/.test(sample.text.slice(0, 65_536))) return sample
  return { reason: 'it is binary data: it contains zero bytes and is not UTF-16', instead: EXPORT }
}

/** How many bytes are whole UTF-8 characters, if the end may be inside one. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back]
    if (byte < 0x80) break
    if (byte >= 0xc0) return back < announcedLength(byte) ? bytes.length - back : bytes.length
  }
  return bytes.length
}
