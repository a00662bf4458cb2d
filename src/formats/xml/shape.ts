/**
 * The declared shape of a document, compiled once into a tree of element nodes that the scanner walks beside
 * the input. No code is generated: the tree is data, and prediction (see `follow`) makes it as quick as
 * generated code.
 */
import { failure } from '../../core/errors.ts'
import { parseXmlPath, xmlStepText, type XmlPath, type XmlStep } from '../../core/xml-path.ts'

/**
 * One field to take out of each record. Paths are relative to the record; `/root/...` starts at the document.
 */
export interface XmlField {
  /** `title`, `author/name`, `@id`, `author/@id`, `/library/@source`, `media:title`, `{urn:x}title`. */
  path: string
  /**
   * Collects every occurrence as a JSON array. With `fields`, each occurrence is an object of these
   * sub-paths.
   */
  array?: { fields?: XmlSubField[] }
}

/** A field of an array's items: a path below the item, and the name of the member that it becomes. */
export interface XmlSubField extends XmlField {
  name: string
}

export interface XmlShapeSpec {
  /** Path of the element that is one record, from the document's root: `/library/book`. */
  record: string
  /** In the order of the columns: field i fills cell i of a row. */
  fields: XmlField[]
  /** Paths below the record that may appear and are left out without a word; `*` for all. */
  ignore: string[]
  /** Prefix to namespace URI, for the steps that have a prefix. */
  namespaces: Record<string, string>
}

export interface AttributeNode {
  name: Uint8Array
  /** Undefined: a plain step, which takes the name in any namespace (see claims.ts). Empty: no namespace. */
  uri: string | undefined
  column: number
  member: Member | undefined
  /** As a path below its element: `@id`. */
  step: string
}

/** An array: a column, or a sub-field that is an array inside of the items of another. */
export interface List {
  column: number
  /** Its items are objects of sub-fields. */
  hasItems: boolean
  /** Of a sub-field: where its array goes. */
  owner: Member | undefined
}

/**
 * A member of the items of a list (its number in `lists`); `collects`: the list that the member is, or -1.
 */
export interface Member {
  list: number
  name: string
  collects: number
}

/**
 * Bytes of a tag as little-endian words; the last word overlaps the one before, so that no byte is left over.
 */
export interface TagWords {
  length: number
  words: Int32Array
  /** Where the last word starts, and which of its bytes count (three for a tag like `<a>`). */
  lastAt: number
  lastMask: number
}

export interface ElementNode {
  /** Number of the node in its shape: the scanner keeps what it knows of a node by it. */
  index: number
  name: Uint8Array
  /** `<name>` and `</name>`: the plain tags, compared four bytes at a time. */
  openTag: TagWords
  closeTag: TagWords
  local: string
  /** Undefined: a plain step, which takes the name in any namespace (see claims.ts). Empty: no namespace. */
  uri: string | undefined
  /** The step in a path that leads here. */
  step: string
  /** Of a plain step: the namespaces whose elements of this name belong to siblings that name them. */
  rivals: string[] | undefined
  parent: ElementNode | undefined
  children: ElementNode[]
  attributes: AttributeNode[]
  /** Column that takes this element's text, or -1. */
  column: number
  /** This element is one item of an array, by its number in `lists`; -1 when not. */
  list: number
  /** The sub-field of an array's item that takes this element's text. */
  member: Member | undefined
  isRecord: boolean
  /** The record, or an element that it stands in. */
  onPath: boolean
  inRecord: boolean
  /** Envelope columns (outside the record) that are known once this element closes. */
  envelope: number[]
  /** What the declaration does not know below this element is left out without a word. */
  ignored: boolean
  /** Ignored, and nothing below it is declared: its subtree is not looked at. */
  closed: boolean
  /** Text of its own that no column takes is left out without a word. */
  ignoresText: boolean
  leaf: boolean
  /**
   * The child that came first last time, and the sibling that came after this one: tried before any look-up.
   */
  first: ElementNode | undefined
  follow: ElementNode | undefined
}

