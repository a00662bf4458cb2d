/**
 * Reads one record of CSV: its fields as spans, and whether its quotes are those of quoted fields. It decides
 * nothing; `resync.ts` decides what happens to an odd record.
 */
import { LIMITS } from '../../core/limits.ts'
import type { Slab } from '../../core/slab.ts'
import { CR, LF, behindLineEnd, hasRest, lineEndFrom, type Dialect } from './dialect.ts'

/**
 * `more`: the record does not end within the window. `open`: a quote is not closed, or not as in a quoted
 * field.
 */
export type Reading = 'whole' | 'open' | 'long' | 'more'

export interface RecordReader {
  /** Number of fields of the record. Spans are kept for the first `capacity`. */
  count: number
  /** Start and length of each field, two numbers per field. Length -1: nothing between two delimiters. */
  spans: Int32Array
  /** Fields with doubled quotes. */
  doubled: number[]
  /** The end of the record (before its line end), and the start of the next one. */
  end: number
  next: number
  /** The number of line ends inside quoted fields, and the position of the first. */
  breaks: number
  firstBreak: number
  /** For an open quote: the end of its line, and whether the quote is closed in it. */
  oddEnd: number
  closesInLine: boolean
  /**
   * Reads the record at `from`. `bytes[end]` must be a line end: a sentinel that saves the bounds check at
   * each byte. With `final`, the text ends at `end`; else more may follow.
   */
  read(slab: Slab, from: number, end: number, final: boolean): Reading
  /** Makes room for the spans of this many fields. */
  expect(fields: number): void
  /** From now on, quoted fields must end in their line. */
  narrow: boolean
}

export function createRecordReader(dialect: Dialect): RecordReader {
  return new Reader(dialect)
}

class Reader implements RecordReader {
  count = 0
  spans = new Int32Array(256)
  doubled: number[] = []
  end = 0
  next = 0
  breaks = 0
  firstBreak = -1
  oddEnd = 0
  closesInLine = false
  narrow = false
  readonly #dialect: Dialect
  readonly #ends: Uint8Array
  readonly #delimiter: number
  readonly #fours: number
  readonly #delimiterLength: number
  readonly #quote: number
  readonly #quoteLength: number
  /** Bytes needed to know what follows a quote. */
  readonly #lookahead: number
  /** The content of the last quoted field, and where it is closed. */
  #isDoubled = false
  #closedAt = 0
  /**
   * For the present record: the end of the available bytes, its latest end, and whether nothing more comes.
   */
  #end = 0
  #hardEnd = 0
  #final = false
  #gaveUpAt = 0

  constructor(dialect: Dialect) {
    this.#dialect = dialect
    this.#ends = dialect.ends
    this.#delimiter = dialect.delimiter[0]
    this.#fours = Math.imul(this.#delimiter, ONES)
    this.#delimiterLength = dialect.delimiter.length
    this.#quote = dialect.quote.length === 0 ? -1 : dialect.quote[0]
    this.#quoteLength = dialect.quote.length
    this.#lookahead = Math.max(dialect.delimiter.length, dialect.quote.length)
  }

  expect(fields: number): void {
    if (this.spans.length < fields * 2) this.spans = new Int32Array(fields * 2)
  }

  read({ bytes, view }: Slab, from: number, end: number, final: boolean): Reading {
    const ends = this.#ends
    const fours = this.#fours
    const delimiter = this.#delimiter
    const step = this.#delimiterLength
    const quote = this.#quote
    const spans = this.spans
    const most = spans.length >> 1
    const isPlain = step === 1 && this.#quoteLength === 1
    const hardEnd = from + LIMITS.recordBytes
    let count = 0
    this.#forget()
    this.#end = end
    this.#hardEnd = hardEnd
    this.#final = final
    for (let at = from; ; at += step) {
      let start = at
      let length: number
      if (bytes[at] === quote && this.#isQuote(bytes, at)) {
        // The next quote closes nearly all of them; a call for each would cost 10 % of a quoted file.
        let close = isPlain ? plainClose(bytes, at, quote, ends) : UNCLOSED
        if (close < 0 || close + 1 >= end || close > hardEnd) {
          const odd = this.#quoted(bytes, at, count)
          if (odd !== undefined) return odd
          close = this.#closedAt
        }
        start = at + this.#quoteLength
        length = close - start
        at = close + this.#quoteLength
      } else {
        at = skipFours(view, at, fours)
        while (ends[bytes[at]] === 0) at += 1
        if (step > 1) at = this.#fieldEnd(bytes, at)
        length = at === start ? -1 : at - start
      }
      if (at > hardEnd) return tooFar(end, hardEnd, final)
      if (count < most) {
        spans[count * 2] = start
        spans[count * 2 + 1] = length
      }
      count += 1
      if (bytes[at] !== delimiter) return this.#whole(bytes, at, count)
    }
  }

