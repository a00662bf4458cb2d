/**
 * Start and end tags: matching with the declared tree, well-formedness, and the effects of opening and
 * closing.
 */
import { SPACE } from './chars.ts'
import {
  attributes,
  checkAttributes,
  declaredAttribute,
  found,
  isTechnical,
  scanAttributes,
} from './attributes.ts'
import {
  beginAround,
  beginItem,
  beginRecord,
  endItem,
  endRecord,
  reportUnexpected,
  closeEnvelope,
  storeAttribute,
  storeText,
} from './capture.ts'
import { claim, takesPlain } from './claims.ts'
import { lastColon, matches, matchesTag, scanName, textOf } from './names.ts'
import { lookup, unbind } from './namespaces.ts'
import { attributePath, noteUnknown, openPath, pathOf } from './paths.ts'
import { atEnd, fault, type ScanState } from './scan-state.ts'
import type { ElementNode } from './shape.ts'
import { isBlank } from './text.ts'

const GT = 0x3e
const SLASH = 0x2f

/** The predicted start tag without attributes, already compared. Returns the position after it. */
export function openPlain(s: ScanState, p: number, node: ElementNode): number {
  push(s, p)
  s.nameEnds[s.depth] = s.nameEnds[s.depth - 1]
  s.uris[s.depth] = s.defaultUri
  s.rootChecked = true
  enter(s, node, p)
  return p + node.openTag.length
}

/** The start tag at `p` (a `<`) in general. Returns the position after it. */
export function openElement(s: ScanState, p: number): number {
  let node = s.expected
  let q = node === undefined ? 0 : p + 1 + node.name.length
  let colon = -1
  if (node === undefined || !matches(s.bytes, p + 1, node.name) || !endsName(s, q)) {
    node = undefined
    q = scanName(s, p + 1, 'a tag name')
    colon = lastColon
  }
  const nameEnd = q
  push(s, p)
  let count = 0
  if (s.bytes[q] !== GT) {
    q = scanAttributes(s, q)
    count = found
    if (s.bytes[q] === SLASH && s.bytes[q + 1] !== GT)
      throw q + 1 >= s.end
        ? atEnd(s, s.end, 'a tag')
        : fault(s, 'forward slash in a tag not followed by >', q)
  }
  if (node === undefined || !takesPlain(s, node, s.depth - 1)) node = identify(s, p + 1, nameEnd, colon)
  else {
    s.nameEnds[s.depth] = s.nameEnds[s.depth - 1]
    s.uris[s.depth] = s.defaultUri
  }
  if (count > 0) checkAttributes(s)
  enter(s, node, p)
  if (count > 0 && s.ignoredDepth === 0) takeAttributes(s, node, count)
  if (s.bytes[q] === GT) return q + 1
  close(s, q + 2)
  return q + 2
}

/** The general path to a declared node: by name and namespace. Teaches the parent which child comes first. */
function identify(s: ScanState, from: number, nameEnd: number, colon: number): ElementNode | undefined {
  const uri = colon < 0 ? s.defaultUri : prefixUri(s, from, colon)
  s.uris[s.depth] = uri
  const node = findChild(s, colon < 0 ? from : colon + 1, nameEnd, uri)
  // The end tag compares a declared name without prefix with the declaration.
  if (node !== undefined && colon < 0) s.nameEnds[s.depth] = s.nameEnds[s.depth - 1]
  else rememberName(s, from, nameEnd)
  const parent = s.nodes[s.depth - 1]
  if (node !== undefined && parent !== undefined && s.depth > 1 && s.previous[s.depth - 1] === undefined)
    parent.first = node
  return node
}

function endsName(s: ScanState, p: number): boolean {
  const c = s.bytes[p]
  return c === GT || c === SLASH || SPACE[c] === 1
}

function push(s: ScanState, p: number): void {
  if (s.rootDone) throw fault(s, 'the document has more than one root element', p)
  if (s.depth >= s.limits.depth) throw fault(s, `elements nested deeper than ${s.limits.depth}`, p)
  s.rootSeen = true
  s.hasChild[s.depth] = 1
  s.depth += 1
  s.textLength[s.depth] = -1
  s.hasChild[s.depth] = 0
  s.opened[s.depth] = p
}

