/**
 * What a JSON scanner finds in a document, at once or in windows: rows, findings, and what is kept of each
 * record.
 */
import { createSlab } from '../../src/core/slab.ts'
import { createJsonScanner } from '../../src/formats/json/scanner.ts'
import type { JsonField } from '../../src/formats/json/shape.ts'
import type { DocumentScanner } from '../../src/formats/records.ts'

export const LIMITS = { depth: 8, keyBytes: 40, findings: 5, lineBytes: 100_000 }

export type Cells = (string | null)[]

export interface Found {
  fault?: string
  rows: Cells[]
  /** `kind path=value`. */
  findings: string[]
  /** Each record as a small document. */
  kept: string[]
}

export function read(scanner: DocumentScanner, document: string | Buffer, windowBytes?: number): Found {
  const bytes = Buffer.from(document)
  const slab = createSlab(Buffer.byteLength(document) + 4096)
  const found: Found = { rows: [], findings: [], kept: [] }
  const take = (): void => {
    const { records } = scanner
    const text = (start: number, length: number): string => slab.bytes.toString('utf8', start, start + length)
    const around = scanner.around(0)
    const [before, after] = typeof around === 'function' ? around() : around
    for (const { kind, path, start, length, reason } of records.issues)
      found.findings.push(
        kind === 'malformed' ? `${kind}: ${reason}` : `${kind} ${path}=${text(start, length)}`,
      )
    for (let row = 0; row < records.rows; row += 1) {
      const [from, to] = [records.extents[row * 2], records.extents[row * 2 + 1]]
      found.kept.push(before + text(from, to - from) + after)
      found.rows.push(
        Array.from({ length: records.width }, (_, column) => {
          const at = (row * records.width + column) * 2
          return records.cells[at + 1] < 0 ? null : text(records.cells[at], records.cells[at + 1])
        }),
      )
    }
  }
  slab.bytes.set(bytes)
  slab.end = bytes.length
  if (windowBytes === undefined) {
    const fault = scanner.scanMessage(slab, 0, bytes.length)
    if (fault !== undefined) return { ...found, fault: `${fault.rule}: ${fault.reason}` }
    take()
    return found
  }
  scanner.beginDocument()
  let from = 0
  for (let end = windowBytes; ; end += windowBytes) {
    const final = end >= bytes.length
    const { consumed, fault } = scanner.scanWindow(slab, from, Math.min(end, bytes.length), final)
    if (fault !== undefined) return { ...found, fault: `${fault.rule}: ${fault.reason}` }
    take()
    from = consumed
    if (final) return found
  }
}

export const fields = (...paths: (string | JsonField)[]): JsonField[] =>
  paths.map((path) => (typeof path === 'string' ? { path, array: false } : path))
export const readRecord = (
  paths: (string | JsonField)[],
  document: string | Buffer,
  ignore: string[] = [],
): Found => read(createJsonScanner({ record: '$', fields: fields(...paths), ignore }, LIMITS), document)
