/**
 * Arrays of objects with declared sub-fields: the cell is the array's own text, checked for unknown and
 * repeated keys.
 */
import { appendBytes } from '../../core/slab.ts'
import { unexpected, type ScanState } from './scan-state.ts'
import type { JsonNode } from './shape.ts'
import { CLOSE_LIST, COMMA, OPEN, skipSpace } from './tokens.ts'
import { enter, skipHeld } from './values.ts'

/** Reads an item along the tree of its keys. The walk over records passes itself in. */
type ReadObject = (s: ScanState, p: number, root: JsonNode) => number

/**
 * Reads the array (or the single object) at `p`. If an item repeats a key, the text is written again without
 * the repetition.
 */
export function readItems(s: ScanState, p: number, node: JsonNode, readObject: ReadObject): number {
  // The form of a record treats the array as one value, without its content.
  const { learning, cuts } = s
  s.learning = false
  cuts.length = 0
  s.isInItems = true
  const end = scanItems(s, p, node, readObject)
  s.isInItems = false
  s.learning = learning
  s.valueStart = p
  s.valueLength = end - p
  if (cuts.length > 0) withoutCuts(s, p, end)
  return end
}

function withoutCuts(s: ScanState, from: number, to: number): void {
  const { slab, cuts } = s
  const start = slab.end
  let at = from
  for (let i = 0; i <= cuts.length; i += 2) {
    const stop = i < cuts.length ? cuts[i] : to
    appendBytes(slab, slab.bytes.subarray(at, stop))
    at = cuts[i + 1]
  }
  s.valueStart = start
  s.valueLength = slab.end - start
}

function scanItems(s: ScanState, from: number, node: JsonNode, readObject: ReadObject): number {
  if (s.bytes[from] === OPEN) return readObject(s, from, node.items as JsonNode)
  enter(s, from)
  const b = s.bytes
  let p = skipSpace(s, from + 1)
  if (b[p] !== CLOSE_LIST) {
    for (;;) {
      // An item that is no object stays unchanged; the checks judge it.
      p = b[p] === OPEN ? readObject(s, p, node.items as JsonNode) : skipHeld(s, p, node)
      p = skipSpace(s, p)
      if (b[p] === CLOSE_LIST) break
      if (b[p] !== COMMA) throw unexpected(s, p, 'a comma or ]')
      p = skipSpace(s, p + 1)
    }
  }
  s.depth -= 1
  return p + 1
}
