/** Checks the XML paths of a declaration: each is valid, occurs once, and is where its kind may be. */
import { isXmlName, parseXmlPath, type XmlPath, type XmlStep } from '../core/xml-path.ts'
import type { Finding, YamlPath } from './finding.ts'
import type { RawColumn, RawDeclaration } from './normalize.ts'
import { nearest } from '../core/suggest.ts'
import { pathTree, placeBelow, type PathTree } from './path-tree.ts'

interface Checking {
  namespaces: Record<string, string>
  /** Steps of record.path, if it is valid. */
  record: XmlStep[]
  found: Finding[]
  /** The columns of paths below the record, and of paths outside it. */
  inside: PathTree<Takers>
  outside: PathTree<Takers>
  /** Numbers of namespaces: a URI may be long, and each step has one. */
  uris: Map<string, number>
}

/** The column that reads the value at a path, and the column that collects its repetitions. */
interface Takers {
  value?: string
  items?: string
}

type Place = PathTree<Takers>

const EXAMPLE = 'record.path of XML must look like /library/book'

export function checkXmlPaths(raw: RawDeclaration): Finding[] {
  const { path = '', namespaces = {}, ignore = [] } = raw.record
  const found = Object.entries(namespaces).flatMap(([prefix, uri]) => checkNamespace(prefix, uri))
  const checking: Checking = {
    namespaces,
    record: [],
    found,
    inside: pathTree(),
    outside: pathTree(),
    uris: new Map(),
  }
  checking.record = checkRecordPath(checking, path)
  for (const [i, column] of raw.columns.entries()) checkColumnPath(checking, column, ['columns', i])
  for (const [i, ignored] of ignore.entries())
    if (ignored !== '*') checkIgnored(checking, ignored, ['record', 'ignore', i])
  return found
}

function checkNamespace(prefix: string, uri: string): Finding[] {
  const path = ['record', 'namespaces', prefix]
  if (!isXmlName(prefix))
    return [{ path, message: `${JSON.stringify(prefix)} cannot be a prefix: it is not an XML name` }]
  if (prefix === 'xmlns')
    return [{ path, message: 'XML reserves the prefix xmlns', suggestion: 'Choose another prefix.' }]
  const isXml = uri === 'http://www.w3.org/XML/1998/namespace'
  if (prefix === 'xml' && !isXml)
    return [{ path, message: 'XML itself binds the prefix xml', suggestion: 'Remove it.' }]
  return []
}

function checkRecordPath(checking: Checking, text: string): XmlStep[] {
  const at: YamlPath = ['record', 'path']
  if (!text.startsWith('/')) {
    checking.found.push({
      path: at,
      message: `${EXAMPLE}, found ${text}`,
      suggestion:
        text === ''
          ? undefined
          : `Write /${text.replace(/^\.\//, '')} if the path starts at the root element.`,
    })
    return []
  }
  const read = readPath(checking, text, at)
  if (read === undefined) return []
  if (read.steps.length > 0 && !read.steps.some((step) => step.attribute)) return read.steps
  checking.found.push({ path: at, message: `${EXAMPLE}, found ${text}: a record must be an element` })
  return []
}

/** Parses a path. Reports its mistake and returns undefined if it is invalid. */
function readPath({ namespaces, found }: Checking, text: string, at: YamlPath): XmlPath | undefined {
  const read = parseXmlPath(text, namespaces)
  if (typeof read === 'string') {
    found.push({
      path: at,
      message: `${text} is not an XML path: ${read}`,
      get suggestion() {
        return suggestionFor(text, read, namespaces)
      },
    })
    return undefined
  }
  const wrong = read.steps.find((step) => !isXmlName(step.local))
  if (wrong === undefined) return read
  found.push({
    path: at,
    message: `${text} is not an XML path: ${wrong.local} is not an XML name`,
    get suggestion() {
      return suggestionFor(text, '', namespaces)
    },
  })
  return undefined
}

/** A suggestion for people who know XPath, or who left something out. Computed on access. */
function suggestionFor(text: string, reason: string, namespaces: Record<string, string>): string | undefined {
  if (/text\(\)/.test(text)) return 'Remove text(): the path of an element reads its text.'
  if (text.includes('//')) return 'Name each element on the path; // is not supported.'
  if (text.includes('[') && text.includes(']', text.indexOf('[')))
    return 'Remove [...]; array: true collects all elements of that name.'
  if (/\*/.test(text)) return 'Name each element; only record.ignore accepts *.'
  const prefix = /^prefix (.*) is not declared/.exec(reason)?.[1]
  if (prefix === undefined)
    return reason.includes('nothing below') ? 'Only the last step can be an attribute.' : undefined
  const near = nearest(prefix, Object.keys(namespaces))
  return near === undefined
    ? `Declare it: namespaces: { ${prefix}: "the URI in the documents" }.`
    : `Did you mean ${near}?`
}

