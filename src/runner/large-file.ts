/**
 * A file larger than a message may be, record by record: windows of the file go through the scanner, a record is never
 * split, and memory does not grow with the file. Well-formedness is known at the end only; the caller keeps the file's
 * rows apart until then.
 */
import { LIMITS } from '../core/limits.ts'
import { createSlab, reserve } from '../core/slab.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import type { DocumentScanner } from '../formats/records.ts'
import { createDocumentScanner, type MessageFault } from './decoder.ts'
import type { Slab } from '../core/slab.ts'

/** Calls `onRows` for each window that has records; returns what is wrong with the file, if anything. */
export async function scanLargeFile(
  dataset: Dataset,
  columns: Column[],
  chunks: AsyncIterable<Buffer>,
  onRows: (slab: Slab, scanner: DocumentScanner) => Promise<void>,
  windowBytes: number = LIMITS.slabBytes,
): Promise<MessageFault | undefined> {
  const scanner = createDocumentScanner(dataset, columns)
  if (scanner === undefined) return { rule: 'too_large', reason: `the file is larger than ${LIMITS.recordBytes} bytes, and a document of JSON is read whole` }
  const slab = createSlab(LIMITS.slabBytes * 2)
  scanner.beginDocument()
  const decoder = createChunkDecoder()
  let kept = 0
  let before = 0
  const window = async (final: boolean): Promise<MessageFault | undefined> => {
    const end = kept
    slab.end = end + 1
    reserve(slab, LIMITS.slabBytes)
    const { consumed, fault } = scanner.scanWindow(slab, 0, end, final)
    if (fault !== undefined) return { rule: fault.rule, reason: `${fault.reason} (byte ${before + fault.at})` }
    if (scanner.records.rows > 0) await onRows(slab, scanner)
    slab.bytes.copyWithin(0, consumed, end)
    kept = end - consumed
    before += consumed
    if (kept > LIMITS.recordBytes) return { rule: 'too_large', reason: `a record of more than ${LIMITS.recordBytes} bytes (byte ${before})` }
    return undefined
  }
  for await (const raw of chunks) {
    const chunk = decoder.push(raw)
    slab.end = kept
    reserve(slab, chunk.length + 1)
    slab.bytes.set(chunk, kept)
    kept += chunk.length
    if (kept < windowBytes) continue
    const fault = await window(false)
    if (fault !== undefined) return fault
  }
  return window(true)
}

/** UTF-16 files are converted chunk by chunk; UTF-8 passes through untouched. */
function createChunkDecoder(): { push(chunk: Buffer): Buffer } {
  let decoder: InstanceType<typeof TextDecoder> | undefined | null
  return {
    push(chunk) {
      if (decoder === undefined) decoder = chunk[0] === 0xff && chunk[1] === 0xfe ? new TextDecoder('utf-16le') : chunk[0] === 0xfe && chunk[1] === 0xff ? new TextDecoder('utf-16be') : null
      return decoder === null ? chunk : Buffer.from(decoder.decode(chunk, { stream: true }))
    },
  }
}
