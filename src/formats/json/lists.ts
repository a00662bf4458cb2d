/** Arrays of objects with declared sub-fields: the cell is an array of objects that have the sub-fields' names as keys. */
import { appendText } from '../../core/slab.ts'
import { unexpected, type ScanState } from './scan-state.ts'
import type { JsonNode, ListItems } from './shape.ts'
import { CLOSE_LIST, COMMA, OPEN, skipSpace } from './tokens.ts'
import { enter, skipHeld } from './values.ts'
/** Reads an item beside the tree of its keys; the walk over records passes itself in. */
type ReadObject = (s: ScanState, p: number, root: JsonNode) => number

/**
 * Reads the array (or the one object) at `p`. Its own text is the cell, unless keys and names differ or a key stands in an
 * item twice: then the text is made anew, of the first values.
 */
export function readItems(s: ScanState, p: number, node: JsonNode, readObject: ReadObject): number {
  const items = node.items as ListItems
  const texts: string[] = []
  s.isRepeatedInList = false
  // The form of a record has the array as one value, not what is inside.
  const { learning } = s
  s.learning = false
  const list = { node, items, readObject }
  const end = scanItems(s, p, list, items.isDirect ? undefined : texts)
  if (items.isDirect && s.isRepeatedInList) {
    // Findings were made the first time.
    const { findings } = s
    const { length } = s.records.issues
    scanItems(s, p, list, texts)
    s.findings = findings
    s.records.issues.length = length
  }
  s.learning = learning
  if (texts.length === 0) {
    s.valueStart = p
    s.valueLength = end - p
    return end
  }
  s.valueStart = appendText(s.slab, `[${texts.join(',')}]`)
  s.valueLength = s.slab.end - s.valueStart
  return end
}

interface List {
  node: JsonNode
  items: ListItems
  readObject: ReadObject
}

function scanItems(s: ScanState, from: number, list: List, texts: string[] | undefined): number {
  if (s.bytes[from] === OPEN) return scanItem(s, from, list, texts)
  enter(s, from)
  const b = s.bytes
  let p = skipSpace(s, from + 1)
  if (b[p] !== CLOSE_LIST) {
    for (;;) {
      p = skipSpace(s, scanItem(s, p, list, texts))
      if (b[p] === CLOSE_LIST) break
      if (b[p] !== COMMA) throw unexpected(s, p, 'a comma or ]')
      p = skipSpace(s, p + 1)
    }
  }
  s.depth -= 1
  return p + 1
}

/** An item that is no object stays as it is, for the checks to judge. */
function scanItem(s: ScanState, p: number, { node, items, readObject }: List, texts: string[] | undefined): number {
  if (s.bytes[p] !== OPEN) {
    const end = skipHeld(s, p, node)
    texts?.push(sourceText(s, p, end))
    return end
  }
  const { spans, labels } = items
  spans.fill(-1)
  const end = readObject(s, p, items.root)
  texts?.push(`{${labels.flatMap((label, i) => (spans[i * 2] < 0 ? [] : [label + sourceText(s, spans[i * 2], spans[i * 2 + 1])])).join(',')}}`)
  return end
}

function sourceText(s: ScanState, from: number, to: number): string {
  return s.slab.bytes.toString('utf8', from, to)
}
