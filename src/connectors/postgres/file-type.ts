/** The types of PostgreSQL in a file, and the values that such a type cannot hold. */
import pg from 'pg'
import type { SourceColumn, Unrepresentable } from '../table-source.ts'

/** DuckDB's type, the rule that a value breaks if the type cannot hold it, and SQL that finds such values. */
export interface FileType {
  duckType: string
  rule?: string
  isOdd?: (column: string) => string
}

const beyondFinite = (column: string): string => `${column} >= 'Infinity' OR ${column} <= '-Infinity'`
/** Infinity, years before 1 and after 9999: no other reader of the file could show them. */
const isOutside = (from: string, to: string) => (column: string) =>
  `${column} < '${from}' OR ${column} > '${to}'`
const MOMENTS = isOutside('0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999+00')

const PLAIN: Record<string, FileType> = {
  smallint: { duckType: 'SMALLINT' },
  integer: { duckType: 'INTEGER' },
  bigint: { duckType: 'BIGINT' },
  boolean: { duckType: 'BOOLEAN' },
  // In PostgreSQL's order, NaN is above infinity.
  real: { duckType: 'FLOAT', rule: 'type.double', isOdd: beyondFinite },
  'double precision': { duckType: 'DOUBLE', rule: 'type.double', isOdd: beyondFinite },
  date: { duckType: 'DATE', rule: 'type.date', isOdd: isOutside('0001-01-01', '9999-12-31') },
  'timestamp without time zone': { duckType: 'TIMESTAMP', rule: 'type.timestamp', isOdd: MOMENTS },
  'timestamp with time zone': { duckType: 'TIMESTAMPTZ', rule: 'type.timestamp', isOdd: MOMENTS },
}

const MOST_DIGITS = 38

/**
 * `type` as `format_type` names it, with domains replaced by their base. A type without an equivalent for all
 * readers (also times of day and uuid: Spark refuses files with them) stays PostgreSQL's text.
 */
export function fileType(type: string): FileType {
  const plain = PLAIN[type.replace(/\(\d+\)/, '')]
  if (plain !== undefined) return plain
  const numeric = /^numeric\((\d+),(-?\d+)\)$/.exec(type)
  if (numeric === null) return { duckType: 'VARCHAR' }
  // numeric(2,5) holds five digits after the point, three of them zeros; numeric(2,-3) holds whole thousands.
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

/** A column in a file. All its values are text if the source asks for it. */
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
  /** The position of each column in the rows of the stream. */
  places: number[]
}

/** No more text of a rejected row is kept. */
const MOST_ROW_TEXT = 65_536
const MOST_VALUE_TEXT = 1_000

/** Whether a value of these columns may cause a reject. */
export function mayReject(columns: PostgresColumn[], treatment: Unrepresentable): boolean {
  return treatment === 'reject' && columns.some((column) => column.isOdd !== undefined)
}

const written = (column: PostgresColumn): string => `t.${pg.escapeIdentifier(column.name)}`

export const oddness = (column: PostgresColumn): string => column.isOdd?.(written(column)) ?? 'false'

/** The unchanged columns of a query, without values that no file can hold. */
export function plainList(columns: PostgresColumn[], treatment: Unrepresentable): SelectList {
  const value = (column: PostgresColumn): string =>
    column.isOdd === undefined || treatment !== 'null'
      ? written(column)
      : `CASE WHEN ${oddness(column)} THEN NULL ELSE ${written(column)} END`
  return { sql: columns.map(value).join(', '), places: columns.map((_, i) => i) }
}

/**
 * The columns of a query whose rows may carry a message instead: the first column is text, and for a row with
 * an odd value it has the mark and a JSON array (which column, the value, the row) instead of its value. The
 * server itself looks for such values, with one comparison or two for each; columns without any cost nothing.
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

/** A cast of char(n) to text would drop its blanks. */
function textOf(column: PostgresColumn, value: string): string {
  return isPadded(column)
    ? `CASE WHEN ${value} IS NOT NULL THEN format('%s', ${value}) END`
    : `(${value})::text`
}

/** The column that is cheapest as text: a text, else an integer, else any other. */
function carrierOf(columns: PostgresColumn[]): number {
  const costs = columns.map((column): number => {
    if (isPadded(column)) return 3
    if (/^(text|character varying)/.test(column.type)) return 0
    return /INT/.test(column.duckType) ? 1 : 2
  })
  return costs.indexOf(Math.min(...costs))
}
