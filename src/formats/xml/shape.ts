/**
 * The declared shape of a document, compiled once into a tree of element nodes that the scanner walks beside the
 * input. No code is generated: the tree is data, and prediction (see `follow`) makes it as quick as generated code.
 */

/** One field to take out of each record. Paths are relative to the record; `/root/...` starts at the document. */
export interface XmlField {
  /** `title`, `author/name`, `@id`, `author/@id`, `/library/@source`. */
  path: string
  /** Collects every occurrence as a JSON array. With `fields`, each occurrence is an object of these sub-paths. */
  array?: { fields?: { name: string; path: string }[] }
}

export interface XmlShapeSpec {
  /** Path of the element that is one record, from the document's root: `/library/book`. */
  record: string
  /** In the order of the columns: field i fills cell i of a row. */
  fields: XmlField[]
  /** Paths below the record that may appear and are left out without a word; `*` for all. */
  ignore: string[]
  /** Prefix to namespace URI. Steps without a prefix match the local name in any namespace. */
  namespaces: Record<string, string>
}

export interface AttributeNode {
  name: Uint8Array
  uri: string | undefined
  column: number
  item: string | undefined
}

/** Bytes of a tag as little-endian words; the last word overlaps the one before, so that no byte is left over. */
export interface TagWords {
  length: number
  words: Int32Array
  /** Where the last word starts, and which of its bytes count (three for a tag like `<a>`). */
  lastAt: number
  lastMask: number
}

export interface ElementNode {
  name: Uint8Array
  /** `<name>` and `</name>`: the plain tags, compared four bytes at a time. */
  openTag: TagWords
  closeTag: TagWords
  text: string
  uri: string | undefined
  parent: ElementNode | undefined
  children: ElementNode[]
  attributes: AttributeNode[]
  /** Column that takes this element's text, or -1. */
  column: number
  /** This element is one item of an array column; -1 when not. */
  list: number
  /** Name of the sub-field of an array's item that takes this element's text. */
  item: string | undefined
  isRecord: boolean
  inRecord: boolean
  /** Envelope columns (outside the record) that are known once this element closes. */
  envelope: number[]
  ignored: boolean
  leaf: boolean
  /** The child that came first last time, and the sibling that came after this one: tried before any look-up. */
  first: ElementNode | undefined
  follow: ElementNode | undefined
}

export interface XmlShape {
  root: ElementNode
  record: ElementNode
  width: number
  /** True where a cell collects many values. */
  isList: boolean[]
  hasItems: boolean[]
  ignoreAll: boolean
  hasEnvelope: boolean
}

export function compileShape(spec: XmlShapeSpec): XmlShape {
  const steps = spec.record.split('/').filter((step) => step !== '')
  const root = newNode(steps[0], undefined, spec.namespaces)
  let record = root
  for (const step of steps.slice(1)) record = childOf(record, step, spec.namespaces)
  record.isRecord = true
  markInRecord(record)
  spec.fields.forEach((field, column) => addField(root, record, field, column, spec))
  for (const path of spec.ignore) if (path !== '*') addIgnored(record, path, spec)
  finish(root)
  return {
    root,
    record,
    width: spec.fields.length,
    isList: spec.fields.map((field) => field.array !== undefined),
    hasItems: spec.fields.map((field) => field.array?.fields !== undefined),
    ignoreAll: spec.ignore.includes('*'),
    hasEnvelope: spec.fields.some((field) => field.path.startsWith('/')),
  }
}

function addField(root: ElementNode, record: ElementNode, field: XmlField, column: number, spec: XmlShapeSpec): void {
  const isEnvelope = field.path.startsWith('/')
  const steps = field.path.split('/').filter((step) => step !== '' && step !== '.')
  if (isEnvelope) steps.shift()
  const target = place(isEnvelope ? root : record, steps, spec, column, undefined, field.array === undefined)
  if (field.array !== undefined) {
    target.list = column
    if (field.array.fields === undefined) target.column = column
    for (const sub of field.array.fields ?? [])
      place(target, sub.path.split('/').filter((step) => step !== '.'), spec, column, sub.name, true)
  }
  if (isEnvelope) envelopeOwner(target, record).envelope.push(column)
}

