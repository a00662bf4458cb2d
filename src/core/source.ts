/**
 * Where records come from. A source lists positions and reads closed or open ranges. It never moves a
 * position and never decides what was used: the marks of the table do.
 */
import type { Messages } from './messages.ts'

/** The position in one Kafka partition. Offsets are the next ones to read. */
export interface PartitionPosition {
  partition: number
  next: number
}

/** What a child reads from: long polls over its partitions, in order of offset within each. */
export interface MessageReader {
  /**
   * Empties `messages`, then fills it with available messages, waiting up to `waitMs` for the first. Returns
   * the positions after them, which also move past gaps. `limit` bounds the messages per partition (to
   * isolate a poisonous one). Throws errors such as offsets_expired, topic_recreated or record_batch_corrupt.
   * It retries transient errors with a growing pause and reports them to `onTrouble`.
   */
  read(messages: Messages, waitMs: number): Promise<ReadResult>
  close(): Promise<void>
}

export interface ReadResult {
  positions: PartitionPosition[]
  /** End of each partition, as the broker stated it with this answer. */
  ends: { partition: number; end: number }[]
}
