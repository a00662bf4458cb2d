/**
 * An engine that reads closed ranges of a topic somewhere else, in many places at once, and makes their files
 * where the table lies. It commits nothing and remembers nothing between two calls: what it made counts when
 * the table's log names it.
 */
import type { OffsetRange } from './engine.ts'
import type { Counts } from './results.ts'
import type { DataFile } from './table-schema.ts'

/** What the window, or RAW after a rewind, says of a message that is about to be decoded. */
export interface Verdict {
  partition: number
  offset: number
  sighting: 'new' | 'duplicate' | 'conflict'
  /** Ordinals whose rows RAW has already; -1 stands for the message as a whole. */
  known: number[]
}

/** A message without its content: 64 bits of the hash of its identity, 32 of its content's. */
export interface MessageHead {
  partition: number
  offset: number
  high: number
  low: number
  content: number
}

export interface DecodeRequest {
  ranges: OffsetRange[]
  /** Only messages with something to say of. */
  verdicts: Verdict[]
  /** Messages to quarantine without decoding. */
  poison: { partition: number; offset: number; rule: string; reason: string }[]
  /** When the rows count as ingested, in milliseconds since 1970. */
  ingestMs: number
}

export interface DecodedRange {
  /** Names in the table's store; durable. */
  files: DataFile[]
  counts: Counts
  newestMs: number
  /** Paths that drift wants as columns; when there are any, the files must not be committed. */
  discovered: string[]
  /** In how many places at once the work was done. */
  tasks: number
}

export interface RangeEngine {
  /**
   * Visits all messages of the ranges that have an identity and a value, in order of offset within each Kafka
   * partition.
   */
  readHeads(ranges: OffsetRange[], visit: (head: MessageHead) => void): Promise<void>
  /**
   * Decodes, checks and writes. Throws decoder_crashed when a task ended without a word: some message of the
   * ranges kills it. Other errors of tasks come out by their own names.
   */
  decode(request: DecodeRequest): Promise<DecodedRange>
  close(): Promise<void>
}
