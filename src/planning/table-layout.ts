/**
 * The tables of a dataset: the columns of RAW and Processed, and the changes that a new declaration may make
 * to them.
 */
import { failure } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { ORIGIN_COLUMNS, REJECT_COLUMNS } from '../core/raw-columns.ts'
import {
  tableColumn,
  typeText,
  type DeltaType,
  type TableColumn,
  type TableSchema,
} from '../core/table-schema.ts'
import {
  RESERVED_COLUMNS,
  UNUSABLE_COLUMN,
  type Column,
  type Dataset,
  type PartitionField,
} from '../dataset/declaration.ts'
import { freeName } from '../dataset/column-names.ts'
import { normalizeColumn } from '../dataset/normalize.ts'
import { pathMeaning, pathNames } from '../dataset/paths.ts'

/**
 * Key in a table column's metadata that names the source of its value. `evolved` marks columns that drift
 * added.
 */
const PATH = 'headrace.path'
const EVOLVED = 'headrace.evolved'

export const RAW_PARTITIONS = ['outcome', 'ingest_date']

export function deltaType(column: Column): DeltaType {
  const elementType = valueType(column)
  return column.array ? { type: 'array', elementType, containsNull: true } : elementType
}

/** The type of a value, or of each item of an array. */
function valueType({ fields, type, precision, scale }: Column): DeltaType {
  if (fields !== undefined)
    return { type: 'struct', fields: fields.map((field) => tableColumn(field.name, deltaType(field))) }
  if (type === 'decimal') return `decimal(${precision},${scale})`
  return type === 'uuid' ? 'string' : type
}

/** The RAW table of a dataset with these data columns (declared ones, then those that drift added). */
export function rawSchema(columns: Column[]): TableSchema {
  return {
    columns: [
      tableColumn('outcome', 'string'),
      tableColumn('ingest_date', 'date'),
      ...columns.map(dataColumn),
      ...[...ORIGIN_COLUMNS, ...REJECT_COLUMNS].map((column) => tableColumn(column.name, column.type)),
    ],
    partitionColumns: RAW_PARTITIONS,
  }
}

/** The Processed table: data columns, the origin of each row, and the logical time of the batch. */
export function processedSchema(dataset: Dataset, columns: Column[]): TableSchema {
  const partitions = dataset.processed.partitionBy
  return {
    columns: [
      ...columns.map(dataColumn),
      tableColumn('message_id', 'string'),
      tableColumn('message_time', 'timestamp'),
      tableColumn('processed_date', 'timestamp'),
      ...partitions
        .filter((field) => field.transform !== 'identity')
        .map((field) => tableColumn(field.name, partitionType(field))),
    ],
    partitionColumns: partitions.map((field) => field.name),
  }
}

function partitionType(field: PartitionField): DeltaType {
  if (field.transform === 'year') return 'integer'
  return field.transform === 'month' ? 'string' : 'date'
}

function dataColumn(column: Column): TableColumn {
  const metadata: Record<string, unknown> = { [PATH]: column.path }
  if (column.description !== '') metadata.comment = column.description
  if (column.evolved) metadata[EVOLVED] = true
  return tableColumn(column.name, deltaType(column), metadata)
}

/** Data columns in force: the declared ones, and those that drift added to the table earlier. */
export function effectiveColumns(dataset: Dataset, existing: TableColumn[]): Column[] {
  const meaningOf = pathMeaning(dataset.record)
  const declared = new Set(dataset.columns.map((column) => meaningOf(column.path)))
  const names = new Set(dataset.columns.map((column) => column.name.toLowerCase()))
  // If you declare, under another name, a field that drift turned into a column, the declared column has it
  // from now on.
  const evolved = existing.filter(
    ({ name, metadata }) =>
      metadata[EVOLVED] === true &&
      !names.has(name.toLowerCase()) &&
      !declared.has(meaningOf(String(metadata[PATH]))),
  )
  return [
    ...dataset.columns,
    ...evolved.map((column) => evolvedColumn(column.name, String(column.metadata[PATH]))),
  ]
}

