/** The fields of sample JSON records: a tree of their keys, and how it becomes columns. */
import { jsonPathText } from '../../core/json-path.ts'
import { createField, type SampleField, type Writing } from '../../core/outline.ts'
import type { JsonKind, JsonNode } from './sample.ts'

/** One key, below the record or below another key, with its values. */
export interface Spot {
  steps: string[]
  children: Map<string, Spot>
  rows: number[]
  nodes: JsonNode[]
  /** The text of the document of each node. */
  texts: string[]
  nulls: number
  /** Records in which one object repeats the key. */
  repeated: number
}

/** An object with more keys than this, of which each record has a few, has data as keys. */
const MAP_KEYS = 20
const MAP_SHARE = 0.25
/** A key that would give more columns than this is kept as JSON text instead. */
const COLUMNS_OF_ONE_KEY = 200
const SUB_FIELDS = 100

export function createSpot(steps: string[] = []): Spot {
  return { steps, children: new Map(), rows: [], nodes: [], texts: [], nulls: 0, repeated: 0 }
}

/** Adds the content of an object. `row`: the number of the record, or of the item of an array. */
export function collectRecord(spot: Spot, node: JsonNode, text: string, row: number): void {
  node.items.forEach((item, i) => {
    const key = node.keys[i]
    const child = spot.children.get(key) ?? createSpot([...spot.steps, key])
    spot.children.set(key, child)
    if (node.keys.indexOf(key) < i) child.repeated += 1
    else if (item.kind === 'null') child.nulls += 1
    else {
      child.rows.push(row)
      child.nodes.push(item)
      child.texts.push(text)
      if (item.kind === 'object') collectRecord(child, item, text, row)
    }
  })
}

export function fieldsOf(spot: Spot, records: number): SampleField[] {
  return [...spot.children.values()].flatMap((child) => fieldsAt(child, records))
}

function fieldsAt(spot: Spot, records: number): SampleField[] {
  const kinds = new Set(spot.nodes.map((node) => node.kind))
  const found =
    kinds.size === 1 && kinds.has('object')
      ? objectFields(spot, records)
      : [kinds.size === 1 && kinds.has('array') ? arrayField(spot) : plainField(spot, kinds)]
  if (spot.repeated > 0)
    found[0]?.notes.push(`${spot.repeated} of the objects repeat this key; such records are rejected`)
  return found
}

function objectFields(spot: Spot, records: number): SampleField[] {
  const keys = spot.children.size
  const each =
    [...spot.children.values()].reduce((sum, child) => sum + child.nodes.length + child.nulls, 0) /
    spot.nodes.length
  if (keys === 0) return [jsonField(spot, 'kept as JSON text: objects without keys')]
  if (keys > MAP_KEYS && each < keys * MAP_SHARE)
    return [jsonField(spot, `kept as JSON text: ${keys} keys, of which a record has ${Math.round(each)}`)]
  const fields = fieldsOf(spot, records)
  return fields.length > COLUMNS_OF_ONE_KEY
    ? [jsonField(spot, `kept as JSON text: ${fields.length} fields`)]
    : fields
}

/** Scalars, or values of several kinds. */
function plainField(spot: Spot, kinds: Set<JsonKind>): SampleField {
  if (kinds.has('object') || kinds.has('array'))
    return jsonField(spot, `kept as text: ${[...kinds].toSorted().join(' and ')} values`)
  const field = fieldAt(spot, writingOf(kinds))
  field.rows = spot.rows
  field.values = spot.nodes.map((node) => node.text)
  if (kinds.size > 1) field.notes.push(`kept as text: ${[...kinds].toSorted().join(' and ')} values`)
  else if (kinds.size === 0) field.notes.push('always null in the sample')
  return field
}

/** How values of these kinds were written. A mixture keeps its texts. */
export function writingOf(kinds: Iterable<JsonKind>): Writing {
  const [kind, ...others] = new Set(kinds)
  return others.length === 0 && (kind === 'number' || kind === 'boolean') ? kind : 'string'
}

function fieldAt(spot: Spot, writing: Writing): SampleField {
  return createField(jsonPathText(spot.steps), spot.steps, writing)
}

function jsonField(spot: Spot, note: string): SampleField {
  const field = fieldAt(spot, 'json')
  Object.assign(field, wholeOf(spot))
  field.notes.push(note)
  return field
}

function wholeOf(spot: Spot): { rows: number[]; values: string[] } {
  const values = spot.nodes.map((node, i) =>
    node.kind === 'object' || node.kind === 'array' ? spot.texts[i].slice(node.start, node.end) : node.text,
  )
  return { rows: spot.rows, values }
}

function arrayField(spot: Spot): SampleField {
  const items = spot.nodes.flatMap((node) => node.items)
  const kinds = new Set(items.map((item) => item.kind).filter((kind) => kind !== 'null'))
  if (kinds.has('array') || (kinds.has('object') && kinds.size > 1))
    return jsonField(spot, `kept as JSON text: arrays of ${[...kinds].toSorted().join(' and ')} values`)
  const field = fieldAt(spot, kinds.has('object') ? 'json' : writingOf(kinds))
  field.lists = { rows: spot.rows, lengths: spot.nodes.map((node) => node.items.length) }
  field.whole = wholeOf(spot)
  if (kinds.size > 1) field.notes.push(`items kept as text: ${[...kinds].toSorted().join(' and ')} values`)
  items.forEach((item, i) => {
    if (item.kind === 'null') return
    field.rows.push(i)
    field.values.push(item.text)
  })
  if (!kinds.has('object')) return field
  field.fields = subFields(spot)
  const names = field.fields?.length ?? 0
  return names === 0 || names > SUB_FIELDS ? jsonField(spot, 'kept as JSON text: arrays of objects') : field
}

function subFields(spot: Spot): SampleField[] {
  const inner = createSpot()
  let row = 0
  spot.nodes.forEach((node, i) => {
    for (const item of node.items) {
      if (item.kind === 'object') collectRecord(inner, item, spot.texts[i], row)
      row += 1
    }
  })
  return [...inner.children.values()].map((child) => {
    const kinds = new Set(child.nodes.map((node) => node.kind))
    return plainField(child, kinds)
  })
}
