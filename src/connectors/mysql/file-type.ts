/** The types of MySQL and MariaDB in a file, and the values that such a type cannot hold. */
import mysql from 'mysql2/promise'
import type { SourceColumn, Unrepresentable } from '../table-source.ts'

export interface MysqlColumn extends SourceColumn {
  /** As the database names it. */
  type: string
  select: string
  /** May contain characters that have a meaning in CSV. */
  quoted: boolean
  time: boolean
  rule?: string
  /** Checks a value as text. */
  isOdd?(text: string): boolean
}

const WHOLE_TYPES: Record<string, string> = {
  tinyint: 'TINYINT',
  smallint: 'SMALLINT',
  mediumint: 'INTEGER',
  int: 'INTEGER',
  bigint: 'BIGINT',
  year: 'SMALLINT',
}
const SHAPES = ['geometry', 'point', 'linestring', 'polygon', 'multipoint', 'multilinestring', 'multipolygon']
const BYTES = new Set([
  'binary',
  'varbinary',
  'tinyblob',
  'blob',
  'mediumblob',
  'longblob',
  'bit',
  'vector',
  ...SHAPES,
  'geometrycollection',
  'geomcollection',
])
const MOST_DIGITS = 38

export interface Treatment {
  unrepresentable: Unrepresentable
  zeroDates?: 'null'
}

/**
 * `kind` and `whole` as in information_schema (int, int(10) unsigned). A type without an equivalent stays the
 * text of the database. A FLOAT is read as a DOUBLE: as text, it has only six digits.
 */
export function mysqlColumn(name: string, kind: string, whole: string, treatment: Treatment): MysqlColumn {
  const id = mysql.escapeId(name, true)
  const plain = { name, type: whole, select: id, hex: false, quoted: false, time: false, place: 0 }
  const number = WHOLE_TYPES[kind]
  if (number !== undefined) return { ...plain, duckType: `${/unsigned/.test(whole) ? 'U' : ''}${number}` }
  if (kind === 'float') return { ...plain, duckType: 'FLOAT', select: `CAST(${id} AS DOUBLE)` }
  if (kind === 'double') return { ...plain, duckType: 'DOUBLE' }
  const decimal = /^decimal\((\d+),(\d+)\)/.exec(whole)
  if (decimal !== null && Number(decimal[1]) <= MOST_DIGITS)
    return { ...plain, duckType: `DECIMAL(${decimal[1]}, ${decimal[2]})` }
  if (BYTES.has(kind)) return { ...plain, duckType: 'VARCHAR', hex: true }
  if (kind === 'date' || kind === 'datetime' || kind === 'timestamp')
    return { ...plain, ...dated(id, kind, treatment) }
  return { ...plain, duckType: 'VARCHAR', quoted: true }
}

type Dated = Pick<MysqlColumn, 'duckType' | 'select' | 'time' | 'rule' | 'isOdd'>

function dated(
  id: string,
  kind: 'date' | 'datetime' | 'timestamp',
  { unrepresentable, zeroDates }: Treatment,
): Dated {
  const zero = kind === 'date' ? '0000-00-00' : '0000-00-00 00:00:00'
  // The comparison of texts does not see the year 0000 with fractions of a second as zero, but it is no valid
  // time either.
  const value =
    zeroDates === 'null' ? `CASE WHEN CAST(${id} AS CHAR) LIKE '${zero}%' THEN NULL ELSE ${id} END` : id
  const select = kind === 'timestamp' ? `CONCAT(${value}, '+00')` : value
  const time = kind !== 'date'
  if (unrepresentable === 'text') return { duckType: 'VARCHAR', select, time }
  const duckType = { date: 'DATE', datetime: 'TIMESTAMP', timestamp: 'TIMESTAMPTZ' }[kind]
  return { duckType, select, time, rule: kind === 'date' ? 'type.date' : 'type.timestamp', isOdd: isNoDay }
}

const ZERO = 48

/**
 * Whether a text that starts with yyyy-MM-dd is an invalid day: 0000-00-00, 2026-00-10, the 31st of February.
 */
export function isNoDay(text: string): boolean {
  const tens = text.charCodeAt(8) - ZERO
  const day = tens * 10 + text.charCodeAt(9) - ZERO
  const month = (text.charCodeAt(5) - ZERO) * 10 + text.charCodeAt(6) - ZERO
  if (month === 0 || day === 0 || text.startsWith('0000')) return true
  if (day <= 28) return false
  if (month === 2) return day > (isLeap(text) ? 29 : 28)
  return day > ([4, 6, 9, 11].includes(month) ? 30 : 31)
}

function isLeap(text: string): boolean {
  const year = Number(text.slice(0, 4))
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
}
