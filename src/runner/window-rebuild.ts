/**
 * After a restart, the dedup window holds what it would hold without one: the newest identities of RAW,
 * counted as messages. Offsets do not count messages: a transactional topic has a marker per commit, a
 * compacted topic has gaps, and duplicates are not in RAW.
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
  /** Messages in the window of each Kafka partition. */
  capacity: number
}

/**
 * How much further back than the offsets say: one reading is enough if one message in twenty is a duplicate.
 */
const MARGIN = 1.05
/** Rare messages are found in a few readings, and none reads far too much. */
const FURTHER_MOST = 16

/**
 * Reads what a plain topic needs. If that gives too few identities, it forgets them and reads again from
 * further back, because the oldest must come first. Counting in advance would cost half a reading each time,
 * for topics that never need it.
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
      // Going further back brought nothing: older rows have most likely left RAW, and the rest is soon read.
      const isAll = count === before.get(range.partition)
      range.from = isAll ? 0 : Math.max(0, range.until - Math.ceil((range.until - range.from) * further))
      before.set(range.partition, count)
    }
    identifier.forget()
  }
}