function evolvedColumn(name: string, path: string): Column {
  return { ...normalizeColumn({ name, path, type: 'string' }), evolved: true }
}

/** How many columns drift may still add. */
export function roomForColumns(columns: readonly Column[]): number {
  return Math.max(0, LIMITS.evolvedColumns - columns.filter((column) => column.evolved).length)
}

/**
 * New nullable text columns for paths that drift found, as many as there is room for. A path that already has
 * a column, in any notation, gets no other one. Names are made from the paths and avoid those in `taken`.
 */
export function evolve(
  dataset: Dataset,
  columns: Column[],
  paths: Iterable<string>,
  taken: Iterable<string>,
): Column[] {
  const names = new Set([...columns.map((column) => column.name), ...taken].map((name) => name.toLowerCase()))
  const meaningOf = pathMeaning(dataset.record)
  const meanings = new Set(columns.map((column) => meaningOf(column.path)))
  const room = roomForColumns(columns)
  const added: Column[] = []
  for (const path of [...paths].toSorted()) {
    const meaning = meaningOf(path)
    if (added.length === room || meanings.has(meaning)) continue
    meanings.add(meaning)
    added.push(evolvedColumn(freeName(columnName(pathNames(dataset.record, path)), names), path))
  }
  return added
}

/** Leaves room for a number at the end. */
const NAME_LENGTH = 100

/**
 * A valid column name from the letters and digits of a path: `author.größe` becomes author_grosse, `日本`
 * becomes field.
 */
function columnName(names: string[]): string {
  const parts = names.map((name) => {
    const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').replaceAll('ß', 'ss')
    const kept = plain.replace(/^[^A-Za-z0-9_]+|[^A-Za-z0-9_]+$/g, '').replace(/[^A-Za-z0-9_]+/g, '_')
    return kept === '' ? 'field' : kept
  })
  const name = parts
    .join('_')
    .replace(/^(?=\d)/, '_')
    .toLowerCase()
    .slice(0, NAME_LENGTH)
  return name === UNUSABLE_COLUMN ? 'proto' : name
}

/** A column that another writer added: it stays, and our rows have null there. */
function isForeign({ name, nullable, metadata }: TableColumn): boolean {
  return nullable && metadata[PATH] === undefined && !RESERVED_COLUMNS.includes(name)
}

/**
 * Compares the columns in force with the table. Returns the new ones (the table gets them as nullable
 * columns). Refuses a rename, a drop or a change of type with an error: rows already written would change
 * their meaning.
 */
export function schemaChange(
  dataset: Dataset,
  existing: TableColumn[],
  wanted: TableSchema,
  table: string,
): TableSchema | undefined {
  const known = new Map(existing.map((column) => [column.name.toLowerCase(), column]))
  const refuse = (change: string): never => {
    throw failure('schema_change_refused', { dataset: dataset.name, change, table })
  }
  for (const column of existing) {
    const kept = wanted.columns.find(
      (candidate) => candidate.name.toLowerCase() === column.name.toLowerCase(),
    )
    if (kept === undefined) {
      if (column.metadata[EVOLVED] === true || isForeign(column)) continue
      const path = column.metadata[PATH]
      const renamed = wanted.columns.find(
        (candidate) =>
          candidate.metadata[PATH] === path && path !== undefined && !known.has(candidate.name.toLowerCase()),
      )
      refuse(
        renamed === undefined
          ? `drop column ${column.name}`
          : `rename column ${column.name} to ${renamed.name}`,
      )
    } else if (typeText(kept.type) !== typeText(column.type))
      refuse(`change the type of ${column.name} from ${typeText(column.type)} to ${typeText(kept.type)}`)
  }
  const added = wanted.columns.filter((column) => !known.has(column.name.toLowerCase()))
  if (added.length === 0) return undefined
  return { columns: [...existing, ...added], partitionColumns: wanted.partitionColumns }
}
