/**
 * The declared shape of a JSON document, compiled once into trees of keys that the scanner walks along the
 * input: one tree for a record, one for the surroundings of the records, one for the items of each array of
 * objects.
 */
import { parseJsonPath, parseRecordPath, relativeJsonPath } from '../../core/json-path.ts'
import { byteWords, type ByteWords } from './words.ts'

/** One field to take from each record. */
export interface JsonField {
  /** `author.name`, `["service.name"]`, `$.source` (outside the record): the grammar of core/json-path.ts. */
  path: string
  /** The cell holds the value's JSON text. With `fields`, its items are objects of these sub-fields. */
  array: boolean
  fields?: { path: string }[]
}

export interface JsonShapeSpec {
  /** `$` for the message itself, `$.books[*]` for each item. */
  record: string
  /** In the order of the columns: field i fills cell i of a row. */
  fields: JsonField[]
  /** Paths below the record to skip without a finding. `*` for all unknown ones. */
  ignore: string[]
}

/** One key of the declaration. */
export interface JsonNode {
  key: string
  bytes: Uint8Array
  /** `"key"` as most documents write it; undefined for a key that needs an escape. */
  quoted: ByteWords | undefined
  parent: JsonNode | undefined
  children: JsonNode[]
  /** Children by the hash of their key. */
  byHash: Map<number, JsonNode[]>
  /** The column of the value, or -1. */
  column: number
  /** The column takes JSON text. */
  isList: boolean
  /** Keys of the objects in the array. */
  items: JsonNode | undefined
  /** The value belongs to a sub-field of an array's item. */
  isField: boolean
  ignored: boolean
  /** Unknown keys inside are skipped: ignored, or part of the column's text. */
  quiet: boolean
  /** The object that had this key last: a second time in the same object is a repetition. */
  seenIn: number
  /**
   * The child that came first last time, and the sibling that came after this one: tried before any lookup.
   */
  first: JsonNode | undefined
  follow: JsonNode | undefined
}

export interface JsonShape {
  record: JsonNode
  /** Root of the surroundings of the records. `way` leads from it to the records. */
  outer: JsonNode
  way: JsonNode[]
  each: boolean
  width: number
  /** Columns with values from outside the records. */
  envelope: { column: number; steps: string[] }[]
}

export function compileShape(spec: JsonShapeSpec): JsonShape {
  const { steps, each } = recordPathOf(spec.record)
  const [record, outer] = [newNode('', undefined), newNode('', undefined)]
  const way = steps.reduce<JsonNode[]>((nodes, step) => [...nodes, childOf(nodes.at(-1) ?? outer, step)], [])
  const shape: JsonShape = { record, outer, way, each, width: spec.fields.length, envelope: [] }
  spec.fields.forEach((field, column) => addField(shape, steps, field, column))
  for (const text of spec.ignore) {
    const path = parseJsonPath(text)
    if (text === '*') record.quiet = true
    else if (typeof path !== 'string' && !path.fromRoot) ignore(record, path.steps)
  }
  finish(record, false)
  finish(outer, false)
  return shape
}

function recordPathOf(text: string): { steps: string[]; each: boolean } {
  const path = parseRecordPath(text)
  return typeof path === 'string' ? { steps: [], each: false } : path
}

/** An invalid path, kept with a column of an older table: it never finds a value. */
function addField(shape: JsonShape, recordSteps: string[], field: JsonField, column: number): void {
  const path = parseJsonPath(field.path)
  if (typeof path === 'string') return
  const { fromRoot, steps } = relativeJsonPath(path, { steps: recordSteps, each: shape.each })
  if (steps.length === 0) return
  const node = steps.reduce(childOf, fromRoot ? shape.outer : shape.record)
  node.column = column
  node.isList = field.array
  if (field.fields !== undefined) node.items = itemsOf(node, field.fields)
  if (fromRoot) shape.envelope.push({ column, steps })
}

function itemsOf(list: JsonNode, fields: { path: string }[]): JsonNode {
  // Linked to the array for its path, but not one of its children: those are keys of an object.
  const root = newNode('', list)
  for (const field of fields) {
    const path = parseJsonPath(field.path)
    if (typeof path !== 'string' && !path.fromRoot && path.steps.length > 0)
      path.steps.reduce(childOf, root).isField = true
  }
  return root
}

/** Through an array, the path continues in its items: `lines.sku`. */
function ignore(record: JsonNode, steps: string[]): void {
  let node = record
  for (const step of steps) {
    if (node.items !== undefined) node = node.items
    node = childOf(node, step)
  }
  node.ignored = true
}

function childOf(parent: JsonNode, key: string): JsonNode {
  const known = parent.children.find((child) => child.key === key)
  if (known !== undefined) return known
  const node = newNode(key, parent)
  const hash = hashOf(node.bytes, 0, node.bytes.length)
  parent.children.push(node)
  parent.byHash.set(hash, [...(parent.byHash.get(hash) ?? []), node])
  return node
}

function newNode(key: string, parent: JsonNode | undefined): JsonNode {
  const bytes = Buffer.from(key)
  const text = JSON.stringify(key)
  return {
    key,
    bytes,
    quoted: text.length === key.length + 2 ? byteWords(Buffer.from(text)) : undefined,
    parent,
    children: [],
    byHash: new Map(),
    column: -1,
    isList: false,
    items: undefined,
    isField: false,
    ignored: false,
    quiet: false,
    seenIn: 0,
    first: undefined,
    follow: undefined,
  }
}

/** `quiet`: unknown keys around this one are skipped. */
function finish(node: JsonNode, quiet: boolean): void {
  node.quiet ||= quiet || node.ignored || node.column >= 0 || node.isField
  node.first = node.children[0]
  node.children.forEach((child, i) => {
    child.follow = node.children[i + 1]
    finish(child, node.quiet)
  })
  if (node.items !== undefined) finish(node.items, quiet || node.ignored)
}

/** Hash of a key: its length, beginning and end. Only declared keys are stored by it. */
export function hashOf(b: Uint8Array, start: number, length: number): number {
  let hash = length
  const last = start + length - 1
  for (let i = 0; i < 4 && i < length; i += 1)
    hash = (Math.imul(hash, 31) + b[start + i] + (b[last - i] << 8)) | 0
  return hash
}

/** The declared child with this key. */
export function childNamed(
  node: JsonNode,
  b: Uint8Array,
  start: number,
  length: number,
): JsonNode | undefined {
  const same = node.byHash.get(hashOf(b, start, length))
  if (same === undefined) return undefined
  for (const child of same) if (child.bytes.length === length && isSame(b, start, child.bytes)) return child
  return undefined
}

function isSame(b: Uint8Array, start: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i += 1) if (b[start + i] !== key[i]) return false
  return true
}

/** Keys from the record (or the root) to this node. */
export function stepsTo(node: JsonNode): string[] {
  const steps: string[] = []
  for (let at: JsonNode | undefined = node; at !== undefined; at = at.parent) {
    const isItems = at.parent?.items === at
    if (at.parent !== undefined && !isItems) steps.unshift(at.key)
  }
  return steps
}
