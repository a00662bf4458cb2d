/** Reads CSV by our scanner as a large file comes: in windows of so many bytes. */
import { createSlab, reserve } from '../../src/core/slab.ts'
import type { DocumentScanner } from '../../src/formats/records.ts'

export interface CsvReading {
  rows: (string | null)[][]
  /** `kind reason-or-path`. */
  issues: string[]
  /** The line that each row starts on. */
  lines: number[]
  /** The bytes of each malformed record, as text. */
  rejected: string[]
  /** Numbers of the malformed rows. */
  malformed: Set<number>
  fault: string | undefined
}

/** A row that is malformed has only nulls. */
export function readCsv(scanner: DocumentScanner, text: string | Buffer, window = Infinity): CsvReading {
  const bytes = Buffer.from(text)
  const slab = createSlab(64)
  const out: CsvReading = {
    rows: [],
    issues: [],
    lines: [],
    rejected: [],
    malformed: new Set(),
    fault: undefined,
  }
  scanner.beginDocument()
  let [kept, at] = [0, 0]
  for (let final = false; !final;) {
    const taken = Math.min(bytes.length, at + window)
    final = taken === bytes.length
    slab.end = kept
    reserve(slab, taken - at + 1)
    bytes.copy(slab.bytes, kept, at, taken)
    kept += taken - at
    at = taken
    slab.end = kept + 1
    const { consumed, fault } = scanner.scanWindow(slab, 0, kept, final)
    takeRows(out, scanner, slab.bytes)
    if (fault !== undefined) return { ...out, fault: fault.reason }
    slab.bytes.copyWithin(0, consumed, kept)
    kept -= consumed
  }
  return out
}

function takeRows(out: CsvReading, { records }: DocumentScanner, bytes: Buffer): void {
  const { width, cells } = records
  const before = out.rows.length
  for (let row = 0; row < records.rows; row += 1) {
    out.rows.push(
      Array.from({ length: width }, (_, column) => {
        const [start, length] = cells.subarray((row * width + column) * 2)
        return length < 0 ? null : bytes.toString('utf8', start, start + length)
      }),
    )
    out.lines.push(records.lines[row])
  }
  for (const { row, kind, reason, path } of records.issues) {
    out.issues.push(`${kind} ${reason ?? path}`)
    if (kind === 'malformed') out.malformed.add(before + row)
    if (kind === 'malformed')
      out.rejected.push(bytes.toString('utf8', records.extents[row * 2], records.extents[row * 2 + 1]))
  }
}
