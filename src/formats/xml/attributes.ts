/**
 * Attributes of a start tag: checked (quotes, references, duplicates, namespaces), and captured for columns.
 */
import { ATTRIBUTE, PLAIN, SPACE } from './chars.ts'
import { bind, lookup } from './namespaces.ts'
import { lastColon, matches, scanName, textOf } from './names.ts'
import { decodeInto, referenceAt, referenceEnd } from './references.ts'
import { atEnd, fault, type ScanState } from './scan-state.ts'
import type { AttributeNode } from './shape.ts'
import { wideChar } from './text.ts'

/** One attribute as written: positions in the slab. `prefixEnd` is -1 without a prefix. */
export interface Attribute {
  nameStart: number
  nameEnd: number
  colon: number
  valueStart: number
  valueLength: number
}

/** Reused for every tag; `found` tells how many count. */
export const attributes: Attribute[] = []
export let found = 0

const GT = 0x3e
const SLASH = 0x2f

/**
 * Scans all attributes from `p` (after the element's name) up to `>` or `/>`. Returns the position of that
 * end. Namespace declarations are bound at once, because the element itself is already in their scope.
 */
export function scanAttributes(s: ScanState, p: number): number {
  found = 0
  for (;;) {
    const b = s.bytes
    const before = p
    while (SPACE[b[p]] === 1) p += 1
    if (p >= s.end) throw atEnd(s, s.end, 'a tag')
    if (b[p] === GT || b[p] === SLASH) return p
    if (p === before)
      throw fault(s, found > 0 ? 'no whitespace between attributes' : 'disallowed character in a tag', p)
    if (found >= s.limits.attributes) throw fault(s, `more than ${s.limits.attributes} attributes`, p)
    p = scanAttribute(s, p)
  }
}

function scanAttribute(s: ScanState, p: number): number {
  const nameStart = p
  const nameEnd = scanName(s, p, 'an attribute name')
  const colon = lastColon
  p = skipSpace(s, nameEnd)
  if (s.bytes[p] !== 0x3d) throw fault(s, 'attribute without value', p)
  p = skipSpace(s, p + 1)
  const quote = s.bytes[p]
  if (quote !== 0x22 && quote !== 0x27) throw fault(s, 'unquoted attribute value', p)
  const end = scanValue(s, p + 1, quote)
  let valueStart = p + 1
  let valueLength = end - valueStart
  if (valueNeedsDecoding) {
    valueStart = s.slab.end
    valueLength = decodeInto(s, p + 1, end, 'attribute')
  }
  const slot =
    attributes[found] ??
    (attributes[found] = { nameStart: 0, nameEnd: 0, colon: 0, valueStart: 0, valueLength: 0 })
  slot.nameStart = nameStart
  slot.nameEnd = nameEnd
  slot.colon = colon
  slot.valueStart = valueStart
  slot.valueLength = valueLength
  found += 1
  bindDeclaration(s, slot)
  return end + 1
}

let valueNeedsDecoding = false

function scanValue(s: ScanState, p: number, quote: number): number {
  const b = s.bytes
  valueNeedsDecoding = false
  for (;;) {
    while (ATTRIBUTE[b[p]] === PLAIN) p += 1
    if (p >= s.end) throw atEnd(s, s.end, 'an attribute value')
    const c = b[p]
    if (c === quote) return p
    if (c === 0x22 || c === 0x27) p += 1
    else if (c >= 0x80) p = wideChar(s, p, 'an attribute value')
    else if (SPACE[c] === 1) {
      valueNeedsDecoding = true
      p += 1
    } else if (c === 0x26) {
      valueNeedsDecoding = true
      referenceAt(s, p)
      p = referenceEnd(s, p)
    } else throw fault(s, 'disallowed character in an attribute value', p)
  }
}

function skipSpace(s: ScanState, p: number): number {
  while (SPACE[s.bytes[p]] === 1) p += 1
  if (p >= s.end) throw atEnd(s, s.end, 'an attribute')
  return p
}

function bindDeclaration(s: ScanState, a: Attribute): void {
  const b = s.bytes
  if (b[a.nameStart] !== 0x78) return
  const name = textOf(b, a.nameStart, a.nameEnd)
  if (name === 'xmlns') bind(s, '', valueOf(s, a), a.nameStart)
  else if (name.startsWith('xmlns:')) bind(s, name.slice(6), valueOf(s, a), a.nameStart)
}

