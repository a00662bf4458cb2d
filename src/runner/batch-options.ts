/** The input of the hourly batch: its tables, engine, keys and gate, behind ports. */
import type { CommitRequest } from '../core/commit-request.ts'
import type { BatchEngine, PublishedFile } from '../core/batch-engine.ts'
import type { DataFile, TableColumn } from '../core/table-schema.ts'
import type { Dataset } from '../dataset/declaration.ts'
import type { SortedKeys } from '../planning/sorted-keys.ts'

/** A RAW version as the batch reads it. */
export interface RawVersion {
  version: number
  timestampMs: number
  /** Accepted files that it added and that nobody removed since: path as the engine opens it, rows. */
  files: { path: string; rows: number }[]
  accepted: number
  quarantined: number
}

/** The published keys. main/ wires the lakehouse's index. */
export interface PublishedKeys {
  /** One byte per key: 1 if it is published. */
  probe(keys: SortedKeys, horizonMs: number | undefined): Promise<Uint8Array>
  /** Writes the keys that the next commit publishes. They count once it has committed. */
  prepare(keys: SortedKeys, logicalMs: number): Promise<void>
  /**
   * The commit stands as `version`, so the prepared keys are published. Undefined: another commit took its
   * place, and the prepared keys are dropped.
   */
  settled(version: number | undefined): Promise<void>
}

export interface BatchTable {
  readonly snapshot: { version: number; marks: ReadonlyMap<string, number> }
  commit(request: CommitRequest, nowMs: number): Promise<number>
}

export interface BatchOptions {
  dataset: Dataset
  table: BatchTable
  /** RAW versions after `version`, oldest first. */
  rawVersions(after: number): Promise<RawVersion[]>
  rawVersion: number
  engine: BatchEngine
  keys: PublishedKeys
  /** The present files of Processed. `name` is that of the log. */
  publishedFiles(): Promise<(PublishedFile & { name: string })[]>
  columns: TableColumn[]
  /** Creates a folder of Processed that only this batch knows. */
  newFolder(): Promise<string>
  /** The folder as the engine writes to it. */
  engineFolder(name: string): string
  /**
   * Moves the files of a folder to their places and makes them durable. Their paths are first relative to the
   * folder, then those of the log.
   */
  place(folder: string, files: DataFile[]): Promise<DataFile[]>
  discard(names: string[]): Promise<void>
  /** The verdict on a table partition's new rows. A reason holds the partition. */
  gate(partition: string, facts: GateFacts): string | undefined
  /**
   * Rows whose keys fit into memory at once. A batch takes as many RAW versions as fit, and reads a larger
   * version in several passes.
   */
  rowsPerBatch: number
  dryRun: boolean
  nowMs: () => number
  progress(text: string): void
}

export interface GateFacts {
  rows: number
  accepted: number
  quarantined: number
}
