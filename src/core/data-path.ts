/**
 * Where the data files of a table lie: `outcome=accepted/ingest_date=2026-11-29/NAME`, as Hive and Spark lay
 * them out. The log states the values of partition columns, but some readers (polars) take them from the path
 * and nowhere else: without them a column is null in each row. No reader may need a path, and none of ours
 * does.
 */
import type { DeltaType } from './table-schema.ts'

/** Stands for null, as an empty text does in Delta's log. */
const NO_VALUE = '__HIVE_DEFAULT_PARTITION__'

/**
 * As Spark's ExternalCatalogUtils.escapePathName, and NUL, which no file system takes. The rest stands as it
 * is.
 */
const ESCAPED = new Set([
  ...`"#%'*/:=?\\{[]^\u007f`,
  ...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)),
])

/**
 * Engines write below it, each batch in a folder of its own. Other readers and their vacuum pass by names
 * with `_`.
 */
const WRITING = '_writing'

type Values = Record<string, string | null>

/** True for what lies in the folder of a batch: its writer may have ended before it moved it. */
export function isBeingWritten(name: string): boolean {
  return name.startsWith(`${WRITING}/`)
}

/** The folder of a batch that nobody else knows. */
export function privateFolder(id: string): string {
  return `${WRITING}/${id}`
}

/**
 * The text of a partition value in the log. Engines write a timestamp as it suits them; Delta knows two ways,
 * one of which leaves open in which zone, and other readers take no third one (`2026-11-29 10:00:00+00` fails
 * the whole table). An empty text is null to Delta, whatever the type; Spark and DataFusion read it as it
 * stands, so that only null is the same to all.
 */
export function partitionText(type: DeltaType | undefined, value: string | null): string | null {
  if (value === '') return null
  const [, day, time, digits = ''] = (type === 'timestamp' && UTC_TIME.exec(value ?? '')) || []
  return day === undefined ? value : `${day}T${time}.${digits.padEnd(6, '0')}Z`
}

const UTC_TIME = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:\+00(?::?00)?|Z)$/

/**
 * The name in the store of a data file with these partition values (as the log states them). `file` must be
 * unique in the table.
 */
export function dataPath(partitionColumns: readonly string[], values: Values, file: string): string {
  return [...partitionColumns.map((column) => partitionFolder(column, values[column] ?? null)), file].join(
    '/',
  )
}

/** The folder of one value: `title=50%25 off`. */
export function partitionFolder(column: string, value: string | null): string {
  return `${escaped(column)}=${value === null || value === '' ? NO_VALUE : escaped(value)}`
}

function escaped(text: string): string {
  const escapeOne = (char: string): string =>
    `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
  return Array.from(text, (char) => (ESCAPED.has(char) ? escapeOne(char) : char)).join('')
}

/**
 * True for a name whose folders say the partition values, and no more: so that every reader finds them,
 * however their writer escapes.
 */
export function isLaidOut(name: string, partitionColumns: readonly string[], values: Values): boolean {
  const folders = name.split('/').slice(0, -1)
  if (partitionColumns.length === 0) return true
  return (
    folders.length === partitionColumns.length &&
    folders.every((folder, i) =>
      namesPartition(folder, partitionColumns[i], values[partitionColumns[i]] ?? ''),
    )
  )
}

function namesPartition(folder: string, column: string, value: string): boolean {
  const [, name, text] = /^([^=]*)=(.*)$/s.exec(folder) ?? []
  if (name === undefined || unescaped(name) !== column) return false
  return value === '' ? text === NO_VALUE || text === '' : unescaped(text) === value
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
