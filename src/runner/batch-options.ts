/** What the hourly batch is given: its tables, engine, keys and gate, behind ports. */
import type { CommitRequest } from '../core/commit-request.ts'
import type { BatchEngine, PublishedFile } from '../core/batch-engine.ts'
import type { DataFile, TableColumn } from '../core/table-schema.ts'
import type { Dataset } from '../dataset/declaration.ts'
import type { SortedKeys } from '../planning/sorted-keys.ts'

/** A RAW version as the batch reads it. */
export interface RawVersion {
  version: number
  timestampMs: number
  /** Accepted files it added and nobody removed since: path as the engine opens it, rows. */
  files: { path: string; rows: number }[]
  accepted: number
  quarantined: number
}

/** The published keys. main/ wires the lakehouse's index. */
export interface PublishedKeys {
  /** One byte per key: 1 when it is published. */
  probe(keys: SortedKeys, horizonMs: number | undefined): Promise<Uint8Array>
  /** Writes keys down that the next commit publishes; they count once it has. */
  prepare(keys: SortedKeys, logicalMs: number): Promise<void>
  /**
   * The commit stands as `version`: what was prepared is published. Undefined: another took its place, and
   * what was prepared goes.
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
  /** Files of Processed now; `name` is the log's. */
  publishedFiles(): Promise<(PublishedFile & { name: string })[]>
  columns: TableColumn[]
  /** Makes a folder of Processed that only this batch knows. */
  newFolder(): Promise<string>
  /** The folder as the engine writes to it. */
  engineFolder(name: string): string
  /**
   * Moves the files of a folder to their places, durable; their paths are relative to it, and then the log's.
   */
  place(folder: string, files: DataFile[]): Promise<DataFile[]>
  discard(names: string[]): Promise<void>
  /** Verdict on a table partition's delta; a reason holds it. */
  gate(partition: string, facts: GateFacts): string | undefined
  /**
   * Rows whose keys fit into memory at once: a batch takes as many RAW versions, and a version with more is
   * gone through several times.
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
