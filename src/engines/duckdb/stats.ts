/** DuckDB's statistics of a written file as the Delta log's JSON (protocol: "Per-file Statistics"). */
import { ORIGIN_COLUMNS, REJECT_COLUMNS } from '../../core/raw-columns.ts'
import type { DeltaType } from '../../core/table-schema.ts'

/**
 * Longer texts are left out: a truncated maximum would have to be rounded up, and long texts prune nothing.
 */
const LONGEST_TEXT = 64

export interface FileStatistics {
  rows: number
  size: number
  /** Column name (quoted as DuckDB gives it) to named values. */
  columns: Record<string, Record<string, string>>
}

export function deltaStats(statistics: FileStatistics, types: Map<string, DeltaType>): string {
  const minValues: Record<string, unknown> = {}
  const maxValues: Record<string, unknown> = {}
  const nullCount: Record<string, number> = {}
  const indexed = indexedColumns(types)
  for (const [quoted, values] of Object.entries(statistics.columns)) {
    const column = quoted.slice(1, -1).replaceAll('""', '"')
    const type = types.get(column)
    if (type === undefined || typeof type !== 'string' || type === 'binary' || indexed?.has(column) === false)
      continue
    if (values.null_count !== undefined) nullCount[column] = Number(values.null_count)
    const min = boundOf(values.min, type, false)
    const max = boundOf(values.max, type, true)
    if (min === undefined || max === undefined) continue
    minValues[column] = min
    maxValues[column] = max
  }
  return JSON.stringify({ numRecords: statistics.rows, minValues, maxValues, nullCount })
}

const MOST_COLUMNS = 100
const FIRST_COLUMNS = 32
const ORIGINS = [...ORIGIN_COLUMNS, ...REJECT_COLUMNS].map((column) => column.name)

/**
 * Only the first columns of a wide table have statistics, as with other Delta writers: those of 2,000 columns
 * are 400 KB per file, and each reader of the log holds them for all files. Undefined: all columns have them.
 */
function indexedColumns(types: Map<string, DeltaType>): Set<string> | undefined {
  return types.size <= MOST_COLUMNS
    ? undefined
    : new Set([...[...types.keys()].slice(0, FIRST_COLUMNS), ...ORIGINS])
}

function boundOf(value: string | undefined, type: string, upper: boolean): unknown {
  if (value === undefined || type === 'boolean') return undefined
  if (type === 'string') return Buffer.byteLength(value) <= LONGEST_TEXT ? value : undefined
  if (type === 'date') return value
  if (type === 'timestamp') return timestampBound(value, upper)
  const number = Number(value)
  if (type === 'double') return Number.isFinite(number) ? number : undefined
  // A rounded bound would hide rows from readers. JSON numbers are exact for integers of 53 bits and decimals
  // of 15 digits.
  if (!type.startsWith('decimal')) return Number.isSafeInteger(number) ? number : undefined
  return value.replace(/^-?0*\.?0*|\./g, '').length <= 15 ? number : undefined
}

/** Timestamps are kept to the millisecond: the lower bound is rounded down, the upper one up. */
function timestampBound(value: string, upper: boolean): string | undefined {
  const match = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?(?:\+00(?::00)?)?$/.exec(value)
  if (match === null) return undefined
  const micros = Number((match[3] ?? '').padEnd(6, '0'))
  const millis = upper ? Math.ceil(micros / 1000) : Math.floor(micros / 1000)
  const date = new Date(Date.parse(`${match[1]}T${match[2]}Z`) + millis)
  // Readers cannot parse a bound in year 10000.
  return Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999 ? undefined : date.toISOString()
}
