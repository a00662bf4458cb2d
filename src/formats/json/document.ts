/**
 * Reads the surroundings of the records: the path from the root to them, and the declared fields beside it.
 * It can stop between any two members or items, so a document larger than memory can be read in windows.
 */
import { jsonPathText } from '../../core/json-path.ts'
import { addRow } from '../records.ts'
import { learnRecord, mayLearn, readKnownRecord } from './known-records.ts'
import { readCell, readObject } from './record.ts'
import { NEED_MORE, fault, unexpected, type ScanState } from './scan-state.ts'
import { childNamed, stepsTo, type JsonNode } from './shape.ts'
import {
  CLOSE,
  CLOSE_LIST,
  COMMA,
  LETTER_N,
  OPEN,
  OPEN_LIST,
  QUOTE,
  keyText,
  readKey,
  skipSpace,
} from './tokens.ts'
import { enter, skipValue } from './values.ts'

/** Reads on from `p` to the end of the document, or of the window. */
export function readDocument(s: ScanState, p: number): void {
  for (;;) {
    p = skipSpace(s, p)
    markSafe(s, p)
    if (s.safeRows >= s.room) throw NEED_MORE
    if (s.where === 'done') {
      if (p >= s.end) return
      throw fault(s, 'more text follows the document; if each line is a document, use format ndjson', p)
    }
    p = step(s, p)
  }
}

export function markSafe(s: ScanState, p: number): void {
  s.safePosition = p
  s.safeWhere = s.where
  s.safeLevel = s.level
  s.safeRows = s.records.rows
}

function step(s: ScanState, p: number): number {
  switch (s.where) {
    case 'value':
      return openValue(s, p)
    case 'first member':
      return s.bytes[p] === CLOSE ? close(s, p) : readMember(s, p)
    case 'member':
      return readMember(s, p)
    case 'after member':
      return next(s, p, CLOSE, 'member')
    case 'first item':
      return s.bytes[p] === CLOSE_LIST ? close(s, p) : readItem(s, p)
    case 'item':
      return readItem(s, p)
    default:
      return next(s, p, CLOSE_LIST, 'item')
  }
}

function next(s: ScanState, p: number, closing: number, where: 'member' | 'item'): number {
  if (s.bytes[p] === closing) return close(s, p)
  if (s.bytes[p] !== COMMA) throw unexpected(s, p, where === 'member' ? 'a comma or }' : 'a comma or ]')
  s.where = where
  return p + 1
}

function close(s: ScanState, p: number): number {
  s.depth -= 1
  return leave(s, p + 1)
}

/** The value at this level has ended. */
function leave(s: ScanState, p: number): number {
  if (s.level === 0) s.where = 'done'
  else {
    s.level -= 1
    s.where = 'after member'
  }
  return p
}

/** A value on the path to the records, or the one that holds them. */
function openValue(s: ScanState, p: number): number {
  const c = s.bytes[p]
  const { way, each } = s.shape
  const isThere = s.level === way.length
  const wanted = isThere && each ? OPEN_LIST : OPEN
  if (c !== wanted) {
    if (c !== LETTER_N) noteShape(s, p, isThere && each)
    return leave(s, skipValue(s, p, false))
  }
  if (!isThere) {
    enter(s, p)
    s.instance += 1
    s.levelInstance[s.level] = s.instance
    s.where = 'first member'
    return p + 1
  }
  s.hasRecords = true
  if (!each) return leave(s, readRecord(s, p))
  enter(s, p)
  s.where = 'first item'
  return p + 1
}

function noteShape(s: ScanState, p: number, isList: boolean): void {
  const path =
    s.level === 0 ? '$' : `$.${jsonPathText(stepsTo(s.shape.way[s.level - 1]))}`.replace('$.[', '$[')
  s.wrongShape ??= `${path} is ${kindAt(s, p)}, not ${isList ? 'an array' : 'an object'}`
  s.wrongAt = p
}

function kindAt(s: ScanState, p: number): string {
  const c = s.bytes[p]
  if (c === OPEN) return 'an object'
  if (c === OPEN_LIST) return 'an array'
  if (c === QUOTE) return 'a string'
  if (c === LETTER_N) return 'null'
  return c === 0x74 || c === 0x66 ? 'a boolean' : 'a number'
}

