/** Findings on the shape of the open record: where they are stored, under which path, and how many. */
import { appendJsonStep, jsonPathText } from '../../core/json-path.ts'
import type { ShapeIssueKind } from '../records.ts'
import type { ScanState } from './scan-state.ts'
import { stepsTo, type JsonNode } from './shape.ts'
import { QUOTE, decodeString, hasEscapes, stringEnd } from './tokens.ts'

export function pathOf(node: JsonNode): string {
  return jsonPathText(stepsTo(node))
}

/** Path of the open key at the present depth, inside a value that is read whole. */
export function innerPath(s: ScanState): string {
  let path = typeof s.holder === 'string' ? s.holder : pathOf(s.holder)
  for (let depth = s.holderDepth + 1; depth <= s.depth; depth += 1) {
    const start = s.trailStart[depth]
    const length = s.trailLength[depth]
    if (length >= 0) path = appendJsonStep(path, s.slab.bytes.toString('utf8', start, start + length))
  }
  return path
}

/** Records the value in [p, end): of a string its characters, of anything else its text. */
export function noteValue(
  s: ScanState,
  kind: ShapeIssueKind,
  path: string,
  { from: p, end, reason }: { from: number; end: number; reason?: string },
): void {
  if (s.row < 0) return
  s.findings += 1
  if (s.findings > s.limits.findings) return noteTooMany(s, p)
  let [start, length] = [p, end - p]
  if (s.bytes[p] === QUOTE) {
    const close = stringEnd(s, p + 1)
    start = hasEscapes ? decodeString(s, p + 1, close) : p + 1
    length = hasEscapes ? s.slab.end - start : close - start
  }
  s.records.issues.push({ row: s.row, kind, path, start, length, reason })
}

function noteTooMany(s: ScanState, start: number): void {
  const { findings } = s.limits
  if (s.findings > findings + 1) return
  const reason = `the record has more than ${findings} unknown or repeated fields`
  s.records.issues.push({ row: s.row, kind: 'malformed', path: '', start, length: 0, reason })
}