  /** The record with this many fields ends at `at`. */
  #whole(bytes: Uint8Array, at: number, count: number): Reading {
    const end = this.#end
    // A CR at the end of the available bytes may be the first half of a line end.
    if (!this.#final && (at >= end || (bytes[at] === CR && at + 1 >= end)))
      return tooFar(end, this.#hardEnd, false)
    this.count = count
    this.end = at
    this.next = behindLineEnd(bytes, at, end)
    return 'whole'
  }

  /** Sets where the quoted field that opens at `open`, number `field`, is closed. Or returns what is odd. */
  #quoted(bytes: Uint8Array, open: number, field: number): Reading | undefined {
    const [end, hardEnd] = [this.#end, this.#hardEnd]
    const close = this.#close(bytes, open, end)
    if (close < 0 || close > hardEnd) {
      if (close === UNCLOSED && !this.#final && end <= hardEnd + MARGIN) return 'more'
      return this.#odd(bytes, open, close)
    }
    const at = close + this.#quoteLength
    if (!this.#final && at + this.#lookahead > end) return 'more'
    if (!this.#endsField(bytes, at)) return this.#odd(bytes, open, close)
    this.#closedAt = close
    if (this.#isDoubled) {
      this.doubled.push(field)
      this.#isDoubled = false
    }
    return undefined
  }

  /** Resets the state of the previous record. */
  #forget(): void {
    if (this.doubled.length > 0) this.doubled.length = 0
    this.breaks = 0
    this.firstBreak = -1
    this.#isDoubled = false
  }

  /** Whether the quote that starts at `at` is complete. */
  #isQuote(bytes: Uint8Array, at: number): boolean {
    return this.#quoteLength === 1 || hasRest(bytes, at, this.#dialect.quote)
  }

  #fieldEnd(bytes: Uint8Array, from: number): number {
    let at = from
    while (!this.#endsField(bytes, at)) at += 1
    return at
  }

  /** Whether a delimiter or a line end is at `at`. */
  #endsField(bytes: Uint8Array, at: number): boolean {
    const c = bytes[at]
    if (this.#ends[c] === 0) return false
    return c !== this.#delimiter || this.#delimiterLength === 1 || hasRest(bytes, at, this.#dialect.delimiter)
  }

  /** Where the quote that opens at `open` is closed. Counts the line ends on the way. */
  #close(bytes: Uint8Array, open: number, end: number): number {
    const quote = this.#quote
    const step = this.#quoteLength
    const { quote: mark } = this.#dialect
    this.#isDoubled = false
    for (let at = open + step; ; at += 1) {
      let c = bytes[at]
      while (c !== quote && c > CR) c = bytes[++at]
      if (c === quote) {
        if (step > 1 && !hasRest(bytes, at, mark)) continue
        if (bytes[at + step] !== quote || (step > 1 && !hasRest(bytes, at + step, mark))) return at
        this.#isDoubled = true
        at += step * 2 - 1
      } else if (c === LF || c === CR) {
        if (at >= end) return UNCLOSED
        if (this.narrow || at - open > LIMITS.quotedFieldBytes) {
          this.#gaveUpAt = at
          return GIVEN_UP
        }
        this.#noteBreak(bytes, at, open + step)
      }
    }
  }

  /** Counts the line end at `at`, in a field that starts at `from`. CR LF is one. */
  #noteBreak(bytes: Uint8Array, at: number, from: number): void {
    if (this.firstBreak < 0) this.firstBreak = at
    const endsCrLf = bytes[at] === LF && at - 1 >= from && bytes[at - 1] === CR
    if (!endsCrLf) this.breaks += 1
  }

  /**
   * The quote at `open` does not belong to a quoted field, and costs its line. Bytes beyond the limit of a
   * record are ignored.
   */
  #odd(bytes: Uint8Array, open: number, close: number): Reading {
    const [end, hardEnd, final] = [this.#end, this.#hardEnd, this.#final]
    let seenTo = close
    if (close === UNCLOSED) seenTo = end
    else if (close === GIVEN_UP) seenTo = this.#gaveUpAt
    if (seenTo > hardEnd) return tooFar(end, hardEnd, final)
    const lineEnd = lineEndFrom(bytes, open, end)
    if (lineEnd > hardEnd) return tooFar(end, hardEnd, final)
    if (!final && lineEnd + 1 >= end) return tooFar(end, hardEnd, false)
    this.oddEnd = lineEnd
    this.next = behindLineEnd(bytes, lineEnd, end)
    this.closesInLine = close >= 0 && close < lineEnd
    return 'open'
  }
}

/** Bytes after `hardEnd` are ignored: windows of any size must decide alike. */
function tooFar(end: number, hardEnd: number, final: boolean): Reading {
  return final || end > hardEnd + MARGIN ? 'long' : 'more'
}

/**
 * Where the quote at `open` is closed, for a field without quotes and line ends. Less than 0: it may have
 * some.
 */
function plainClose(bytes: Uint8Array, open: number, quote: number, ends: Uint8Array): number {
  let at = open + 1
  let c = bytes[at]
  while (c !== quote && c > CR) c = bytes[++at]
  return c === quote && ends[bytes[at + 1]] !== 0 ? at : UNCLOSED
}

/** Continues four bytes at a time, until one of them is the delimiter or a control character. */
function skipFours(view: DataView, from: number, fours: number): number {
  let at = from
  for (; ; at += 4) {
    const four = view.getInt32(at, true)
    const same = four ^ fours
    if ((((same - ONES) & ~same) | ((four - FOURTEENS) & ~four)) & HIGHS) return at
  }
}

/** Words with one bit in each of four bytes, and the bits that tell which byte it was. */
const [ONES, FOURTEENS, HIGHS] = [0x01010101, 0x0e0e0e0e, 0x80808080 | 0]

const [UNCLOSED, GIVEN_UP] = [-1, -2]
/**
 * What may lie between the end of a field and the end of a window that hides it: a quote and a delimiter of
 * four bytes each.
 */
const MARGIN = 8
