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

/** Returns the document's span in UTF-8: the one given, or a converted copy behind the slab; or why it cannot be read. */
export function toUtf8(slab: Slab, start: number, end: number, memory: EncodingMemory): Decoded | string {
  const encoding = encodingOf(slab.bytes, start, end, memory)
  if (encoding === '') return { start, end }
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(slab.bytes.subarray(start, end))
    const from = appendText(slab, text)
    return { start: from, end: slab.end }
  } catch (error) {
    return `encoding ${encoding}: ${(error as Error).message}`
  }
}

/** '' for UTF-8. Never throws. */
function encodingOf(b: Buffer, start: number, end: number, memory: EncodingMemory): string {
  const [c0, c1] = [b[start], b[start + 1]]
  if (c0 === 0xff && c1 === 0xfe) return 'utf-16le'
  if (c0 === 0xfe && c1 === 0xff) return 'utf-16be'
  if (c0 === 0x3c && c1 === 0) return 'utf-16le'
  if (c0 === 0 && c1 === 0x3c) return 'utf-16be'
  if (c0 !== 0x3c || c1 !== 0x3f) return ''
  const { declaration } = memory
  if (declaration.length > 0 && start + declaration.length <= end && declaration.equals(b.subarray(start, start + declaration.length))) return memory.encoding
  const head = b.toString('latin1', start, Math.min(end, start + 256))
  const close = head.indexOf('?>')
  if (close < 0) return ''
  const named = /\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']/.exec(head.slice(0, close))?.[1].toLowerCase() ?? ''
  memory.declaration = Buffer.from(b.subarray(start, start + close + 2))
  memory.encoding = /^(utf-?8|us-ascii|ascii|utf-16.*)?$/.test(named) ? '' : named
  return memory.encoding
}
