/**
 * Where records come from. A source lists positions and reads closed or open ranges; it never moves a
 * position itself and never decides what was used: the table's marks do.
 */
import type { Messages } from './messages.ts'

/** Where one Kafka partition stands. Offsets are the next ones to read. */
export interface PartitionPosition {
  partition: number
  next: number
}

/** What a child reads from: long polls over its partitions, in order of offset within each. */
export interface MessageReader {
  /**
   * Fills `messages` (emptied before) with what is there, waiting up to `waitMs` for something; returns the
   * positions after it, which move past gaps too. `limit` bounds the messages per partition (isolating a
   * poisonous one). Throws offsets_expired, topic_recreated, record_batch_corrupt and so on by name; what is
   * transient is tried again inside with a growing pause and reported to `onTrouble`.
   */
  read(messages: Messages, waitMs: number): Promise<ReadResult>
  close(): Promise<void>
}

export interface ReadResult {
  positions: PartitionPosition[]
  /** End of each partition as the broker said it with this answer. */
  ends: { partition: number; end: number }[]
}
