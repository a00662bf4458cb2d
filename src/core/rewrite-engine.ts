/**
 * What upkeep needs from an engine: copy rows of existing data files into new files, whose paths are relative
 * to the given folder. The engine commits nothing, and the files are not durable yet.
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

/** Records by key: for each key one text per column, in the form that the column's type reads. */
export interface DoomedKeys {
  columns: string[]
  values: string[][]
}

/** Rows of RAW were decoded again. `slices` of the target is all published RAW in its new state. */
export interface RepublishRequest extends PublishTarget {
  key: string[]
  /** Undefined: the first record wins. */
  latestBy: string | undefined
  /** The files that are replaced in RAW, and their replacements. */
  before: RawSlice[]
  after: RawSlice[]
  published: PublishedFile[]
}

export interface Republished {
  /** Paths relative to the target's folder. */
  adds: DataFile[]
  /** Paths, as given, of files whose remaining rows are in `adds`. */
  obsolete: string[]
  /** Rows published again, and the rows that they replace. */
  published: number
  replaced: number
}

export interface RewriteEngine {
  readonly access: EngineAccess
  /**
   * Merges files of one table partition into one file in `folder`, which belongs to this call. Rows keep the
   * order of the files unless `orderBy` is given.
   */
  merge(table: RewriteTable, files: PublishedFile[], folder: string, orderBy: string[]): Promise<DataFile>
  /**
   * Finds the files that hold rows of the keys, and counts the rows. Quarantined rows may have no key: there
   * it searches the original bytes for the key's text as a whole word (byte-search.ts). It remembers the
   * messages of these rows: `without` then clears what other rows keep of their original bytes.
   */
  findKeys(
    table: RewriteTable,
    files: PublishedFile[],
    keys: DoomedKeys,
  ): Promise<{ path: string; rows: number }[]>
  /**
   * Writes the rows of one file, without those of the last findKeys, to a file in `folder`. Undefined if no
   * row is left.
   */
  without(table: RewriteTable, file: PublishedFile, folder: string): Promise<DataFile | undefined>
  republish(request: RepublishRequest): Promise<Republished>
  close(): Promise<void>
}
