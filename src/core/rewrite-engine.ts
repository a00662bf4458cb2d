/**
 * What upkeep asks of an engine: rows of existing data files in new ones, whose paths are relative to the
 * folder given. Nothing is committed, nothing is yet durable.
 */
import type { PublishTarget, PublishedFile, RawSlice } from './batch-engine.ts'
import type { EngineAccess } from './object-store.ts'
import type { DataFile, TableColumn } from './table-schema.ts'

/** The table whose files are rewritten. */
export interface RewriteTable {
  columns: TableColumn[]
  partitionColumns: string[]
  compression: string
}

/** Records by key: of each key one text per column, as the column's type reads it. */
export interface DoomedKeys {
  columns: string[]
  values: string[][]
}

/** Rows of RAW were decoded anew; `slices` of the target: all of RAW that is published, as it will be. */
export interface RepublishRequest extends PublishTarget {
  key: string[]
  /** Undefined: the record that came first wins. */
  latestBy: string | undefined
  /** The files that are replaced in RAW, and what takes their place. */
  before: RawSlice[]
  after: RawSlice[]
  published: PublishedFile[]
}

export interface Republished {
  /** Paths relative to the target's folder. */
  adds: DataFile[]
  /** Paths, as given, of files whose other rows are in `adds`. */
  obsolete: string[]
  /** Rows published anew, and rows that they replace. */
  published: number
  replaced: number
}

export interface RewriteEngine {
  readonly access: EngineAccess
  /**
   * All rows of files of one table partition as one file in `folder`, which is the call's own, in the files'
   * order unless `orderBy` says otherwise.
   */
  merge(table: RewriteTable, files: PublishedFile[], folder: string, orderBy: string[]): Promise<DataFile>
  /**
   * Which files hold rows of the keys, and how many. In quarantined rows, which may have no key, the original
   * bytes are searched for the key's text, standing by itself (byte-search.ts). Remembers the messages that
   * these rows came from: `without` clears what other rows keep of their original bytes.
   */
  findKeys(
    table: RewriteTable,
    files: PublishedFile[],
    keys: DoomedKeys,
  ): Promise<{ path: string; rows: number }[]>
  /**
   * The rows of one file but for those that the last findKeys found, as a file in `folder`; undefined when
   * none is left.
   */
  without(table: RewriteTable, file: PublishedFile, folder: string): Promise<DataFile | undefined>
  republish(request: RepublishRequest): Promise<Republished>
  close(): Promise<void>
}
