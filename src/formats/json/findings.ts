/** What the declaration does not know of a record, and what stands there twice. */
import { appendJsonStep, jsonPathText } from '../../core/json-path.ts'
import type { ShapeIssueKind } from '../records.ts'
import { beginKeys, isSecond } from './keys.ts'
import { unexpected, type ScanState } from './scan-state.ts'
import { stepsTo, type JsonNode } from './shape.ts'
import { CLOSE, COMMA, OPEN, QUOTE, decodeString, hasEscapes, keyText, readKey, skipSpace, stringEnd } from './tokens.ts'
import { enter, skipValue } from './values.ts'

/** Why drift can make no column of a field: a path has no way to say which item is meant. */
const IN_ITEM = 'is a field of an array item and cannot become a column'

export function pathOf(node: JsonNode): string {
  return jsonPathText(stepsTo(node))
}

/**
 * Reports the value at `p`, which no column takes, field by field: an object with fields is its fields, anything else (an
 * empty object, an array) is one value, and null is nothing. Returns the position behind it.
 */
export function reportUnknown(s: ScanState, p: number, path: string, isInItem: boolean): number {
  const c = s.bytes[p]
  if (c === OPEN) return reportFields(s, p, path, isInItem)
  const end = reportValue(s, 'unexpected', path, p, isInItem ? `${path} ${IN_ITEM}` : undefined)
  return end
}

function reportFields(s: ScanState, from: number, path: string, isInItem: boolean): number {
  const b = s.bytes
  let p = skipSpace(s, from + 1)
  if (b[p] === CLOSE) return reportValue(s, 'unexpected', path, from, isInItem ? `${path} ${IN_ITEM}` : undefined)
  enter(s, from)
  const ledger = beginKeys(s)
  for (;;) {
    p = readKey(s, p)
    const inner = appendJsonStep(path, keyText(s))
    if (isSecond(s, ledger)) p = reportValue(s, 'repeated', inner, p)
    else p = reportUnknown(s, p, inner, isInItem)
    p = skipSpace(s, p)
    if (b[p] === CLOSE) break
    if (b[p] !== COMMA) throw unexpected(s, p, 'a comma or }')
    p = skipSpace(s, p + 1)
  }
  s.depth -= 1
  return p + 1
}

/** Reports the whole value at `p`, unless it is null and merely unknown; returns the position behind it. */
export function reportValue(s: ScanState, kind: ShapeIssueKind, path: string, p: number, reason?: string): number {
  const { holder, holderDepth } = s
  s.holder = path
  s.holderDepth = s.depth
  const c = s.bytes[p]
  const end = skipValue(s, p, kind === 'unexpected')
  if (c === QUOTE) {
    const close = stringEnd(s, p + 1)
    const start = hasEscapes ? decodeString(s, p + 1, close) : p + 1
    note(s, kind, path, start, hasEscapes ? s.slab.end - start : close - start, reason)
  } else if (kind === 'repeated' || c !== 0x6e) note(s, kind, path, p, end - p, reason)
  s.holder = holder
  s.holderDepth = holderDepth
  return end
}

/** The key that was read last, inside of a value that is read whole, stands in its object twice; its value is at `p`. */
export function reportRepeatedInside(s: ScanState, p: number): void {
  let path = typeof s.holder === 'string' ? s.holder : pathOf(s.holder)
  for (let depth = s.holderDepth + 1; depth < s.depth; depth += 1) {
    const start = s.trailStart[depth]
    const length = s.trailLength[depth]
    if (length >= 0) path = appendJsonStep(path, s.slab.bytes.toString('utf8', start, start + length))
  }
  reportValue(s, 'repeated', appendJsonStep(path, keyText(s)), p)
}

function note(s: ScanState, kind: ShapeIssueKind, path: string, start: number, length: number, reason?: string): void {
  // Outside of records nobody asks.
  if (s.row < 0) return
  s.findings += 1
  const { issues } = s.records
  if (s.findings <= s.limits.findings) issues.push({ row: s.row, kind, path, start, length, reason })
  else if (s.findings === s.limits.findings + 1)
    issues.push({ row: s.row, kind: 'malformed', path: '', start, length: 0, reason: `more than ${s.limits.findings} unknown or repeated fields` })
}
