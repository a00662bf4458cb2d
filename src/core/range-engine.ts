/**
 * An engine that reads closed ranges of a topic elsewhere, in many places at once, and writes their files to
 * the table's storage. It commits nothing and keeps no state between calls: its files count once the table's
 * log names them.
 */
import type { OffsetRange } from './engine.ts'
import type { Counts } from './results.ts'
import type { DataFile } from './table-schema.ts'

/** What the dedup window, or RAW after a rewind, knows of a message before it is decoded. */
export interface Verdict {
  partition: number
  offset: number
  sighting: 'new' | 'duplicate' | 'conflict'
  /** Ordinals of rows that RAW already has. -1 stands for the whole message. */
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
  /** Only messages about which something is known. */
  verdicts: Verdict[]
  /** Messages to quarantine without decoding. */
  poison: { partition: number; offset: number; rule: string; reason: string }[]
  /** Ingest time of the rows, in milliseconds since 1970. */
  ingestMs: number
}

export interface DecodedRange {
  /** Names in the table's store; durable. */
  files: DataFile[]
  counts: Counts
  newestMs: number
  /** Paths that drift wants to add as columns. If there are any, do not commit the files. */
  discovered: string[]
  /** In how many places the work was done. */
  tasks: number
}

export interface RangeEngine {
  /**
   * Visits all messages of the ranges that have an identity and a value, in order of offset within each Kafka
   * partition.
   */
  readHeads(ranges: OffsetRange[], visit: (head: MessageHead) => void): Promise<void>
  /**
   * Decodes, checks and writes. Throws decoder_crashed if a task ended unexpectedly: a message of the ranges
   * kills it. Other errors of tasks keep their codes.
   */
  decode(request: DecodeRequest): Promise<DecodedRange>
  close(): Promise<void>
}
