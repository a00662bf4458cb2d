/**
 * Reads CSV (RFC 4180) record by record: quotes, doubled quotes, and line ends inside them; lines end with
 * LF, CR LF or CR. The names of the header find the columns. A record that does not fit is one row with the
 * reason. The records around it are kept, also if a quote in it is never closed (docs/reference/files.md has
 * the rule).
 */
import { isUtf8 } from 'node:buffer'
import { LIMITS } from '../../core/limits.ts'
import { createSlab, reserve, type Slab } from '../../core/slab.ts'
import { behindMark, endOfCharacters, invalidIn } from '../utf8.ts'
import {
  addRow,
  clearRecords,
  createRecords,
  roomOf,
  type DocumentFault,
  type DocumentScanner,
  type Records,
  type WindowScan,
} from '../records.ts'
import { mapFields, type ColumnNames, type FieldMap } from './columns.ts'
import {
  CR,
  LF,
  behindLineEnd,
  countLineEnds,
  createDialect,
  halveQuotes,
  lastLineEnd,
  lineEndFrom,
  type Dialect,
} from './dialect.ts'
import { createRecordReader, type Reading, type RecordReader } from './record-reader.ts'
import { holdsFittingLine, swallowsLines } from './resync.ts'

export interface CsvShape extends ColumnNames {
  /** Any single character. */
  delimiter: string
  /** Any single character; empty for none. */
  quote: string
  /** Without a header, fields are named 1, 2, 3 and so on. */
  header: boolean
}

/** Limits of futile lookahead, in bytes and as a multiple of what was read: only hostile files reach them. */
const WASTE = { bytes: 64 * 1024 * 1024, times: 4 }

export function createCsvScanner(shape: CsvShape): DocumentScanner {
  return new CsvScanner(shape)
}

/** The first valid record: all others have as many fields. */
export interface FirstRecord {
  fields: number
  /** No line end is inside its quotes. */
  isOneLine: boolean
}

/**
 * Finds the first valid record at the beginning of a file without a header. Only the scanner can: a line
 * within an invalid record may look like a record. `isAll`: the file ends where `head` does.
 */
export function firstRecordOf(
  head: Buffer,
  { delimiter, quote, isAll }: Pick<CsvShape, 'delimiter' | 'quote'> & { isAll: boolean },
): FirstRecord | undefined {
  const slab = createSlab(head.length * 2 + 1)
  head.copy(slab.bytes)
  slab.end = head.length
  const scanner = new CsvScanner({ delimiter, quote, header: false, paths: [], required: [], ignore: ['*'] })
  scanner.scanWindow(slab, 0, head.length, isAll)
  return scanner.firstRecord
}

/** The end of the present record, the start of the next one, and the line ends between. */
interface Extent {
  end: number
  next: number
  lines: number
}

class CsvScanner implements DocumentScanner {
  readonly records: Records
  firstRecord: FirstRecord | undefined
  readonly #shape: CsvShape
  readonly #dialect: Dialect
  readonly #reader: RecordReader
  /** Undefined until the first record has been read. */
  #map: FieldMap | undefined
  /** Number of fields in a fitting record. */
  #width = 0
  /** Rows after which a window ends. */
  #room = Infinity
  #headerText = ''
  /** The line at which reading continues, and the number of bytes before the window. */
  #line = 1
  #before = 0
  /** Turns a position in the slab into one in the document; and whether the window is UTF-8. */
  #shift = 0
  #isValid = true
  /** The rest of an oversized line is still to come. */
  #isSkipping = false
  #wasted = 0
  readonly #extent: Extent = { end: 0, next: 0, lines: 0 }

  constructor(shape: CsvShape) {
    this.#shape = shape
    this.#dialect = createDialect(shape.delimiter, shape.quote)
    this.#reader = createRecordReader(this.#dialect)
    this.records = createRecords(shape.paths.length)
  }

