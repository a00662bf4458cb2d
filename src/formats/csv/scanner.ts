/**
 * CSV (RFC 4180) record by record: quotes, doubled quotes and line ends inside of them; lines end with LF, CR LF or CR. Columns are found
 * by the names of the header. A record that does not fit is one row with the reason; the records around it are kept.
 */
import { isUtf8 } from 'node:buffer'
import { appendBytes, type Slab } from '../../core/slab.ts'
import { behindMark } from '../encoding.ts'
import { addRow, clearRecords, createRecords, type DocumentFault, type DocumentScanner } from '../records.ts'

export interface CsvShape {
  /** Names in the header, in the order of the columns; positions from 1 when there is none. */
  paths: string[]
  /** Those of the columns that a file must have. */
  required: string[]
  /** Names that are left out without a word; `*` for all unknown ones. */
  ignore: string[]
  delimiter: string
  quote: string
  header: boolean
}

const [LF, CR] = [0x0a, 0x0d]
const [UNKNOWN, IGNORED] = [-1, -2]

/** The fields of one record, and how it ended. */
interface Line {
  count: number
  starts: number[]
  /** -1: nothing between two delimiters. */
  lengths: number[]
  end: number
  next: number
  wrong: string | undefined
}

export function createCsvScanner(shape: CsvShape): DocumentScanner {
  const records = createRecords(shape.paths.length)
  const line: Line = { count: 0, starts: [], lengths: [], end: 0, next: 0, wrong: undefined }
  let columns: number[] | undefined
  let names: string[] = []
  let headerText = ''

  const begin = (): void => {
    columns = undefined
    headerText = ''
  }

  /** Where each field goes, by the first record. */
  const learn = (slab: Slab): DocumentFault | undefined => {
    names = shape.header ? line.starts.slice(0, line.count).map((start, i) => slab.bytes.toString('utf8', start, start + Math.max(0, line.lengths[i]))) : line.starts.slice(0, line.count).map((_, i) => String(i + 1))
    const twin = names.find((name, i) => names.indexOf(name) !== i)
    const missing = shape.required.find((path) => !names.includes(path))
    if (twin !== undefined) return { rule: 'wrong_root', reason: `the header has ${twin} twice`, at: line.starts[0] }
    if (missing !== undefined) return { rule: 'wrong_root', reason: `the header has no ${missing}; it has ${names.join(', ').slice(0, 200)}`, at: line.starts[0] }
    columns = names.map((name) => (shape.paths.includes(name) ? shape.paths.indexOf(name) : shape.ignore.includes('*') || shape.ignore.includes(name) ? IGNORED : UNKNOWN))
    return undefined
  }

  const take = (slab: Slab, start: number, known: number[], valid: boolean): void => {
    const row = addRow(records)
    records.extents[row * 2] = start
    records.extents[row * 2 + 1] = line.end
    const wrong = line.wrong ?? (line.count === known.length ? undefined : `${line.count} fields instead of ${known.length}`) ?? (valid || isUtf8(slab.bytes.subarray(start, line.end)) ? undefined : 'invalid UTF-8')
    if (wrong !== undefined) {
      records.issues.push({ row, kind: 'malformed', path: '', start, length: line.end - start, reason: wrong })
      return
    }
    for (let i = 0; i < known.length; i += 1) {
      const [column, length] = [known[i], line.lengths[i]]
      if (column >= 0) {
        const cell = (row * records.width + column) * 2
        records.cells[cell] = line.starts[i]
        records.cells[cell + 1] = length
      } else if (column === UNKNOWN && length > 0) records.issues.push({ row, kind: 'unexpected', path: names[i], start: line.starts[i], length })
    }
  }

  const scan = (slab: Slab, from: number, end: number, final: boolean): { consumed: number; fault: DocumentFault | undefined } => {
    const valid = isUtf8(slab.bytes.subarray(from, end))
    let at = columns === undefined ? behindMark(slab.bytes, from) : from
    while (at < end) {
      if (slab.bytes[at] === LF || slab.bytes[at] === CR) {
        at += 1
        continue
      }
      const start = at
      if (!readLine(slab, at, end, final, shape, line)) break
      at = line.next
      if (columns === undefined) {
        const fault = line.wrong === undefined ? learn(slab) : { rule: 'wrong_root' as const, reason: `the header: ${line.wrong}`, at: start }
        if (fault !== undefined) return { consumed: start, fault }
        if (shape.header) {
          headerText = `${slab.bytes.toString('utf8', start, line.end)}\n`
          continue
        }
      }
      take(slab, start, columns ?? [], valid)
    }
    return { consumed: at, fault: undefined }
  }

  return {
    records,
    around: () => [headerText, ''],
    scanMessage(slab, start, end) {
      begin()
      return scan(slab, start, end, true).fault
    },
    beginDocument: begin,
    scanWindow(slab, start, end, final) {
      clearRecords(records)
      return scan(slab, start, end, final)
    },
  }
}

