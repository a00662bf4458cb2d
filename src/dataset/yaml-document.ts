/**
 * Reads the YAML of a declaration at a cost that grows with its length, whatever the text. The library looks
 * up each alias among all anchors, and at each level the line ends of everything below. So both are limited
 * here.
 */
import {
  Composer,
  LineCounter,
  Parser,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  visit,
  type Alias,
  type CST,
  type Document,
  type Tags,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { LIMITS } from '../core/limits.ts'
import type { YamlPath } from './finding.ts'

interface YamlMistake {
  offset: number
  message: string
  suggestion?: string
}

interface YamlText {
  value: unknown
  /** The mistakes in order. If there are any, there is no value. */
  mistakes: YamlMistake[]
  /** Line and column, from 1, of an offset. */
  at(offset: number): { line: number; column: number }
  /**
   * Where the value at a path starts, or its key. If it does not exist, where its nearest ancestor starts.
   */
  offsetOf(path: YamlPath, key: boolean): number
}

/** As many as the longest text could hold without aliases. */
const MOST_VALUES = LIMITS.declarationBytes / 2
/** Each tag copies its prefix. */
const DIRECTIVE_CHARS = 1_000

export function readYaml(text: string): YamlText {
  const lines = new LineCounter()
  const at: YamlText['at'] = (offset) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  const unfit = unfitToken(tokens)
  if (unfit !== undefined) return { value: undefined, mistakes: [unfit], at, offsetOf: () => 0 }
  const { document, mistakes } = compose(tokens, text.length)
  keepDigits(document)
  const read = mistakes.length === 0 ? readValues(document) : { value: undefined, mistakes }
  return { ...read, at, offsetOf: (path, key) => offsetOf(document, path, key) }
}

/** A token that must not be composed: too deep a nesting, or too long a directive. */
function unfitToken(tokens: CST.Token[]): YamlMistake | undefined {
  const open: { token: CST.Token | null | undefined; depth: number }[] = []
  for (const token of tokens) {
    if (token.type === 'directive' && token.source.length > DIRECTIVE_CHARS)
      return { offset: token.offset, message: `a YAML directive has more than ${DIRECTIVE_CHARS} characters` }
    if (token.type === 'document') open.push({ token: token.value, depth: 1 })
  }
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next
    if (token === null || token === undefined || !('items' in token)) continue
    if (depth > LIMITS.declarationDepth) return { offset: token.offset, message: DEEP }
    for (const { key, value } of token.items)
      open.push({ token: key, depth: depth + 1 }, { token: value, depth: depth + 1 })
  }
  return undefined
}

const DEEP = `the declaration nests deeper than ${LIMITS.declarationDepth} levels`

function compose(tokens: CST.Token[], length: number): { document: Document; mistakes: YamlMistake[] } {
  // Repeated keys are found below: the library compares each pair.
  const documents = new Composer({
    uniqueKeys: false,
    resolveKnownTags: false,
    customTags: plainTags,
  }).compose(tokens, true, length)
  const document = documents.next().value as Document.Parsed
  const mistakes = document.errors.map(({ pos, message }) => ({ offset: pos[0], message }))
  const second = documents.next()
  if (second.done !== true)
    mistakes.push({ offset: second.value.range[0], message: 'the file contains more than one YAML document' })
  return { document, mistakes }
}

/** Without ordered maps, whose keys are compared in pairs, and without merges, which copy maps into maps. */
const plainTags = (tags: Tags): Tags =>
  tags.filter((tag) => typeof tag === 'object' && 'default' in tag && tag.default === true)

/**
 * Numbers in rules keep their text: YAML would read 9223372036854775807 as a double, which is another number.
 */
function keepDigits(document: Document): void {
  const rules = document.get('rules', true)
  if (!isCollection(rules)) return
  visit(rules, {
    Scalar(_, node) {
      if (typeof node.value === 'number' && typeof node.source === 'string') node.value = node.source
    },
  })
}

