/** Where values go: cells of the open record, items of array columns, and envelope values that all records share. */
import { addRow } from '../records.ts'
import { appendText } from '../../core/slab.ts'
import { learnRecord } from './known-records.ts'
import { textOf } from './names.ts'
import type { ScanState } from './scan-state.ts'
import type { ElementNode } from './shape.ts'

/** Puts a value into the open record's cell; a second value for a scalar column is an issue of the record. */
export function storeCell(s: ScanState, column: number, start: number, length: number, node: ElementNode): void {
  const { cells, width } = s.records
  const at = (s.row * width + column) * 2
  if (cells[at + 1] >= 0) {
    s.records.issues.push({ row: s.row, kind: 'repeated', path: pathOf(node), start, length })
    return
  }
  cells[at] = start
  cells[at + 1] = length
}

/** Puts a value where its column wants it: an array's items, the envelope, or the record. */
export function storeValue(s: ScanState, node: ElementNode, column: number, item: string | undefined, start: number, length: number): void {
  if (item !== undefined) {
    if (s.item !== undefined) s.item[item] = textOf(s.slab.bytes, start, start + length)
  } else if (s.shape.isList[column]) {
    listOf(s, column).push(textOf(s.slab.bytes, start, start + length))
  } else if (node.inRecord) {
    storeCell(s, column, start, length, node)
  } else {
    s.envelopeStart[column] = start
    s.envelopeLength[column] = length
  }
}

export function beginRecord(s: ScanState, at: number): void {
  s.row = addRow(s.records)
  s.records.extents[s.row * 2] = at
  if (s.lists.size > 0) s.lists.clear()
}

/** Closes the record: arrays become JSON text behind the slab, one cell each. */
export function endRecord(s: ScanState, at: number): void {
  s.records.extents[s.row * 2 + 1] = at
  if (s.lists.size === 0) learnRecord(s, s.row)
  else {
    for (const [column, items] of s.lists) {
      const start = appendText(s.slab, JSON.stringify(items))
      storeCell(s, column, start, s.slab.end - start, s.shape.record)
    }
    s.lists.clear()
  }
  s.row = -1
}

export function beginItem(s: ScanState, column: number): void {
  if (s.shape.hasItems[column]) s.item = {}
}

export function endItem(s: ScanState, column: number): void {
  if (s.item === undefined) return
  listOf(s, column).push(s.item)
  s.item = undefined
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

/** Path of a declared element below its record, as the declaration writes it. */
export function pathOf(node: ElementNode): string {
  const steps: string[] = []
  for (let at: ElementNode | undefined = node; at !== undefined && !at.isRecord; at = at.parent) steps.unshift(at.text)
  return steps.join('/')
}

function listOf(s: ScanState, column: number): (string | Record<string, string>)[] {
  const known = s.lists.get(column)
  if (known !== undefined) return known
  const made: (string | Record<string, string>)[] = []
  s.lists.set(column, made)
  return made
}