/** Walks (and makes) the elements of a path and hangs the column on its end; returns the last element. */
function place(
  from: ElementNode,
  steps: string[],
  spec: XmlShapeSpec,
  column: number,
  item: string | undefined,
  takesText: boolean,
): ElementNode {
  let node = from
  for (const step of steps) {
    if (step.startsWith('@')) {
      const [name, uri] = resolve(step.slice(1), spec.namespaces)
      node.attributes.push({ name: Buffer.from(name), uri, column, item })
      return node
    }
    node = childOf(node, step, spec.namespaces)
  }
  if (takesText && item === undefined) node.column = column
  if (item !== undefined) node.item = item
  return node
}

/** The envelope value belongs to all records below the nearest element that it shares with the record's path. */
function envelopeOwner(target: ElementNode, record: ElementNode): ElementNode {
  const path = new Set<ElementNode>()
  for (let node = record.parent; node !== undefined; node = node.parent) path.add(node)
  let node: ElementNode = target
  while (!path.has(node) && node.parent !== undefined) node = node.parent
  return node
}

function addIgnored(record: ElementNode, path: string, spec: XmlShapeSpec): void {
  const steps = path.split('/')
  const last = steps[steps.length - 1]
  if (last.startsWith('@')) {
    place(record, steps, spec, -1, undefined, false)
    return
  }
  let node = record
  for (const step of steps) node = childOf(node, step, spec.namespaces)
  node.ignored = true
}

function childOf(parent: ElementNode, step: string, namespaces: Record<string, string>): ElementNode {
  const [name, uri] = resolve(step, namespaces)
  const known = parent.children.find((child) => child.text === name && child.uri === uri)
  if (known !== undefined) return known
  const node = newNode(step, parent, namespaces)
  parent.children.push(node)
  return node
}

function resolve(step: string, namespaces: Record<string, string>): [string, string | undefined] {
  const colon = step.indexOf(':')
  if (colon < 0) return [step, undefined]
  return [step.slice(colon + 1), namespaces[step.slice(0, colon)] ?? '']
}

function newNode(step: string, parent: ElementNode | undefined, namespaces: Record<string, string>): ElementNode {
  const [text, uri] = resolve(step, namespaces)
  const inRecord = parent !== undefined && (parent.inRecord || parent.isRecord)
  return {
    name: Buffer.from(text),
    openTag: tagWords(Buffer.from(`<${text}>`)),
    closeTag: tagWords(Buffer.from(`</${text}>`)),
    text,
    uri,
    parent,
    children: [],
    attributes: [],
    column: -1,
    list: -1,
    item: undefined,
    isRecord: false,
    inRecord,
    envelope: [],
    ignored: false,
    leaf: false,
    first: undefined,
    follow: undefined,
  }
}

export function tagWords(bytes: Uint8Array): TagWords {
  const { length } = bytes
  const padded = Buffer.alloc(Math.max(length, 4))
  padded.set(bytes)
  const words = new Int32Array(Math.ceil(padded.length / 4))
  words.forEach((_, i) => (words[i] = padded.readInt32LE(Math.min(i * 4, padded.length - 4))))
  return { length, words, lastAt: Math.max(length - 4, 0), lastMask: length < 4 ? 0xffffff : -1 }
}

function markInRecord(record: ElementNode): void {
  record.inRecord = true
}

function finish(node: ElementNode): void {
  node.leaf =
    node.children.length === 0 && node.column >= 0 && node.list < 0 && !node.isRecord && node.inRecord && !node.ignored
  node.first = node.children[0]
  node.children.forEach((child, i) => {
    child.follow = child.isRecord ? child : node.children[i + 1]
    finish(child)
  })
}
