/**
 * The JSON scanner: one pass over UTF-8 bytes, guided by the declared shape. Values are spans of the input;
 * only strings with escapes are written again. It accepts exactly the documents of RFC 8259
 * (test/formats/json-oracle.test.ts compares it with JSON.parse), within limits of depth and key length,
 * without unpaired escaped surrogates.
 *
 * Two ways in: `scanMessage` for a whole document in the slab, `scanWindow` for a file that is larger than
 * memory.
 */
import { isUtf8 } from 'node:buffer'
import { announcedLength } from '../utf8.ts'
import { appendBytes, reserve, type Slab } from '../../core/slab.ts'
import { behindMark } from '../encoding.ts'
import { clearRecords, roomOf, truncateRows, type DocumentFault, type DocumentScanner } from '../records.ts'
import { markSafe, readDocument } from './document.ts'
import { FAULT, NEED_MORE, createState, fault, type JsonLimits, type ScanState } from './scan-state.ts'
import { compileShape, type JsonShapeSpec } from './shape.ts'
import { surroundingsOf } from './surroundings.ts'
import { SPACE } from './tokens.ts'

/** Enough bytes for a byte order mark. */
export const MARK_BYTES = 3

/** The values that a window found outside the records, for the next one. */
type Held = { column: number; value: Buffer; source: Buffer }[]

export function createJsonScanner(spec: JsonShapeSpec, limits: JsonLimits): DocumentScanner {
  const shape = compileShape(spec)
  const s = createState(shape, limits, SPACE)
  const { records } = s
  const plain = surroundingsOf(shape, () => undefined)
  let held: Held = []
  let isAtStart = true
  return {
    records,
    around: () => (shape.envelope.length === 0 ? plain : surroundingsNow(s)),
    scanMessage(slab, start, end) {
      begin(s)
      s.windowed = false
      s.room = Infinity
      s.firstRow = records.rows
      const from = behindMark(slab.bytes, start)
      const problem = isUtf8(slab.bytes.subarray(from, end))
        ? guardedScan(s, slab, { start: from, end, final: true })
        : invalid(start)
      if (problem !== undefined) truncateRows(records, s.firstRow)
      else spread(s)
      return problem
    },
    beginDocument() {
      begin(s)
      s.windowed = true
      s.room = roomOf(records.width)
      held = []
      isAtStart = true
    },
    scanWindow(slab, start, end, final) {
      clearRecords(records)
      s.firstRow = 0
      if (isAtStart && !final && end - start < MARK_BYTES)
        return { consumed: start, fault: undefined, isFull: false }
      const from = isAtStart ? behindMark(slab.bytes, start) : start
      isAtStart = false
      markSafe(s, from)
      const whole = final ? end : characterEnd(slab.bytes, from, end)
      if (!isUtf8(slab.bytes.subarray(from, whole)))
        return { consumed: start, fault: invalid(start), isFull: false }
      resume(s, slab, held)
      const problem = guardedScan(s, slab, { start: from, end: whole, final })
      const isFull = s.safeRows >= s.room
      if (problem === undefined && (!final || isFull)) rewind(s)
      if (problem === undefined) spread(s)
      held = suspend(s)
      return { consumed: s.safePosition, fault: problem, isFull }
    },
  }
}

export function begin(s: ScanState): void {
  s.depth = 0
  s.row = -1
  s.isInItems = false
  s.where = 'value'
  s.level = 0
  s.hasRecords = false
  s.wrongShape = undefined
  for (const { column } of s.shape.envelope)
    s.envelopeSpan[column * 2 + 1] = s.envelopeSource[column * 2 + 1] = -1
}

/** The end of the last whole character: a window may end inside one. */
function characterEnd(b: Uint8Array, start: number, end: number): number {
  for (let at = end - 1; at >= start && at >= end - 4; at -= 1) {
    const c = b[at]
    if (c < 0x80) return end
    if (c >= 0xc0) return at + announcedLength(c) > end ? at : end
  }
  return end
}

function invalid(at: number): DocumentFault {
  return { rule: 'malformed', reason: 'invalid UTF-8', at }
}

