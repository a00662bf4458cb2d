/**
 * JSON messages: parsed by the platform's own parser, walked along the declared paths, values laid out as text behind the
 * slab like those of every other format. Numbers keep their source text where a double could not hold them.
 */
import { addRow, createRecords, truncateRows, type Records } from '../records.ts'
import { appendText, type Slab } from '../../core/slab.ts'

export interface JsonField {
  /** `author.name`, `$.source` (outside of the record). Slashes are accepted as well. */
  path: string
  array: boolean
}

export interface JsonShapeSpec {
  /** `$` for the message itself, `$.books[*]` for each item. */
  record: string
  fields: JsonField[]
  ignore: string[]
}

export interface JsonReader {
  readonly records: Records
  /** Reads the message in [start, end) of the slab; returns why it is malformed, or undefined. */
  readMessage(slab: Slab, start: number, end: number): { rule: 'malformed' | 'wrong_root'; reason: string } | undefined
}

interface Node {
  column: number
  array: boolean
  children: Map<string, Node>
  ignored: boolean
}

/** Text that JSON.stringify takes over as it is (ECMAScript's JSON.rawJSON, which the library of types does not have yet). */
const rawJson = (JSON as unknown as { rawJSON(text: string): object }).rawJSON

const NUMBERS_TO_KEEP = /\d[.eE]|\d{16}/

export function createJsonReader(spec: JsonShapeSpec): JsonReader {
  const records = createRecords(spec.fields.length)
  const tree = newNode()
  const envelope: { steps: string[]; column: number }[] = []
  spec.fields.forEach((field, column) => {
    if (field.path.startsWith('$')) envelope.push({ steps: stepsOf(field.path), column })
    else place(tree, stepsOf(field.path), column, field.array)
  })
  for (const path of spec.ignore) if (path !== '*') place(tree, stepsOf(path), -1, false).ignored = true
  const walker = { records, ignoreAll: spec.ignore.includes('*') }
  const steps = stepsOf(spec.record.replace('[*]', ''))
  return {
    records,
    readMessage(slab, start, end) {
      const first = records.rows
      const parsed = parse(slab, start, end)
      if (typeof parsed === 'string') return { rule: 'malformed', reason: parsed }
      const items = itemsOf(parsed.value, steps, spec.record.endsWith('[*]'))
      if (items === undefined) {
        truncateRows(records, first)
        return { rule: 'wrong_root', reason: `the message has nothing at ${spec.record}` }
      }
      for (const item of items) {
        const row = addRow(records)
        records.extents[row * 2] = start
        records.extents[row * 2 + 1] = end
        walk(walker, slab, tree, item, row, '')
        for (const field of envelope) store(walker, slab, field.column, row, at(parsed.value, field.steps))
      }
      return undefined
    },
  }
}

interface Walker {
  records: Records
  ignoreAll: boolean
}

function parse(slab: Slab, start: number, end: number): { value: unknown } | string {
  const bytes = slab.bytes.subarray(start, end)
  const text = bytes.toString('utf8')
  if (text.includes('\ufffd') && Buffer.byteLength(text) !== bytes.length) return 'invalid UTF-8'
  try {
    return { value: NUMBERS_TO_KEEP.test(text) ? JSON.parse(text, keepNumber) : JSON.parse(text) }
  } catch (error) {
    return (error as Error).message
  }
}

class SourceNumber {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

function keepNumber(_: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' && context?.source !== undefined ? new SourceNumber(context.source) : value
}

function itemsOf(value: unknown, steps: string[], each: boolean): unknown[] | undefined {
  const found = at(value, steps)
  if (each) return Array.isArray(found) && found.every(isObject) ? found : undefined
  return isObject(found) ? [found] : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof SourceNumber)
}

function at(value: unknown, steps: string[]): unknown {
  let found = value
  for (const step of steps) {
    if (!isObject(found)) return undefined
    found = found[step]
  }
  return found
}

function walk(walker: Walker, slab: Slab, node: Node, value: unknown, row: number, path: string): void {
  for (const [key, item] of Object.entries(value as Record<string, unknown>)) {
    const child = node.children.get(key)
    const childPath = path === '' ? key : `${path}.${key}`
    if (child === undefined) {
      if (!walker.ignoreAll && item !== null) report(walker, slab, row, childPath, item)
    } else if (child.ignored) continue
    else if (child.column >= 0) store(walker, slab, child.column, row, item)
    else if (isObject(item)) walk(walker, slab, child, item, row, childPath)
    else if (item !== null) report(walker, slab, row, childPath, item)
  }
}

function report(walker: Walker, slab: Slab, row: number, path: string, item: unknown): void {
  if (isObject(item)) {
    for (const [key, inner] of Object.entries(item)) report(walker, slab, row, `${path}.${key}`, inner)
    return
  }
  const start = appendText(slab, textOf(item))
  walker.records.issues.push({ row, kind: 'unexpected', path, start, length: slab.end - start })
}

function store(walker: Walker, slab: Slab, column: number, row: number, item: unknown): void {
  if (item === null || item === undefined) return
  const { cells, width } = walker.records
  const start = appendText(slab, textOf(item))
  cells[(row * width + column) * 2] = start
  cells[(row * width + column) * 2 + 1] = slab.end - start
}

function textOf(item: unknown): string {
  if (typeof item === 'string') return item
  if (item instanceof SourceNumber) return item.text
  return typeof item === 'object' ? JSON.stringify(item, (_, v: unknown) => (v instanceof SourceNumber ? rawJson(v.text) : v)) : String(item)
}

function place(tree: Node, steps: string[], column: number, array: boolean): Node {
  let node = tree
  for (const step of steps) {
    const known = node.children.get(step) ?? newNode()
    node.children.set(step, known)
    node = known
  }
  node.column = column
  node.array = array
  return node
}

function newNode(): Node {
  return { column: -1, array: false, children: new Map(), ignored: false }
}

function stepsOf(path: string): string[] {
  return path.replace(/^\$/, '').split(/[./]/).filter((step) => step !== '' && step !== '@')
}
