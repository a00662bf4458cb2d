/**
 * The dedup window after a restart holds what it would hold without one: the newest identities of RAW, counted as
 * messages. Offsets do not count them: a transactional topic has a marker for each commit, a compacted one has gaps,
 * and what was a duplicate is not in RAW.
 */
import type { CommittedFiles, OffsetRange, StageEngine, VisitMessageId } from '../core/engine.ts'
import type { PartitionPosition } from '../core/source.ts'

export interface RebuildParts {
  identities: Pick<StageEngine, 'countMessageIds' | 'readMessageIds'>
  /** Committed files that may hold rows of the topic from this offset on. */
  filesFrom(leastOffset: number): Promise<CommittedFiles>
  topicId: string
  positions: PartitionPosition[]
  /** Messages of each Kafka partition's window. */
  capacity: number
}

/** Looks so many times further back at most: what is rare is found in a few looks, and one look reads little too much. */
const FURTHER_MOST = 16
/** A little further than the share of messages so far says, so that one look more is mostly enough. */
const MARGIN = 1.05

export async function rebuildWindow(parts: RebuildParts, remember: VisitMessageId): Promise<void> {
  const { identities, topicId, capacity } = parts
  const open = parts.positions.filter((one) => one.next > 0)
  if (capacity === 0 || open.length === 0) return
  const ranges = open.map(({ partition, next }): OffsetRange => ({ partition, from: Math.max(0, next - capacity), until: next }))
  for (;;) {
    const files = await parts.filesFrom(Math.min(...ranges.map((one) => one.from)))
    const counts = await identities.countMessageIds(files, topicId, ranges)
    const short = ranges.filter((one) => one.from > 0 && (counts.get(one.partition) ?? 0) < capacity)
    if (short.length === 0) return identities.readMessageIds(files, topicId, ranges, remember)
    for (const range of short) {
      const count = counts.get(range.partition) ?? 0
      const further = Math.min(FURTHER_MOST, (capacity / Math.max(count, 1)) * MARGIN)
      range.from = Math.max(0, range.until - Math.ceil((range.until - range.from) * further) - 1)
    }
  }
}
