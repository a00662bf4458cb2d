/** The oracle: what saxes (xmlns: true) says of a document, and the same records taken out of its events. */
import { SaxesParser } from 'saxes'
import { createSlab, reserve } from '../../src/core/slab.ts'
import { compileShape } from '../../src/formats/xml/compile-shape.ts'
import type { XmlShapeSpec } from '../../src/formats/xml/shape.ts'
import { createXmlScanner, type XmlScanner } from '../../src/formats/xml/scanner.ts'

export const LIMITS = { depth: 64, attributes: 64, nameBytes: 1024, textBytes: 1 << 20 }

export function scannerFor(
  spec: Partial<XmlShapeSpec> & { record: string; fields: XmlShapeSpec['fields'] },
): XmlScanner {
  return createXmlScanner(compileShape({ ignore: ['*'], namespaces: {}, ...spec }), LIMITS)
}

/** Scans one document; rows as arrays of texts (null: absent), or the fault. */
export function scan(
  scanner: XmlScanner,
  document: string | Buffer,
): { rows: (string | null)[][]; fault: string | undefined; text: Buffer } {
  const bytes = Buffer.from(document)
  const slab = createSlab(bytes.length * 4 + 256)
  slab.bytes.set(bytes, 7)
  // As a file's bytes lie: nothing behind them.
  slab.end = 7 + bytes.length
  const { records } = scanner
  records.rows = 0
  records.issues.length = 0
  const fault = scanner.scanMessage(slab, 7, 7 + bytes.length)
  return { rows: rowsOf(scanner, slab.bytes), fault: fault?.reason, text: slab.bytes }
}

/** What was wrong with the shape of records, with the values themselves. */
export function issuesWithText(
  { records }: XmlScanner,
  text: Buffer,
): { row: number; kind: string; path: string; value: string }[] {
  return records.issues.map(({ row, kind, path, start, length }) => ({
    row,
    kind,
    path,
    value: text.toString('utf8', start, start + length),
  }))
}

export function rowsOf(scanner: XmlScanner, bytes: Buffer): (string | null)[][] {
  const { records } = scanner
  return Array.from({ length: records.rows }, (_, row) =>
    Array.from({ length: records.width }, (_, column) => {
      const at = (row * records.width + column) * 2
      return records.cells[at + 1] < 0
        ? null
        : bytes.toString('utf8', records.cells[at], records.cells[at] + records.cells[at + 1])
    }),
  )
}

/** What saxes says: undefined when well-formed, else its first complaint. */
export function saxesFault(document: string): string | undefined {
  const parser = new SaxesParser({ xmlns: true })
  let fault: string | undefined
  parser.on('error', (error) => {
    fault ??= error.message
  })
  try {
    parser.write(document).close()
  } catch (error) {
    fault ??= (error as Error).message
  }
  return fault
}

/**
 * Texts of the direct children of each <r> below <root>, by local name: what a shape of plain leaves takes.
 * Of several namespaces the children in none have the name, then those in that of <r>, then those of the
 * first.
 */
export function saxesRows(document: string, names: string[]): (string | null)[][] {
  const parser = new SaxesParser({ xmlns: true })
  const rows: (string | null)[][] = []
  const stack: { local: string; uri: string; text: string }[] = []
  let children: { local: string; uri: string; text: string }[] = []
  parser.on('opentag', ({ local, uri }) => {
    stack.push({ local, uri, text: '' })
    if (stack.map((element) => element.local).join('/') === 'root/r') children = []
  })
  const add = (text: string): void => {
    if (stack.length > 0) stack[stack.length - 1].text += text
  }
  parser.on('text', add)
  parser.on('cdata', add)
  parser.on('closetag', () => {
    const [first, second, third] = stack
    if (first.local === 'root' && second?.local === 'r') {
      if (stack.length === 3) children.push(third)
      if (stack.length === 2)
        rows.push(
          names.map((name) =>
            textOfName(
              children.filter((child) => child.local === name),
              second.uri,
            ),
          ),
        )
    }
    stack.pop()
  })
  parser.write(document).close()
  return rows
}

function textOfName(candidates: { uri: string; text: string }[], parentUri: string): string | null {
  const taken =
    candidates.find((candidate) => candidate.uri === '') ??
    candidates.find((candidate) => candidate.uri === parentUri) ??
    candidates[0]
  return taken?.text ?? null
}

export interface InWindows {
  rows: (string | null)[][]
  fault: string | undefined
  /** Of each row, the small document that a quarantine keeps of it. */
  originals: string[]
}

/** Scans one document in windows of so many bytes more each time. */
export function scanInWindows(scanner: XmlScanner, bytes: Buffer, size: number): InWindows {
  const rows: (string | null)[][] = []
  const originals: string[] = []
  const slab = createSlab(bytes.length * 3 + 4096)
  scanner.beginDocument()
  let read = 0
  let kept = 0
  for (;;) {
    const take = Math.min(size, bytes.length - read)
    slab.bytes.set(bytes.subarray(read, read + take), kept)
    kept += take
    read += take
    slab.end = kept + 1
    reserve(slab, 1024)
    const final = read === bytes.length
    const { consumed, fault } = scanner.scanWindow(slab, 0, kept, final)
    if (fault !== undefined) return { rows, fault: fault.reason, originals }
    rows.push(...rowsOf(scanner, slab.bytes))
    for (let row = 0; row < scanner.records.rows; row += 1) {
      const around = scanner.around(row)
      const [before, after] = typeof around === 'function' ? around() : around
      originals.push(
        before +
          slab.bytes.toString(
            'utf8',
            scanner.records.extents[row * 2],
            scanner.records.extents[row * 2 + 1],
          ) +
          after,
      )
    }
    if (final) return { rows, fault: undefined, originals }
    slab.bytes.copyWithin(0, consumed, kept)
    kept -= consumed
  }
}