/** The value of an anchor. Its size is 0 while it is being read. */
interface Anchored {
  value: unknown
  /** The number of values in it. Each alias counts as the values that it stands for. */
  size: number
}

interface Reading {
  anchored: Map<string, Anchored>
  /** How many more values are allowed. */
  room: number
  wrongKeys: YamlMistake[]
  wrongAlias?: string
  tooDeep?: YamlMistake
}

function readValues({ contents }: Document): Pick<YamlText, 'value' | 'mistakes'> {
  const reading: Reading = { anchored: new Map(), room: MOST_VALUES, wrongKeys: [] }
  const value = readNode(reading, contents, 1)
  const { tooDeep, wrongKeys, wrongAlias } = reading
  if (tooDeep !== undefined) return { value, mistakes: [tooDeep] }
  if (wrongKeys.length > 0) return { value, mistakes: wrongKeys.toSorted((a, b) => a.offset - b.offset) }
  if (wrongAlias === undefined) return { value, mistakes: [] }
  const suggestion = 'Replace the aliases with the values that they stand for.'
  return { value, mistakes: [{ offset: 0, message: wrongAlias, suggestion }] }
}

function readNode(reading: Reading, node: unknown, depth: number): unknown {
  if (isAlias(node)) return readAlias(reading, node)
  if (!isScalar(node) && !isCollection(node)) return null
  const before = reading.room
  const named: Anchored = { value: undefined, size: 0 }
  if (node.anchor !== undefined) reading.anchored.set(node.anchor, named)
  reading.room -= 1
  named.value = isScalar(node) ? node.value : readCollection(reading, node, depth)
  named.size = before - reading.room
  return named.value
}

function readAlias(reading: Reading, { source }: Alias): unknown {
  const named = reading.anchored.get(source)
  if (named === undefined || named.size === 0)
    reading.wrongAlias ??= 'an alias comes before its anchor, or has none'
  else {
    reading.room -= named.size
    if (reading.room < 0) reading.wrongAlias ??= `the aliases expand to more than ${MOST_VALUES} values`
  }
  return named?.value
}

function readCollection(reading: Reading, node: YAMLMap | YAMLSeq, depth: number): unknown {
  if (depth > LIMITS.declarationDepth) {
    reading.tooDeep = { offset: rangeStart(node) ?? 0, message: DEEP }
    return undefined
  }
  if (!isMap(node)) return node.items.map((item) => readNode(reading, item, depth + 1))
  const seen = new Set<unknown>()
  // Own properties, whatever their names.
  return Object.fromEntries(
    node.items.map(({ key, value }) => {
      if (isScalar(key) && seen.size === seen.add(key.value).size)
        reading.wrongKeys.push({ offset: rangeStart(key) ?? 0, message: 'keys of a map must be unique' })
      return [readKey(reading, key, depth + 1), readNode(reading, value, depth + 1)]
    }),
  )
}

function readKey(reading: Reading, node: unknown, depth: number): string {
  const key = readNode(reading, node, depth)
  if (typeof key === 'object' && key !== null)
    reading.wrongKeys.push({ offset: rangeStart(node) ?? 0, message: 'keys of a map must be single values' })
  return typeof key === 'object' ? '' : String(key)
}

/**
 * Offset of the node at a path, or of its key with `key`. If it does not exist, that of the nearest ancestor.
 */
function offsetOf(document: Document, path: YamlPath, key: boolean): number {
  let node: unknown = document.contents
  let offset = rangeStart(node) ?? 0
  path.forEach((step, i) => {
    if (!isCollection(node)) return
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === step)
      if (pair === undefined) return
      offset = rangeStart(key && i === path.length - 1 ? pair.key : (pair.value ?? pair.key)) ?? offset
      node = pair.value
    } else {
      node = node.items[Number(step)]
      offset = rangeStart(node) ?? offset
    }
  })
  return offset
}

function rangeStart(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] } | null)?.range?.[0]
}
