/** Objects that the declaration knows: reads the record and its content along the tree of keys. */
import { appendJsonStep } from '../../core/json-path.ts'
import { beginKeys, isSecond } from './keys.ts'
import { readItems } from './lists.ts'
import { pathOf } from './notes.ts'
import { unexpected, type KeyLedger, type ScanState } from './scan-state.ts'
import { childNamed, type JsonNode } from './shape.ts'
import {
  CLOSE,
  COMMA,
  LETTER_N,
  OPEN,
  OPEN_LIST,
  behindColon,
  keyText,
  readKey,
  skipSpace,
} from './tokens.ts'
import { reportRepeated, reportUnknown } from './unknown.ts'
import { enter, readValue, skipHeld, skipValue } from './values.ts'
import { matchesWords } from './words.ts'

/** Reads the object at `p` along the tree below `node`. Returns the position after it. */
export function readObject(s: ScanState, from: number, node: JsonNode): number {
  enter(s, from)
  const { bytes: b, view } = s
  const ledger = beginKeys(s)
  const instance = (s.instance += 1)
  let previous: JsonNode | undefined
  let guess = node.first
  let p = skipSpace(s, from + 1)
  if (b[p] !== CLOSE) {
    for (;;) {
      let child: JsonNode | undefined
      if (guess?.quoted !== undefined && matchesWords(view, p, guess.quoted)) {
        child = guess
        p = behindColon(s, p + guess.quoted.length)
      } else {
        p = readKey(s, p)
        child = childNamed(node, s.slab.bytes, s.keyStart, s.keyLength)
        if (child !== undefined) follow(node, previous, child)
      }
      if (child === undefined) p = readUnknown(s, p, node, ledger)
      else {
        if (child.seenIn === instance && !child.ignored) p = readAgain(s, p, pathOf(child))
        else p = readKnown(s, p, child)
        child.seenIn = instance
        previous = child
        guess = child.follow
      }
      p = skipSpace(s, p)
      if (b[p] === CLOSE) break
      if (b[p] !== COMMA) throw unexpected(s, p, 'a comma or }')
      s.comma = p
      p = skipSpace(s, p + 1)
    }
  }
  s.depth -= 1
  return p + 1
}

function follow(node: JsonNode, previous: JsonNode | undefined, child: JsonNode): void {
  if (previous === undefined) node.first = child
  else previous.follow = child
}

function readKnown(s: ScanState, p: number, child: JsonNode): number {
  if (child.children.length > 0) return readInner(s, p, child)
  if (child.column >= 0) {
    const end = readCell(s, p, child)
    if (s.learning) learn(s, p, end, child)
    keepCell(s, child.column)
    return end
  }
  if (child.isField) return skipHeld(s, p, child)
  const end = skipValue(s, p, false)
  if (s.learning) learn(s, p, end, undefined)
  return end
}

/** Reads the value of a column, of any kind, into the state. */
export function readCell(s: ScanState, p: number, node: JsonNode): number {
  const c = s.bytes[p]
  return node.items !== undefined && (c === OPEN || c === OPEN_LIST)
    ? readItems(s, p, node, readObject)
    : readValue(s, p, node)
}

function keepCell(s: ScanState, column: number): void {
  if (s.valueLength < 0) return
  const { cells, width } = s.records
  const at = (s.row * width + column) * 2
  cells[at] = s.valueStart
  cells[at + 1] = s.valueLength
}

/** Records the place of a value while the form of its record is learned. */
function learn(s: ScanState, from: number, to: number, node: JsonNode | undefined): void {
  s.learned.spans.push(from, to)
  s.learned.nodes.push(node)
  s.learned.depths.push(s.depth)
}

/**
 * A key with declared keys inside. It may be a column too; then the column has the text of the whole object.
 */
function readInner(s: ScanState, p: number, child: JsonNode): number {
  const c = s.bytes[p]
  if (child.column >= 0 || child.isField) return readBoth(s, p, child)
  if (c === OPEN) return readObject(s, p, child)
  if (c !== LETTER_N && !child.quiet) return reportUnknown(s, p, pathOf(child), isInItem(child))
  const end = skipValue(s, p, false)
  if (s.learning && c !== LETTER_N) learn(s, p, end, undefined)
  return end
}

function readBoth(s: ScanState, p: number, child: JsonNode): number {
  const { findings } = s
  const { length } = s.records.issues
  s.learning = false
  if (s.bytes[p] === OPEN) readObject(s, p, child)
  // Whoever reads the text finds repetitions inside it again.
  s.findings = findings
  s.records.issues.length = length
  if (child.isField) return skipHeld(s, p, child)
  const end = readCell(s, p, child)
  keepCell(s, child.column)
  return end
}

function readUnknown(s: ScanState, p: number, node: JsonNode, ledger: KeyLedger): number {
  if (node.quiet) {
    const end = skipValue(s, p, false)
    if (s.learning) learn(s, p, end, undefined)
    return end
  }
  const isRepeated = isSecond(s, ledger)
  if (!isRepeated && s.bytes[p] === LETTER_N) return skipValue(s, p, false)
  const path = appendJsonStep(pathOf(node), keyText(s))
  return isRepeated ? readAgain(s, p, path) : reportUnknown(s, p, path, isInItem(node))
}

/** The second value of a key. The first one counts. */
function readAgain(s: ScanState, p: number, path: string): number {
  const { comma } = s
  const end = reportRepeated(s, p, path)
  if (s.isInItems) s.cuts.push(comma, end)
  return end
}

function isInItem(node: JsonNode): boolean {
  for (let at: JsonNode | undefined = node; at !== undefined; at = at.parent)
    if (at.parent?.items === at) return true
  return false
}
