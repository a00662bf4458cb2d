/**
 * Decides which elements a plain step (one without a namespace) takes. Its name matches in any namespace, so
 * several elements of one parent can mean it. Then the elements of one namespace win: no namespace before the
 * parent's namespace before any other, and among the others the first. The rest are elements that the
 * declaration does not know. An element that a sibling step names with its namespace never competes. The
 * steps of record.path take all elements of their name: no record may be lost.
 *
 * Nothing is looked up ahead: the first element claims the step for its namespace. If a better one follows,
 * the claim passes on. Outside records, the values of the first are cleared. A record is read a second time,
 * now with the known `winners`. So the order of elements does not matter, and no document is read more than
 * three times.
 */
import { truncateRows } from '../records.ts'
import type { ScanState } from './scan-state.ts'
import type { ElementNode } from './shape.ts'

/** Thrown at the end of a record that must be read again, because a claim passed on inside it. */
export const AGAIN = Symbol('read the record again')

/**
 * Whether an element without prefix, child of the open element at depth `parent`, belongs to the node, as far
 * as can be decided at once; then it is claimed. False: the general path decides.
 */
export function takesPlain(s: ScanState, node: ElementNode, parent: number): boolean {
  const uri = s.defaultUri
  if (node.uri !== undefined) return node.uri === uri
  if (node.rivals !== undefined && node.rivals.includes(uri)) return false
  if (node.onPath) return true
  if (uri !== '' && (uri !== s.uris[parent] || s.winners.size > 0)) return false
  const { index } = node
  if (s.claims[index] === s.instances[parent]) return s.claimUris[index] === uri
  s.claims[index] = s.instances[parent]
  s.claimUris[index] = uri
  return true
}

/**
 * Claims a plain node for the element that is being opened, of namespace `uri`. False if another namespace
 * has it.
 */
export function claim(s: ScanState, node: ElementNode, uri: string): boolean {
  const parent = s.depth - 1
  if (node.onPath) return true
  const { index } = node
  const known = s.winners.size === 0 ? undefined : s.winners.get(node)?.get(s.opened[parent])
  if (known !== undefined && known !== uri && rank(uri, s.uris[parent]) <= rank(known, s.uris[parent]))
    return false
  if (s.claims[index] !== s.instances[parent]) {
    s.claims[index] = s.instances[parent]
    s.claimUris[index] = uri
    return true
  }
  const holder = s.claimUris[index]
  if (holder === uri) return true
  if (rank(uri, s.uris[parent]) <= rank(holder, s.uris[parent])) return false
  passOn(s, node, uri)
  s.claimUris[index] = uri
  return true
}

function rank(uri: string, parentUri: string): number {
  if (uri === '') return 2
  return uri === parentUri ? 1 : 0
}

function passOn(s: ScanState, node: ElementNode, uri: string): void {
  if (s.row < 0) {
    clearEnvelope(s, node)
    return
  }
  s.again = true
  const known = s.winners.get(node) ?? new Map<number, string>()
  s.winners.set(node, known.set(s.opened[s.depth - 1], uri))
}

function clearEnvelope(s: ScanState, node: ElementNode): void {
  forgetValue(s, node.column)
  for (const attribute of node.attributes) forgetValue(s, attribute.column)
  for (const child of node.children) clearEnvelope(s, child)
}

function forgetValue(s: ScanState, column: number): void {
  if (column < 0) return
  s.envelopeLength[column] = -1
  s.envelopeSeconds.delete(column)
}

/** Forgets what was learned for the second reading of a record. */
export function forgetWinners(s: ScanState): void {
  s.again = false
  if (s.winners.size > 0) s.winners.clear()
  if (s.unknown.size > 0) s.unknown.clear()
  if (s.ambiguous.size > 0) s.ambiguous.clear()
}

/** Goes back to the start of the open record to read it again. Returns its position. */
export function startAgain(s: ScanState): number {
  const { row } = s
  const start = s.records.extents[row * 2]
  truncateRows(s.records, row)
  s.row = -1
  if (s.items.length > 0) s.items.length = 0
  s.lists.clear()
  s.unknown.clear()
  s.depth -= 1
  s.expected = undefined
  s.again = false
  return start
}