  around(): readonly [before: string, after: string] {
    return [this.#headerText, '']
  }

  scanMessage(slab: Slab, start: number, end: number): DocumentFault | undefined {
    this.beginDocument()
    this.#room = Infinity
    return this.#guarded(slab, start, end, true).fault
  }

  beginDocument(): void {
    this.#map = undefined
    this.#headerText = ''
    this.#line = 1
    this.#before = this.#wasted = 0
    this.#isSkipping = this.#reader.narrow = false
  }

  scanWindow(slab: Slab, start: number, end: number, final: boolean): WindowScan {
    clearRecords(this.records)
    this.#room = roomOf(this.records.width)
    const progress = this.#guarded(slab, start, end, final)
    this.#before += progress.consumed - start
    return progress
  }

  #guarded(slab: Slab, start: number, end: number, final: boolean): WindowScan {
    // A line end after the input saves a bounds check at each byte. Undoubled values are written after it.
    if (slab.end <= end) {
      reserve(slab, end + 1 - slab.end)
      slab.end = end + 1
    }
    const saved = slab.bytes[end]
    slab.bytes[end] = LF
    try {
      return this.#scan(slab, start, end, final)
    } finally {
      slab.bytes[end] = saved
    }
  }

  #scan(slab: Slab, from: number, end: number, final: boolean): WindowScan {
    const reader = this.#reader
    this.#isValid = isUtf8(slab.bytes.subarray(from, final ? end : endOfCharacters(slab.bytes, from, end)))
    this.#shift = this.#before - from
    let at = this.#before === 0 ? behindMark(slab.bytes, from) : from
    const [records, room] = [this.records, this.#room]
    while (at < end && records.rows < room) {
      const { bytes } = slab
      if (this.#isSkipping) {
        at = lineEndFrom(bytes, at, end)
        if (at === end) break
        this.#isSkipping = false
      }
      const c = bytes[at]
      if (c === LF || c === CR) {
        if (!final && c === CR && at + 1 === end) break
        at = behindLineEnd(bytes, at, end)
        this.#line += 1
        continue
      }
      const reading = reader.read(slab, at, end, final)
      if (reading === 'more') break
      const fault = this.#settle(slab, at, reading)
      if (fault !== undefined)
        return { consumed: at, fault: { rule: 'wrong_root', reason: fault, at: -1 }, isFull: false }
      this.#line += this.#extent.lines
      at = this.#extent.next
    }
    return { consumed: at, fault: undefined, isFull: records.rows >= room }
  }

  /** Turns the record at `at` into a row, or the header. Returns the fault of the document, if any. */
  #settle(slab: Slab, at: number, reading: Reading): string | undefined {
    const { bytes } = slab
    let wrong = this.#judge(bytes, at, reading)
    if (wrong === undefined && !this.#isValid)
      wrong = invalidIn(bytes, at, this.#extent.end, this.#shift + at)
    if (this.#map === undefined) {
      const fault = this.#begin(slab, at, wrong)
      if (fault !== undefined || this.#shape.header) return fault
    }
    this.#take(slab, at, wrong)
    return undefined
  }

  /** Finds the columns by the first record. Returns the fault if they cannot be found. */
  #begin(slab: Slab, at: number, wrong: string | undefined): string | undefined {
    if (wrong === undefined) return this.#learn(slab, at)
    return this.#shape.header ? `the header: ${wrong}` : undefined
  }

  /** Sets the extent of the record at `at`. Returns its fault. */
  #judge(bytes: Uint8Array, at: number, reading: Reading): string | undefined {
    if (reading === 'whole') return this.#judgeWhole(bytes, at)
    return reading === 'open' ? this.#judgeOpen(bytes, at) : this.#judgeLong(bytes, at)
  }

