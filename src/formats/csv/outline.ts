/** The outline of a CSV sample: its delimiter, the names of its header and what values they had. */
import type { Outline } from '../../core/outline.ts'
import { createSlab } from '../../core/slab.ts'
import { addressesOf } from './columns.ts'
import { headerOf } from './header.ts'
import { createCsvScanner } from './scanner.ts'

const DELIMITERS = [',', ';', '\t', '|']

/** The delimiter is the one that cuts the header into the most names. Undefined when the sample has no whole header. */
export function outlineCsv(sample: string): (Outline & { delimiter: string }) | undefined {
  const headers = DELIMITERS.map((delimiter) => ({
    delimiter,
    names: headerOf(sample, delimiter)?.names ?? [],
  }))
  const { delimiter, names } = headers.reduce((most, one) =>
    one.names.length > most.names.length ? one : most,
  )
  if (names.length === 0) return undefined
  const paths = addressesOf(names)
  const scanner = createCsvScanner({ paths, required: [], ignore: [], delimiter, quote: '"', header: true })
  const bytes = Buffer.from(sample)
  const slab = createSlab(bytes.length * 2 + 1)
  slab.bytes.set(bytes)
  slab.end = bytes.length + 1
  scanner.beginDocument()
  // The last line of a sample may have been cut off.
  scanner.scanWindow(slab, 0, bytes.length, false)
  const { records } = scanner
  const broken = new Set(records.issues.map((issue) => issue.row))
  const rows = Array.from({ length: records.rows }, (_, row) => row).filter((row) => !broken.has(row))
  const fields = paths.map((path, column) => {
    const values = rows.flatMap((row) => {
      const [start, length] = [
        records.cells[(row * names.length + column) * 2],
        records.cells[(row * names.length + column) * 2 + 1],
      ]
      return length < 0 ? [] : [slab.bytes.toString('utf8', start, start + length)]
    })
    return { path, values, present: values.length, repeats: false }
  })
  return { record: '', records: rows.length, fields, delimiter }
}
