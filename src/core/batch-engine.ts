/** What the hourly batch needs from an engine: read keys, publish the rows that won. */
import type { EngineAccess } from './object-store.ts'
import type { DataFile, TableColumn } from './table-schema.ts'

/** Files of RAW in the order in which their rows arrived, and which of their rows count. */
export interface RawSlice {
  /** Paths that the engine can open. */
  files: string[]
  /** Rows of each file, as the log states them. */
  rows: number[]
  /** Only rows of these table partitions (`name=value/...`), or all but those of `exceptPartitions`. */
  onlyPartitions: string[] | undefined
  exceptPartitions: string[]
}

/** How the table partition of a row is derived: column, transform, time zone. */
export interface PartitionRule {
  column: string
  transform: 'identity' | 'year' | 'month' | 'day'
  timezone: string
  name: string
}

/**
 * Key hashes of one chunk: per row four 32-bit words (128 bits, evenly spread) and the row's position: files
 * in order, rows in order, counted from 0 over all slices. Buffers are reused by the next call.
 */
export type VisitKeys = (words: Int32Array, positions: Float64Array, rows: number) => void

/** What to write, and where: the same for both ways of publishing. */
export interface PublishTarget {
  slices: RawSlice[]
  columns: TableColumn[]
  partitions: PartitionRule[]
  /** `processed_date` of every row: the batch's logical time, ISO. */
  logicalTime: string
  /** Existing folder that only this batch uses. */
  folder: string
  compression: string
}

/** A data file of a table, as the engine can open it (see EngineAccess). */
export interface PublishedFile {
  path: string
  partitionValues: Record<string, string | null>
}

export interface ReplaceRequest extends PublishTarget {
  key: string[]
  /** The column whose greatest value wins. On ties, the first row wins. Null is less than any value. */
  latestBy: string
  published: PublishedFile[]
}

/** What `replace` did: rows = duplicates + outdated + published. */
export interface Replacement {
  adds: DataFile[]
  /** Files, by their given paths, whose remaining rows are all in `adds`. */
  obsolete: string[]
  rows: number
  /** Rows beaten by another row of the slices. */
  duplicates: number
  /** Rows beaten by a published row. */
  outdated: number
  published: number
  /** Published rows that replaced an older one. */
  replaced: number
  /** Published rows by table partition. */
  partitions: Record<string, number>
}

export interface BatchEngine {
  readonly access: EngineAccess
  readKeys(slices: RawSlice[], key: string[], partitions: PartitionRule[], visit: VisitKeys): Promise<void>
  /** Rows per table partition, for gates. */
  countPartitions(slices: RawSlice[], partitions: PartitionRule[]): Promise<Map<string, number>>
  /** Adds rows to those that the next `publish` writes. Positions come in any order. */
  choose(positions: Float64Array): Promise<void>
  /**
   * Writes the chosen rows, one folder per table partition; paths are relative to `folder`. The files are not
   * durable yet. Do not call `choose` after it.
   */
  publish(request: PublishTarget): Promise<DataFile[]>
  /**
   * Publishes the newest row of each key, unless a newer one is already published, and rewrites the files
   * that held older ones. The files are not durable yet.
   */
  replace(request: ReplaceRequest): Promise<Replacement>
  /** Keys of published files, to rebuild an index or to bring it up to date. */
  readPublishedKeys(files: PublishedFile[], key: string[], visit: VisitKeys): Promise<void>
  close(): Promise<void>
}
