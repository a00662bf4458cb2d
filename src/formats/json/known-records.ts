/**
 * Fast path for records that look like an earlier one. Between its values, a producer's record consists of
 * the same bytes again and again: braces, keys, colons, indentation. The general scan of a record leaves
 * these stretches as a path of a small tree. The next record is compared with the tree, stretch by stretch,
 * and only its values are scanned. The bytes of a stretch were once found valid in this order, so a match
 * needs no further check of keys or nesting. Any other record is scanned in general.
 */
import { addRow, truncateRows } from '../records.ts'
import { readCell } from './record.ts'
import { RECORD_END, SKIPPED, type KnownRecords, type ScanState, type Stretch } from './scan-state.ts'
import type { JsonNode } from './shape.ts'
import { QUOTE, plainEnd } from './tokens.ts'
import { skipValue } from './values.ts'
import { byteWords, matchesWords } from './words.ts'

/**
 * Optional fields make branches. Records that differ more than this outside their values are scanned in
 * general.
 */
const BRANCHES = 4
const STRETCHES = 512
const STRETCH_BYTES = 4096
/**
 * If this many tries have more misses than matches, comparing costs more than it saves: start again, and
 * finally give up.
 */
const TRIES = 1_000
const RESTARTS = 16

/** Whether to learn the form of the next record that is scanned in general. */
export function mayLearn({ known }: ScanState): boolean {
  return known.stretches < STRETCHES && known.restarts <= RESTARTS
}

/** Reads the record at `p` if its form is known. Returns the position after it, or 0 with nothing changed. */
export function readKnownRecord(s: ScanState, p: number): number {
  const { known, records, depth } = s
  if (known.first.length === 0) return 0
  known.tries += 1
  if (known.tries > TRIES) reconsider(known)
  s.row = addRow(records)
  s.findings = 0
  s.learning = false
  const end = readValues(s, p, depth)
  s.depth = depth
  if (end === 0) {
    truncateRows(records, s.row)
    return 0
  }
  known.hits += 1
  records.extents[s.row * 2] = p
  records.extents[s.row * 2 + 1] = end
  return end
}

function readValues(s: ScanState, p: number, depth: number): number {
  const { bytes: b, view } = s
  const { cells, width } = s.records
  const cell = s.row * width * 2
  let stretches = s.known.first
  for (;;) {
    let found: Stretch | undefined
    for (let i = 0; i < stretches.length; i += 1) {
      if (!matchesWords(view, p, stretches[i].bytes)) continue
      found = stretches[i]
      break
    }
    if (found === undefined) return 0
    p += found.bytes.length
    const { column } = found
    if (column === RECORD_END) return p
    const at = cell + column * 2
    if (b[p] === QUOTE) {
      const close = plainEnd(view, p + 1)
      if (b[close] === QUOTE && found.isPlain) {
        cells[at] = p + 1
        cells[at + 1] = close - p - 1
        p = close + 1
        stretches = found.next
        continue
      }
    }
    // Other white space than in the learned form: the general scan skips it.
    if (b[p] <= 0x20) return 0
    s.depth = depth + found.depth
    if (column === SKIPPED) p = skipValue(s, p, false)
    else {
      p = readCell(s, p, found.node as JsonNode)
      cells[at] = s.valueStart
      cells[at + 1] = s.valueLength
    }
    stretches = found.next
  }
}

function reconsider(known: KnownRecords): void {
  if (known.hits * 2 < known.tries) {
    known.first = []
    known.stretches = 0
    known.restarts += 1
  }
  known.tries = known.hits = 0
}

/** Learns the form of the record in [from, to), which the general scan has just read without findings. */
export function learnRecord(s: ScanState, from: number, to: number): void {
  const { spans, nodes, depths } = s.learned
  let at = from
  let stretches = s.known.first
  for (let i = 0; i <= nodes.length; i += 1) {
    const isEnd = i === nodes.length
    const made: Stretch | undefined = stretchFor(s, stretches, {
      from: at,
      to: isEnd ? to : spans[i * 2],
      node: nodes[i],
      isEnd,
      depth: depths[i] ?? 0,
    })
    if (made === undefined) return
    stretches = made.next
    at = spans[i * 2 + 1]
  }
}

interface Wanted {
  from: number
  to: number
  node: JsonNode | undefined
  isEnd: boolean
  depth: number
}

function stretchFor(
  s: ScanState,
  among: Stretch[],
  { from, to, node, isEnd, depth }: Wanted,
): Stretch | undefined {
  if (to < from || to - from > STRETCH_BYTES) return undefined
  const { known } = s
  const bytes = byteWords(s.bytes.subarray(from, to))
  const column = isEnd ? RECORD_END : (node?.column ?? SKIPPED)
  const same = among.find(
    (stretch) =>
      stretch.column === column &&
      stretch.bytes.length === bytes.length &&
      stretch.bytes.words.every((word, i) => word === bytes.words[i]),
  )
  if (same !== undefined) return same
  if (among.length >= BRANCHES || known.stretches >= STRETCHES) return undefined
  const made: Stretch = { bytes, column, isPlain: node !== undefined && !node.isList, node, depth, next: [] }
  known.stretches += 1
  among.push(made)
  return made
}
