/** CSV by our scanner: what was written comes back, whatever the quoting and however it is cut into windows; what is wrong is wrong by record. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSlab, reserve } from '../../src/core/slab.ts'
import { createCsvScanner, type CsvShape } from '../../src/formats/csv/scanner.ts'
import type { DocumentScanner } from '../../src/formats/records.ts'

const SHAPE: CsvShape = { paths: ['a', 'b', 'c'], required: ['a'], ignore: [], delimiter: ',', quote: '"', header: true }
const RUNS = Number(process.env.HEADRACE_PROPERTY_RUNS ?? 500)

interface Read {
  rows: (string | null)[][]
  issues: string[]
  fault: string | undefined
}

/** Reads a document in windows of so many bytes, as a large file comes. */
function read(scanner: DocumentScanner, text: string | Buffer, window = Infinity): Read {
  const bytes = Buffer.from(text)
  const slab = createSlab(64)
  const out: Read = { rows: [], issues: [], fault: undefined }
  scanner.beginDocument()
  let kept = Buffer.alloc(0)
  for (let at = 0, final = false; !final; at += window) {
    final = at + window >= bytes.length
    kept = Buffer.concat([kept, bytes.subarray(at, final ? bytes.length : at + window)])
    slab.end = 0
    reserve(slab, kept.length + 1)
    slab.bytes.set(kept)
    slab.end = kept.length + 1
    const { consumed, fault } = scanner.scanWindow(slab, 0, kept.length, final)
    const { records } = scanner
    for (let row = 0; row < records.rows; row += 1) {
      const cell = (column: number): string | null => {
        const [start, length] = [records.cells[(row * records.width + column) * 2], records.cells[(row * records.width + column) * 2 + 1]]
        return length < 0 ? null : slab.bytes.toString('utf8', start, start + length)
      }
      out.rows.push(Array.from({ length: records.width }, (_, column) => cell(column)))
    }
    for (const issue of records.issues) out.issues.push(`${issue.kind} ${issue.reason ?? issue.path}`)
    if (fault !== undefined) return { ...out, fault: fault.reason }
    kept = kept.subarray(consumed)
  }
  return out
}

const field = fc.oneof(fc.constant(null), fc.string({ unit: fc.constantFrom('x', '"', ',', '\n', '\r', ' ', 'é', '🙂', '') }))
const written = (value: string | null): string => (value === null ? '' : value === '' || /[",\r\n]/.test(value) || value.length % 2 === 1 ? `"${value.replaceAll('"', '""')}"` : value)

test('what was written comes back: every value, in windows of any size, with every line end', () => {
  fc.assert(fc.property(fc.array(fc.tuple(field, field, field), { maxLength: 20 }), fc.integer({ min: 1, max: 40 }), fc.constantFrom('\n', '\r\n', '\r'), fc.boolean(), (rows, window, end, last) => {
    // A line with nothing in it is no record.
    const lines = [['a', 'b', 'c'], ...rows].map((row) => row.map(written).join(','))
    const text = lines.join(end) + (last ? end : '')
    expect(read(createCsvScanner(SHAPE), text, window)).toEqual({ rows, issues: [], fault: undefined })
  }), { numRuns: RUNS })
})

test('columns are found by name; unknown ones are said, ignored ones are not; missing ones are empty', () => {
  expect(read(createCsvScanner({ ...SHAPE, ignore: ['z'] }), 'z,c,more,a\n1,2,3,4\n,,,5\n')).toEqual({ rows: [['4', null, '2'], ['5', null, null]], issues: ['unexpected more'], fault: undefined })
  expect(read(createCsvScanner({ ...SHAPE, ignore: ['*'] }), 'a;b\n1;2\n')).toMatchObject({ fault: 'the header has no a; it has a;b' })
  expect(read(createCsvScanner({ ...SHAPE, delimiter: ';' }), '\uFEFFa;b\n1;2\n').rows).toEqual([['1', '2', null]])
  expect(read(createCsvScanner(SHAPE), 'a,a\n1,2\n').fault).toBe('the header has a twice')
  expect(read(createCsvScanner({ ...SHAPE, paths: ['2', '1'], required: [], header: false }), 'x,y\n').rows).toEqual([['y', 'x']])
  expect(read(createCsvScanner(SHAPE), '')).toEqual({ rows: [], issues: [], fault: undefined })
})

test.each([1, 3, 1_000])('a record that does not fit is one row with the reason, its neighbours are kept (windows of %i bytes)', (window) => {
  const text = Buffer.concat([Buffer.from('a,b,c\n1,2,3\n4,5\n6,7,8,9\n"x"y,2,3\nn,'), Buffer.from([0xff]), Buffer.from(',2\n10,11,12\n"open,1,2\n')])
  const { rows, issues } = read(createCsvScanner(SHAPE), text, window)
  expect(issues).toEqual(['malformed 2 fields instead of 3', 'malformed 4 fields instead of 3', 'malformed text after a closing quote', 'malformed invalid UTF-8', 'malformed a quote is not closed'])
  expect(rows.filter((row) => row[0] !== null)).toEqual([['1', '2', '3'], ['10', '11', '12']])
})