  #judgeWhole(bytes: Uint8Array, at: number): string | undefined {
    const [reader, extent] = [this.#reader, this.#extent]
    extent.end = reader.end
    extent.next = reader.next
    extent.lines = reader.breaks + 1
    const fits = reader.count === this.#width
    if (this.#map === undefined || (fits && reader.breaks < 2)) return undefined
    if (fits && !swallowsLines(bytes, reader.spans, this.#width, this.#dialect)) return undefined
    if (reader.breaks > 0 && this.#isCut(bytes, at, reader.end)) return NOT_CLOSED
    return fits ? undefined : `${reader.count} fields instead of ${this.#width}`
  }

  #judgeOpen(bytes: Uint8Array, at: number): string {
    const [reader, extent] = [this.#reader, this.#extent]
    const hasBreak = reader.firstBreak >= 0 && reader.firstBreak < reader.oddEnd
    if (hasBreak && this.#isCut(bytes, at, reader.oddEnd)) return NOT_CLOSED
    extent.end = reader.oddEnd
    extent.next = reader.next
    extent.lines = countLineEnds(bytes, at, reader.next)
    return reader.closesInLine ? 'text after a closing quote' : NOT_CLOSED
  }

  #judgeLong(bytes: Uint8Array, at: number): string {
    const { firstBreak } = this.#reader
    const most = at + LIMITS.recordBytes
    if (firstBreak >= 0 && this.#isCut(bytes, at, lastLineEnd(bytes, firstBreak, most))) return NOT_CLOSED
    this.#extent.end = this.#extent.next = most
    this.#extent.lines = countLineEnds(bytes, at, most)
    this.#isSkipping = true
    return `the record has more than ${LIMITS.recordBytes} bytes`
  }

  /**
   * Whether a line within the odd record at `at`, before `to`, is a record itself. Then the odd record is
   * only its first line, with a stray quote. The part that is kept must be one record again in a replay.
   */
  #isCut(bytes: Uint8Array, at: number, to: number): boolean {
    if (
      this.#map === undefined ||
      !holdsFittingLine(bytes, at, to, { width: this.#width, dialect: this.#dialect })
    )
      return false
    const end = this.#reader.firstBreak
    const next = behindLineEnd(bytes, end, to)
    Object.assign(this.#extent, { end, next, lines: 1 })
    this.#wasted += to - next
    if (this.#wasted > WASTE.bytes + WASTE.times * (this.#shift + at)) this.#reader.narrow = true
    return true
  }

  /** Finds the column of each field, by the first record. */
  #learn(slab: Slab, start: number): string | undefined {
    const { header, quote } = this.#shape
    const { bytes } = slab
    const { count, spans } = this.#reader
    if (count > LIMITS.csvFields) return `the header has ${count} fields; the limit is ${LIMITS.csvFields}`
    if (count * 2 > spans.length) {
      // It has more fields than there is room for: read it again with more room.
      this.#reader.expect(count)
      this.#reader.read(slab, start, this.#extent.end, true)
    }
    const text = (i: number): string =>
      bytes.toString(
        'utf8',
        this.#reader.spans[i * 2],
        this.#reader.spans[i * 2] + Math.max(0, this.#reader.spans[i * 2 + 1]),
      )
    const name = (i: number): string =>
      this.#reader.doubled.includes(i) ? text(i).replaceAll(quote + quote, quote) : text(i)
    const names = Array.from({ length: count }, (_, i) => (header ? name(i) : String(i + 1)))
    const map = mapFields(names, this.#shape)
    if (typeof map === 'string') return map
    this.#map = map
    this.#width = count
    this.firstRecord = { fields: count, isOneLine: this.#reader.breaks === 0 }
    this.#reader.expect(count)
    if (header) this.#headerText = `${bytes.toString('utf8', start, this.#extent.end)}\n`
    return undefined
  }

  #take(slab: Slab, start: number, wrong: string | undefined): void {
    const { records } = this
    const row = addRow(records)
    const { end } = this.#extent
    records.extents[row * 2] = start
    records.extents[row * 2 + 1] = end
    records.lines[row] = this.#line
    if (wrong !== undefined) {
      records.issues.push({ row, kind: 'malformed', path: '', start, length: end - start, reason: wrong })
      return
    }
    const { fieldOf, unknown, paths } = this.#map as FieldMap
    const { spans, doubled } = this.#reader
    if (doubled.length > 0) for (const field of doubled) halveQuotes(slab, spans, field, this.#dialect.quote)
    const { cells, width } = records
    for (let column = 0, cell = row * width * 2; column < width; column += 1, cell += 2) {
      const field = fieldOf[column]
      if (field < 0) continue
      cells[cell] = spans[field * 2]
      cells[cell + 1] = spans[field * 2 + 1]
    }
    for (const field of unknown) {
      const length = spans[field * 2 + 1]
      if (length > 0)
        records.issues.push({ row, kind: 'unexpected', path: paths[field], start: spans[field * 2], length })
    }
  }
}

const NOT_CLOSED = 'a quote is not closed'
