/** Paths to the content of a document, written so that a declaration with them takes exactly that content. */
import { xmlStepText } from '../../core/xml-path.ts'
import type { Attribute } from './attributes.ts'
import { textOf } from './names.ts'
import { lookup } from './namespaces.ts'
import type { ScanState } from './scan-state.ts'
import type { ElementNode } from './shape.ts'

/** Path of a declared element below its record; `.` for the record itself. */
export function pathOf(node: ElementNode): string {
  const steps: string[] = []
  for (let at: ElementNode | undefined = node; at !== undefined && !at.isRecord; at = at.parent)
    steps.unshift(at.step)
  return steps.length === 0 ? '.' : steps.join('/')
}

/** Path of the open element below its record; `.` for the record itself. */
export function openPath(s: ScanState): string {
  const steps: string[] = []
  for (let depth = s.shape.recordDepth + 1; depth <= s.depth; depth += 1)
    steps.push(s.nodes[depth]?.step ?? stepOf(s, depth))
  return steps.length === 0 ? '.' : steps.join('/')
}

/**
 * Path of an attribute of the open element. One without prefix is in no namespace, which a plain step
 * prefers.
 */
export function attributePath(s: ScanState, a: Attribute): string {
  const local = textOf(s.bytes, a.colon < 0 ? a.nameStart : a.colon + 1, a.nameEnd)
  const uri = a.colon < 0 ? undefined : lookup(s, textOf(s.bytes, a.nameStart, a.colon))
  const step = `@${xmlStepText(local, uri, s.shape.namespaces)}`
  const path = openPath(s)
  return path === '.' ? step : `${path}/${step}`
}

/**
 * An element that the declaration does not know: plain if a plain step would take it, else with its
 * namespace.
 */
function stepOf(s: ScanState, depth: number): string {
  const local = localName(s, depth)
  const uri = s.uris[depth]
  if (uri === '') return local
  const isNative =
    uri === s.uris[depth - 1] && !s.ambiguous.has(keyOf(s, depth)) && !isTaken(s.nodes[depth - 1], local)
  return isNative ? local : xmlStepText(local, uri, s.shape.namespaces)
}

/** Whether a plain step is declared for the name: then an element of another namespace has it. */
function isTaken(parent: ElementNode | undefined, local: string): boolean {
  return (
    parent !== undefined && parent.children.some((child) => child.uri === undefined && child.local === local)
  )
}

function localName(s: ScanState, depth: number): string {
  const name = s.names.toString('utf8', s.nameEnds[depth - 1], s.nameEnds[depth])
  return name.slice(name.indexOf(':') + 1)
}

/**
 * Two unknown elements of one parent with the same local name, one in no namespace and one in the parent's,
 * would have the same plain path. The record is read again, and then the latter is named with its namespace.
 */
export function noteUnknown(s: ScanState): void {
  const parentUri = s.uris[s.depth - 1]
  const uri = s.uris[s.depth]
  if (parentUri === '' || (uri !== '' && uri !== parentUri)) return
  const key = keyOf(s, s.depth)
  const known = s.unknown.get(key)
  if (known === undefined) s.unknown.set(key, uri)
  else if (known !== uri && !s.ambiguous.has(key)) {
    s.ambiguous.add(key)
    s.again = true
  }
}

/** Parent (by the position of its start tag) and local name. */
function keyOf(s: ScanState, depth: number): string {
  return `${s.opened[depth - 1]} ${localName(s, depth)}`
}
