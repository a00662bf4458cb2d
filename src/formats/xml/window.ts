/**
 * How a scan starts, stops at the end of a window and continues in the next one: from the last point outside
 * any record, with the values of the document's envelope up to there.
 */
import { truncateRows } from '../records.ts'
import type { Slab } from '../../core/slab.ts'
import { spreadEnvelope, takeBackAround } from './capture.ts'
import { forgetWinners } from './claims.ts'
import { unbind } from './namespaces.ts'
import type { ScanState } from './scan-state.ts'
import type { ElementNode } from './shape.ts'

export function begin(s: ScanState): void {
  s.depth = 0
  s.row = -1
  s.ignoredDepth = s.aroundDepth = 0
  s.expected = s.shape.root
  s.rootSeen = s.rootDone = s.rootChecked = s.doctypeSeen = s.begun = false
  unbind(s, 0)
  forgetWinners(s)
  numberInstances(s)
  if (s.items.length > 0) s.items.length = 0
  if (s.lists.size > 0) s.lists.clear()
  if (s.shape.hasEnvelope) {
    s.envelopeLength.fill(-1)
    s.envelopeSeconds.clear()
  }
}

/**
 * The document is a parent as well. Numbers stay small, and a number that a claim remembers is never reused.
 */
function numberInstances(s: ScanState): void {
  if (s.lastInstance > 1_000_000_000) {
    s.claims.fill(0)
    s.lastInstance = 0
  }
  s.lastInstance += 1
  s.instances[0] = s.lastInstance
}

export function markSafe(s: ScanState, p: number): void {
  if (p > s.safePosition) s.begun = true
  s.safePosition = p
  s.safeDepth = s.depth
  s.safeRows = s.records.rows
}

/** Goes back to the last point outside any record. An unfinished record is read again. */
export function rewind(s: ScanState): void {
  truncateRows(s.records, s.safeRows)
  s.depth = s.safeDepth
  s.row = -1
  if (s.items.length > 0) s.items.length = 0
  if (s.ignoredDepth > s.depth) s.ignoredDepth = 0
  takeBackAround(s)
  forgetWinners(s)
  unbind(s, s.depth)
  for (let depth = 1; depth <= s.depth; depth += 1) {
    const node = s.nodes[depth]
    if (node !== undefined && node.envelope.length > 0) spreadKnown(s, node, s.firstRow[depth])
  }
}

function spreadKnown(s: ScanState, node: ElementNode, firstRow: number): void {
  const lengths = s.envelopeLength.slice()
  spreadEnvelope(s, node, firstRow)
  s.envelopeLength.set(lengths)
}

/** Copies the values of the envelope: the slab that holds them is reused. */
export function suspendEnvelope(s: ScanState): (Buffer | undefined)[] {
  if (!s.shape.hasEnvelope) return []
  return Array.from(s.envelopeLength, (length, column) => {
    const start = s.envelopeStart[column]
    return length < 0 ? undefined : Buffer.from(s.slab.bytes.subarray(start, start + length))
  })
}

export function resumeEnvelope(s: ScanState, slab: Slab, held: (Buffer | undefined)[]): void {
  held.forEach((bytes, column) => {
    if (bytes === undefined) return
    s.envelopeStart[column] = slab.end
    slab.bytes.set(bytes, slab.end)
    slab.end += bytes.length
  })
}
