/**
 * Reads sample JSON with everything that drafts need and the platform's parser drops: keys in their order and
 * with repetitions, numbers by their digits, and a document that was cut off in the middle. Not for the
 * ingest path.
 */

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null'

export interface JsonNode {
  kind: JsonKind
  /** Its span in the text. */
  start: number
  end: number
  /** Of a scalar: the text of a string, the digits of a number. Otherwise empty. */
  text: string
  keys: string[]
  items: JsonNode[]
  /** The sample ended inside it. */
  cut: boolean
}

export interface JsonFault {
  reason: string
  at: number
}

const DEPTH = 500
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null/y

/** Thrown only here: the end of a sample that may have been cut off. */
const CUT = Symbol('cut')

interface Reader {
  text: string
  at: number
  mayBeCut: boolean
}

/** Reads the value at `from`. With `mayBeCut`, the text may end early: everything complete is kept. */
export function readJsonValue(text: string, from: number, mayBeCut: boolean): JsonNode | JsonFault {
  const reader: Reader = { text, at: skipBlanks(text, from), mayBeCut }
  try {
    const node = readValue(reader, 0)
    return node === CUT ? { reason: 'the text ends within a value', at: text.length } : node
  } catch (fault) {
    if (isFault(fault)) return fault
    throw fault
  }
}

export function isFault(value: unknown): value is JsonFault {
  return typeof value === 'object' && value !== null && 'reason' in value
}

export function skipBlanks(text: string, from: number): number {
  let at = from
  while (at < text.length && ' \t\r\n'.includes(text[at])) at += 1
  return at
}

function fail(reader: Reader, reason: string): never {
  const fault: JsonFault = { reason, at: reader.at }
  // oxlint-disable-next-line no-throw-literal -- caught in this file; a fault of the sample is no error of
  // the product
  throw fault
}

function readValue(reader: Reader, depth: number): JsonNode | typeof CUT {
  const { text } = reader
  const char = text[reader.at]
  if (char === undefined) return reader.mayBeCut ? CUT : fail(reader, 'the text ends within a value')
  if (char === '{' || char === '[') {
    if (depth >= DEPTH) fail(reader, `it nests deeper than ${DEPTH} levels`)
    return readContainer(reader, char === '{' ? 'object' : 'array', depth)
  }
  const start = reader.at
  if (char === '"') {
    const found = readString(reader)
    return found === CUT ? CUT : scalar('string', start, reader.at, found)
  }
  const literal = match(reader, WORD)
  if (literal !== undefined) return scalar(literal === 'null' ? 'null' : 'boolean', start, reader.at, literal)
  return readNumber(reader, depth)
}

function readNumber(reader: Reader, depth: number): JsonNode | typeof CUT {
  const { text, at: start } = reader
  const digits = match(reader, NUMBER)
  if (digits === undefined) {
    const isOpen =
      reader.mayBeCut && /^(?:-|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?)$/.test(text.slice(start, start + 5))
    return isOpen ? CUT : fail(reader, `no JSON value begins with ${JSON.stringify(text[start])}`)
  }
  // The rest of a number may have been cut off, also within its fraction.
  const isOpen =
    reader.mayBeCut &&
    depth > 0 &&
    /^[\d.eE+-]*$/.test(text.slice(reader.at, reader.at + 3)) &&
    reader.at + 3 > text.length
  return isOpen ? CUT : scalar('number', start, reader.at, digits)
}

/** The text of the string that starts here. */
function readString(reader: Reader): string | typeof CUT {
  const { text } = reader
  let end = reader.at + 1
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
  if (end >= text.length) return reader.mayBeCut ? CUT : fail(reader, 'a string is not closed')
  try {
    const found = JSON.parse(text.slice(reader.at, end + 1)) as string
    reader.at = end + 1
    return found
  } catch {
    return fail(reader, 'a string contains an invalid escape, or a character that JSON must escape')
  }
}

function scalar(kind: JsonKind, start: number, end: number, text: string): JsonNode {
  return { kind, start, end, text, keys: [], items: [], cut: false }
}

function match(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = reader.at
  const found = pattern.exec(reader.text)?.[0]
  if (found !== undefined) reader.at += found.length
  return found
}

function readContainer(reader: Reader, kind: 'object' | 'array', depth: number): JsonNode {
  const { text } = reader
  const node: JsonNode = { kind, start: reader.at, end: 0, text: '', keys: [], items: [], cut: false }
  const close = kind === 'object' ? '}' : ']'
  const cutHere = (): JsonNode => Object.assign(node, { end: text.length, cut: true })
  reader.at = skipBlanks(text, reader.at + 1)
  if (text[reader.at] === close) return Object.assign(node, { end: (reader.at += 1) })
  for (;;) {
    const key = kind === 'object' ? readKey(reader) : ''
    if (key === CUT) return cutHere()
    const item = readValue(reader, depth + 1)
    if (item === CUT) return cutHere()
    node.items.push(item)
    if (kind === 'object') node.keys.push(key)
    if (item.cut) return cutHere()
    reader.at = skipBlanks(text, reader.at)
    const next = text[reader.at]
    if (next === undefined && reader.mayBeCut) return cutHere()
    if (next !== ',' && next !== close)
      fail(reader, `found ${next === undefined ? 'the end' : JSON.stringify(next)} instead of , or ${close}`)
    reader.at += 1
    if (next === close) return Object.assign(node, { end: reader.at })
    reader.at = skipBlanks(text, reader.at)
  }
}

function readKey(reader: Reader): string | typeof CUT {
  const { text } = reader
  if (reader.at >= text.length && reader.mayBeCut) return CUT
  if (text[reader.at] !== '"') fail(reader, 'expected a key in quotes')
  const found = readString(reader)
  if (found === CUT) return CUT
  reader.at = skipBlanks(text, reader.at)
  if (reader.at >= text.length && reader.mayBeCut) return CUT
  if (text[reader.at] !== ':') fail(reader, 'expected a colon after the key')
  reader.at = skipBlanks(text, reader.at + 1)
  return found
}

/**
 * Completes a cut document: up to the last complete item of `list`, or to the last complete value if the cut
 * came after that list. Then it closes what is open.
 */
export function closedText(text: string, root: JsonNode, list: JsonNode | undefined): string {
  if (!root.cut) return text.slice(0, root.end)
  let closers = ''
  let node = root
  for (;;) {
    closers = (node.kind === 'object' ? '}' : ']') + closers
    const last = node.items.at(-1)
    if (last?.cut === true && node !== list) {
      node = last
      continue
    }
    const end = node.items.findLast((item) => !item.cut)?.end ?? node.start + 1
    return text.slice(0, end) + closers
  }
}

/**
 * Whether two JSON texts mean the same: without white space, numbers by their digits, keys in their order.
 */
export function sameJson(left: JsonNode, right: JsonNode): boolean {
  if (left.kind !== right.kind || left.text !== right.text || left.items.length !== right.items.length)
    return false
  return left.items.every((item, i) => left.keys[i] === right.keys[i] && sameJson(item, right.items[i]))
}