function prefixUri(s: ScanState, from: number, colon: number): string {
  const prefix = textOf(s.bytes, from, colon)
  if (prefix === 'xmlns') throw fault(s, 'a tag has the reserved prefix "xmlns"', from)
  const uri = lookup(s, prefix)
  if (uri === undefined) throw fault(s, `unbound namespace prefix: ${prefix}`, from)
  return uri
}

/**
 * The declared node for a name: one that names its namespace before a plain one, unless that belongs to
 * another namespace.
 */
function findChild(s: ScanState, from: number, to: number, uri: string): ElementNode | undefined {
  const candidates = s.depth === 1 ? [s.shape.root] : s.nodes[s.depth - 1]?.children
  if (candidates === undefined || s.ignoredDepth > 0) return undefined
  let plain: ElementNode | undefined
  for (const child of candidates) {
    if (child.name.length !== to - from || !matches(s.bytes, from, child.name)) continue
    if (child.uri === uri) return child
    if (child.uri === undefined) plain = child
  }
  return plain !== undefined && claim(s, plain, uri) ? plain : undefined
}

/** Keeps the name of the open element as written. */
function rememberName(s: ScanState, from: number, to: number): void {
  const at = s.nameEnds[s.depth - 1]
  if (at + to - from > s.names.length) s.names = Buffer.concat([s.names], (at + to - from) * 2)
  s.names.set(s.bytes.subarray(from, to), at)
  s.nameEnds[s.depth] = at + to - from
}

function enter(s: ScanState, node: ElementNode | undefined, p: number): void {
  s.nodes[s.depth] = node
  s.previous[s.depth] = undefined
  s.firstRow[s.depth] = s.records.rows
  s.lastInstance += 1
  s.instances[s.depth] = s.lastInstance
  if (node === undefined) {
    s.expected = undefined
    if (s.ignoredDepth > 0) return
    if (isIgnorable(s)) s.ignoredDepth = s.depth
    else noteUnknown(s)
    return
  }
  s.expected = node.first
  if (node.envelope.length > 0) s.recordsBefore[s.depth] = s.windowRecords
  if (node.isRecord) beginRecord(s, p)
  else if (s.row < 0) {
    s.surroundings = -1
    if (!node.onPath && s.aroundDepth === 0) beginAround(s)
  }
  if (node.list >= 0) beginItem(s, node.list)
  if (node.closed) s.ignoredDepth = s.depth
}

/** Unknown elements matter only inside a record, and only if the declaration does not ignore them. */
function isIgnorable(s: ScanState): boolean {
  return s.row < 0 || s.shape.ignoreAll || s.nodes[s.depth - 1]?.ignored === true
}

function takeAttributes(s: ScanState, node: ElementNode | undefined, count: number): void {
  for (let i = 0; i < count; i += 1) {
    const a = attributes[i]
    const declared = node === undefined ? undefined : declaredAttribute(s, i, node.attributes)
    if (declared !== undefined) {
      if (declared.column >= 0) storeAttribute(s, node as ElementNode, declared, a)
    } else if (s.row >= 0 && !s.shape.ignoreAll && node?.ignored !== true && !isTechnical(s, a))
      reportUnexpected(s, attributePath(s, a), a.valueStart, a.valueLength)
  }
}

/** The end tag at `p` (`</`). Returns the position after it. */
export function closeElement(s: ScanState, p: number): number {
  const { bytes: b, depth } = s
  if (depth === 0) throw fault(s, 'unexpected closing tag', p)
  const node = s.nodes[depth]
  if (
    node !== undefined &&
    s.nameEnds[depth] === s.nameEnds[depth - 1] &&
    matchesTag(s.slab.view, p, node.closeTag)
  ) {
    const behind = p + node.closeTag.length
    if (behind > s.end) throw atEnd(s, s.end, 'a closing tag')
    close(s, behind)
    return behind
  }
  let q = nameMatches(s, p + 2)
  if (q < 0) {
    const end = scanName(s, p + 2, 'a closing tag')
    throw fault(s, `unexpected closing tag: ${textOf(b, p + 2, end)}`, p)
  }
  while (SPACE[b[q]] === 1) q += 1
  if (q >= s.end) throw atEnd(s, s.end, 'a closing tag')
  if (b[q] !== GT) throw fault(s, 'disallowed character in a closing tag', q)
  close(s, q + 1)
  return q + 1
}