function isDeclaration(s: ScanState, a: Attribute): boolean {
  const name = textOf(s.bytes, a.nameStart, a.nameEnd)
  return name === 'xmlns' || name.startsWith('xmlns:')
}

/**
 * Finds duplicates by expanded name, and unbound prefixes: possible only once all declarations of the tag are
 * known.
 */
export function checkAttributes(s: ScanState): void {
  if (found === 1 && attributes[0].colon < 0) return
  const seen = new Set<string>()
  for (let i = 0; i < found; i += 1) {
    const a = attributes[i]
    const name = textOf(s.bytes, a.nameStart, a.nameEnd)
    let expanded = name
    if (a.colon >= 0) {
      const prefix = textOf(s.bytes, a.nameStart, a.colon)
      const uri = lookup(s, prefix)
      if (uri === undefined) throw fault(s, `unbound namespace prefix: ${prefix}`, a.nameStart)
      expanded = `{${uri}}${textOf(s.bytes, a.colon + 1, a.nameEnd)}`
    }
    if (seen.has(expanded)) throw fault(s, `duplicate attribute: ${name}`, a.nameStart)
    seen.add(expanded)
  }
}

/**
 * The declared node for attribute `index` of the tag, if any: the name with its namespace, else the plain
 * name, which takes one attribute of the tag (see `bestOf`). Namespace declarations match nothing.
 */
export function declaredAttribute(
  s: ScanState,
  index: number,
  declared: AttributeNode[],
): AttributeNode | undefined {
  const a = attributes[index]
  const local = a.colon < 0 ? a.nameStart : a.colon + 1
  let plain: AttributeNode | undefined
  for (const candidate of declared) {
    if (!isNamed(s, a, candidate) || (candidate.uri === undefined && plain !== undefined)) continue
    if (isDeclaration(s, a)) return undefined
    if (candidate.uri === undefined) plain = candidate
    else if (candidate.uri === uriOf(s, a)) return candidate
  }
  if (plain === undefined || a.colon < 0) return plain
  return bestOf(s, textOf(s.bytes, local, a.nameEnd), declared) === index ? plain : undefined
}

function isNamed(s: ScanState, a: Attribute, { name }: AttributeNode): boolean {
  const local = a.colon < 0 ? a.nameStart : a.colon + 1
  return a.nameEnd - local === name.length && matches(s.bytes, local, name)
}

/**
 * Of the attributes that a plain name can mean: the one in no namespace, else in that of the element, else
 * the first.
 */
function bestOf(s: ScanState, name: string, declared: AttributeNode[]): number {
  const same = declared.filter(
    (attribute) => attribute.uri !== undefined && Buffer.from(attribute.name).toString() === name,
  )
  let best = -1
  let bestRank = -1
  for (let i = 0; i < found; i += 1) {
    const a = attributes[i]
    if (textOf(s.bytes, a.colon < 0 ? a.nameStart : a.colon + 1, a.nameEnd) !== name || isDeclaration(s, a))
      continue
    const uri = uriOf(s, a)
    if (same.some((attribute) => attribute.uri === uri)) continue
    const rank = rankOf(s, uri)
    if (rank > bestRank) {
      best = i
      bestRank = rank
    }
  }
  return best
}

/** An attribute in no namespace ranks before one in its element's, and that before any other. */
function rankOf(s: ScanState, uri: string): number {
  if (uri === '') return 2
  return uri === s.uris[s.depth] ? 1 : 0
}

/** True for attributes that control the parser and carry no data: `xmlns:*`, `xml:*`, `xsi:*`. */
export function isTechnical(s: ScanState, a: Attribute): boolean {
  if (isDeclaration(s, a)) return true
  const uri = uriOf(s, a)
  return uri === 'http://www.w3.org/2001/XMLSchema-instance' || uri === 'http://www.w3.org/XML/1998/namespace'
}

export function valueOf(s: ScanState, a: Attribute): string {
  const b = a.valueStart >= s.end ? s.slab.bytes : s.bytes
  return textOf(b, a.valueStart, a.valueStart + a.valueLength)
}

function uriOf(s: ScanState, a: Attribute): string {
  return a.colon < 0 ? '' : (lookup(s, textOf(s.bytes, a.nameStart, a.colon)) ?? '')
}
