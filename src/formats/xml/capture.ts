/** Where values go: cells of the open record, items of array columns, and envelope values that all records share. */
import { addRow } from '../records.ts'
import { appendText } from '../../core/slab.ts'
import type { Attribute } from './attributes.ts'
import { AGAIN, forgetWinners } from './claims.ts'
import { learnRecord } from './known-records.ts'
import { textOf } from './names.ts'
import { pathOf } from './paths.ts'
import type { ScanState } from './scan-state.ts'
import type { AttributeNode, ElementNode } from './shape.ts'
import { noteSurroundings } from './surroundings.ts'

/** Puts a value into the open record's cell; a second value for a scalar column is an issue of the record. */
export function storeCell(s: ScanState, column: number, start: number, length: number): boolean {
  const { cells, width } = s.records
  const at = (s.row * width + column) * 2
  if (cells[at + 1] >= 0) return false
  cells[at] = start
  cells[at + 1] = length
  return true
}

/** Puts the text of an element where the declaration wants it. */
export function storeText(s: ScanState, node: ElementNode, start: number, length: number): void {
  if (node.column >= 0 && !storeValue(s, node, node.column, start, length)) reportRepeated(s, pathOf(node), start, length)
  if (node.item !== undefined && !storeItem(s, node.itemColumn, node.item, [start, length])) reportRepeated(s, pathOf(node), start, length)
}

export function storeAttribute(s: ScanState, owner: ElementNode, { column, item, step }: AttributeNode, a: Attribute): void {
  const { valueStart: start, valueLength: length } = a
  const isStored = item === undefined ? storeValue(s, owner, column, start, length) : storeItem(s, column, item, [start, length])
  if (isStored) return
  const path = pathOf(owner)
  reportRepeated(s, path === '.' ? step : `${path}/${step}`, start, length)
}

/** A value of a column: an item of its array, of the envelope, or of the record; false when the record has one already. */
function storeValue(s: ScanState, node: ElementNode, column: number, start: number, length: number): boolean {
  if (s.shape.isList[column]) listOf(s, column).push(valueText(s, start, length))
  else if (node.inRecord) return storeCell(s, column, start, length)
  else {
    s.envelopeStart[column] = start
    s.envelopeLength[column] = length
  }
  return true
}

function storeItem(s: ScanState, column: number, name: string, span: [start: number, length: number]): boolean {
  const item = s.items[column]
  if (item === undefined) return true
  if (name in item) return false
  item[name] = valueText(s, ...span)
  return true
}

function valueText(s: ScanState, start: number, length: number): string {
  return textOf(s.slab.bytes, start, start + length)
}

export function beginRecord(s: ScanState, at: number): void {
  s.row = addRow(s.records)
  s.records.extents[s.row * 2] = at
  if (s.windowed) noteSurroundings(s, s.row)
  if (s.lists.size > 0) s.lists.clear()
}

/** Closes the record: arrays become JSON text behind the slab, one cell each. Throws `AGAIN` (see claims.ts). */
export function endRecord(s: ScanState, at: number): void {
  if (s.again) throw AGAIN
  forgetWinners(s)
  s.records.extents[s.row * 2 + 1] = at
  if (s.lists.size === 0) learnRecord(s, s.row)
  else {
    for (const [column, items] of s.lists) {
      const start = appendText(s.slab, JSON.stringify(items))
      storeCell(s, column, start, s.slab.end - start)
    }
    s.lists.clear()
  }
  s.row = -1
}

export function beginItem(s: ScanState, column: number): void {
  // No prototype: a sub-field may have any name.
  if (s.shape.hasItems[column]) s.items[column] = Object.create(null) as Record<string, string>
}

export function endItem(s: ScanState, column: number): void {
  const item = s.items[column]
  if (item === undefined) return
  listOf(s, column).push(item)
  s.items[column] = undefined
}

/** Gives the envelope values that `owner` knows to all records read since it opened. */
export function spreadEnvelope(s: ScanState, owner: ElementNode, firstRow: number): void {
  const { cells, width, rows } = s.records
  for (const column of owner.envelope) {
    const length = s.envelopeLength[column]
    for (let row = firstRow; row < rows && length >= 0; row += 1) {
      cells[(row * width + column) * 2] = s.envelopeStart[column]
      cells[(row * width + column) * 2 + 1] = length
    }
    s.envelopeLength[column] = -1
  }
}

/** An element or attribute that the declaration does not know, inside a record. */
export function reportUnexpected(s: ScanState, path: string, start: number, length: number): void {
  s.records.issues.push({ row: s.row, kind: 'unexpected', path, start, length })
}

export function reportRepeated(s: ScanState, path: string, start: number, length: number): void {
  s.records.issues.push({ row: s.row, kind: 'repeated', path, start, length })
}

function listOf(s: ScanState, column: number): (string | Record<string, string>)[] {
  const known = s.lists.get(column)
  if (known !== undefined) return known
  const made: (string | Record<string, string>)[] = []
  s.lists.set(column, made)
  return made
}