/** Scans bytes of the slab. `final`: the document ends with them. */
function guardedScan(
  s: ScanState,
  slab: Slab,
  { start, end, final }: { start: number; end: number; final: boolean },
): DocumentFault | undefined {
  const saved = openInput(s, slab, end, final)
  try {
    readDocument(s, start)
    if (final) finish(s)
    return undefined
  } catch (thrown) {
    if (thrown === NEED_MORE) return undefined
    if (thrown !== FAULT) throw thrown
    return { rule: s.rule, reason: s.reason, at: s.faultAt }
  } finally {
    closeInput(s, saved)
  }
}

/** The byte after the input belongs to the scanner during the call, so nothing runs past the end. */
export function openInput(s: ScanState, slab: Slab, end: number, final: boolean): number {
  if (slab.end <= end) {
    reserve(slab, end + 1 - slab.end)
    slab.end = end + 1
  }
  s.slab = slab
  s.bytes = slab.bytes
  s.view = slab.view
  s.end = end
  s.final = final
  s.rule = 'malformed'
  const saved = slab.bytes[end]
  slab.bytes[end] = 0
  return saved
}

export function closeInput(s: ScanState, saved: number): void {
  s.bytes[s.end] = saved
  s.slab.bytes[s.end] = saved
}

function finish(s: ScanState): void {
  const { way, each } = s.shape
  if (s.where !== 'done' || s.hasRecords) return
  s.rule = 'wrong_root'
  throw fault(
    s,
    s.wrongShape ??
      `the document has nothing at ${pathText(
        way.map((node) => node.key),
        each,
      )}`,
    s.wrongShape === undefined ? s.end : s.wrongAt,
  )
}

function pathText(steps: string[], each: boolean): string {
  return `$${steps.map((step) => (/^\w+$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`)).join('')}${each ? '[*]' : ''}`
}

/** Goes back to the last point between two values. An unfinished value is read again. */
function rewind(s: ScanState): void {
  truncateRows(s.records, s.safeRows)
  s.where = s.safeWhere
  s.level = s.safeLevel
  s.row = -1
  s.isInItems = false
  s.depth = depthAt(s)
}

/** How many values are open at the present position. */
function depthAt({ where, level }: ScanState): number {
  if (where === 'done') return 0
  return where === 'value' ? level : level + 1
}

/** Gives the values from outside the records to all records of the document. */
function spread(s: ScanState): void {
  const { cells, width, rows } = s.records
  for (const { column } of s.shape.envelope) {
    const length = s.envelopeSpan[column * 2 + 1]
    for (let row = s.firstRow; row < rows && length >= 0; row += 1) {
      cells[(row * width + column) * 2] = s.envelopeSpan[column * 2]
      cells[(row * width + column) * 2 + 1] = length
    }
  }
}

function suspend(s: ScanState): Held {
  const copy = (spans: Int32Array, column: number): Buffer =>
    Buffer.from(s.slab.bytes.subarray(spans[column * 2], spans[column * 2] + spans[column * 2 + 1]))
  return s.shape.envelope
    .filter(({ column }) => s.envelopeSpan[column * 2 + 1] >= 0)
    .map(({ column }) => ({
      column,
      value: copy(s.envelopeSpan, column),
      source: copy(s.envelopeSource, column),
    }))
}

function resume(s: ScanState, slab: Slab, held: Held): void {
  for (const { column, value, source } of held) {
    s.envelopeSpan[column * 2] = appendBytes(slab, value)
    s.envelopeSource[column * 2] = appendBytes(slab, source)
  }
}

/** Built only for records whose bytes are kept: most documents have none. */
function surroundingsNow(s: ScanState): () => [string, string] {
  const spans = s.envelopeSource.slice()
  const { slab, shape } = s
  return () =>
    surroundingsOf(shape, (column) => {
      const [start, length] = [spans[column * 2], spans[column * 2 + 1]]
      return length < 0 ? undefined : slab.bytes.toString('utf8', start, start + length)
    })
}
