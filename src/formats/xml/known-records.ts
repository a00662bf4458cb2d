/**
 * Fast path for records that look like an earlier one. Between its values, a producer's record consists of
 * the same bytes again and again: tags, indentation, comments. The general scan of a record leaves these
 * stretches as a path of a small tree. The next record is compared with the tree, stretch by stretch, and
 * only its values are scanned. The bytes of a stretch were once found well-formed, and values contain no
 * markup, so a match is well-formed too. Any other record is scanned in general. Measured on the sample: the
 * scanner takes half the time.
 */
import { truncateRows, addRow } from '../records.ts'
import { textEnd } from './chars.ts'
import { matchesTag } from './names.ts'
import type { Binding, KnownRecords, ScanState, Stretch } from './scan-state.ts'
import { tagWords } from './shape.ts'
import { noteSurroundings } from './surroundings.ts'

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

/** Reads the record at `p` if its form is known. Returns the position after it, or 0 with nothing changed. */
export function readKnownRecord(s: ScanState, p: number): number {
  const { known, records } = s
  if (known.first.length === 0 || s.ignoredDepth > 0) return 0
  known.tries += 1
  if (known.tries > TRIES) reconsider(known)
  if (!sameBindings(s.bindings, known.bindings)) return 0
  const row = addRow(records)
  const end = readValues(s, p, row * records.width * 2)
  if (end === 0) {
    truncateRows(records, row)
    return 0
  }
  known.hits += 1
  if (s.windowed) noteSurroundings(s, row)
  records.extents[row * 2] = p
  records.extents[row * 2 + 1] = end
  return end
}

function readValues(s: ScanState, p: number, cell: number): number {
  const b = s.bytes
  const { view } = s.slab
  const { cells } = s.records
  let stretches = s.known.first
  for (;;) {
    let found: Stretch | undefined
    for (let i = 0; i < stretches.length && found === undefined; i += 1)
      if (matchesTag(view, p, stretches[i].bytes)) found = stretches[i]
    if (found === undefined) return 0
    p += found.bytes.length
    if (found.column < 0) return p
    const at = cell + found.column * 2
    cells[at] = p
    p = textEnd(view, b, p)
    if (p < 0) return 0
    cells[at + 1] = p - cells[at]
    stretches = found.next
  }
}

function reconsider(known: KnownRecords): void {
  if (known.hits * 2 < known.tries) restart(known)
  known.tries = known.hits = 0
}

function restart(known: KnownRecords): void {
  known.first = []
  known.stretches = 0
  known.restarts += 1
}

function sameBindings(some: Binding[], others: Binding[]): boolean {
  if (some.length !== others.length) return false
  for (let i = 0; i < some.length; i += 1)
    if (some[i].prefix !== others[i].prefix || some[i].uri !== others[i].uri) return false
  return true
}

/**
 * Learns the form of the record that the general scan has just read, if each of its values is one stretch of
 * text directly between two tags: not a copy, not an attribute, not an item of a list.
 */
export function learnRecord(s: ScanState, row: number): void {
  const { known, records, bytes: b } = s
  if (known.stretches >= STRETCHES || known.restarts > RESTARTS || s.ignoredDepth > 0) return
  const { issues } = records
  if (issues.length > 0 && issues[issues.length - 1].row === row) return
  const columns = columnsBetweenTags(s, row)
  if (columns === undefined) return
  const [from, to] = [records.extents[row * 2], records.extents[row * 2 + 1]]
  if (!sameBindings(s.bindings, known.bindings)) {
    restart(known)
    known.bindings = s.bindings.map((binding) => ({ ...binding }))
  }
  let at = from
  let stretches = known.first
  for (const column of [...columns, -1]) {
    const [start, length] = column < 0 ? [to, 0] : spanOf(s, row, column)
    const bytes = start - at > STRETCH_BYTES ? undefined : Uint8Array.from(b.subarray(at, start))
    const stretch = bytes && stretchFor(known, stretches, bytes, column)
    if (stretch === undefined) return
    stretches = stretch.next
    at = start + length
  }
}

const LT = 0x3c
const GT = 0x3e

/** The columns with a value, by position. Undefined if one value is not directly between two tags. */
function columnsBetweenTags(s: ScanState, row: number): number[] | undefined {
  const { records, bytes: b } = s
  const [from, to] = [records.extents[row * 2], records.extents[row * 2 + 1]]
  const columns: number[] = []
  for (let column = 0; column < records.width; column += 1) {
    const [start, length] = spanOf(s, row, column)
    if (length < 0) continue
    const isInside = length > 0 && start > from && start + length < to
    if (!isInside || b[start - 1] !== GT || b[start + length] !== LT) return undefined
    columns.push(column)
  }
  return columns.sort((left, right) => spanOf(s, row, left)[0] - spanOf(s, row, right)[0])
}

function spanOf(s: ScanState, row: number, column: number): [start: number, length: number] {
  const at = (row * s.records.width + column) * 2
  return [s.records.cells[at], s.records.cells[at + 1]]
}

/** The stretch of these bytes before a column, known or new. Undefined if there are already too many. */
function stretchFor(
  known: KnownRecords,
  among: Stretch[],
  bytes: Uint8Array,
  column: number,
): Stretch | undefined {
  const words = tagWords(bytes)
  const same = among.find(
    (stretch) =>
      stretch.column === column &&
      stretch.bytes.length === words.length &&
      stretch.bytes.words.every((word, i) => word === words.words[i]),
  )
  if (same !== undefined) return same
  if (among.length >= BRANCHES || known.stretches >= STRETCHES) return undefined
  const made: Stretch = { bytes: words, column, next: [] }
  known.stretches += 1
  among.push(made)
  return made
}
