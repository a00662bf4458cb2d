/**
 * The surroundings of a record in a large file: the start tags of its ancestors as written, with their
 * namespace bindings, and the declared values outside the records. Together with the record's own bytes, they
 * form a document that is read as the file was.
 */
import { textOf } from './names.ts'
import { fault, type ScanState } from './scan-state.ts'
import type { ElementNode } from './shape.ts'

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}

/** Stores for a row of a large file in which elements its record is. */
export function noteSurroundings(s: ScanState, row: number): void {
  s.windowRecords += 1
  if (s.surroundings === -1) {
    const now = surroundingsOf(s)
    const last = s.surrounds.at(-1)
    if (last === undefined || last[0] !== now[0]) s.surrounds.push(now)
    s.surroundings = s.surrounds.length - 1
  }
  if (row >= s.rowSurrounds.length) {
    const grown = new Int32Array(Math.max(row + 1, s.rowSurrounds.length * 2))
    grown.set(s.rowSurrounds)
    s.rowSurrounds = grown
  }
  s.rowSurrounds[row] = s.surroundings
}

/** A value for all records below an open element: in a large file, the records before it are already gone. */
export function refuseBehindRecords(s: ScanState, column: number): void {
  let depth = Math.min(s.depth, s.shape.recordDepth - 1)
  while (depth > 0 && s.nodes[depth]?.envelope.includes(column) !== true) depth -= 1
  if (s.windowRecords === s.recordsBefore[depth]) return
  const rest = 'comes after the records; in a file larger than a message, it must come before them'
  throw fault(s, `${s.shape.paths[column]} ${rest}`, s.opened[s.depth], 'wrong_root')
}

function surroundingsOf(s: ScanState): readonly [string, string] {
  let before = ''
  let after = ''
  for (let depth = 1; depth < s.shape.recordDepth; depth += 1) {
    const written = textOf(s.names, s.nameEnds[depth - 1], s.nameEnds[depth])
    const node = s.nodes[depth] as ElementNode
    const name = written === '' ? node.local : written
    before += `<${name}${declarationsAt(s, depth)}${attributesOf(s, node)}>${elementsBelow(s, node)}`
    after = `</${name}>${after}`
  }
  return [before, after]
}

function declarationsAt(s: ScanState, depth: number): string {
  const bound = s.bindings.filter((binding) => binding.depth === depth)
  return bound
    .map(({ prefix, uri }) => ` xmlns${prefix === '' ? '' : ':'}${prefix}="${escaped(uri)}"`)
    .join('')
}

/**
 * The declared attributes that were found. Each attribute with a namespace gets a prefix that the file does
 * not use.
 */
function attributesOf(s: ScanState, node: ElementNode): string {
  let prefix = 'v'
  while (s.bindings.some((bound) => bound.prefix.startsWith(prefix))) prefix += 'v'
  let written = ''
  node.attributes.forEach(({ name, uri, column }, i) => {
    const value = valueOf(s, column)
    if (value === undefined) return
    const local = Buffer.from(name).toString()
    // A plain name takes an attribute of any namespace that no other path names, and prefers one without a
    // namespace.
    const isNamed = node.attributes.some(
      (other) => other.uri === '' && other.name.toString() === name.toString(),
    )
    const space = uri === undefined && isNamed ? 'urn:any' : (uri ?? '')
    if (space === '') written += ` ${local}="${escaped(value)}"`
    else written += ` xmlns:${prefix}${i}="${escaped(space)}" ${prefix}${i}:${local}="${escaped(value)}"`
  })
  return written
}

/** The declared elements outside the records that were found, below an ancestor of the records. */
function elementsBelow(s: ScanState, parent: ElementNode): string {
  const elements = parent.children.map((node) => {
    if (node.onPath || node.inRecord) return ''
    const inner = `${escaped(valueOf(s, node.column) ?? '')}${elementsBelow(s, node)}`
    const attributes = attributesOf(s, node)
    if (inner === '' && attributes === '' && valueOf(s, node.column) === undefined) return ''
    const uri = node.uri ?? s.claimUris[node.index]
    return `<${node.local} xmlns="${escaped(uri)}"${attributes}>${inner}</${node.local}>`
  })
  return elements.join('')
}

function valueOf(s: ScanState, column: number): string | undefined {
  if (column < 0 || s.envelopeLength[column] < 0) return undefined
  const start = s.envelopeStart[column]
  return textOf(s.slab.bytes, start, start + s.envelopeLength[column])
}

function escaped(text: string): string {
  return text.replace(/[&<>"\t\n\r]/g, (c) => ESCAPES[c])
}
