/**
 * The destinations of values: cells of the open record, items of array columns, and envelope values that all
 * records share.
 */
import { addRow } from '../records.ts'
import { appendText } from '../../core/slab.ts'
import type { Attribute } from './attributes.ts'
import { AGAIN, forgetWinners } from './claims.ts'
import { learnRecord } from './known-records.ts'
import { textOf } from './names.ts'
import { pathOf } from './paths.ts'
import { fault, type ListItem, type ListObject, type ScanState } from './scan-state.ts'
import type { AttributeNode, ElementNode, Member } from './shape.ts'
import { noteSurroundings, refuseBehindRecords } from './surroundings.ts'

/**
 * Puts a value into a cell of the open record. A second value for a scalar column is an issue of the record.
 */
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
  if (node.column >= 0 && !storerOf(node)(s, node.column, start, length))
    reportRepeated(s, pathOf(node), start, length)
  if (node.member !== undefined && !storeMember(s, node.member, start, length))
    reportRepeated(s, pathOf(node), start, length)
}

export function storeAttribute(s: ScanState, owner: ElementNode, node: AttributeNode, a: Attribute): void {
  const { column, member, step } = node
  const { valueStart: start, valueLength: length } = a
  const isStored =
    member === undefined ? storerOf(owner)(s, column, start, length) : storeMember(s, member, start, length)
  if (isStored) return
  const path = pathOf(owner)
  reportRepeated(s, path === '.' ? step : `${path}/${step}`, start, length)
}

/** Puts a value of a column where values of an element go. False if it already has one. */
type Storer = (s: ScanState, column: number, start: number, length: number) => boolean

function storerOf(node: ElementNode): Storer {
  return node.inRecord ? storeInRecord : storeInEnvelope
}

/** As an item of the column's array, or as the record's cell. */
function storeInRecord(s: ScanState, column: number, start: number, length: number): boolean {
  const list = s.shape.listOf[column]
  if (list < 0) return storeCell(s, column, start, length)
  listOf(s, list).push(valueText(s, start, length))
  return true
}

/** As an item too, or as the document's value. A second value replaces it, and is remembered. */
function storeInEnvelope(s: ScanState, column: number, start: number, length: number): boolean {
  const list = s.shape.listOf[column]
  if (list >= 0) {
    listOf(s, list).push(valueText(s, start, length))
    return true
  }
  if (s.windowed) refuseBehindRecords(s, column)
  if (s.envelopeLength[column] >= 0) s.envelopeSeconds.set(column, start)
  s.envelopeStart[column] = start
  s.envelopeLength[column] = length
  return true
}

function storeMember(s: ScanState, { list, name, collects }: Member, start: number, length: number): boolean {
  const item = s.items[list]
  if (item === undefined) return true
  const text = valueText(s, start, length)
  if (collects >= 0) listOf(s, collects).push(text)
  else if (name in item) return false
  else item[name] = text
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

/**
 * Closes the record: arrays become JSON text after the input, one cell each. Throws `AGAIN` (see claims.ts).
 */
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

/**
 * Inherits nothing, because a sub-field may have any name. Objects of Object.create(null) are hash tables,
 * for which JSON.stringify took twice the time.
 */
const Item = function Item() {} as unknown as new () => ListObject
Item.prototype = Object.create(null)

export function beginItem(s: ScanState, list: number): void {
  if (s.shape.lists[list].hasItems) s.items[list] = new Item()
}

export function endItem(s: ScanState, list: number): void {
  const item = s.items[list]
  if (item === undefined) return
  s.items[list] = undefined
  listOf(s, list).push(item)
}

/**
 * An element with values outside the records opens. If a window ends inside it, it is read again from its
 * start.
 */
export function beginAround(s: ScanState): void {
  s.aroundDepth = s.depth
  if (!s.windowed) return
  s.savedStart.set(s.envelopeStart)
  s.savedLength.set(s.envelopeLength)
}

/** Takes back the values of the open element outside the records. */
export function takeBackAround(s: ScanState): void {
  if (s.aroundDepth === 0) return
  s.aroundDepth = 0
  s.envelopeStart.set(s.savedStart)
  s.envelopeLength.set(s.savedLength)
}

/**
 * At the end of `owner`: gives its envelope values to all records since it opened. A repeated value is a
 * fault, because nobody can tell which of the two the records have. Not earlier, because a claim may pass on
 * (see claims.ts).
 */
export function closeEnvelope(s: ScanState, owner: ElementNode, firstRow: number): void {
  if (s.envelopeSeconds.size > 0) {
    const column = owner.envelope.find((candidate) => s.envelopeSeconds.has(candidate))
    if (column !== undefined) {
      const reason = `${s.shape.paths[column]} appears twice outside the records, but all records share one value`
      throw fault(s, reason, s.envelopeSeconds.get(column) ?? 0)
    }
  }
  spreadEnvelope(s, owner, firstRow)
}

/** Gives the envelope values that `owner` has so far to all records since it opened. */
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

/** An element or attribute in a record that the declaration does not know. */
export function reportUnexpected(s: ScanState, path: string, start: number, length: number): void {
  s.records.issues.push({ row: s.row, kind: 'unexpected', path, start, length })
}

export function reportRepeated(s: ScanState, path: string, start: number, length: number): void {
  s.records.issues.push({ row: s.row, kind: 'repeated', path, start, length })
}

/** The items of a list so far: of the open record, or of the open item that contains the list. */
function listOf(s: ScanState, list: number): ListItem[] {
  const { column, owner } = s.shape.lists[list]
  const item = owner === undefined ? undefined : s.items[owner.list]
  if (owner !== undefined && item !== undefined) return (item[owner.name] ??= []) as ListItem[]
  const items = s.lists.get(column) ?? []
  s.lists.set(column, items)
  return items
}
