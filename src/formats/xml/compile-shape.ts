/** Compiles a declared shape, once, into the tree of element nodes that the scanner walks. */
import { failure } from '../../core/errors.ts'
import { parseXmlPath, xmlStepText, type XmlPath, type XmlStep } from '../../core/xml-path.ts'
import {
  tagWords,
  type AttributeNode,
  type ElementNode,
  type List,
  type Member,
  type XmlField,
  type XmlShape,
  type XmlShapeSpec,
  type XmlSubField,
} from './shape.ts'

interface Compiler {
  spec: XmlShapeSpec
  nodes: number
  listOf: number[]
  lists: List[]
}

/** The end of a path: text or attribute of a column, or of a sub-field of its items. */
interface Target {
  column: number
  member: Member | undefined
}

/**
 * Throws `path_unreadable`: declarations are checked earlier, but columns that drift added keep their paths
 * in the table.
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
  const node = fromRoot ? fromDocument(compiler, root, elements) : elementBelow(compiler, record, elements)
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

/** Attaches a field to the element or attribute at the end of its path. */
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
  const node = elementBelow(
    compiler,
    item,
    steps.filter((step) => !step.attribute),
  )
  const { column } = compiler.lists[list]
  const member: Member = { list, name: sub.name, collects: -1 }
  if (sub.array !== undefined) member.collects = addList(compiler, sub.array, { column, owner: member })
  place(compiler, { node, attribute: steps.find((step) => step.attribute) }, sub, { column, member })
}

/** The first column that wants a text gets it: columns that drift added come after the declared ones. */
function takeText(node: ElementNode, { column, member }: Target): void {
  if (member !== undefined) node.member ??= member
  else if (node.column < 0) node.column = column
}

function elementBelow(compiler: Compiler, from: ElementNode, steps: XmlStep[]): ElementNode {
  let node = from
  for (const step of steps) node = childOf(compiler, node, step)
  return node
}

/**
 * A plain step above the record means the element that the record's path names there, whatever its namespace.
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
  const node = elementBelow(
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
    .filter((sibling) => sibling.local === plain.local && sibling.uri !== undefined)
    .map((sibling) => sibling.uri as string)
  return uris.length === 0 ? undefined : uris
}