/** False when the record does not end before `end` and more is to come. */
function readLine(slab: Slab, from: number, end: number, final: boolean, shape: CsvShape, line: Line): boolean {
  const [delimiter, quote] = [shape.delimiter.charCodeAt(0), shape.quote === '' ? -1 : shape.quote.charCodeAt(0)]
  line.count = 0
  line.wrong = undefined
  for (let at = from; ; at += 1) {
    const { bytes } = slab
    let [start, length] = [at, 0]
    if (at < end && bytes[at] === quote) {
      const close = closingQuote(bytes, at + 1, end, quote)
      if (close.at < 0) {
        if (!final) return false
        line.wrong ??= 'a quote is not closed'
        Object.assign(line, { end, next: end })
        return true
      }
      ;[start, length] = close.doubled ? withoutDoubles(slab, at + 1, close.at, quote) : [at + 1, close.at - at - 1]
      at = close.at + 1
      if (at < end && slab.bytes[at] !== delimiter && slab.bytes[at] !== LF && slab.bytes[at] !== CR) line.wrong ??= 'text after a closing quote'
      while (at < end && slab.bytes[at] !== delimiter && slab.bytes[at] !== LF && slab.bytes[at] !== CR) at += 1
    } else {
      while (at < end && bytes[at] !== delimiter && bytes[at] !== LF && bytes[at] !== CR) at += 1
      length = at === start ? -1 : at - start
    }
    line.starts[line.count] = start
    line.lengths[line.count] = length
    line.count += 1
    if (at < end && slab.bytes[at] === delimiter) continue
    // A CR at the end of what is there may be the first half of a line end.
    if (!final && (at >= end || (slab.bytes[at] === CR && at + 1 >= end))) return false
    line.end = at
    line.next = at + (slab.bytes[at] === CR && at + 1 < end && slab.bytes[at + 1] === LF ? 2 : 1)
    if (line.next > end) line.next = end
    return true
  }
}

function closingQuote(bytes: Uint8Array, from: number, end: number, quote: number): { at: number; doubled: boolean } {
  let doubled = false
  for (let at = from; at < end; at += 1) {
    if (bytes[at] !== quote) continue
    if (at + 1 < end && bytes[at + 1] === quote) {
      doubled = true
      at += 1
      continue
    }
    // The last byte there is may be the first of two.
    return { at, doubled }
  }
  return { at: -1, doubled }
}

/** The value with one quote for two, behind the input. */
function withoutDoubles(slab: Slab, from: number, to: number, quote: number): [start: number, length: number] {
  const value = Buffer.alloc(to - from)
  let length = 0
  for (let at = from; at < to; at += 1) {
    value[length++] = slab.bytes[at]
    if (slab.bytes[at] === quote) at += 1
  }
  return [appendBytes(slab, value.subarray(0, length)), length]
}
