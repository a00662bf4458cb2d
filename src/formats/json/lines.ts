/**
 * JSON by lines (NDJSON): each line is one record. An invalid line is one row with the reason; the lines
 * around it are kept.
 */
import { isUtf8 } from 'node:buffer'
import type { Slab } from '../../core/slab.ts'
import { behindMark } from '../encoding.ts'
import { addRow, clearRecords, roomOf, truncateRows, type DocumentScanner } from '../records.ts'
import { readRecord } from './document.ts'
import { FAULT, NEED_MORE, createState, unexpected, type JsonLimits, type ScanState } from './scan-state.ts'
import { MARK_BYTES, begin, closeInput, openInput } from './scanner.ts'
import { compileShape, type JsonShapeSpec } from './shape.ts'
import { OPEN, SPACE_IN_LINE, skipSpace } from './tokens.ts'

const LF = 0x0a
/** How much of an oversized line is kept. */
const BEGINNING_BYTES = 65_536

export function createJsonLineScanner(
  spec: Omit<JsonShapeSpec, 'record'>,
  limits: JsonLimits,
): DocumentScanner {
  // A line feed is no white space here, so no record reaches into the next line.
  const s = createState(compileShape({ ...spec, record: '$' }), limits, SPACE_IN_LINE)
  const { records } = s
  const room = roomOf(records.width)
  const place: Place = { line: 1 }
  let isAtStart = true
  let isInLongLine = false
  return {
    records,
    around: () => ['', ''],
    scanMessage(slab, start, end) {
      place.line = 1
      readLines(s, { slab, from: behindMark(slab.bytes, start), end, final: true, room: Infinity }, place)
      return undefined
    },
    beginDocument() {
      place.line = 1
      isAtStart = true
      isInLongLine = false
    },
    scanWindow(slab, start, end, final) {
      clearRecords(records)
      if (isAtStart && !final && end - start < MARK_BYTES)
        return { consumed: start, fault: undefined, isFull: false }
      let from = isAtStart ? behindMark(slab.bytes, start) : start
      isAtStart = false
      if (isInLongLine) {
        const found = slab.bytes.subarray(from, end).indexOf(LF)
        if (found < 0) return { consumed: end, fault: undefined, isFull: false }
        isInLongLine = false
        place.line += 1
        from += found + 1
      }
      const consumed = readLines(s, { slab, from, end, final, room }, place)
      const isFull = records.rows >= room
      if (isFull || end - consumed <= limits.lineBytes) return { consumed, fault: undefined, isFull }
      isInLongLine = true
      addBroken(
        s,
        consumed,
        consumed + BEGINNING_BYTES,
        `the line has more than ${limits.lineBytes} bytes; quarantine keeps its beginning`,
      )
      records.lines[records.rows - 1] = place.line
      return { consumed: end, fault: undefined, isFull: false }
    },
  }
}

/** The present position: the number of the next line, from 1. */
interface Place {
  line: number
}

interface Input {
  slab: Slab
  from: number
  end: number
  final: boolean
  /** Rows after which reading ends. */
  room: number
}

function readLines(s: ScanState, { slab, from, end, final, room }: Input, place: Place): number {
  const { records } = s
  const saved = openInput(s, slab, end, final)
  try {
    // A window may end inside a character, but a line may not.
    const whole = final ? end : slab.bytes.subarray(from, end).lastIndexOf(LF) + 1 + from
    const isValid = isUtf8(slab.bytes.subarray(from, whole))
    let at = from
    while (at < end && records.rows < room) {
      const row = records.rows
      const next = readLine(s, at, isValid)
      if (next < 0) break
      if (records.rows > row) records.lines[row] = place.line
      place.line += 1
      at = next
    }
    return Math.min(at, end)
  } finally {
    closeInput(s, saved)
  }
}

/**
 * Reads the line at `start`. Returns the start of the next one, or -1 if the window ends before the line
 * does.
 */
function readLine(s: ScanState, start: number, isValid: boolean): number {
  begin(s)
  const { rows } = s.records
  try {
    const from = skipSpace(s, start)
    if (s.bytes[from] === LF) return from + 1
    if (from >= s.end) return s.final ? s.end : -1
    if (s.bytes[from] !== OPEN) throw unexpected(s, from, 'an object')
    const end = skipSpace(s, readRecord(s, from))
    if (end < s.end && s.bytes[end] !== LF) throw unexpected(s, end, 'the end of the line')
    if (end >= s.end && !s.final) throw NEED_MORE
    if (!isValid && !isUtf8(s.bytes.subarray(start, end))) return refuse(s, start, rows, 'invalid UTF-8')
    return end + 1
  } catch (thrown) {
    if (thrown !== FAULT && thrown !== NEED_MORE) throw thrown
    truncateRows(s.records, rows)
    return thrown === NEED_MORE
      ? -1
      : refuse(s, start, rows, `${s.reason} (byte ${s.faultAt - start} of the line)`)
  }
}

/** Turns the line at `start` into a row with the reason. -1 if its end is not available yet. */
function refuse(s: ScanState, start: number, rows: number, reason: string): number {
  truncateRows(s.records, rows)
  const found = s.slab.bytes.subarray(0, s.end).indexOf(LF, start)
  if (found < 0 && !s.final) return -1
  const next = found < 0 ? s.end : found
  const end = next > start && s.bytes[next - 1] === 0x0d ? next - 1 : next
  addBroken(s, start, end, isUtf8(s.bytes.subarray(start, end)) ? reason : 'invalid UTF-8')
  return next + 1
}

function addBroken({ records }: ScanState, start: number, end: number, reason: string): void {
  const row = addRow(records)
  records.extents[row * 2] = start
  records.extents[row * 2 + 1] = end
  records.issues.push({ row, kind: 'malformed', path: '', start, length: end - start, reason })
}
