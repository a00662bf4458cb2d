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
  /** Our notes about a file in the log. */
  tags?: Record<string, string>
  /** Overrides the commit's flag: whether rows of this file are new to consumers. */
  dataChange?: boolean
  /** Our own writer put the file in its place, so the commit checks that it is still there. */
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
 * A name in a store as a path of the log: URI-encoded, step by step. `=` stays unescaped, as Spark and
 * delta-rs leave it: they compare paths as texts, so a file that they remove under another spelling would
 * stay for other readers.
 */
export function encodePath(name: string): string {
  return name
    .split('/')
    .map((step) => encodeURIComponent(step).replaceAll('%3D', '='))
    .join('/')
}

/** Number of rows in a file that our engine wrote: its statistics always state it. */
export function rowsIn(file: { stats: string }): number {
  return (JSON.parse(file.stats) as { numRecords: number }).numRecords
}
