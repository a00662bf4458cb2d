/**
 * The dedup window after a restart holds what it would hold without one: the newest identities of RAW,
 * counted as messages. Offsets do not count them: a transactional topic has a marker for each commit, a
 * compacted one has gaps, and what was a duplicate is not in RAW.
 */
import type { CommittedFiles, OffsetRange, StageEngine } from '../core/engine.ts'
import type { PartitionPosition } from '../core/source.ts'
import type { MessageIdentifier } from './message-ids.ts'

export interface RebuildParts {
  identities: Pick<StageEngine, 'readMessageIds'>
  /** Committed files that may hold rows of the topic from this offset on. */
  filesFrom(leastOffset: number): Promise<CommittedFiles>
  topicId: string
  positions: PartitionPosition[]
  /** Messages of each Kafka partition's window. */
  capacity: number
}

/**
 * So much further back than offsets say: one reading is enough where one message in twenty is a duplicate.
 */
const MARGIN = 1.05
/** What is rare is found in a few readings, and none reads much too much. */
const FURTHER_MOST = 16

/**
 * Reads what a plain topic needs; where that were too few, it is forgotten, and all is read again from
 * further back: the oldest must come first. Counting ahead costs half of a reading, each time, for topics
 * that never need it.
 */
export async function rebuildWindow(parts: RebuildParts, identifier: MessageIdentifier): Promise<void> {
  const { identities, topicId, capacity } = parts
  const back = Math.ceil(capacity * MARGIN)
  const ranges = parts.positions
    .filter((position) => position.next > 0 && capacity > 0)
    .map(({ partition, next }): OffsetRange => ({ partition, from: Math.max(0, next - back), until: next }))
  const before = new Map<number, number>()
  while (ranges.length > 0) {
    const files = await parts.filesFrom(Math.min(...ranges.map((range) => range.from)))
    const counts = new Map(ranges.map((range) => [range.partition, 0]))
    await identities.readMessageIds(files, topicId, ranges, (partition, bytes, length, hash) => {
      counts.set(partition, (counts.get(partition) as number) + 1)
      identifier.remember(partition, bytes, length, hash)
    })
    const short = ranges.filter(
      (range) => range.from > 0 && (counts.get(range.partition) as number) < capacity,
    )
    if (short.length === 0) return
    for (const range of short) {
      const count = counts.get(range.partition) as number
      const further = Math.min(FURTHER_MOST, (capacity / Math.max(1, count)) * MARGIN)
      // Further back brought nothing: what is older has left RAW, most likely, and all that is left is soon
      // read.
      const isAll = count === before.get(range.partition)
      range.from = isAll ? 0 : Math.max(0, range.until - Math.ceil((range.until - range.from) * further))
      before.set(range.partition, count)
    }
    identifier.forget()
  }
}
