/**
 * Turns any document into UTF-8 before a scanner sees it, whatever its format and source: decompressed (gzip,
 * zstd), converted from its encoding, without its byte order mark. A document that is no text gets a fault
 * that names its kind.
 */
import { LIMITS } from '../core/limits.ts'
import { appendBytes, type Slab } from '../core/slab.ts'
import { createConverter, encodingNamed, type Converter } from './charset.ts'
import { createEncodingFinder, type TextFormat } from './encoding.ts'
import { HEAD_BYTES, foreignKind, isHtml, packingOf } from './signature.ts'
import { unpackChunks, unpackWhole, type Unpacking } from './unpack.ts'

export interface DocumentSettings {
  format: TextFormat
  /** `record.encoding`; '' for none. */
  encoding: string
  /** Whether an empty document is valid (lines of JSON, CSV without a header). */
  mayBeEmpty: boolean
}

export interface ReadFault {
  rule: 'malformed' | 'too_large'
  reason: string
}

export const EMPTY: ReadFault = { rule: 'malformed', reason: 'the document is empty' }

/** Finds the text of documents that lie whole in a slab. */
export interface TextFinder {
  /** The span of the last text, and whether it was written after the input of the slab. */
  start: number
  end: number
  isConverted: boolean
  /** Bytes of the document before its text (the byte order mark), if it was not converted. */
  mark: number
  /** Sets the span of the text of the document in [start, end). Returns the fault, if any. */
  find(slab: Slab, start: number, end: number): ReadFault | undefined
}

export function createTextFinder(settings: DocumentSettings): TextFinder {
  const encodingOf = createEncodingFinder(settings.format, settings.encoding)
  const finder: TextFinder = {
    start: 0,
    end: 0,
    isConverted: false,
    mark: 0,
    find(slab, start, end) {
      const packing = packingOf(slab.bytes, start, end)
      finder.isConverted = packing !== undefined
      if (packing !== undefined) {
        const text = unpackWhole(slab.bytes.subarray(start, end), packing, LIMITS.recordBytes)
        if (!Buffer.isBuffer(text)) return text
        const inner = packingOf(text, 0, text.length)
        if (inner !== undefined) return packedTwice(inner, packing)
        return toText(slab, appendBytes(slab, text), slab.end)
      }
      return toText(slab, start, end)
    },
  }
  const toText = (slab: Slab, start: number, end: number): ReadFault | undefined => {
    const { bytes } = slab
    const foreign = foreignFault(bytes.subarray(start, Math.min(end, start + HEAD_BYTES)), settings)
    if (foreign !== undefined) return foreign
    const { label, mark } = encodingOf(bytes, start, end)
    finder.mark = mark
    finder.start = start + mark
    finder.end = end
    if (label !== '') {
      const text = convert(bytes.subarray(finder.start, end), label, mark)
      if (text !== undefined && !Buffer.isBuffer(text)) return { rule: 'malformed', ...text }
      if (text !== undefined) {
        finder.start = appendBytes(slab, text)
        finder.end = slab.end
        finder.isConverted = true
      }
    }
    return finder.end === finder.start && !settings.mayBeEmpty ? EMPTY : undefined
  }
  return finder
}

function convert(bytes: Buffer, label: string, mark: number): Buffer | { reason: string } | undefined {
  const converter = converterOf(label, mark)
  return converter === undefined || 'reason' in converter ? converter : converter.push(bytes, true)
}

function converterOf(label: string, mark: number): Converter | { reason: string } | undefined {
  return encodingNamed(label) === undefined
    ? { reason: `unknown encoding ${label}` }
    : createConverter(label, mark)
}

function foreignFault(head: Buffer, { format }: DocumentSettings): ReadFault | undefined {
  const kind = foreignKind(head) ?? (format !== 'xml' && isHtml(head) ? 'HTML' : undefined)
  if (kind !== undefined) return { rule: 'malformed', reason: `this is ${kind}, not ${format.toUpperCase()}` }
  if (head.length > 5 && head[0] === 0 && format !== 'csv' && isRegistered(head))
    return {
      rule: 'malformed',
      reason: `the message has the header of a schema registry (schema ${head.readUInt32BE(1)}), which is not supported`,
    }
  return undefined
}

/** A zero, the number of a schema, and then the document. */
function isRegistered(head: Buffer): boolean {
  return head[1] === 0 && head[5] !== 0 && (head[2] === 0 || head[4] !== 0)
}

