/** The fields of sample XML records: a tree of their names, and how it becomes columns. */
import { createField, type SampleField } from '../../core/outline.ts'
import type { XmlNaming } from './naming.ts'
import type { XmlNode } from './sample.ts'

/** A name below the record or below another name, with its values. */
export interface Place {
  local: string
  uri: string
  attribute: boolean
  children: Map<string, Place>
  /** Elements and attributes, each with the number of its record. */
  rows: number[]
  values: string[]
  nodes: (XmlNode | undefined)[]
  /** The most of them in one parent. */
  most: number
  /** Has child elements somewhere: then text of only white space is indentation. */
  isParent: boolean
  hasText: boolean
}

export function createPlace(local = '', uri = '', attribute = false): Place {
  return {
    local,
    uri,
    attribute,
    children: new Map(),
    rows: [],
    values: [],
    nodes: [],
    most: 0,
    isParent: false,
    hasText: false,
  }
}

/** Adds an element with its content: a record, or an item of an array. */
export function collectItem(place: Place, node: XmlNode, row: number): void {
  add(place, row, node.text, node)
  collectElement(place, node, row)
}

function collectElement(place: Place, node: XmlNode, row: number): void {
  place.isParent ||= node.children.length > 0
  place.hasText ||= node.text.trim() !== ''
  for (const { local, uri, value } of node.attributes)
    add(childOf(place, local, uri, true), row, value, undefined)
  const counts = new Map<Place, number>()
  for (const child of node.children) {
    const inner = childOf(place, child.local, child.uri, false)
    counts.set(inner, (counts.get(inner) ?? 0) + 1)
    add(inner, row, child.text, child)
    collectElement(inner, child, row)
  }
  for (const [inner, count] of counts) inner.most = Math.max(inner.most, count)
}

function childOf(place: Place, local: string, uri: string, attribute: boolean): Place {
  const key = `${attribute ? '@' : ''}{${uri}}${local}`
  const known = place.children.get(key) ?? createPlace(local, uri, attribute)
  place.children.set(key, known)
  return known
}

function add(place: Place, row: number, value: string, node: XmlNode | undefined): void {
  place.rows.push(row)
  place.values.push(value)
  place.nodes.push(node)
}

interface Found {
  fields: SampleField[]
  /** Paths that a declaration must ignore, because no column can hold them. */
  ignored: string[]
  notes: string[]
}

export function fieldsOf(record: Place, naming: XmlNaming): Found {
  const found: Found = { fields: [], ignored: [], notes: [] }
  walk(record, { path: '', names: [] }, naming, found)
  return found
}

interface At {
  path: string
  names: string[]
}

function walk(place: Place, at: At, naming: XmlNaming, found: Found): void {
  const children = [...place.children.values()]
  if (place.hasText && at.path !== '' && (place.isParent || place.children.size > 0))
    found.fields.push(textField(place, at.path, at.names))
  if (place.hasText && at.path === '') found.fields.push(textField(place, '.', ['text']))
  if (place.hasText && place.isParent)
    found.notes.push(
      `${at.path === '' ? 'The record' : at.path} has text next to elements; the draft does not keep their order`,
    )
  for (const child of children) {
    const inner = placeBelow(at, child, stepOf(child, children, naming))
    if (child.attribute || (!child.isParent && child.children.size === 0 && child.most <= 1))
      found.fields.push(leafField(child, inner))
    else if (child.most > 1) repeating(child, inner, naming, found)
    else walk(child, inner, naming, found)
  }
}

function placeBelow(at: At, child: Place, step: string): At {
  return { path: at.path === '' ? step : `${at.path}/${step}`, names: [...at.names, child.local] }
}

function stepOf(child: Place, beside: Place[], naming: XmlNaming): string {
  const ambiguous = beside.some(
    (sibling) => sibling !== child && sibling.attribute === child.attribute && sibling.local === child.local,
  )
  return `${child.attribute ? '@' : ''}${naming.step(child.local, child.uri, ambiguous)}`
}

function leafField(place: Place, { path, names }: At): SampleField {
  const field = createField(path, names, 'text')
  field.rows = place.rows
  field.values = place.values
  return field
}

/**
 * The own text of an element that also has attributes or children. Indentation around children is no text.
 */
function textField(place: Place, path: string, names: string[]): SampleField {
  const field = createField(path, names, 'text')
  place.nodes.forEach((node, i) => {
    if (node !== undefined && node.children.length > 0 && node.text.trim() === '') return
    field.rows.push(place.rows[i])
    field.values.push(place.values[i])
  })
  return field
}

/** An element that repeats: an array of texts, or of objects if it has attributes or child elements. */
function repeating(place: Place, at: At, naming: XmlNaming, found: Found): void {
  const field = createField(at.path, at.names, 'text')
  field.lists = { rows: [], lengths: [] }
  place.rows.forEach((row) => {
    const lists = field.lists as { rows: number[]; lengths: number[] }
    if (lists.rows.at(-1) === row) lists.lengths[lists.lengths.length - 1] += 1
    else {
      lists.rows.push(row)
      lists.lengths.push(1)
    }
  })
  found.fields.push(field)
  if (!place.isParent && place.children.size === 0) {
    field.rows = place.values.map((_, i) => i)
    field.values = place.values
    return
  }
  field.fields = itemFields(place, at, naming, found)
}

const LEFT_OUT = 'Not loaded: '

/**
 * The sub-fields of a repeating element. An element that repeats inside it has no column; a note names it.
 */
function itemFields(place: Place, at: At, naming: XmlNaming, found: Found): SampleField[] {
  const items = createPlace()
  place.nodes.forEach((node, item) => {
    if (node !== undefined) collectItem(items, node, item)
  })
  const inner: Found = { fields: [], ignored: [], notes: [] }
  if (items.hasText) inner.fields.push(textField(items, '.', ['text']))
  items.hasText = false
  walk(items, { path: '', names: [] }, naming, inner)
  // A note about an element that is left out completely covers everything inside it.
  found.notes.push(...inner.notes.filter((note) => !note.startsWith(LEFT_OUT)))
  const single = inner.fields.filter((field) => field.lists === undefined)
  for (const field of inner.fields) {
    if (field.lists === undefined) continue
    found.ignored.push(`${at.path}/${field.path}`)
    found.notes.push(`${LEFT_OUT}${at.path}/${field.path} repeats inside ${at.path}, which repeats too`)
  }
  return single
}
