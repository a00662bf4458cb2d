/** What each type of PostgreSQL is in a file, and which of its values such a type cannot hold. */
import pg from 'pg'
import type { SourceColumn, Unrepresentable } from '../table-source.ts'

/** DuckDB's type, the rule that is broken by a value it cannot hold, and SQL that finds such values. */
export interface FileType {
  duckType: string
  rule?: string
  isOdd?: (column: string) => string
}

const beyondFinite = (column: string): string => `${column} >= 'Infinity' OR ${column} <= '-Infinity'`
/** Infinity, years before 1 and after 9999: of files, no other reader could show them. */
const isOutside = (from: string, to: string) => (column: string) =>
  `${column} < '${from}' OR ${column} > '${to}'`
const MOMENTS = isOutside('0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999+00')

const PLAIN: Record<string, FileType> = {
  smallint: { duckType: 'SMALLINT' },
  integer: { duckType: 'INTEGER' },
  bigint: { duckType: 'BIGINT' },
  boolean: { duckType: 'BOOLEAN' },
  // NaN is above infinity in PostgreSQL's order.
  real: { duckType: 'FLOAT', rule: 'type.double', isOdd: beyondFinite },
  'double precision': { duckType: 'DOUBLE', rule: 'type.double', isOdd: beyondFinite },
  date: { duckType: 'DATE', rule: 'type.date', isOdd: isOutside('0001-01-01', '9999-12-31') },
  'timestamp without time zone': { duckType: 'TIMESTAMP', rule: 'type.timestamp', isOdd: MOMENTS },
  'timestamp with time zone': { duckType: 'TIMESTAMPTZ', rule: 'type.timestamp', isOdd: MOMENTS },
}

const MOST_DIGITS = 38

/**
 * `type` as `format_type` names it, domains by their base. What has no equal that all readers know (times of
 * day and uuid too: Spark refuses files that have them) stays the text that PostgreSQL gives.
 */
export function fileType(type: string): FileType {
  const plain = PLAIN[type.replace(/\(\d+\)/, '')]
  if (plain !== undefined) return plain
  const numeric = /^numeric\((\d+),(-?\d+)\)$/.exec(type)
  if (numeric === null) return { duckType: 'VARCHAR' }
  // numeric(2,5) holds five digits behind the point, of which three are zeros; numeric(2,-3) whole thousands.
  const [precision, scale] = [Number(numeric[1]), Number(numeric[2])]
  const width = scale < 0 ? precision - scale : Math.max(precision, scale)
  if (width > MOST_DIGITS) return { duckType: 'VARCHAR' }
  return {
    duckType: `DECIMAL(${width}, ${Math.max(0, scale)})`,
    rule: 'type.decimal',
    isOdd: (column) => `${column} = 'NaN'`,
  }
}

export interface PostgresColumn extends SourceColumn {
  /** PostgreSQL's name of the type, with its modifiers. */
  type: string
  rule?: string
  isOdd?: (column: string) => string
}

/** A column in a file, whose values are all there as text when the source says so. */
export function postgresColumn(name: string, type: string, treatment: Unrepresentable): PostgresColumn {
  const known = fileType(type)
  const plain = { name, type, place: 0, hex: type === 'bytea' }
  if (treatment !== 'text' || known.isOdd === undefined) return { ...plain, ...known }
  return {
    ...plain,
    duckType: 'VARCHAR',
    isNumberText: known.rule === 'type.decimal' || known.rule === 'type.double',
  }
}

export interface SelectList {
  sql: string
  /** Where each column stands in the rows that come. */
  places: number[]
}

/** Of a row that is not taken, no more is kept. */
const MOST_ROW_TEXT = 65_536
const MOST_VALUE_TEXT = 1_000

/** Whether any value of these columns may make its row a reject. */
export function mayReject(columns: PostgresColumn[], treatment: Unrepresentable): boolean {
  return treatment === 'reject' && columns.some((column) => column.isOdd !== undefined)
}

const written = (column: PostgresColumn): string => `t.${pg.escapeIdentifier(column.name)}`

export const oddness = (column: PostgresColumn): string => column.isOdd?.(written(column)) ?? 'false'

/** The columns of a query as they are, without what no file can hold. */
export function plainList(columns: PostgresColumn[], treatment: Unrepresentable): SelectList {
  const value = (column: PostgresColumn): string =>
    column.isOdd === undefined || treatment !== 'null'
      ? written(column)
      : `CASE WHEN ${oddness(column)} THEN NULL ELSE ${written(column)} END`
  return { sql: columns.map(value).join(', '), places: columns.map((_, i) => i) }
}

/**
 * The columns of a query whose rows may carry word of something else: the first column is text, and instead
 * of a value it has the mark and a JSON array when the row has an odd value: which column, the value, the
 * row. The server looks for such values itself, one comparison or two for each; columns that can have none
 * cost nothing.
 */
export function markedList(columns: PostgresColumn[], treatment: Unrepresentable, mark: string): SelectList {
  const odd = treatment === 'reject' ? columns.filter((column) => column.isOdd !== undefined) : []
  const inOrder = columns.map((_, i) => i)
  const carrier = carrierOf(columns)
  const order = [carrier, ...inOrder.filter((i) => i !== carrier)]
  const values = columns.map((column) => plainList([column], treatment).sql)
  const which = odd.map((column) => `WHEN ${oddness(column)} THEN ${columns.indexOf(column)}`).join(' ')
  const value = odd.map((column) => `WHEN ${oddness(column)} THEN ${written(column)}::text`).join(' ')
  // A name that no column has.
  const whole = pg.escapeIdentifier(`row ${mark.slice(1)}`)
  const row = `(SELECT row_to_json(${whole})::text FROM (SELECT ${columns.map(written).join(', ')}) ${whole})`
  const shortValue = `left(CASE ${value} END, ${MOST_VALUE_TEXT})`
  const shortRow = `left(${row}, ${MOST_ROW_TEXT})`
  const report = `json_build_array(CASE ${which} END, ${shortValue}, ${shortRow})::text`
  const text = textOf(columns[carrier], values[carrier])
  const first =
    odd.length === 0
      ? text
      : `CASE WHEN ${odd.map(oddness).join(' OR ')} THEN '${mark}' || ${report} ELSE ${text} END`
  return {
    sql: [first, ...order.slice(1).map((i) => values[i])].join(', '),
    places: inOrder.map((i) => order.indexOf(i)),
  }
}

const isPadded = ({ type }: PostgresColumn): boolean => /^(character(\(|$)|bpchar)/.test(type)

/** A cast of char(n) to text would take its blanks away. */
function textOf(column: PostgresColumn, value: string): string {
  return isPadded(column)
    ? `CASE WHEN ${value} IS NOT NULL THEN format('%s', ${value}) END`
    : `(${value})::text`
}

/** The column that is cheapest as text: one that is text, a whole number, any other. */
function carrierOf(columns: PostgresColumn[]): number {
  const costs = columns.map((column): number => {
    if (isPadded(column)) return 3
    if (/^(text|character varying)/.test(column.type)) return 0
    return /INT/.test(column.duckType) ? 1 : 2
  })
  return costs.indexOf(Math.min(...costs))
}
