/** Columns of an open table, in the types that Delta Lake, DuckDB and Spark share. */

export type DeltaPrimitive =
  | 'string'
  | 'integer'
  | 'long'
  | 'double'
  | 'boolean'
  | 'binary'
  | 'date'
  | 'timestamp'
  | `decimal(${number},${number})`

export interface DeltaArray {
  type: 'array'
  elementType: DeltaType
  containsNull: boolean
}

export interface DeltaStruct {
  type: 'struct'
  fields: TableColumn[]
}

export type DeltaType = DeltaPrimitive | DeltaArray | DeltaStruct

export interface TableColumn {
  name: string
  type: DeltaType
  nullable: boolean
  metadata: Record<string, unknown>
}

export interface TableSchema {
  columns: TableColumn[]
  partitionColumns: string[]
}

/** One data file of a table. `stats` is Delta's JSON text. */
export interface DataFile {
  path: string
  size: number
  partitionValues: Record<string, string | null>
  stats: string
  /** What we note about a file in the log. */
  tags?: Record<string, string>
  /** Unlike the commit's: rows of this file are new to consumers, or are not. */
  dataChange?: boolean
  /** A writer of ours put it in its place: the commit sees that it is still there. */
  placed?: true
}

export function tableColumn(
  name: string,
  type: DeltaType,
  metadata: Record<string, unknown> = {},
): TableColumn {
  return { name, type, nullable: true, metadata }
}

/** A type as people write it: `array<struct<name: string>>`. */
export function typeText(type: DeltaType): string {
  if (typeof type === 'string') return type
  if (type.type === 'array') return `array<${typeText(type.elementType)}>`
  return `struct<${type.fields.map((field) => `${field.name}: ${typeText(field.type)}`).join(', ')}>`
}

/**
 * A name in a store as paths stand in the log: URI-encoded, step by step. `=` stays, as Spark and delta-rs
 * leave it: they compare paths as texts, and a file that they remove under another spelling would stay for
 * others.
 */
export function encodePath(name: string): string {
  return name
    .split('/')
    .map((step) => encodeURIComponent(step).replaceAll('%3D', '='))
    .join('/')
}

/** Rows of a file that an engine of ours wrote: its statistics state them always. */
export function rowsIn(file: { stats: string }): number {
  return (JSON.parse(file.stats) as { numRecords: number }).numRecords
}
