/**
 * The XML scanner: one pass over UTF-8 bytes, guided by the declared shape. It makes the checks of a
 * conforming processor (well-formedness, characters, namespaces, duplicate attributes). DTDs are never read.
 * Measured against saxes, which is also its oracle in test/formats/xml-oracle.test.ts.
 *
 * Two ways in: `scanMessage` for a whole document in the slab, `scanWindow` for a file that is larger than
 * memory.
 */
import { behindMark } from '../encoding.ts'
import {
  clearRecords,
  createRecords,
  roomOf,
  truncateRows,
  type DocumentFault,
  type DocumentScanner,
} from '../records.ts'
import { createSlab, reserve, type Slab } from '../../core/slab.ts'
import { textEnd } from './chars.ts'
import { storeText } from './capture.ts'
import { AGAIN, startAgain, takesPlain } from './claims.ts'
import { closeElement, openElement, openPlain } from './elements.ts'
import { readKnownRecord } from './known-records.ts'
import { checkOutside, scanBang, scanInstruction, skipKnownDeclaration } from './markup.ts'
import { matchesTag } from './names.ts'
import { FAULT, NEED_MORE, ScanState, atEnd, fault, type XmlLimits } from './scan-state.ts'
import type { ElementNode, XmlShape } from './shape.ts'
import { addText, isBlank, scanText, textNeedsDecoding } from './text.ts'
import { begin, markSafe, resumeEnvelope, rewind, suspendEnvelope } from './window.ts'

const LT = 0x3c
const SLASH = 0x2f

export type XmlScanner = DocumentScanner

export function createXmlScanner(shape: XmlShape, limits: XmlLimits): XmlScanner {
  const records = createRecords(shape.width)
  const s = new ScanState(shape, records, limits, createSlab(64))
  let held: (Buffer | undefined)[] = []
  return {
    records,
    around: (row) => s.surrounds[s.rowSurrounds[row]],
    scanMessage(slab, start, end) {
      begin(s)
      s.windowed = false
      s.room = Infinity
      const rows = records.rows
      const problem = guardedScan(s, slab, { start, end, final: true })
      if (problem !== undefined) truncateRows(records, rows)
      return problem
    },
    beginDocument() {
      begin(s)
      s.windowed = true
      s.room = roomOf(records.width)
      held = []
    },
    scanWindow(slab, start, end, final) {
      clearRecords(records)
      resumeEnvelope(s, slab, held)
      s.firstRow.fill(0)
      s.expected = undefined
      s.surrounds = []
      s.surroundings = -1
      markSafe(s, start)
      const problem = guardedScan(s, slab, { start, end, final })
      const isFull = problem === undefined && s.safeRows >= s.room
      if (problem === undefined && (!final || isFull)) rewind(s)
      held = suspendEnvelope(s)
      return { consumed: s.safePosition, fault: problem, isFull }
    },
  }
}

/** Scans bytes of the slab. `final`: the document ends with them. */
function guardedScan(
  s: ScanState,
  slab: Slab,
  { start, end, final }: { start: number; end: number; final: boolean },
): DocumentFault | undefined {
  // The byte after the input belongs to the scanner during the call; decoded values are written after it.
  if (slab.end <= end) {
    reserve(slab, end + 1 - slab.end)
    slab.end = end + 1
  }
  s.slab = slab
  s.bytes = slab.bytes
  s.start = s.begun ? -1 : start
  s.end = end
  s.final = final
  const saved = slab.bytes[end]
  slab.bytes[end] = 0
  try {
    runAgain(s, s.begun ? start : skipKnownDeclaration(s, skipBom(s, start)))
    return undefined
  } catch (thrown) {
    if (thrown === NEED_MORE) return undefined
    if (thrown !== FAULT) throw thrown
    return { rule: s.rule, reason: s.reason, at: s.faultAt }
  } finally {
    if (slab.bytes !== s.bytes) slab.bytes[end] = saved
    s.bytes[end] = saved
  }
}

/** Runs on from `p`, and once more over each record that asks for it. */
function runAgain(s: ScanState, p: number): void {
  for (;;) {
    try {
      run(s, p)
      return
    } catch (thrown) {
      if (thrown !== AGAIN) throw thrown
      p = startAgain(s)
    }
  }
}

function skipBom(s: ScanState, p: number): number {
  const behind = behindMark(s.bytes, p)
  if (behind === p || behind > s.end) return p
  s.start = behind
  return behind
}

