/**
 * Reads a file of any size record by record: windows of it go through the scanner of its format, and memory
 * does not grow with it. The windows know their place, so that a rejected record can be found in the file.
 */
import { HeadraceError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { createSlab, reserve, type Slab } from '../core/slab.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import type { DocumentScanner, Records } from '../formats/records.ts'
import { openText, type TextStream } from '../formats/document.ts'
import {
  createDecoder,
  createDocumentScanner,
  documentSettings,
  standsAround,
  type MessageDecoder,
  type MessageFault,
} from './decoder.ts'

/** The bytes of a file from its beginning, as often as needed. */
export interface DocumentBytes {
  size: number
  /** Compressed: its size tells nothing about its content. */
  isPacked: boolean
  chunks(): AsyncIterable<Buffer>
}

/** A fault of a whole file. The bytes of a small one are in the slab. */
export interface DocumentFailure extends MessageFault {
  whole: { slab: Slab; end: number } | undefined
}

/** Complete records of one file. */
export interface DocumentWindow {
  slab: Slab
  records: Records
  /** The line of the file (from 1) at which a record begins. Call it with rising rows. */
  lineOf(row: number): Promise<number>
}

type OnWindow = (window: DocumentWindow) => Promise<boolean>

export interface DocumentReader {
  /**
   * Passes the file's records; stops if `onWindow` returns false. Returns the fault of the whole file, if
   * any. The fault can follow records only if `onWindows` was called before them.
   */
  read(
    file: DocumentBytes,
    onWindow: OnWindow,
    onWindows?: () => Promise<void>,
  ): Promise<DocumentFailure | undefined>
}

/** A small file is read whole: one window, without the memory for a large file. */
const SMALL_BYTES = LIMITS.slabBytes

export function createDocumentReader(dataset: Dataset, columns: Column[]): DocumentReader {
  const decoder = createDecoder(dataset, columns)
  const scanner = createDocumentScanner(dataset, columns)
  const slab = createSlab(LIMITS.slabBytes * 2)
  const settings = documentSettings(dataset)
  // Values outside the records may follow them, as long as the document is read whole.
  const hasAround = columns.some((column) => standsAround(dataset.record.format, column))
  const most = hasAround ? LIMITS.recordBytes : SMALL_BYTES
  const mayBeWhole = (file: DocumentBytes): boolean => (hasAround || !file.isPacked) && file.size <= most
  return {
    async read(file, onWindow, onWindows) {
      const whole = mayBeWhole(file) ? await readWhole(decoder, slab, file, onWindow) : NO_ROOM
      if (whole !== NO_ROOM) return whole
      await onWindows?.()
      return readWindows({ scanner, slab, text: () => openText(file.chunks(), settings) }, onWindow)
    },
  }
}

/** A small file decompresses to a large one, or has more records, of many columns, than fit at a time. */
const NO_ROOM = Symbol('no room')

async function readWhole(
  decoder: MessageDecoder,
  slab: Slab,
  file: DocumentBytes,
  onWindow: OnWindow,
): Promise<DocumentFailure | undefined | typeof NO_ROOM> {
  slab.end = 0
  for await (const chunk of file.chunks()) append(slab, slab.end, chunk)
  const end = slab.end
  if (end === 0) return undefined
  if (end > LIMITS.recordBytes)
    return {
      rule: 'too_large',
      reason: `the document has more than ${LIMITS.recordBytes} bytes`,
      whole: undefined,
    }
  reserve(slab, LIMITS.slabBytes)
  slab.end = end + 1
  decoder.clear()
  const fault = decoded(decoder, slab, end)
  if (fault === NO_ROOM || (file.isPacked && fault?.rule === 'too_large')) return NO_ROOM
  const { records } = decoder
  const lineOf = createLines(slab, records, () => Promise.resolve(1), decoder.textStart).of
  if (fault === undefined && records.rows > 0) await onWindow({ slab, records, lineOf })
  return fault && { ...fault, whole: { slab, end } }
}

function decoded(
  decoder: MessageDecoder,
  slab: Slab,
  end: number,
): MessageFault | undefined | typeof NO_ROOM {
  try {
    return decoder.decode(slab, 0, end)
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'memory_exceeded') return NO_ROOM
    throw error
  }
}

