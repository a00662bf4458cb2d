/**
 * An engine that reads closed ranges of a topic by itself, in many places at once, and makes their files where the table
 * lies. It commits nothing and remembers nothing between two calls: what it made counts when the table's log names it.
 */
import type { OffsetRange } from './engine.ts'
import type { Counts } from './results.ts'
import type { DataFile } from './table-schema.ts'

/** What is known of a message without decoding it. The bytes are valid during the call. */
export interface MessageHead {
  partition: number
  offset: number
  /** Null: the message has no key. */
  key: Uint8Array | null
  /** JSON text as RAW keeps it; null without headers. */
  headers: string | null
  hasValue: boolean
  /** CRC-32 of the value, signed. */
  contentHash: number
}

/** What the window, or RAW after a rewind, says of a message that is about to be decoded. */
export interface Verdict {
  partition: number
  offset: number
  sighting: 'new' | 'duplicate' | 'conflict'
  /** Ordinals whose rows RAW has already; -1 stands for the message as a whole. */
  known: number[]
}

export interface DecodeRequest {
  ranges: OffsetRange[]
  /** Only messages with something to say of; sorted by nothing. */
  verdicts: Verdict[]
  /** Messages to quarantine without decoding. */
  poison: { partition: number; offset: number }[]
  /** Folder of the table's store that only this call uses. */
  folder: string
  ingestTime: string
}

export interface DecodedRange {
  /** Names in the table's store; not yet durable. The partition values lack the ingest date, which the caller knows. */
  files: DataFile[]
  counts: Counts
  newestMs: number
  /** Paths that drift wants as columns; when there are any, the files must not be committed. */
  discovered: string[]
}

export interface RangeEngine {
  /** Visits the heads of all messages of the ranges, in order of offset within each Kafka partition. */
  readHeads(ranges: OffsetRange[], visit: (head: MessageHead) => void): Promise<void>
  /**
   * Decodes, checks and writes. Throws decoder_crashed when a decoder ended without a word: some message of the ranges kills it.
   */
  decode(request: DecodeRequest): Promise<DecodedRange>
  close(): Promise<void>
}