export interface XmlShape {
  root: ElementNode
  record: ElementNode
  /** Depth of the record element; the root has depth 1. */
  recordDepth: number
  nodes: number
  width: number
  /** Of each column, as declared. */
  paths: string[]
  /** Where a cell collects many values: the number of its list; -1 elsewhere. */
  listOf: number[]
  lists: List[]
  ignoreAll: boolean
  hasEnvelope: boolean
  namespaces: Record<string, string>
}

interface Compiler {
  spec: XmlShapeSpec
  nodes: number
  listOf: number[]
  lists: List[]
}

/** What stands at the end of a path: text or attribute of a column, or of a sub-field of its items. */
interface Target {
  column: number
  member: Member | undefined
}

/**
 * Throws `path_unreadable`: declarations are checked before, but columns that drift added keep their paths in
 * the table.
 */
export function compileShape(spec: XmlShapeSpec): XmlShape {
  const compiler: Compiler = { spec, nodes: 0, listOf: spec.fields.map(() => -1), lists: [] }
  const [first, ...rest] = parsed(spec, spec.record).steps
  const root = newNode(compiler, first, undefined)
  root.onPath = true
  let record = root
  for (const step of rest) {
    record = childOf(compiler, record, step)
    record.onPath = true
  }
  record.isRecord = record.inRecord = true
  spec.fields.forEach((field, column) => addField(compiler, { root, record }, field, column))
  for (const path of spec.ignore) if (path !== '*') addIgnored(compiler, record, path)
  finish(root)
  return {
    root,
    record,
    recordDepth: rest.length + 1,
    nodes: compiler.nodes,
    width: spec.fields.length,
    paths: spec.fields.map((field) => field.path),
    listOf: compiler.listOf,
    lists: compiler.lists,
    ignoreAll: spec.ignore.includes('*'),
    hasEnvelope: spec.fields.some((field) => field.path.startsWith('/')),
    namespaces: spec.namespaces,
  }
}

function parsed(spec: XmlShapeSpec, path: string): XmlPath {
  const read = parseXmlPath(path, spec.namespaces)
  if (typeof read === 'string') throw failure('path_unreadable', { path, reason: read })
  return read
}

function addField(
  compiler: Compiler,
  { root, record }: { root: ElementNode; record: ElementNode },
  field: XmlField,
  column: number,
): void {
  const { fromRoot, steps } = parsed(compiler.spec, field.path)
  const elements = steps.filter((step) => !step.attribute)
  const node = fromRoot ? fromDocument(compiler, root, elements) : below(compiler, record, elements)
  if (field.array !== undefined)
    compiler.listOf[column] = addList(compiler, field.array, { column, owner: undefined })
  place(compiler, { node, attribute: steps.find((step) => step.attribute) }, field, {
    column,
    member: undefined,
  })
  if (fromRoot && !node.inRecord) envelopeOwner(node, record).envelope.push(column)
}

function addList(
  { lists }: Compiler,
  { fields }: { fields?: XmlSubField[] },
  { column, owner }: Omit<List, 'hasItems'>,
): number {
  return lists.push({ column, hasItems: fields !== undefined, owner }) - 1
}

/** Lays what a field takes on the element or attribute that its path leads to. */
function place(
  compiler: Compiler,
  at: { node: ElementNode; attribute: XmlStep | undefined },
  field: XmlField,
  target: Target,
): void {
  const { node, attribute } = at
  const list = target.member === undefined ? compiler.listOf[target.column] : target.member.collects
  if (attribute !== undefined) node.attributes.push(newAttribute(compiler, attribute, target))
  else if (field.array?.fields === undefined) takeText(node, target)
  if (attribute === undefined && list >= 0 && node.list < 0) node.list = list
  for (const sub of field.array?.fields ?? []) addSubField(compiler, node, sub, list)
}

function addSubField(compiler: Compiler, item: ElementNode, sub: XmlSubField, list: number): void {
  const { steps } = parsed(compiler.spec, sub.path)
  const node = below(
    compiler,
    item,
    steps.filter((step) => !step.attribute),
  )
  const { column } = compiler.lists[list]
  const member: Member = { list, name: sub.name, collects: -1 }
  if (sub.array !== undefined) member.collects = addList(compiler, sub.array, { column, owner: member })
  place(compiler, { node, attribute: steps.find((step) => step.attribute) }, sub, { column, member })
}