function checkColumnPath(checking: Checking, column: RawColumn, at: YamlPath): void {
  const { found } = checking
  const path: YamlPath = [...at, 'path']
  const text = column.path ?? column.name
  const read = readPath(checking, text, path)
  if (read === undefined) return
  const steps = read.fromRoot ? fromDocument(checking, read, text, path) : read.steps
  if (steps === undefined) return
  const isOutside = read.fromRoot && steps === read.steps
  if (isOutside && column.array === true)
    found.push({
      path,
      message: `${column.name} is an array outside the record, but Headrace collects only arrays inside it`,
    })
  const place = placeBelow(isOutside ? checking.outside : checking.inside, stepNames(checking, steps))
  const taking = { name: column.name, text, path }
  if (column.array === true) take(checking, place, 'items', taking)
  if (column.fields === undefined) take(checking, place, 'value', taking)
  else if (steps.at(-1)?.attribute === true)
    found.push({ path, message: `${text} is an attribute and cannot have fields` })
  // An array of whole records has its fields to itself.
  const owner = { place: steps.length === 0 ? placeBelow(place, ['']) : place, name: column.name }
  for (const [i, field] of (column.fields ?? []).entries())
    checkFieldPath(checking, field, owner, [...at, 'fields', i, 'path'])
}

function checkFieldPath(
  checking: Checking,
  field: RawColumn,
  owner: { place: Place; name: string },
  path: YamlPath,
): void {
  const text = field.path ?? field.name
  const read = readPath(checking, text, path)
  if (read === undefined) return
  if (read.fromRoot)
    checking.found.push({
      path,
      message: `${text} starts at the document, but the path of a field of ${owner.name} starts at the item`,
      suggestion: `Write ${text.slice(1)}.`,
    })
  else {
    // The text of an item itself is another value than the path to all items.
    const steps = read.steps.length === 0 ? [''] : stepNames(checking, read.steps)
    const place = placeBelow(owner.place, steps)
    take(checking, place, 'value', { name: `${owner.name}.${field.name}`, text, path })
  }
}

function checkIgnored(checking: Checking, text: string, path: YamlPath): void {
  const read = readPath(checking, text, path)
  if (read === undefined) return
  if (read.fromRoot)
    checking.found.push({
      path,
      message: `${text} starts at the document, but paths in record.ignore start at the record`,
    })
  const taker = placeBelow(checking.inside, stepNames(checking, read.steps)).here?.value
  if (taker !== undefined)
    checking.found.push({ path, message: `record.ignore lists ${text}, but column ${taker} reads it` })
}

function take(
  { found }: Checking,
  place: Place,
  what: keyof Takers,
  { name, text, path }: { name: string; text: string; path: YamlPath },
): void {
  place.here ??= {}
  const other = place.here[what]
  if (other === undefined) place.here[what] = name
  else
    found.push({
      path,
      message: `columns ${other} and ${name} both read ${text}`,
      suggestion: 'Remove one of the two.',
    })
}

/**
 * A path from the document, turned into one below the record if it leads there. Above the record, its steps
 * must be those of record.path: a step with a namespace that record.path does not give would mean another
 * element, without records.
 */
function fromDocument(
  { record, found }: Checking,
  { steps }: XmlPath,
  text: string,
  path: YamlPath,
): XmlStep[] | undefined {
  if (record.length === 0) return undefined
  let depth = 0
  while (
    depth < record.length &&
    depth < steps.length &&
    steps[depth].local === record[depth].local &&
    !steps[depth].attribute
  ) {
    const [mine, theirs] = [steps[depth].uri, record[depth].uri]
    if (mine !== undefined && theirs === undefined) {
      found.push({
        path,
        message: `${text} gives ${record[depth].local} a namespace, but record.path does not`,
        suggestion: `Write ${record[depth].local} the same way in both.`,
      })
      return undefined
    }
    if (mine !== undefined && mine !== theirs) break
    depth += 1
  }
  if (depth === 0) {
    found.push({
      path,
      message: `${text} and record.path start at different roots`,
      suggestion: `The root of record.path is ${record[0].local}.`,
    })
    return undefined
  }
  return depth === record.length ? steps.slice(depth) : steps
}

function stepNames({ uris }: Checking, steps: XmlStep[]): string[] {
  return steps.map(({ attribute, local, uri = '*' }) => {
    const number = uris.get(uri) ?? uris.size
    uris.set(uri, number)
    return `${attribute ? '@' : ''}${number}:${local}`
  })
}
