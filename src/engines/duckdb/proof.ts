/**
 * Proofs in SQL that a text is one that our own checks accept, with the value that they give it. What a proof cannot show is an error,
 * never a reject: the statement fails, and the checks decide. So there is one judge, and DuckDB is only quicker where it need not judge.
 *
 * A cast alone proves nothing (1.5 becomes 2, 0x1F becomes 31). The cast back to text proves it where the text comes back as it was, which
 * most do; other ways to write the same value are matched by a pattern of what the checks accept.
 */
import type { Column } from '../../dataset/declaration.ts'
import { HeadraceError } from '../../core/errors.ts'
import type { DuckSession } from './session.ts'
import { listLiteral, literal, name } from './sql.ts'
import { copyWithStats, parquetOptions } from './stage.ts'

/** White space that the checks cut off at both ends: all up to the blank. */
const SPACE = `(${Array.from({ length: 33 }, (_, code) => `chr(${code})`).join(' || ')})`

/** In place of a field that is empty nothing may be read as null: DuckDB then forgives a field too many. No file is likely to hold this. */
export const NO_TEXT = '\u0001no text\u0002'

export const UNPROVEN = 'HEADRACE_UNPROVEN'

/** Whether a column's checks are among those that can be proven. */
export function isProvable({ array, type, format, timezone, values, pattern, minLength, maxLength, clean }: Column): boolean {
  const plain = !array && values === undefined && pattern === undefined && minLength === undefined && maxLength === undefined
  const clear = !clean.collapse && clean.case === 'keep' && clean.nulls.length === 1 && clean.nulls[0] === '' && (clean.trim || type === 'string')
  return plain && clear && (type !== 'date' && type !== 'timestamp' ? true : format === 'iso') && (type !== 'timestamp' || timezone === 'UTC')
}

export interface ProofOptions {
  /** The column's type in the file. */
  duckType: string
  /** Only the text that the value comes back as. */
  asWritten: boolean
}

/** The column's value, of the name of its text; fails for a text that is not proven. */
export function provenValue(column: Column, text: string, options: ProofOptions): string {
  const unproven = `error(${literal(UNPROVEN)})`
  const value = column.type === 'string' ? `nullif(${column.clean.trim ? `trim(${text}, ${SPACE})` : text}, '')` : typedValue(column, text, options, unproven)
  // No text at all: the field was what stands for none.
  const known = `CASE WHEN ${text} IS NULL THEN ${unproven} ELSE ${value} END`
  return column.required ? `coalesce(${known}, ${unproven})` : known
}

function typedValue(column: Column, text: string, { duckType, asWritten }: ProofOptions, unproven: string): string {
  const { quick, pattern, cast } = proofOf(column, text, duckType)
  const other = asWritten || pattern === undefined ? unproven : `CASE WHEN regexp_full_match(${text}, ${literal(pattern)}) THEN coalesce(${cast}, ${unproven}) ELSE ${unproven} END`
  return `CASE WHEN ${quick} THEN ${cast} WHEN ${text} = '' THEN NULL ELSE ${other} END`
}

interface Proof {
  /** True for a text that comes back as it was. */
  quick: string
  /** Other texts that the checks accept. */
  pattern?: string
  /** The value of an accepted text, or null. */
  cast: string
}

const [DAY, TIME, OFFSET] = ['[0-9]{4}-[0-9]{2}-[0-9]{2}', '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?', 'Z|[+-](0[0-9]|1[0-4]):[0-5][0-9]']

function proofOf({ type, precision, scale }: Column, text: string, duckType: string): Proof {
  const cast = `TRY_CAST(${text} AS ${duckType})`
  const same = `${cast}::VARCHAR = ${text}`
  switch (type) {
    case 'long':
    case 'integer':
      return { quick: same, pattern: '[+-]?[0-9]{1,40}', cast }
    case 'decimal':
      return { quick: same, pattern: `[+-]?([0-9]{1,${precision}}(\\.[0-9]{0,${scale}}0*)?|\\.[0-9]{1,${Math.max(1, scale)}}0*)`, cast }
    case 'double':
      // What is smaller than the smallest double is 0 for us and an error for DuckDB.
      return { quick: 'false', pattern: '[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]+)?', cast: finite(text, duckType) }
    case 'boolean':
      return { quick: `${text} IN ('true', 'false')`, pattern: '(?i)true|false|1|0', cast: `lower(${text}) IN ('true', '1')` }
    case 'date':
      // As many characters as years of four digits have: not "infinity", nor a year before Christ.
      return { quick: `strlen(${text}) = 10 AND ${same}`, cast }
    case 'timestamp':
      return { quick: `strlen(${text}) BETWEEN 19 AND 26 AND TRY_CAST(${text} AS TIMESTAMP)::VARCHAR = ${text}`, pattern: `${DAY}[T ]${TIME}(${OFFSET})?`, cast: instant(text, duckType) }
    case 'uuid':
      return { quick: same, pattern: '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}', cast }
    default:
      return { quick: 'false', cast: 'NULL' }
  }
}

/** The nearest double, which is not infinite and has no negative zero. Single precision is what the double rounds to. */
function finite(text: string, duckType: string): string {
  const double = `TRY_CAST(${text} AS DOUBLE)`
  const value = duckType === 'REAL' ? `TRY_CAST(${double} AS REAL)` : double
  return `CASE WHEN isfinite(${value}) THEN ${value} + 0 END`
}

/** With an offset it is the instant in UTC; without, what it says is UTC. */
function instant(text: string, duckType: string): string {
  const value = `CASE WHEN strlen(${text}) > 19 AND regexp_matches(${text}, '[+-][0-9:]+$') THEN TRY_CAST(${text} AS TIMESTAMPTZ)::TIMESTAMP ELSE TRY_CAST(${text} AS TIMESTAMP) END`
  return `CASE WHEN ${value} >= TIMESTAMP '0001-01-01' AND ${value} < TIMESTAMP '10000-01-01' THEN CAST(${value} AS ${duckType}) END`
}

export interface ProvenColumn extends ProofOptions {
  column: Column
}

export interface ProvenInput {
  paths: string[]
  /** In the order of the fields. */
  columns: ProvenColumn[]
  header: boolean
  delimiter: string
  quote: string
}

/**
 * Reads CSV of UTF-8 whose fields all are proven, and writes it. Undefined when something is not: nothing is known then of any row. The
 * caller must have looked for blanks at quotes, which DuckDB leaves out.
 */
export async function copyProven(session: DuckSession, { paths, columns, header, delimiter, quote }: ProvenInput, output: string): Promise<number | undefined> {
  const fields = columns.map((_, i) => `'c${i}': 'VARCHAR'`).join(', ')
  const dialect = `header = ${header}, delim = ${literal(delimiter)}, quote = ${literal(quote)}, escape = ${literal(quote)}, nullstr = ${literal(NO_TEXT)}`
  const source = `read_csv(${listLiteral(paths)}, auto_detect = false, strict_mode = true, compression = 'none', ${dialect}, columns = {${fields}})`
  const select = columns.map(({ column, ...options }, i) => `${provenValue(column, `c${i}`, options)} AS ${name(column.name)}`).join(', ')
  try {
    const [written] = await copyWithStats(session, `COPY (SELECT ${select} FROM ${source}) TO ${literal(output)} (${parquetOptions('zstd')})`, output)
    return written.rows
  } catch (error) {
    if (error instanceof HeadraceError && ['engine_failed', 'memory_exceeded'].includes(error.code)) return undefined
    throw error
  }
}
