/** What makes files out of rows. Engines write into private folders and commit nothing. */
import type { ColumnValues } from './rows.ts'
import type { DataFile, DeltaType } from './table-schema.ts'

/** A column of a stage: how its values arrive, and its type in the table. */
export interface StageColumn {
  name: string
  kind: ColumnValues['kind']
  type: DeltaType
}

/**
 * A column that is not staged: one value for the whole file, or the values of another column. Columns that
 * are neither are null.
 */
export type DerivedColumn = { name: string; type: DeltaType } & (
  | { value: string | number | null }
  | { sameAs: string }
)

/**
 * The bytes [0, end) that text spans point into. One object per slab: stages that share it copy its bytes
 * once.
 */
export interface StagedBytes {
  bytes: Buffer
  end: number
}

/** Rows of one slab; only the first `count` rows of `selection` are taken. */
export interface StageRows {
  text: StagedBytes
  selection: Int32Array
  count: number
  columns: ColumnValues[]
}

/** A file that an engine wrote: complete, closed, not yet durable (the store syncs it). */
export interface WrittenFile {
  path: string
  rows: number
  size: number
  /** Delta statistics, JSON text. */
  stats: string
}

/**
 * Rows of one table partition on their way to a file. `append` is called many times, then `rotate`: the rows
 * gathered so far leave the stage, which is empty again when the promise resolves. They may be written while
 * the stage fills anew.
 */
export interface Stage {
  readonly rows: number
  /** What the rows appended take in the engine's memory, roughly. */
  readonly bytes: number
  append(rows: StageRows): void
  /** Undefined for an empty stage. */
  rotate(): Promise<SealedRows | undefined>
}

/** A row that an engine does not write, by its identity. */
export interface RefusedRow {
  partition: number
  offset: number
  ordinal: number
  reason: string
}

/**
 * Rows that left a stage. `write` is called once. The file has the staged and derived columns in the order
 * given; other names in `order` are left out: readers of a Delta table take a column that a file lacks as
 * null, and writing it costs time. When single rows are to blame that a file cannot be written, it throws
 * `rows_refused` with them (RefusedRow[]).
 */
export interface SealedRows {
  write(path: string, derived: DerivedColumn[], order: string[], compression: string): Promise<WrittenFile>
}

/** Offsets [from, until) of one Kafka partition. */
export interface OffsetRange {
  partition: number
  from: number
  until: number
}

/** Called for every message of the window; its id is the first `length` bytes. */
export type VisitMessageId = (
  partition: number,
  bytes: Uint8Array,
  length: number,
  contentHash: number,
) => void

/**
 * Files of rows; `inOrder`: they, and the rows in them, lie in the order of their offsets, so that nothing
 * has to be sorted.
 */
export interface CommittedFiles {
  files: string[]
  inOrder: boolean
}

/** A session of the embedded engine for streams. Any error leaves it unusable: replace the process. */
export interface StageEngine {
  /** Two alternating buffers a stage: one fills while the other is written. */
  createStage(columns: StageColumn[]): Promise<Stage>
  /**
   * The identities of committed rows, message by message in the order in which they were read: for rebuilding
   * the dedup window. Only rows of `topicId` within the ranges; the id's bytes are valid during the call.
   */
  readMessageIds(
    committed: CommittedFiles,
    topicId: string,
    ranges: OffsetRange[],
    visit: VisitMessageId,
  ): Promise<void>
  /** Identities `partition:offset:ordinal` of committed rows within the ranges. */
  readRowIds(files: string[], topicId: string, ranges: OffsetRange[]): Promise<Set<string>>
  close(): void
}

export type { DataFile }