/** The first that wants a text gets it: columns that drift added come after the declared ones. */
function takeText(node: ElementNode, { column, member }: Target): void {
  if (member !== undefined) node.member ??= member
  else if (node.column < 0) node.column = column
}

function below(compiler: Compiler, from: ElementNode, steps: XmlStep[]): ElementNode {
  let node = from
  for (const step of steps) node = childOf(compiler, node, step)
  return node
}

/**
 * A plain step above the record means the element that the record's path names there, whatever namespace that
 * says.
 */
function fromDocument(compiler: Compiler, root: ElementNode, [, ...steps]: XmlStep[]): ElementNode {
  let node = root
  for (const step of steps) {
    const onPath = node.children.find(
      (child) => child.onPath && child.local === step.local && step.uri === undefined,
    )
    node = onPath ?? childOf(compiler, node, step)
  }
  return node
}

/**
 * The envelope value belongs to all records below the nearest element that it shares with the record's path.
 */
function envelopeOwner(target: ElementNode, record: ElementNode): ElementNode {
  const path = new Set<ElementNode>()
  for (let node = record.parent; node !== undefined; node = node.parent) path.add(node)
  let node: ElementNode = target
  while (!path.has(node) && node.parent !== undefined) node = node.parent
  return node
}

function addIgnored(compiler: Compiler, record: ElementNode, path: string): void {
  const { steps } = parsed(compiler.spec, path)
  const node = below(
    compiler,
    record,
    steps.filter((step) => !step.attribute),
  )
  const attribute = steps.find((step) => step.attribute)
  if (attribute !== undefined)
    node.attributes.push(newAttribute(compiler, attribute, { column: -1, member: undefined }))
  else if (node === record) node.ignoresText = true
  else node.ignored = true
}

function newAttribute(
  { spec }: Compiler,
  { local, uri }: XmlStep,
  { column, member }: Target,
): AttributeNode {
  return {
    name: Buffer.from(local),
    uri,
    column,
    member,
    step: `@${xmlStepText(local, uri, spec.namespaces)}`,
  }
}

function childOf(compiler: Compiler, parent: ElementNode, step: XmlStep): ElementNode {
  const known = parent.children.find((child) => child.local === step.local && child.uri === step.uri)
  if (known !== undefined) return known
  const node = newNode(compiler, step, parent)
  parent.children.push(node)
  return node
}

function newNode(compiler: Compiler, { local, uri }: XmlStep, parent: ElementNode | undefined): ElementNode {
  const index = compiler.nodes
  compiler.nodes += 1
  return {
    index,
    name: Buffer.from(local),
    openTag: tagWords(Buffer.from(`<${local}>`)),
    closeTag: tagWords(Buffer.from(`</${local}>`)),
    local,
    uri,
    step: xmlStepText(local, uri, compiler.spec.namespaces),
    rivals: undefined,
    parent,
    children: [],
    attributes: [],
    column: -1,
    list: -1,
    member: undefined,
    isRecord: false,
    onPath: false,
    inRecord: parent !== undefined && parent.inRecord,
    envelope: [],
    ignored: false,
    closed: false,
    ignoresText: false,
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

function finish(node: ElementNode): void {
  const isText = node.column >= 0 || node.member !== undefined
  const isEnd = node.children.length === 0 && node.attributes.length === 0 && node.list < 0
  node.closed = node.ignored && isEnd && !isText
  node.leaf =
    node.children.length === 0 && node.column >= 0 && node.list < 0 && !node.isRecord && node.inRecord
  node.first = node.children[0]
  node.children.forEach((child, i) => {
    child.follow = child.isRecord ? child : node.children[i + 1]
    child.ignored ||= node.ignored
    if (child.uri === undefined) child.rivals = rivalsOf(child, node.children)
    finish(child)
  })
}

function rivalsOf(plain: ElementNode, siblings: ElementNode[]): string[] | undefined {
  const uris = siblings
    .filter((one) => one.local === plain.local && one.uri !== undefined)
    .map((one) => one.uri as string)
  return uris.length === 0 ? undefined : uris
}
