/**
 * Where reading continues after an odd record. Strictly by RFC 4180, one stray quote at the start of a field
 * swallows all lines up to the next quote, wherever that is. The lines themselves show what happened: they
 * fit the header.
 */
import { behindLineEnd, hasRest, lineEndFrom, type Dialect } from './dialect.ts'

/**
 * From this many delimiters on, swallowed lines that all fit are no coincidence: a text of several lines
 * rarely has the same number of delimiters in each line, and almost never exactly that of the header.
 */
const PROOF_DELIMITERS = 64

/** The shape of a valid line: its number of fields, in this dialect. */
export interface Fitting {
  width: number
  dialect: Dialect
}

/**
 * Whether a line that starts in (from, to) is a record itself: its quotes are closed in it, and it has
 * `width` fields.
 */
export function holdsFittingLine(bytes: Uint8Array, from: number, to: number, fitting: Fitting): boolean {
  let at = behindLineEnd(bytes, lineEndFrom(bytes, from, to), to)
  while (at < to) {
    const end = lineEndFrom(bytes, at, to)
    if (end > at && fitsRecords(bytes, at, end, fitting)) return true
    at = behindLineEnd(bytes, end, to)
  }
  return false
}

/** Whether the line [start, end) has `width` fields, and quotes only around whole fields. */
function fitsRecords(bytes: Uint8Array, start: number, end: number, { width, dialect }: Fitting): boolean {
  const { delimiter, quote } = dialect
  let count = 0
  for (let at = start; ; at += delimiter.length) {
    if (isAt(bytes, at, end, quote)) {
      at += quote.length
      for (; !isAt(bytes, at, end, quote) || isAt(bytes, at + quote.length, end, quote); at += 1) {
        if (at >= end) return false
        if (isAt(bytes, at, end, quote)) at += quote.length * 2 - 1
      }
      at += quote.length
      if (at < end && !isAt(bytes, at, end, delimiter)) return false
    } else {
      for (; at < end && !isAt(bytes, at, end, delimiter); at += 1)
        if (isAt(bytes, at, end, quote)) return false
    }
    count += 1
    if (at >= end) return count === width
    if (count >= width) return false
  }
}

function isAt(bytes: Uint8Array, at: number, end: number, mark: Uint8Array): boolean {
  return mark.length > 0 && bytes[at] === mark[0] && at + mark.length <= end && hasRest(bytes, at, mark)
}

/**
 * Whether the quoted fields of a fitting record swallowed lines: every whole line within them has as many
 * fields as the header. Otherwise two distant stray quotes look like one field of many lines.
 */
export function swallowsLines(
  bytes: Uint8Array,
  spans: Int32Array,
  width: number,
  dialect: Dialect,
): boolean {
  let delimiters = 0
  let lines = 0
  for (let field = 0; field < width; field += 1) {
    const end = spans[field * 2] + spans[field * 2 + 1]
    let at = behindLineEnd(bytes, lineEndFrom(bytes, spans[field * 2], end), end)
    for (let to = lineEndFrom(bytes, at, end); to < end; to = lineEndFrom(bytes, at, end)) {
      if (countDelimiters(bytes, at, to, dialect) !== width - 1) return false
      lines += 1
      delimiters += width - 1
      at = behindLineEnd(bytes, to, end)
    }
  }
  return lines > 1 && delimiters >= PROOF_DELIMITERS
}

function countDelimiters(bytes: Uint8Array, from: number, to: number, { delimiter }: Dialect): number {
  let count = 0
  for (let at = from; at < to; at += 1)
    if (bytes[at] === delimiter[0] && hasRest(bytes, at, delimiter)) count += 1
  return count
}
