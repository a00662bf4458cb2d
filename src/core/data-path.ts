/**
 * Where the data files of a table lie: `outcome=accepted/ingest_date=2026-11-29/NAME`, as Hive and Spark lay
 * them out. The log states the values of partition columns, but some readers (polars) take them only from the
 * path and would otherwise see null. Our own readers need no path.
 */
import type { DeltaType } from './table-schema.ts'

/** Stands for null in a path; in Delta's log, an empty text does. */
const NO_VALUE = '__HIVE_DEFAULT_PARTITION__'

/**
 * The characters that Spark's ExternalCatalogUtils.escapePathName escapes, and NUL, which no file system
 * accepts.
 */
const ESCAPED = new Set([
  ...`"#%'*/:=?\\{[]^\u007f`,
  ...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)),
])

/**
 * Engines write below this folder, each batch in its own. Other readers, and their vacuum, skip names that
 * start with `_`.
 */
const WRITING = '_writing'

type Values = Record<string, string | null>

/** True for a file in the folder of a batch. Its writer may have ended before it moved the file. */
export function isBeingWritten(name: string): boolean {
  return name.startsWith(`${WRITING}/`)
}

/** A folder that only this batch knows. */
export function privateFolder(id: string): string {
  return `${WRITING}/${id}`
}

/**
 * The text of a partition value in the log. Each engine writes timestamps its own way. Delta accepts two
 * forms, one of which leaves the zone open; other readers accept no third one (`2026-11-29 10:00:00+00` fails
 * the whole table). An empty text is null in Delta, whatever the type, but Spark and DataFusion read it as an
 * empty text. So null alone means the same to all readers.
 */
export function partitionText(type: DeltaType | undefined, value: string | null): string | null {
  if (value === '') return null
  const [, day, time, digits = ''] = (type === 'timestamp' && UTC_TIME.exec(value ?? '')) || []
  return day === undefined ? value : `${day}T${time}.${digits.padEnd(6, '0')}Z`
}

const UTC_TIME = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:\+00(?::?00)?|Z)$/

/**
 * The name in the store of a data file with these partition values, written as in the log. `file` must be
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
 * True if the folders of a name state exactly the partition values, so that every reader finds them, however
 * its writer escapes.
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