function packedTwice(inner: string, outer: string): ReadFault {
  return {
    rule: 'malformed',
    reason: `this is ${inner} inside ${outer}; Headrace decompresses a document once`,
  }
}

export interface TextStream {
  /** UTF-8 without a byte order mark. */
  chunks: AsyncIterable<Buffer>
  /** Known when `chunks` has ended. */
  readonly fault: ReadFault | undefined
  /** Known with the first chunk: whether the text differs from the bytes, apart from a byte order mark. */
  readonly isConverted: boolean
}

/** The text of a document that arrives in chunks and is not kept. */
export function openText(source: AsyncIterable<Buffer>, settings: DocumentSettings): TextStream {
  const state: StreamState = { fault: undefined, isConverted: false }
  async function* chunks(): AsyncGenerator<Buffer> {
    const outer = await withHead(source)
    const packing = packingOf(outer.head, 0, outer.head.length)
    if (packing === undefined) return yield* convertChunks(outer, settings, state)
    state.isConverted = true
    const unpacking: Unpacking = unpackChunks(outer.chunks, packing)
    const inner = await withHead(unpacking.chunks)
    const again = packingOf(inner.head, 0, inner.head.length)
    if (again === undefined) yield* convertChunks(inner, settings, state)
    else {
      state.fault = packedTwice(again, packing)
      await inner.close()
    }
    state.fault = unpacking.fault ?? state.fault
  }
  return {
    chunks: chunks(),
    get fault() {
      return state.fault
    },
    get isConverted() {
      return state.isConverted
    },
  }
}

interface Opened {
  head: Buffer
  /** The whole document, including the head. */
  chunks: AsyncIterable<Buffer>
  /** Call it if you do not read `chunks`. */
  close(): Promise<unknown>
}

async function withHead(source: AsyncIterable<Buffer>): Promise<Opened> {
  const iterator = source[Symbol.asyncIterator]()
  let head: Buffer = Buffer.alloc(0)
  let isDone = false
  while (head.length < HEAD_BYTES && !isDone) {
    const { done, value } = await iterator.next()
    isDone = done === true
    if (!isDone) head = head.length === 0 ? (value as Buffer) : Buffer.concat([head, value as Buffer])
  }
  const close = async (): Promise<unknown> => iterator.return?.()
  async function* all(): AsyncGenerator<Buffer> {
    try {
      if (head.length > 0) yield head
      while (!isDone) {
        const { done, value } = await iterator.next()
        if (done === true) return
        yield value as Buffer
      }
    } finally {
      await close()
    }
  }
  return { head, chunks: all(), close }
}

/** How a document with this head becomes UTF-8. Undefined: it already is. Or the fault. */
function conversionOf(
  head: Buffer,
  settings: DocumentSettings,
): { converter: Converter | undefined; mark: number } | ReadFault {
  const foreign = foreignFault(head, settings)
  if (foreign !== undefined) return foreign
  const { label, mark } = createEncodingFinder(settings.format, settings.encoding)(head, 0, head.length)
  const converter = converterOf(label === '' ? 'utf-8' : label, mark)
  if (converter !== undefined && 'reason' in converter) return { rule: 'malformed', ...converter }
  return { converter, mark }
}

type StreamState = { fault: ReadFault | undefined; isConverted: boolean }

async function* convertChunks(
  { head, chunks, close }: Opened,
  settings: DocumentSettings,
  state: StreamState,
): AsyncGenerator<Buffer> {
  const conversion = conversionOf(head, settings)
  if ('rule' in conversion) {
    state.fault = conversion
    await close()
    return
  }
  const { converter, mark } = conversion
  state.fault = undefined
  state.isConverted ||= converter !== undefined || mark > 0
  let isEmpty = true
  let skip = mark
  const piece = (bytes: Buffer, final: boolean): Buffer | undefined => {
    const text = converter === undefined ? bytes : converter.push(bytes, final)
    if (Buffer.isBuffer(text)) return text
    state.fault = { rule: 'malformed', ...text }
    return undefined
  }
  for await (const chunk of chunks) {
    const text = piece(chunk.subarray(skip), false)
    skip = 0
    if (text === undefined) return
    if (text.length === 0) continue
    isEmpty = false
    yield text
  }
  const last = piece(Buffer.alloc(0), true)
  if (last === undefined) return
  if (last.length > 0) yield last
  else if (isEmpty && !settings.mayBeEmpty) state.fault = EMPTY
}
