/** What supervisor and children say to each other over their channel (structured clones); every message is idempotent or numbered. */
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
  /** Milliseconds since 1970 when the newest message of the batch was produced, by its own clock; 0 without any. */
  newestMs: number
  /** What making it took elsewhere, where that was measured. */
  work?: { engine: string; ms: number; cores: number }
  /** Files of a watched folder that this batch has read: path to content position. */
  files?: Record<string, number>
}

export type ToChild =
  | { type: 'start'; settings: ChildSettings }
  /** Close the batch now and report it, even if it is empty. */
  | { type: 'cut' }
  | { type: 'committed'; version: number }
  | { type: 'stop' }

export type ToSupervisor =
  | { type: 'ready' }
  | { type: 'alive'; rssBytes: number; heapBytes: number; ends: [number, number][]; positions: [number, number][]; windowBytes: number; windowMessages: number }
  /** There is something to commit. */
  | { type: 'pending'; rows: number }
  /** All offsets of the goal, or all files that are there, are read but not all committed: no use in waiting for the interval to end. */
  | { type: 'all-read' }
  | { type: 'prepared'; batch: Prepared }
  /** Nothing left to read, and nothing uncommitted. */
  | { type: 'idle' }
  | { type: 'drift'; paths: string[] }
  | { type: 'trouble'; code: ErrorCode; message: string }
  | { type: 'failed'; code: ErrorCode; params: Record<string, unknown>; message: string }

export interface ChildSettings {
  dataset: Dataset
  rawPath: string
  /** Where RAW's older rows went; their identities count too. */
  archivePath: string | undefined
  topicId: string
  topic: string
  /** Where each Kafka partition goes on, and up to where identities must be compared with RAW (after a rewind). */
  positions: { partition: number; next: number; rereadUntil: number }[]
  /** Offsets that the job was asked to reach, by Kafka partition; empty for a job without end. */
  goal: [partition: number, end: number][]
  /** Messages per batch; small while a poisonous message is being isolated. 0: no bound. */
  batchMessages: number
  /** Messages to quarantine without decoding: they killed children. */
  poison: { partition: number; offset: number }[]
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
