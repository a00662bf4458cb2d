/**
 * The outline of sample XML documents: which element is the record, and the content of its fields. Only for
 * drafts.
 */
import type { Outline, OutlineFault, SampleText } from '../../core/outline.ts'
import { parseXmlPath, type XmlStep } from '../../core/xml-path.ts'
import { createPlace, collectItem, fieldsOf } from './fields.ts'
import { closedXml, readXml, withoutCut, type XmlNode, type XmlTree } from './sample.ts'
import { createNaming } from './naming.ts'

interface Document extends XmlTree {
  text: string
}

export function outlineXml(samples: SampleText[], wanted: string | undefined): Outline | OutlineFault {
  const documents = samples.flatMap(({ text }): Document[] => {
    const tree = readXml(text)
    return tree === undefined ? [] : [{ ...tree, text }]
  })
  if (documents.length === 0)
    return { reason: 'it has no elements', instead: 'Name a sample of XML, JSON, lines of JSON or CSV.' }
  const naming = createNaming(documents.map((document) => document.prefixes))
  const path =
    wanted === undefined
      ? findRecord(documents.map((document) => document.root))
      : wantedPath(wanted, documents)
  if ('reason' in path) return path
  const text = wanted ?? `/${path.map((step) => step.local).join('/')}`
  const records = documents.flatMap(({ root }) => {
    withoutCut(
      root,
      (nodes) => nodes.length === path.length && nodes.every((node, i) => matchesStep(node, path[i])),
    )
    return recordsAt([root], path)
  })
  if (records.length === 0)
    return {
      reason: `there is no element at ${text}; the root is <${documents[0].root.name}>`,
      instead: 'Give the path of the records: --record /root/element.',
    }
  const place = createPlace()
  records.forEach((record, row) => {
    collectItem(place, record, row)
  })
  const { fields, ignored, notes } = fieldsOf(place, naming)
  notes.push(
    ...pathsBeside(documents, path, records),
    ...broken(samples.length - documents.length, samples.length),
  )
  const namespaces = naming.used()
  return {
    record: text,
    records: records.length,
    fields,
    settings: {
      ...(Object.keys(namespaces).length === 0 ? {} : { namespaces }),
      ...(ignored.length === 0 ? {} : { ignore: ignored }),
    },
    documents: documents.map((document) => closedXml(document.text, document.root)),
    notes,
  }
}

interface Step {
  local: string
  uri: string | undefined
}

function wantedPath(text: string, documents: Document[]): Step[] | OutlineFault {
  const prefixes = Object.fromEntries(documents.flatMap((document) => [...document.prefixes]))
  const path = parseXmlPath(text, prefixes)
  if (typeof path === 'string' || !path.fromRoot || path.steps.some((step: XmlStep) => step.attribute))
    return {
      reason: `${text} is not the path of a record${typeof path === 'string' ? `: ${path}` : ''}`,
      instead: 'Write a path such as /library/book.',
    }
  return path.steps
}

function matchesStep(node: XmlNode, step: Step): boolean {
  return node.local === step.local && (step.uri === undefined || step.uri === node.uri)
}

function recordsAt(nodes: XmlNode[], [step, ...rest]: Step[]): XmlNode[] {
  const found = nodes.filter((node) => matchesStep(node, step))
  return rest.length === 0 ? found : found.flatMap((node) => recordsAt(node.children, rest))
}

/**
 * An element that repeats, but has a smaller share of the text, is part of the record: a message with a few
 * tags, for example.
 */
const SHARE = 0.3
/** Elements with only a text are values of a record, unless there is little else. */
const SHARE_OF_TEXTS = 0.8

/** The element that repeats below its parent and has most of the text, else the root. */
function findRecord(roots: XmlNode[]): Step[] {
  const sizes = new Map<string, { path: Step[]; size: number; most: number; isText: boolean }>()
  let total = 0
  for (const root of roots) {
    total += root.end - root.start
    visit(root, [{ local: root.local, uri: undefined }], (path, { size, count, isText }) => {
      const key = path.map((step) => step.local).join('/')
      const candidate = sizes.get(key) ?? { path, size: 0, most: 0, isText: true }
      sizes.set(key, candidate)
      candidate.size += size
      candidate.most = Math.max(candidate.most, count)
      candidate.isText &&= isText
    })
  }
  const repeating = [...sizes.values()].filter((candidate) => candidate.most > 1)
  const largest = repeating.reduce<(typeof repeating)[number] | undefined>(
    (most, candidate) => (most === undefined || candidate.size > most.size ? candidate : most),
    undefined,
  )
  return largest !== undefined && largest.size >= total * (largest.isText ? SHARE_OF_TEXTS : SHARE)
    ? largest.path
    : [{ local: roots[0].local, uri: undefined }]
}

interface Group {
  size: number
  count: number
  /** None of them has attributes or elements. */
  isText: boolean
}

function visit(node: XmlNode, path: Step[], onGroup: (path: Step[], group: Group) => void): void {
  const groups = new Map<string, Group>()
  for (const child of node.children) {
    const group = groups.get(child.local) ?? { size: 0, count: 0, isText: true }
    groups.set(child.local, group)
    group.size += child.end - child.start
    group.count += 1
    group.isText &&= child.children.length === 0 && child.attributes.length === 0
    visit(child, [...path, { local: child.local, uri: undefined }], onGroup)
  }
  for (const [local, group] of groups) onGroup([...path, { local, uri: undefined }], group)
}

/**
 * The content of the documents next to the records: other elements below the same parents, and attributes
 * above.
 */
function pathsBeside(documents: Document[], path: Step[], records: XmlNode[]): string[] {
  const taken = new Set(records)
  const others = new Map<string, number>()
  const note = (name: string): void => void others.set(name, (others.get(name) ?? 0) + 1)
  const walk = (node: XmlNode, depth: number): void => {
    if (taken.has(node) || depth >= path.length) return
    for (const { local } of node.attributes) note(`${pathText(path, depth)}/@${local}`)
    for (const child of node.children) {
      if (depth + 1 < path.length && matchesStep(child, path[depth + 1])) walk(child, depth + 1)
      else note(`${pathText(path, depth)}/${child.local}`)
    }
  }
  for (const { root } of documents) walk(root, 0)
  if (others.size === 0) return []
  const some = [...others].toSorted((a, b) => b[1] - a[1]).slice(0, 6)
  const text = some.map(([name, count]) => (count === 1 ? name : `${name} (${count} times)`)).join(', ')
  return [
    `Not loaded, because outside the records: ${text}${others.size > 6 ? ` and ${others.size - 6} more` : ''}. To load an attribute or element that appears once, declare a column with its path`,
  ]
}

function pathText(path: Step[], depth: number): string {
  return `/${path
    .slice(0, depth + 1)
    .map((step) => step.local)
    .join('/')}`
}

function broken(count: number, all: number): string[] {
  return count === 0 ? [] : [`${count} of ${all} messages have no element and will be quarantined`]
}
