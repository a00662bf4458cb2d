/**
 * Columns that a job declares for its files: a name, a type and, as in declarations, the notation of its
 * text.
 */
import { failure } from '../core/errors.ts'
import { encodingNamed } from '../formats/charset.ts'
import { jsonPathText } from '../core/json-path.ts'
import type { Column } from '../dataset/declaration.ts'
import { checkMeaning } from '../dataset/meaning.ts'
import { normalizeColumn, type RawColumn } from '../dataset/normalize.ts'
import { EPOCH_PLACES } from '../dataset/temporal-format.ts'
import { columnType, type ColumnType, type NarrowType } from './column-types.ts'

/** A column of a file that a transfer writes. */
export interface FileColumn {
  column: Column
  /** Its type in the file. */
  duckType: string
  narrow?: NarrowType
}

type Written = RawColumn & { type: string }

const SETTINGS = [
  'name',
  'type',
  'path',
  'format',
  'timezone',
  'required',
  'nulls',
  'precision',
  'scale',
  'values',
  'pattern',
  'min_length',
  'max_length',
  'trim',
  'collapse',
  'case',
  'description',
]

const wrong = (setting: string, example: string): Error =>
  failure('setting_missing', { where: 'source_config', setting, example })

/** Throws `setting_missing` for an invalid list of columns, an unreadable column or an unknown encoding. */
export function checkColumns({ columns, format, header, encoding }: Record<string, unknown>): void {
  if (encoding !== undefined && encodingNamed(String(encoding)) === undefined)
    throw wrong(`an encoding that exists, not ${String(encoding).slice(0, 60)}`, '"encoding": "windows-1252"')
  if (columns === undefined) return
  if (format === 'parquet')
    throw wrong('columns of files that are text; Parquet has types of its own', '"format": "csv"')
  fileColumns(columns, String(format), header !== false)
}

/** The columns for judging and writing. */
export function fileColumns(columns: unknown, format: string, header: boolean): FileColumn[] {
  // A database keeps no order of an object's fields, but the order of columns matters.
  if (!isColumnList(columns))
    throw wrong('columns as a list of names and types', '"columns": [{ "name": "id", "type": "BIGINT" }]')
  const seen = new Set<string>()
  return columns.map((written, i) => {
    const key = written.name.toLowerCase()
    if (seen.has(key))
      throw wrong(
        `columns without ${written.name.slice(0, 60)} twice`,
        '"columns": [{ "name": "id", "type": "BIGINT" }]',
      )
    seen.add(key)
    return fileColumn(written, format, header ? undefined : i + 1)
  })
}

function isColumnList(value: unknown): value is Written[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (column: { name?: unknown; type?: unknown }) =>
        typeof column?.name === 'string' && typeof column.type === 'string',
    )
  )
}

function fileColumn(written: Written, format: string, position: number | undefined): FileColumn {
  const name = written.name.slice(0, 60)
  const odd = Object.keys(written).find((key) => !SETTINGS.includes(key))
  if (odd !== undefined)
    throw wrong(
      `columns without ${odd.slice(0, 60)} (of ${name}); a column has ${SETTINGS.join(', ')}`,
      '"columns": [{ "name": "day", "type": "DATE", "format": "dd.MM.yyyy" }]',
    )
  const type = typeOf(written)
  if (typeof type === 'string')
    throw wrong(
      `a type for column ${name} that is known, not ${written.type.slice(0, 60)}: take ${type}`,
      'BIGINT, VARCHAR, DECIMAL(12, 2), TIMESTAMP, VARCHAR[]',
    )
  if (type.array && format === 'csv')
    throw wrong(
      `a type for column ${name} that a field of CSV can hold, not the list ${written.type}`,
      '"type": "VARCHAR"',
    )
  const field = String(position ?? written.name)
  const raw: RawColumn = {
    path: format === 'csv' ? field : jsonPathText([written.name]),
    ...written,
    type: type.type,
    array: type.array,
    precision: type.precision,
    scale: type.scale,
    max_length: written.max_length ?? type.maxLength,
  }
  // An instant without an offset is in UTC, unless the column names a zone. A count since 1970 has no zone.
  if (type.type === 'timestamp' && !Object.hasOwn(EPOCH_PLACES, raw.format ?? 'iso')) raw.timezone ??= 'UTC'
  checkSettings(raw, format)
  return { column: normalizeColumn(raw), duckType: type.duckType, narrow: type.narrow }
}

/** `decimal` has its digits in separate settings, as in declarations. */
function typeOf({ type, precision, scale }: Written): ColumnType | string {
  return columnType(
    precision === undefined || type.includes('(')
      ? type
      : type.replace(/^\s*(\w+)/, `$1(${precision}, ${scale ?? 0})`),
  )
}

/** The mistakes that the check of a declaration finds in the column: formats, zones, patterns. */
function checkSettings(column: RawColumn, format: string): void {
  const record = { format: format as 'csv', ...(format === 'json' ? { path: '$' } : {}) }
  const found = checkMeaning({
    dataset: 'job',
    source: { files: { path: '.' } },
    record,
    columns: [column],
  }).find(({ path }) => path[0] === 'columns' && path[2] !== 'name')
  if (found !== undefined)
    throw wrong(
      `a column that can be read: ${found.message}`,
      found.suggestion ?? '"columns": [{ "name": "id", "type": "BIGINT" }]',
    )
}

/** A column that nobody declared: its text, unchanged. */
export function textColumn(name: string, path: string): FileColumn {
  return { column: normalizeColumn({ name, path }), duckType: 'VARCHAR' }
}