function readMember(s: ScanState, p: number): number {
  p = readKey(s, p)
  const { outer, way } = s.shape
  const { level } = s
  const child = childNamed(level === 0 ? outer : way[level - 1], s.slab.bytes, s.keyStart, s.keyLength)
  s.where = 'after member'
  if (child === undefined) return skipValue(s, p, false)
  const instance = s.levelInstance[level]
  if (child.seenIn === instance) throw duplicateKey(s, p)
  if (child === way[level]) {
    s.where = 'value'
    s.level += 1
  } else p = readAround(s, p, child)
  child.seenIn = instance
  return p
}

function duplicateKey(s: ScanState, p: number): symbol {
  return fault(s, `the key ${keyText(s)} appears twice in one object outside the records`, p)
}

/** A declared value outside the records: all records share it. */
function readAround(s: ScanState, p: number, node: JsonNode): number {
  if (s.bytes[p] === OPEN && node.children.length > 0) {
    const end = readInside(s, p, node)
    if (node.column < 0) return end
  } else if (node.column < 0) return skipValue(s, p, false)
  const end = readCell(s, p, node)
  if (s.valueLength < 0) return end
  if (s.windowed && s.hasRecords) {
    s.rule = 'wrong_root'
    throw fault(
      s,
      `${jsonPathText(stepsTo(node))} comes after the records; in a file larger than a message, it must come before them`,
      p,
    )
  }
  const at = node.column * 2
  s.envelopeSpan[at] = s.valueStart
  s.envelopeSpan[at + 1] = s.valueLength
  s.envelopeSource[at] = p
  s.envelopeSource[at + 1] = end - p
  return end
}

function readInside(s: ScanState, from: number, node: JsonNode): number {
  enter(s, from)
  const b = s.bytes
  s.instance += 1
  const { instance } = s
  let p = skipSpace(s, from + 1)
  if (b[p] !== CLOSE) {
    for (;;) {
      p = readKey(s, p)
      const child = childNamed(node, s.slab.bytes, s.keyStart, s.keyLength)
      if (child?.seenIn === instance) throw duplicateKey(s, p)
      p = skipSpace(s, child === undefined ? skipValue(s, p, false) : readAround(s, p, child))
      if (child !== undefined) child.seenIn = instance
      if (b[p] === CLOSE) break
      if (b[p] !== COMMA) throw unexpected(s, p, 'a comma or }')
      p = skipSpace(s, p + 1)
    }
  }
  s.depth -= 1
  return p + 1
}

function readItem(s: ScanState, p: number): number {
  p = s.bytes[p] === OPEN ? readRecord(s, p) : refuseItem(s, p)
  s.where = 'after item'
  return p
}

/** An item that is no object is no record. The other items are unaffected. */
function refuseItem(s: ScanState, p: number): number {
  const reason = `the item is ${kindAt(s, p)}, not an object`
  const end = skipValue(s, p, false)
  const row = addRow(s.records)
  s.records.extents[row * 2] = p
  s.records.extents[row * 2 + 1] = end
  s.records.issues.push({ row, kind: 'malformed', path: '', start: p, length: end - p, reason })
  return end
}

/** Reads the object at `p` as a record. */
export function readRecord(s: ScanState, p: number): number {
  const quick = readKnownRecord(s, p)
  if (quick > 0) {
    s.row = -1
    return quick
  }
  const { records, learned } = s
  const row = addRow(records)
  const issues = records.issues.length
  s.row = row
  s.findings = 0
  s.learning = mayLearn(s)
  if (s.learning) learned.spans.length = learned.nodes.length = learned.depths.length = 0
  const base = s.depth
  const end = readObject(s, p, s.shape.record)
  records.extents[row * 2] = p
  records.extents[row * 2 + 1] = end
  if (s.learning && records.issues.length === issues) {
    learned.depths.forEach((depth, i) => (learned.depths[i] = depth - base))
    learnRecord(s, p, end)
  }
  s.learning = false
  s.row = -1
  return end
}
