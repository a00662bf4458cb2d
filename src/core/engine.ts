/** Engines turn rows into files. They write into private folders and commit nothing. */
import type { ColumnValues } from './rows.ts'
import type { DataFile, DeltaType } from './table-schema.ts'

/** A column of a stage: how its values arrive, and its type in the table. */
export interface StageColumn {
  name: string
  kind: ColumnValues['kind']
  type: DeltaType
}

/**
 * A column that is not staged: one value for the whole file, or the values of another column. A column that
 * is neither staged nor derived is null.
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
 * Rows of one table partition on their way to a file. Call `append` many times, then `rotate`: the rows
 * gathered so far leave the stage, which is empty when the promise resolves. An engine may write them while
 * the stage fills again.
 */
export interface Stage {
  readonly rows: number
  /** Rough size of the appended rows in the engine's memory. */
  readonly bytes: number
  append(rows: StageRows): void
  /** Undefined for an empty stage. */
  rotate(): Promise<SealedRows | undefined>
}

/** A row that the engine cannot write, by its identity. */
export interface RefusedRow {
  partition: number
  offset: number
  ordinal: number
  reason: string
}

/**
 * Rows that left a stage. Call `write` once. The file has the staged and derived columns in the given order.
 * Other names in `order` are left out: readers of a Delta table read a missing column as null, and writing it
 * costs time. If single rows make the write fail, `write` throws `rows_refused` with them (RefusedRow[]).
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

/** Called for every message of the window. The ID is the first `length` bytes. */
export type VisitMessageId = (
  partition: number,
  bytes: Uint8Array,
  length: number,
  contentHash: number,
) => void

/**
 * Files of rows. `inOrder`: the files, and the rows in them, are in the order of their offsets, so nothing
 * has to be sorted.
 */
export interface CommittedFiles {
  files: string[]
  inOrder: boolean
}

/** A session of the embedded engine for streams. After any error it is unusable: replace the process. */
export interface StageEngine {
  /** Two alternating buffers per stage: one fills while the other is written. */
  createStage(columns: StageColumn[]): Promise<Stage>
  /**
   * The identities of committed rows, message by message in the order of reading, to rebuild the dedup
   * window. Only rows of `topicId` within the ranges. The bytes of the ID are valid during the call.
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
