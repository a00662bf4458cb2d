/** JSON by lines (NDJSON): each line is one record. A line that is none is one row with the reason; the lines around it are kept. */
import { behindMark } from '../encoding.ts'
import { clearRecords, addRow, type DocumentFault, type DocumentScanner } from '../records.ts'
import { createJsonReader, type JsonShapeSpec } from './reader.ts'
import type { Slab } from '../../core/slab.ts'

const [LF, CR] = [0x0a, 0x0d]

export function createJsonLineScanner(spec: JsonShapeSpec): DocumentScanner {
  const reader = createJsonReader(spec)
  const { records } = reader

  const scan = (slab: Slab, from: number, end: number, final: boolean): { consumed: number; fault: DocumentFault | undefined } => {
    let at = behindMark(slab.bytes, from)
    while (at < end) {
      const found = slab.bytes.subarray(0, end).indexOf(LF, at)
      if (found < 0 && !final) break
      const next = found < 0 ? end : found
      const stop = next > at && slab.bytes[next - 1] === CR ? next - 1 : next
      if (stop > at && !isBlank(slab.bytes, at, stop)) take(slab, at, stop)
      at = next + 1
    }
    return { consumed: Math.min(at, end), fault: undefined }
  }

  const take = (slab: Slab, start: number, end: number): void => {
    const fault = reader.readMessage(slab, start, end)
    if (fault === undefined) return
    const row = addRow(records)
    records.extents[row * 2] = start
    records.extents[row * 2 + 1] = end
    records.issues.push({ row, kind: 'malformed', path: '', start, length: end - start, reason: fault.reason })
  }

  return {
    records,
    around: () => ['', ''],
    scanMessage: (slab, start, end) => scan(slab, start, end, true).fault,
    beginDocument: () => undefined,
    scanWindow(slab, start, end, final) {
      clearRecords(records)
      return scan(slab, start, end, final)
    },
  }
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at] !== 0x20 && bytes[at] !== 0x09) return false
  return true
}