/** The position after the name if it is that of the open element, else -1. */
function nameMatches(s: ScanState, p: number): number {
  const { bytes: b, depth } = s
  const from = s.nameEnds[depth - 1]
  const to = s.nameEnds[depth]
  if (to === from) {
    const { name } = s.nodes[depth] as ElementNode
    if (p + name.length >= s.end && !s.final) throw atEnd(s, s.end, 'a closing tag')
    return matches(b, p, name) ? p + name.length : -1
  }
  if (p + to - from >= s.end && !s.final) throw atEnd(s, s.end, 'a closing tag')
  for (let i = from; i < to; i += 1) if (b[p + i - from] !== s.names[i]) return -1
  return p + to - from
}

function close(s: ScanState, behind: number): void {
  const { depth } = s
  const node = s.nodes[depth]
  if (node === undefined) closeUnknown(s)
  else closeDeclared(s, node, behind)
  if (s.ignoredDepth === depth) s.ignoredDepth = 0
  if (s.bindings.length > 0) unbind(s, depth - 1)
  s.depth = depth - 1
  if (s.depth === 0) s.rootDone = true
}

function closeDeclared(s: ScanState, node: ElementNode, behind: number): void {
  const { depth } = s
  if (s.ignoredDepth === 0) {
    if (node.column >= 0 || node.member !== undefined) takeText(s, node)
    else if (s.textLength[depth] > 0) reportStray(s, node)
    if (node.list >= 0) endItem(s, node.list)
  }
  if (s.aroundDepth === depth) s.aroundDepth = 0
  if (node.isRecord) endRecord(s, behind)
  if (node.envelope.length > 0) closeEnvelope(s, node, s.firstRow[depth])
  learn(s, depth - 1, node)
}

/** Remembers which sibling followed which, so the next document of the same kind is predicted throughout. */
function learn(s: ScanState, parentDepth: number, node: ElementNode): void {
  const before = s.previous[parentDepth]
  if (before !== undefined && before !== node && before.parent === node.parent) before.follow = node
  s.previous[parentDepth] = node
  s.expected = node.follow
}

function takeText(s: ScanState, node: ElementNode): void {
  const length = s.textLength[s.depth]
  if (node.inRecord && s.row < 0) return
  storeText(s, node, length < 0 ? s.slab.end : s.textStart[s.depth], Math.max(length, 0))
}

/** Text between the children of an element whose text no column takes. */
function reportStray(s: ScanState, node: ElementNode): void {
  if (s.row < 0 || s.shape.ignoreAll || node.ignored || node.ignoresText || textIsBlank(s)) return
  const path = pathOf(node)
  // An item of an array has no text of its own; next to its sub-fields it does.
  reportUnexpected(s, node.list < 0 ? path : `${path}/.`, s.textStart[s.depth], s.textLength[s.depth])
}

function textIsBlank(s: ScanState): boolean {
  const start = s.textStart[s.depth]
  return isBlank(s.slab.bytes, start, start + s.textLength[s.depth])
}

/**
 * An unknown element is a field that the declaration lacks: one without children, or with text next to them.
 */
function closeUnknown(s: ScanState): void {
  s.expected = undefined
  if (s.ignoredDepth > 0 || s.row < 0) return
  const length = Math.max(s.textLength[s.depth], 0)
  if (s.hasChild[s.depth] === 1 && (length === 0 || textIsBlank(s))) return
  reportUnexpected(s, openPath(s), s.textStart[s.depth], length)
}
