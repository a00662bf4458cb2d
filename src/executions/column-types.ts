/**
 * The types that `columns` of a job may name: those of declarations, and their SQL names. Each has one of the
 * types that all ways of reading judge by the same rules, and a DuckDB type in the file.
 */
import type { ScalarType } from '../dataset/declaration.ts'

export interface ColumnType {
  type: ScalarType
  array: boolean
  precision?: number
  scale?: number
  /** VARCHAR(n): at most this many characters. */
  maxLength?: number
  /** The column's type in the file. */
  duckType: string
  /** A type narrower than the one that judges it. */
  narrow?: NarrowType
}

/** Values that only the wider type holds are rejected as `type.NAME`. */
export interface NarrowType {
  name: 'smallint' | 'tinyint' | 'real'
  least: number
  most: number
}

/** The largest double that single precision rounds to a number, and not to infinity. */
const REAL_MOST = 3.4028235677973362e38

const NARROW: Record<string, NarrowType> = {
  SMALLINT: { name: 'smallint', least: -32_768, most: 32_767 },
  TINYINT: { name: 'tinyint', least: -128, most: 127 },
  REAL: { name: 'real', least: -REAL_MOST, most: REAL_MOST },
}

const PLAIN: [ScalarType, string, string[]][] = [
  ['string', 'VARCHAR', ['VARCHAR', 'TEXT', 'STRING']],
  ['long', 'BIGINT', ['BIGINT', 'LONG', 'INT8', 'INT64']],
  ['integer', 'INTEGER', ['INTEGER', 'INT', 'INT4', 'INT32']],
  ['integer', 'SMALLINT', ['SMALLINT', 'INT2', 'INT16', 'SHORT']],
  ['integer', 'TINYINT', ['TINYINT', 'INT1']],
  ['double', 'DOUBLE', ['DOUBLE', 'FLOAT8', 'DOUBLE PRECISION']],
  ['double', 'REAL', ['REAL', 'FLOAT', 'FLOAT4']],
  ['boolean', 'BOOLEAN', ['BOOLEAN', 'BOOL', 'LOGICAL']],
  ['date', 'DATE', ['DATE']],
  ['timestamp', 'TIMESTAMP', ['TIMESTAMP', 'DATETIME']],
  ['timestamp', 'TIMESTAMPTZ', ['TIMESTAMPTZ', 'TIMESTAMP WITH TIME ZONE']],
  ['uuid', 'UUID', ['UUID']],
]

/** As in a message. */
export const KNOWN_TYPES =
  'VARCHAR or VARCHAR(n), BIGINT, INTEGER, SMALLINT, TINYINT, DECIMAL(p, s), DOUBLE, REAL, BOOLEAN, DATE, TIMESTAMP, TIMESTAMPTZ, UUID, and lists such as VARCHAR[]'

/** The replacement for an unsupported type. */
const INSTEAD: Record<string, string> = {
  TIME: 'VARCHAR',
  INTERVAL: 'VARCHAR',
  BLOB: 'VARCHAR',
  BYTEA: 'VARCHAR',
  BIT: 'VARCHAR',
  ENUM: 'VARCHAR',
  CHAR: 'VARCHAR(n)',
  BPCHAR: 'VARCHAR(n)',
  JSON: 'VARCHAR, which holds an object or a list as its JSON text',
  STRUCT: 'VARCHAR (its JSON text), or columns with a path',
  MAP: 'VARCHAR (its JSON text)',
  UNION: 'VARCHAR',
  HUGEINT: 'DECIMAL(38, 0)',
  UHUGEINT: 'DECIMAL(38, 0)',
  BIGNUM: 'DECIMAL(38, 0)',
  UBIGINT: 'DECIMAL(20, 0)',
  UINTEGER: 'BIGINT',
  USMALLINT: 'INTEGER',
  UTINYINT: 'SMALLINT',
  TIMESTAMP_S: 'TIMESTAMP',
  TIMESTAMP_MS: 'TIMESTAMP',
  TIMESTAMP_NS: 'TIMESTAMP',
  DECIMAL: 'DECIMAL(p, s) with its digits, such as DECIMAL(18, 2)',
}

const WRITTEN = /^([A-Z][A-Z0-9_]*(?: [A-Z]+)*?) ?(?:\( ?(\d{1,4}) ?(?:, ?(\d{1,3}) ?)?\))?((?:\[\])*)$/
const DECIMALS = ['DECIMAL', 'NUMERIC', 'DEC']

/** Parses a type. A text as the result names the replacement for an unknown type. */
export function columnType(written: string): ColumnType | string {
  const match = WRITTEN.exec(written.trim().replace(/\s+/g, ' ').toUpperCase())
  if (match === null) return KNOWN_TYPES
  const [, typeName, first, second, brackets] = match
  const item = DECIMALS.includes(typeName) ? decimalType(first, second) : plainType(typeName, first)
  if (typeof item === 'string' || brackets === '') return item
  if (brackets !== '[]') return 'a list of values; VARCHAR holds lists of lists as their JSON text'
  if (item.narrow !== undefined || item.maxLength !== undefined) return `a list of ${widened(item)}`
  return { ...item, array: true, duckType: `${item.duckType}[]` }
}

/** The type that holds the values of a narrow number, or of a text with a length. */
function widened({ narrow }: ColumnType): string {
  if (narrow === undefined) return 'VARCHAR'
  return narrow.name === 'real' ? 'DOUBLE' : 'INTEGER'
}

function decimalType(first: string | undefined, second = '0'): ColumnType | string {
  const [precision, scale] = [Number(first), Number(second)]
  if (first === undefined || precision < 1 || precision > 38 || scale > precision)
    return `${INSTEAD.DECIMAL}, of 38 digits at most`
  return { type: 'decimal', array: false, precision, scale, duckType: `DECIMAL(${precision}, ${scale})` }
}

function plainType(typeName: string, size: string | undefined): ColumnType | string {
  const found = PLAIN.find(([, , names]) => names.includes(typeName))
  if (found === undefined) return INSTEAD[typeName] ?? KNOWN_TYPES
  const [type, duckType] = found
  if (size === undefined) return { type, array: false, duckType, narrow: NARROW[duckType] }
  return type === 'string' && Number(size) > 0
    ? { type, array: false, duckType, maxLength: Number(size) }
    : `${typeName} without a number in brackets`
}
