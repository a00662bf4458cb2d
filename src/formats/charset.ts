/**
 * Converts text in any encoding to UTF-8, strictly and in pieces. A byte that the encoding lacks is a fault
 * with its position. A character across the border of two pieces waits for the next one.
 */
import { isAscii } from 'node:buffer'

export interface TextFault {
  reason: string
}

export interface Converter {
  /** The UTF-8 of the next piece, or the fault. With `final`, the text ends after it. */
  push(piece: Buffer, final: boolean): Buffer | TextFault
}

/**
 * For unassigned characters, the platform returns characters for private use. Their standards have none,
 * except for these encodings.
 */
const PRIVATE = /[\ue000-\uf8ff]/
const HAVE_PRIVATE = new Set(['gbk', 'gb18030', 'shift_jis'])
/** Encodings of several bytes per character. The platform decodes them. */
const MULTIBYTE = new Set(['gbk', 'gb18030', 'big5', 'euc-jp', 'iso-2022-jp', 'shift_jis', 'euc-kr'])

/** The platform's name of an encoding. Undefined for an unknown label. */
export function encodingNamed(label: string): string | undefined {
  try {
    return new TextDecoder(label).encoding
  } catch {
    return undefined
  }
}

/**
 * A converter for text of this encoding (a label that `encodingNamed` knows). Undefined for UTF-8, which
 * needs none. `before`: bytes of the document before the text (its mark), which positions count.
 */
export function createConverter(label: string, before = 0): Converter | undefined {
  const encoding = encodingNamed(label)
  if (encoding === 'utf-8') return undefined
  if (encoding === 'utf-16le' || encoding === 'utf-16be') return createUtf16(encoding, before)
  return MULTIBYTE.has(encoding ?? '')
    ? createMultibyte(label, encoding ?? '', before)
    : createSingleByte(label, before)
}

function fault(label: string, at: number, byte: number): TextFault {
  return {
    reason: `${label} has no character for byte ${at} (0x${byte.toString(16).toUpperCase().padStart(2, '0')})`,
  }
}

/**
 * Labels that the platform treats as windows-1252 and windows-1254, although they stand for fewer characters.
 */
const LATIN = /^\s*(?:csisolatin|ibm819|cp819|iso|l\d|latin|tis-)/i
const ASCII = /^\s*(?:us-?)?ascii\s*$|^\s*ansi_x3/i

const tables = new Map<string, Uint32Array>()

/**
 * Per byte: the UTF-8 of its character in the low bytes, and the number of these bytes in the highest; 0: no
 * character.
 */
function tableOf(label: string): Uint32Array {
  const known = tables.get(label)
  if (known !== undefined) return known
  const decoder = new TextDecoder(label, { fatal: true })
  const table = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte += 1) {
    const code = codeOf(label, decoder, byte)
    if (code === undefined) continue
    const bytes = Buffer.from(String.fromCodePoint(code))
    table[byte] = bytes.reduce((word, unit, i) => word | (unit << (i * 8)), bytes.length << 24) >>> 0
  }
  tables.set(label, table)
  return table
}

function codeOf(label: string, decoder: InstanceType<typeof TextDecoder>, byte: number): number | undefined {
  if (byte >= 0x80 && ASCII.test(label)) return undefined
  // ISO 8859 has control characters here, but browsers read windows-1252 instead.
  if (byte >= 0x80 && byte < 0xa0 && LATIN.test(label)) return byte
  try {
    const code = decoder.decode(Uint8Array.of(byte)).codePointAt(0)
    // Browsers read bytes that windows-125x does not assign as control characters.
    return byte >= 0x80 && byte < 0xa0 && code === byte && decoder.encoding.startsWith('windows-')
      ? undefined
      : code
  } catch {
    return undefined
  }
}

