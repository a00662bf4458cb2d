/**
 * Reads a file larger than a message record by record: windows of the file go through the scanner, a record
 * is never split, and memory does not grow with the file. Only the end shows whether the file is well-formed;
 * the caller keeps its rows apart until then.
 */
import { LIMITS } from '../core/limits.ts'
import { createSlab, reserve, type Slab } from '../core/slab.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { openText } from '../formats/document.ts'
import type { DocumentScanner, Surroundings } from '../formats/records.ts'
import {
  aroundInUtf8,
  createDocumentScanner,
  documentSettings,
  faultText,
  type MessageFault,
} from './decoder.ts'

/** The CSV scanner itself cuts records that are too long, this many bytes later. */
const MARGIN_BYTES = 16

/** Calls `onRows` for each window with records. Returns the fault of the file, if any. */
export async function scanLargeFile(
  { dataset, columns }: { dataset: Dataset; columns: Column[] },
  chunks: AsyncIterable<Buffer>,
  onRows: (slab: Slab, scanner: Pick<DocumentScanner, 'records' | 'around'>) => Promise<void>,
  windowBytes: number = LIMITS.slabBytes,
): Promise<MessageFault | undefined> {
  const scanner = createDocumentScanner(dataset, columns)
  const slab = createSlab(LIMITS.slabBytes * 2)
  scanner.beginDocument()
  const text = openText(chunks, documentSettings(dataset))
  const isDeclared = dataset.record.encoding !== ''
  const around = (row: number): Surroundings =>
    aroundInUtf8(scanner.around(row), text.isConverted || isDeclared)
  const shown = { records: scanner.records, around }
  let kept = 0
  let before = 0
  let due = windowBytes
  const window = async (final: boolean): Promise<MessageFault | undefined> => {
    for (;;) {
      const { fault, isFull } = await scanned(final)
      if (fault !== undefined || !isFull) return fault
    }
  }
  const scanned = async (final: boolean): Promise<{ fault: MessageFault | undefined; isFull: boolean }> => {
    const end = kept
    slab.end = end + 1
    reserve(slab, LIMITS.slabBytes)
    const { consumed, fault, isFull } = scanner.scanWindow(slab, 0, end, final)
    if (fault !== undefined) return { fault: faultText(fault, before), isFull }
    if (scanner.records.rows > 0) await onRows(slab, shown)
    slab.bytes.copyWithin(0, consumed, end)
    kept = end - consumed
    before += consumed
    const isTooLarge = !isFull && kept > LIMITS.recordBytes + MARGIN_BYTES
    const reason = `a record of more than ${LIMITS.recordBytes} bytes (byte ${before})`
    return { fault: isTooLarge ? { rule: 'too_large', reason } : undefined, isFull }
  }
  for await (const chunk of text.chunks) {
    slab.end = kept
    reserve(slab, chunk.length + 1)
    slab.bytes.set(chunk, kept)
    kept += chunk.length
    if (kept < due) continue
    const fault = await window(false)
    if (fault !== undefined) return fault
    // An incomplete record is not scanned again with each chunk, but only after the window has doubled.
    due = Math.min(Math.max(windowBytes, kept * 2), LIMITS.recordBytes + LIMITS.slabBytes)
  }
  return text.fault ?? (await window(true))
}
