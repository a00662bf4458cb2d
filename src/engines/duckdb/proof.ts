/**
 * Proves in SQL that our own checks accept a text, and with which value. Where a proof fails, the result is
 * an error, never a reject: the statement fails, and the checks decide. So only the checks judge, and DuckDB
 * is merely faster where no judgment is needed.
 *
 * A cast alone proves nothing (1.5 becomes 2, 0x1F becomes 31). Casting back to text proves it if the text
 * comes back unchanged, as most do. Other notations of the same value are matched by a pattern of what the
 * checks accept.
 */
import { randomUUID } from 'node:crypto'
import type { Column } from '../../dataset/declaration.ts'
import { HeadraceError, reasonOf } from '../../core/errors.ts'
import type { DuckSession } from './session.ts'
import { fileList, literal, name } from './sql.ts'
import { copyWithStats, parquetOptions } from './stage.ts'

/**
 * The white space that the checks cut off at both ends: everything up to the blank. It is built by two calls:
 * folding 33 characters took 20 ms for each column.
 */
const SPACE = `decode(unhex('${Buffer.from(Array.from({ length: 33 }, (_, code) => code)).toString('hex')}'))`

export const UNPROVEN = 'HEADRACE_UNPROVEN'

/** Whether the checks of a column can be proven. */
export function isProvable({
  array,
  type,
  format,
  timezone,
  values,
  pattern,
  minLength,
  maxLength,
  clean,
}: Column): boolean {
  const plain =
    !array &&
    values === undefined &&
    pattern === undefined &&
    minLength === undefined &&
    maxLength === undefined
  const clear =
    !clean.collapse &&
    clean.case === 'keep' &&
    clean.nulls.length === 1 &&
    clean.nulls[0] === '' &&
    (clean.trim || type === 'string')
  return (
    plain &&
    clear &&
    (type !== 'date' && type !== 'timestamp' ? true : format === 'iso') &&
    (type !== 'timestamp' || timezone === 'UTC')
  )
}

export interface ProofOptions {
  /** The column's type in the file. */
  duckType: string
  /** Accepts only texts that the value comes back as. */
  asWritten: boolean
}

export interface Proof {
  /** The cast, evaluated once, next to the text. */
  cast: string
  /** The value of the column from the text and its cast. Fails for a text without a proof. */
  value: string
}

/** `text` and `cast` are their names in the statement. */
export function proofOf(
  column: Column,
  { text, cast }: { text: string; cast: string },
  options: ProofOptions,
): Proof {
  const unproven = `error(${literal(UNPROVEN)})`
  const typed =
    column.type === 'string'
      ? { cast: 'NULL', value: textValue(text, column.clean.trim) }
      : typedProof(column, { text, cast }, options)
  // Null is a missing field.
  const known = `CASE WHEN ${text} IS NULL THEN ${unproven} ELSE ${typed.value} END`
  return { cast: typed.cast, value: column.required ? `coalesce(${known}, ${unproven})` : known }
}

/**
 * Checking both ends shows that there is nothing to cut, at a fiftieth of the cost of cutting 33 characters.
 */
function textValue(text: string, trim: boolean): string {
  if (!trim) return `nullif(${text}, '')`
  return `CASE WHEN ${text} >= '!' AND ${text}[-1] > ' ' THEN ${text} WHEN ${text} = '' THEN NULL ELSE nullif(trim(${text}, ${SPACE}), '') END`
}

interface TypeProof {
  /** Holds for a text that comes back unchanged. */
  quick: string
  /** Other texts that the checks accept; their value is read differently. */
  pattern?: string
  cast: string
  /** The value in the file for an accepted text; null if there is none. */
  value: string
}

function typedProof(
  column: Column,
  names: { text: string; cast: string },
  { duckType, asWritten }: ProofOptions,
): Proof {
  const unproven = `error(${literal(UNPROVEN)})`
  const { quick, pattern, cast, value } = typeProof(column, names, duckType)
  const other =
    asWritten || pattern === undefined
      ? unproven
      : `CASE WHEN regexp_full_match(${names.text}, ${literal(pattern)}) THEN coalesce(${value}, ${unproven}) ELSE ${unproven} END`
  return {
    cast,
    value: `CASE WHEN ${quick} THEN ${value} WHEN ${names.text} = '' THEN NULL ELSE ${other} END`,
  }
}

const [DAY, TIME] = ['[0-9]{4}-[0-9]{2}-[0-9]{2}', '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?']

