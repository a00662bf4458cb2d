/**
 * The messages between supervisor and children over their channel (structured clones). Every message is
 * idempotent or numbered.
 */
import type { ErrorCode } from '../core/errors.ts'
import type { Counts } from '../core/results.ts'
import type { Dataset } from '../dataset/declaration.ts'
import type { DataFile } from '../core/table-schema.ts'

/** Positions of one Kafka partition in a prepared batch: read from `start`, next is `next`. */
export interface BatchRange {
  partition: number
  start: number
  next: number
}

/** A batch with durable files: everything that the supervisor needs to commit it. */
export interface Prepared {
  ranges: BatchRange[]
  adds: DataFile[]
  counts: Counts
  /**
   * When the newest message of the batch was produced, by its own clock, in milliseconds since 1970; 0
   * without messages.
   */
  newestMs: number
  /** The cost of the batch elsewhere, if it was measured. */
  work?: { engine: string; ms: number; cores: number }
  /** Files of a watched folder that this batch has read: path to content position. */
  files?: Record<string, number>
}

/**
 * A message by its place. A message of a folder also has its name, because files are numbered in the order of
 * their commits.
 */
export interface MessagePlace {
  partition: number
  offset: number
  name?: string
}

/** A message to quarantine without decoding, and why. */
export interface PoisonMessage extends MessagePlace {
  rule: string
  reason: string
}

/** A record that the engine refuses to write. */
export interface RefusedRecord extends MessagePlace {
  ordinal: number
  reason: string
}

/** Records [from, until) of a message, by ordinal, to write `rows` at a time. */
export interface Slice extends MessagePlace {
  from: number
  until: number
  rows: number
}

/**
 * The next step of a careful child. If it dies, this step was the cause. `write` without a message: files of
 * the whole batch.
 */
export type Step =
  | ({ doing: 'decode' } & MessagePlace)
  | ({ doing: 'write' } & MessagePlace & { from: number; until: number })
  | { doing: 'write'; from?: undefined }

export type ToChild =
  | { type: 'start'; settings: ChildSettings }
  /** Close the batch now and report it, even if it is empty. */
  | { type: 'cut' }
  | { type: 'committed'; version: number }
  | { type: 'stop' }

export type ToSupervisor =
  | { type: 'ready' }
  | {
      type: 'alive'
      rssBytes: number
      heapBytes: number
      ends: [number, number][]
      positions: [number, number][]
      windowBytes: number
      windowMessages: number
    }
  /** There is something to commit. */
  | { type: 'pending'; rows: number }
  /**
   * All offsets of the goal, all present files, or everything within the limit of a batch, are read but not
   * yet committed: waiting for the end of the interval is useless.
   */
  | { type: 'all-read'; bound?: boolean }
  | { type: 'prepared'; batch: Prepared }
  /** Nothing left to read, and nothing uncommitted. */
  | { type: 'idle' }
  | { type: 'drift'; paths: string[] }
  /** Only from a careful child. */
  | { type: 'step'; step: Step }
  | { type: 'trouble'; code: ErrorCode; message: string }
  | { type: 'failed'; code: ErrorCode; params: Record<string, unknown>; message: string }

export interface ChildSettings {
  dataset: Dataset
  /** The folder for spills. */
  home: string
  rawPath: string
  /** Where the older rows of RAW went. Their identities count, too. */
  archivePath: string | undefined
  topicId: string
  topic: string
  /**
   * Where each Kafka partition continues, and up to where identities must be compared with RAW (after a
   * rewind).
   */
  positions: { partition: number; next: number; rereadUntil: number }[]
  /** Offsets that the job should reach, by Kafka partition. Empty for a job without an end. */
  goal: [partition: number, end: number][]
  /** Messages per batch, small while a poisonous message is being isolated. 0: unlimited. */
  batchMessages: number
  /** Messages to quarantine without decoding: they killed children. */
  poison: PoisonMessage[]
  /** Records to quarantine: the engine refused them. */
  refused: RefusedRecord[]
  /** One message at a time, with each step announced before it starts. */
  careful: boolean
  /** Where to search for the record that kills children. */
  slice: Slice | undefined
  /** Divides the amount that is decoded and staged at a time, after a child ran out of memory. */
  share: number
  threads: number
  /** The engine reads the topic itself, through this server. Undefined: the child reads it. */
  spark: SparkAddress | undefined
}

/** A Spark Connect server, as a session opens it. The token travels only between our processes. */
export interface SparkAddress {
  address: string
  tls: boolean
  token: string | undefined
}