function createSingleByte(label: string, start: number): Converter {
  const table = tableOf(label)
  let before = start
  return {
    push(piece) {
      before += piece.length
      if (isAscii(piece)) return piece
      const out = Buffer.allocUnsafe(piece.length * 3)
      let to = 0
      for (let at = 0; at < piece.length; at += 1) {
        const byte = piece[at]
        const word = table[byte]
        if (word === 0) return fault(label, before - piece.length + at, byte)
        for (let i = 0, count = word >>> 24; i < count; i += 1) out[to++] = (word >>> (i * 8)) & 0xff
      }
      return out.subarray(0, to)
    },
  }
}

function createUtf16(encoding: 'utf-16le' | 'utf-16be', start: number): Converter {
  let rest = Buffer.alloc(0)
  let before = start
  return {
    push(piece, final) {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      let end = bytes.length & ~1
      const units =
        encoding === 'utf-16be' ? Buffer.from(bytes.subarray(0, end)).swap16() : bytes.subarray(0, end)
      const isHigh = (at: number): boolean => at >= 0 && (units[at + 1] & 0xfc) === 0xd8
      // Half of a surrogate pair waits for the other half.
      if (!final && isHigh(end - 2)) end -= 2
      const text = units.toString('utf16le', 0, end)
      if (!text.isWellFormed()) {
        const at = text.search(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/)
        return { reason: `an unpaired surrogate in UTF-16 at byte ${before + at * 2}` }
      }
      if (final && bytes.length % 2 === 1)
        return { reason: `the text in UTF-16 ends within a character (byte ${before + bytes.length - 1})` }
      rest = Buffer.from(bytes.subarray(end))
      before += end
      return Buffer.from(text)
    },
  }
}

/** Throws if the bytes are no characters of the encoding. */
function strictly(decoder: InstanceType<typeof TextDecoder>, bytes: Buffer, stream: boolean): string {
  const text = decoder.decode(bytes, { stream })
  if (!HAVE_PRIVATE.has(decoder.encoding) && PRIVATE.test(text)) throw new TypeError('for private use')
  return text
}

function createMultibyte(label: string, encoding: string, start: number): Converter {
  const decoder = new TextDecoder(label, { fatal: true, ignoreBOM: true })
  let rest = Buffer.alloc(0)
  let before = start
  /** The last change of character set (ISO-2022-JP). */
  let shift = Buffer.alloc(0)
  return {
    push(piece, final) {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      const end = final ? bytes.length : behindLastPlain(bytes)
      const whole = bytes.subarray(0, end)
      try {
        const text = strictly(decoder, whole, !final)
        rest = Buffer.from(bytes.subarray(end))
        before += end
        const escape = encoding === 'iso-2022-jp' ? whole.lastIndexOf(0x1b) : -1
        if (escape >= 0) shift = Buffer.from(whole.subarray(escape, escape + 3))
        return Buffer.from(text)
      } catch {
        const at = firstUndecodable(label, shift, whole)
        return at === whole.length
          ? { reason: `the text in ${label} ends within a character (byte ${before + at})` }
          : fault(label, before + at, whole[at])
      }
    },
  }
}

const HELD_BYTES = 65_536

/** The position after the last byte that no encoding uses within a character: the rest may be incomplete. */
function behindLastPlain(bytes: Buffer): number {
  let at = bytes.length
  while (at > 0 && bytes[at - 1] >= 0x21) at -= 1
  // Text without a blank or a line end is not held back: the decoder keeps its state.
  return at === 0 && bytes.length > HELD_BYTES ? bytes.length : at
}

/** The byte at which a decoder stops. All of them: it needs more. */
function firstUndecodable(label: string, shift: Buffer, bytes: Buffer): number {
  const holds = (length: number): boolean => {
    try {
      strictly(
        new TextDecoder(label, { fatal: true }),
        Buffer.concat([shift, bytes.subarray(0, length)]),
        true,
      )
      return true
    } catch {
      return false
    }
  }
  let [low, high] = [0, bytes.length + 1]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (holds(middle)) low = middle
    else high = middle
  }
  return low
}
