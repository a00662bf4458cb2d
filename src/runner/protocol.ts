/**
 * What supervisor and children say to each other over their channel (structured clones); every message is
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

/** A batch whose files are durable: all the supervisor needs to commit it. */
export interface Prepared {
  ranges: BatchRange[]
  adds: DataFile[]
  counts: Counts
  /**
   * Milliseconds since 1970 when the newest message of the batch was produced, by its own clock; 0 without
   * any.
   */
  newestMs: number
  /** What making it took elsewhere, where that was measured. */
  work?: { engine: string; ms: number; cores: number }
  /** Files of a watched folder that this batch has read: path to content position. */
  files?: Record<string, number>
}

/**
 * A message by its place; one of a folder by its name as well, for files are numbered in the order of their
 * commits.
 */
export interface MessagePlace {
  partition: number
  offset: number
  name?: string
}

/** A message that is quarantined undecoded, and why. */
export interface PoisonMessage extends MessagePlace {
  rule: string
  reason: string
}

/** A record that the engine does not write. */
export interface RefusedRecord extends MessagePlace {
  ordinal: number
  reason: string
}

/** Records [from, until) of a message by their ordinals; they are written `rows` at a time. */
export interface Slice extends MessagePlace {
  from: number
  until: number
  rows: number
}

/**
 * What a careful child is about to do: should it die, this was it. `write` without a message: files of the
 * whole batch.
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
   * All offsets of the goal, all files that are there, or all of the bound on a batch, are read but not all
   * committed: no use in waiting for the interval to end.
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
  /** Spills lie below it. */
  home: string
  rawPath: string
  /** Where RAW's older rows went; their identities count too. */
  archivePath: string | undefined
  topicId: string
  topic: string
  /**
   * Where each Kafka partition goes on, and up to where identities must be compared with RAW (after a
   * rewind).
   */
  positions: { partition: number; next: number; rereadUntil: number }[]
  /** Offsets that the job was asked to reach, by Kafka partition; empty for a job without end. */
  goal: [partition: number, end: number][]
  /** Messages per batch; small while a poisonous message is being isolated. 0: no bound. */
  batchMessages: number
  /** Messages to quarantine without decoding: they killed children. */
  poison: PoisonMessage[]
  /** Records to quarantine: the engine refused them. */
  refused: RefusedRecord[]
  /** One message at a time, and each step said before it is done. */
  careful: boolean
  /** While the record is looked for that kills children: where. */
  slice: Slice | undefined
  /** What is decoded and staged at a time is divided by this, after a child ran out of memory. */
  share: number
  threads: number
  /** The engine reads the topic itself, through this server; undefined: the child does. */
  spark: SparkAddress | undefined
}

/** A Spark Connect server as a session opens it. The token travels between our processes only. */
export interface SparkAddress {
  address: string
  tls: boolean
  token: string | undefined
}