function typeProof(
  { type, precision, scale }: Column,
  { text, cast }: { text: string; cast: string },
  duckType: string,
): TypeProof {
  const tried = `TRY_CAST(${text} AS ${duckType})`
  const plain = { quick: `${cast}::VARCHAR = ${text}`, cast: tried, value: cast }
  switch (type) {
    case 'long':
    case 'integer':
      return { ...plain, pattern: '[+-]?[0-9]{1,40}' }
    case 'decimal':
      return {
        ...plain,
        pattern: `[+-]?([0-9]{1,${precision}}(\\.[0-9]{0,${scale}}0*)?${scale === 0 ? '' : `|\\.[0-9]{1,${scale}}0*`})`,
      }
    case 'double':
      return doubleProof(text, cast, duckType)
    case 'boolean':
      return {
        quick: `${text} IN ('true', 'false')`,
        // Letter by letter: case-insensitive matching would equate s with the long s (ſ), which the checks
        // refuse.
        pattern: '[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|1|0',
        cast: 'NULL',
        value: `lower(${text}) IN ('true', '1')`,
      }
    case 'date':
      // The number of characters of a four-digit year: excludes "infinity" and years before Christ.
      return { ...plain, quick: `strlen(${text}) = 10 AND ${plain.quick}` }
    case 'timestamp':
      return timestampProof(text, cast, duckType)
    default:
      return { ...plain, pattern: '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}' }
  }
}

/** The nearest double, neither infinite nor negative zero. Single precision is what the double rounds to. */
function doubleProof(text: string, cast: string, duckType: string): TypeProof {
  const value = duckType === 'REAL' ? `TRY_CAST(${cast} AS REAL)` : cast
  const quick = `${cast}::VARCHAR = ${text} AND isfinite(${value})`
  return {
    quick,
    pattern: '[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]+)?',
    cast: `TRY_CAST(${text} AS DOUBLE)`,
    value: `CASE WHEN isfinite(${value}) THEN ${value} + 0 END`,
  }
}

/** Without an offset, the text is in UTC. Offsets other than Z are left to the checks. */
function timestampProof(text: string, cast: string, duckType: string): TypeProof {
  const inYears = `${cast} >= TIMESTAMP '0001-01-01' AND ${cast} < TIMESTAMP '10000-01-01'`
  const value = duckType === 'TIMESTAMP' ? cast : `${cast}::${duckType}`
  return {
    quick: `strlen(${text}) BETWEEN 19 AND 26 AND ${cast}::VARCHAR = ${text} AND ${inYears}`,
    pattern: `${DAY}[T ]${TIME}Z?`,
    cast: `TRY_CAST(${text} AS TIMESTAMP)`,
    value: `CASE WHEN ${inYears} THEN ${value} END`,
  }
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
 * Reads CSV in UTF-8 whose fields can all be proven, and writes it. Undefined if one cannot: then nothing is
 * known of any row. The caller must have looked for blanks at quotes, which DuckDB drops.
 */
export async function copyProven(
  session: DuckSession,
  input: ProvenInput,
  output: string,
): Promise<number | undefined> {
  const { columns } = input
  const proofs = columns.map(({ column, ...options }, i) =>
    proofOf(column, { text: `c${i}`, cast: `v${i}` }, options),
  )
  const select = proofs.map((proof, i) => `${proof.value} AS ${name(columns[i].column.name)}`).join(', ')
  const casts = proofs.map((proof, i) => `c${i}, ${proof.cast} AS v${i}`).join(', ')
  const fits = `CASE WHEN c${columns.length} IS NULL THEN true ELSE error(${literal(UNPROVEN)}) END`
  const copy = async (parallel: boolean): Promise<number> => {
    const rows = `SELECT ${casts} FROM ${textFields(input, parallel)} WHERE ${fits}`
    const [written] = await copyWithStats(
      session,
      `COPY (SELECT ${select} FROM (${rows})) TO ${literal(output)} (${parquetOptions('zstd', columns.length)})`,
      output,
    )
    return written.rows
  }
  try {
    return await copy(true).catch((error: unknown) => {
      // A line end in quotes: a single thread can read on where several cannot find the fields of a record.
      if (error instanceof HeadraceError && /null_padding in conjunction/.test(reasonOf(error.cause)))
        return copy(false)
      throw error
    })
  } catch (error) {
    if (error instanceof HeadraceError && ['engine_failed', 'memory_exceeded'].includes(error.code))
      return undefined
    throw error
  }
}

/**
 * The fields as texts, c0 and on, none of them null, plus one that is null in a record that fits. DuckDB
 * ignores an extra field if it is empty; as a separate field, it becomes visible. The text that stands for
 * null cannot be guessed.
 */
export function textFields(
  { paths, columns, header, delimiter, quote }: ProvenInput,
  parallel: boolean,
): string {
  const fields = Array.from({ length: columns.length + 1 }, (_, i) => `'c${i}': 'VARCHAR'`).join(', ')
  const dialect = `header = ${header}, delim = ${literal(delimiter)}, quote = ${literal(quote)}, escape = ${literal(quote)}, nullstr = ${literal(randomUUID())}`
  return `read_csv(${fileList(paths)}, auto_detect = false, strict_mode = true, null_padding = true, parallel = ${parallel}, compression = 'none', ${dialect}, columns = {${fields}})`
}