interface Windowed {
  scanner: DocumentScanner
  slab: Slab
  /** The file from its beginning, as UTF-8. */
  text(): TextStream
}

async function readWindows(
  { scanner, slab, text }: Windowed,
  onWindow: OnWindow,
): Promise<DocumentFailure | undefined> {
  scanner.beginDocument()
  const whole = text()
  let kept = 0
  let before = 0
  let more = true
  const lines = createLines(slab, scanner.records, () => linesBefore(text().chunks, before))
  const window = async (final: boolean): Promise<DocumentFailure | undefined> => {
    for (;;) {
      const { fault, isFull } = await scanned(final)
      if (fault !== undefined || !isFull || !more) return fault
    }
  }
  const scanned = async (
    final: boolean,
  ): Promise<{ fault: DocumentFailure | undefined; isFull: boolean }> => {
    const end = kept
    slab.end = end
    reserve(slab, LIMITS.slabBytes)
    slab.end = end + 1
    const { consumed, fault, isFull } = scanner.scanWindow(slab, 0, end, final)
    if (fault !== undefined) {
      const reason = `${fault.reason} (byte ${before + fault.at})`
      return { fault: { rule: fault.rule, reason, whole: undefined }, isFull }
    }
    if (scanner.records.rows > 0) more = await onWindow({ slab, records: scanner.records, lineOf: lines.of })
    lines.leave(consumed)
    slab.bytes.copyWithin(0, consumed, end)
    kept = end - consumed
    before += consumed
    const isTooLarge = !isFull && kept > LIMITS.recordBytes
    const reason = `a record of more than ${LIMITS.recordBytes} bytes (byte ${before})`
    return { fault: isTooLarge ? { rule: 'too_large', reason, whole: undefined } : undefined, isFull }
  }
  for await (const chunk of whole.chunks) {
    append(slab, kept, chunk)
    kept += chunk.length
    if (kept < LIMITS.slabBytes) continue
    const fault = await window(false)
    if (fault !== undefined || !more) return fault
  }
  return whole.fault === undefined ? window(true) : { ...whole.fault, whole: undefined }
}

function append(slab: Slab, at: number, chunk: Buffer): void {
  slab.end = at
  reserve(slab, chunk.length)
  slab.bytes.set(chunk, at)
  slab.end = at + chunk.length
}

const [LF, CR] = [0x0a, 0x0d]

/** Lines are counted from the first call on: a file whose records all fit has no line to report. */
function createLines(
  slab: Slab,
  records: Records,
  first: () => Promise<number>,
  begin = 0,
): { of: DocumentWindow['lineOf']; leave(consumed: number): void } {
  let line: number | undefined
  let at = begin
  const count = (position: number): number => {
    line = (line ?? 1) + lineEnds(slab.bytes, at, position)
    at = position
    return line
  }
  return {
    async of(row) {
      // For a format of lines, the scanner counts them: its line ends may differ from those of text.
      if (records.lines[row] > 0) return records.lines[row]
      line ??= await first()
      return count(records.extents[row * 2])
    },
    leave(consumed) {
      if (line !== undefined) count(consumed)
      at = 0
    },
  }
}

/** LF, CR LF and CR each end a line. */
function lineEnds(bytes: Uint8Array, from: number, to: number): number {
  let ends = 0
  for (let at = from; at < to; at += 1)
    if (bytes[at] === LF || (bytes[at] === CR && bytes[at + 1] !== LF)) ends += 1
  return ends
}

/** The line that begins at `end`: reads the file up to there once more. */
async function linesBefore(text: AsyncIterable<Buffer>, end: number): Promise<number> {
  let line = 1
  let at = 0
  let last = 0
  for await (const chunk of text) {
    const length = Math.min(chunk.length, end - at)
    // A line end of two bytes may span two chunks.
    if (last === CR && chunk[0] === LF) line -= 1
    line += lineEnds(chunk, 0, length)
    last = chunk[length - 1]
    at += length
    if (at >= end) break
  }
  return line
}