function run(s: ScanState, p: number): void {
  const b = s.bytes
  const { view } = s.slab
  const marks = !s.final || s.windowed
  for (;;) {
    if (marks && s.row < 0 && s.aroundDepth === 0) passSafe(s, p)
    if (b[p] !== LT) {
      p = textToken(s, p)
      if (p >= s.end) return finish(s)
    }
    const guess = s.expected
    if (guess !== undefined && guess.isRecord) {
      const q = readKnownRecord(s, p)
      if (q > 0) {
        p = q
        closeKnown(s, guess)
        continue
      }
    }
    if (guess !== undefined && matchesTag(view, p, guess.openTag) && takesPlain(s, guess, s.depth)) {
      const q = guess.leaf ? quickLeaf(s, p + guess.openTag.length, guess) : 0
      p = q > 0 ? q : openPlain(s, p, guess)
    } else p = markup(s, p)
  }
}

/** A window may end here, and does if it has enough rows. */
function passSafe(s: ScanState, p: number): void {
  markSafe(s, p)
  if (s.safeRows >= s.room) throw NEED_MORE
}

/** What closing a record changes outside it. */
function closeKnown(s: ScanState, record: ElementNode): void {
  s.rootSeen = s.rootChecked = true
  if (s.depth === 0) s.rootDone = true
  s.hasChild[s.depth] = 1
  s.previous[s.depth] = record
  s.expected = record.follow
}

/** Any token that is not the predicted start tag. */
function markup(s: ScanState, p: number): number {
  if (p + 1 >= s.end) throw atEnd(s, s.end, 'a tag')
  const next = s.bytes[p + 1]
  if (next === SLASH) return closeElement(s, p)
  if (next === 0x21) return scanBang(s, p)
  if (next === 0x3f) return scanInstruction(s, p)
  p = openElement(s, p)
  if (!s.rootChecked) checkRootName(s, p)
  return p
}

function textToken(s: ScanState, p: number): number {
  const blankEnd = skipIndent(s, p)
  if (s.bytes[blankEnd] === LT && s.depth > 0 && !takesText(s)) return blankEnd
  const q = scanText(s, p)
  if (q >= s.end && !s.final && s.depth > 0) throw NEED_MORE
  if (s.depth === 0) checkOutside(s, p, q)
  else if (takesText(s) || isStray(s, p, q)) addText(s, p, q, textNeedsDecoding ? 'text' : undefined)
  return q
}

/** Whether a column takes the text of the open element. */
function takesText(s: ScanState): boolean {
  const node = s.nodes[s.depth]
  if (node === undefined) return s.row >= 0 && s.ignoredDepth === 0
  return node.column >= 0 || node.member !== undefined || s.textLength[s.depth] >= 0
}

/** Text in a record that no column takes: it must be reported. */
function isStray(s: ScanState, from: number, to: number): boolean {
  return (
    s.row >= 0 &&
    s.ignoredDepth === 0 &&
    !s.shape.ignoreAll &&
    s.nodes[s.depth] !== undefined &&
    !isBlank(s.bytes, from, to)
  )
}

/**
 * Indentation between tags is most of a document's text tokens: blanks and line feeds, which need no check.
 */
function skipIndent(s: ScanState, p: number): number {
  const { bytes: b } = s
  const { view } = s.slab
  if (b[p] === 0x0a) p += 1
  while (view.getInt32(p, true) === 0x20202020) p += 4
  while (b[p] === 0x20 || b[p] === 0x0a) p += 1
  return p
}

/**
 * The text and end tag of the predicted leaf, whose plain start tag ends at `from`: pushes nothing and
 * changes only the cell. Anything unusual (references, children, comments) returns 0 and takes the general
 * path.
 */
function quickLeaf(s: ScanState, from: number, node: ElementNode): number {
  const b = s.bytes
  const { view } = s.slab
  const q = textEnd(view, b, from)
  if (q < 0) return 0
  const behind = q + node.closeTag.length
  if (behind > s.end || !matchesTag(view, q, node.closeTag)) return 0
  const { cells, width } = s.records
  const at = (s.row * width + node.column) * 2
  if (cells[at + 1] >= 0) storeText(s, node, from, q - from)
  else {
    cells[at] = from
    cells[at + 1] = q - from
  }
  s.previous[s.depth] = node
  s.expected = node.follow
  return behind
}

function checkRootName(s: ScanState, p: number): void {
  s.rootChecked = true
  if (s.nodes[1] === undefined) {
    const name = s.names.toString('utf8', 0, s.nameEnds[1])
    throw fault(
      s,
      `the root element is <${name}>, but the declaration names <${s.shape.root.step}>`,
      p,
      'wrong_root',
    )
  }
}

function finish(s: ScanState): void {
  if (!s.final) {
    markSafe(s, s.end)
    return
  }
  if (!s.rootSeen) throw fault(s, 'document must contain a root element', s.end)
  if (s.depth > 0) throw fault(s, 'unexpected end: elements are still open', s.end)
  s.safePosition = s.end
  s.safeRows = s.records.rows
}
