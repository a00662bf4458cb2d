/** What the hourly batch asks of an engine: read keys, publish the rows that won. */
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

/** How a row's table partition is derived: column, transform, zone. */
export interface PartitionRule {
  column: string
  transform: 'identity' | 'year' | 'month' | 'day'
  timezone: string
  name: string
}

/**
 * Key hashes of one chunk: per row four 32-bit words (128 bits, evenly spread) and the row's position: files in order,
 * rows in order, counted from 0 over all slices. Buffers are reused by the next call.
 */
export type VisitKeys = (words: Int32Array, positions: Float64Array, rows: number) => void

export interface PublishRequest {
  slices: RawSlice[]
  /** Positions of the rows to publish, in any order. */
  positions: Float64Array
  count: number
  columns: TableColumn[]
  partitions: PartitionRule[]
  /** `processed_date` of every row: the batch's logical time, ISO. */
  logicalTime: string
  /** Existing folder that only this batch uses. */
  folder: string
  compression: string
}

export interface BatchEngine {
  readKeys(slices: RawSlice[], key: string[], partitions: PartitionRule[], visit: VisitKeys): Promise<void>
  /** Rows per table partition, for gates. */
  countPartitions(slices: RawSlice[], partitions: PartitionRule[]): Promise<Map<string, number>>
  /** Writes the chosen rows, one folder per table partition; paths are relative to `folder`. Not yet durable. */
  publish(request: PublishRequest): Promise<DataFile[]>
  /** Keys of published files, for an index that has to be rebuilt or caught up. */
  readPublishedKeys(files: string[], key: string[], visit: VisitKeys): Promise<void>
  close(): Promise<void>
}
