/**
 * Documents that are not UTF-8: recognised by their byte order mark or by the encoding that their XML declaration names,
 * and converted before anything looks at them. Decoding is strict: a byte that the encoding does not have is a fault.
 */
import type { Slab } from '../core/slab.ts'
import { appendText } from '../core/slab.ts'

export interface Decoded {
  start: number
  end: number
}

/** Remembers the last declaration seen: messages of one topic begin with the same bytes. */
export interface EncodingMemory {
  declaration: Buffer
  encoding: string
}

export function createEncodingMemory(): EncodingMemory {
  return { declaration: Buffer.alloc(0), encoding: '' }
}

/** Writes the document as UTF-8 behind the slab; returns its span there, or why it cannot be read. */
export function toUtf8(slab: Slab, start: number, end: number, encoding: string): Decoded | string {
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(slab.bytes.subarray(start, end))
    const from = appendText(slab, text)
    return { start: from, end: slab.end }
  } catch (error) {
    return `encoding ${encoding}: ${(error as Error).message}`
  }
}


export { behindMark } from './utf8.ts'

/** The encoding of the document in [start, end); '' for UTF-8. Never throws. */
export function encodingOf(b: Buffer, start: number, end: number, memory: EncodingMemory): string {
  const c0 = b[start]
  const c1 = b[start + 1]
  if (c0 === 0xff && c1 === 0xfe) return 'utf-16le'
  if (c0 === 0xfe && c1 === 0xff) return 'utf-16be'
  if (c0 === 0x3c && c1 === 0) return 'utf-16le'
  if (c0 === 0 && c1 === 0x3c) return 'utf-16be'
  if (c0 !== 0x3c || c1 !== 0x3f) return ''
  if (beginsWith(b, start, end, memory.declaration)) return memory.encoding
  const head = b.toString('latin1', start, Math.min(end, start + 256))
  const close = head.indexOf('?>')
  if (close < 0) return ''
  const named = /\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']/.exec(head.slice(0, close))?.[1].toLowerCase() ?? ''
  memory.declaration = Buffer.from(b.subarray(start, start + close + 2))
  memory.encoding = /^(utf-?8|us-ascii|ascii|utf-16.*)?$/.test(named) ? '' : named
  return memory.encoding
}

function beginsWith(b: Buffer, start: number, end: number, declaration: Buffer): boolean {
  const { length } = declaration
  if (length === 0 || start + length > end) return false
  for (let i = 0; i < length; i += 1) if (b[start + i] !== declaration[i]) return false
  return true
}
