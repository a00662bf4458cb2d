/** Whole inputs to one Parquet file, by DuckDB: CSV, JSON, NDJSON and Parquet files, and text that another process writes into a pipe. */
import { reasonOf } from '../../core/errors.ts'
import type { DuckSession } from './session.ts'
import { listLiteral, literal, name } from './sql.ts'

export interface TransferInput {
  format: 'csv' | 'json' | 'ndjson' | 'parquet'
  paths: string[]
  /** Name to DuckDB type, in order. Without, types are inferred from the first rows. */
  columns?: Record<string, string>
  header?: boolean
  delimiter?: string
  quote?: string
  newLine?: string
  /** Stands for a missing value; in quotes it is that text. */
  nullText?: string
  /** At most so many rows: of a draft. */
  limit?: number
  /** Expressions instead of `*`, for types that text has no form of. */
  select?: string
  /** A line may have so many bytes, and lines are read one after the other: the reader takes a few times as much memory. */
  maxLineBytes?: number
  /** Keep lines that do not fit instead of failing on them (CSV, NDJSON with declared columns). */
  rejects?: boolean
}

export interface TransferResult {
  rows: number
  rejected: number
}

/** Reads the input and writes it. With `rejects`, lines that do not fit are written to that file with their number and the reason. */
export async function transfer(session: DuckSession, input: TransferInput, output: string, rejectsFile?: string): Promise<TransferResult> {
  if (input.format !== 'ndjson' || input.columns === undefined || rejectsFile === undefined) return transferWhole(session, input, output, rejectsFile)
  // Lines that all fit, the usual case, are read at full speed; only when one does not are they judged one by one.
  return transferWhole(session, input, output).catch((error: unknown) => {
    if (!(error instanceof Error && MISFIT.test(reasonOf(error.cause)))) throw error
    return transferLines(session, { ...input, columns: input.columns ?? {} }, output, rejectsFile)
  })
}

/** Of a line; the reader takes sixteen times as much memory. */
const MOST_LINE_BYTES = 4 * 1024 * 1024

/** DuckDB's classes for a line of JSON that is none, and for a value that its type has no room for; anything else fails a second time too. */
const MISFIT = /^(Invalid Input|Conversion) Error/

/** Each line of NDJSON by itself: its columns where it fits, else the line with its number, the column and the rule. */
async function transferLines(session: DuckSession, input: TransferInput & { columns: Record<string, string> }, output: string, rejectsFile: string): Promise<TransferResult> {
  const columns = Object.entries(input.columns)
  const path = (column: string): string => literal(`$.${JSON.stringify(column)}`)
  const value = (column: string, type: string): string => (/^(VARCHAR|TEXT|STRING)$/i.test(type) ? `json_extract_string(line, ${path(column)})` : `TRY_CAST(json_extract(line, ${path(column)}) AS ${type})`)
  const misfit = columns.map(([column, type], i) => `WHEN json_extract_string(line, ${path(column)}) IS NOT NULL AND c${i} IS NULL THEN ${literal(`${column}\t${type}`)}`)
  // A separator that no text holds: a line is one value, whatever is in it.
  const lines = `SELECT filename, row_number() OVER (PARTITION BY filename) AS number, line FROM read_csv(${listLiteral(input.paths)}, columns = {line: 'VARCHAR'}, auto_detect = false, header = false, delim = chr(1), quote = '', escape = '', filename = true, max_line_size = ${MOST_LINE_BYTES})`
  await session.run(`CREATE OR REPLACE TEMP TABLE judged AS SELECT *, CASE WHEN NOT whole THEN 'line\tJSON object' ${misfit.join(' ')} END AS wrong FROM (
    SELECT *, ${columns.map(([column, type], i) => `CASE WHEN whole THEN ${value(column, type)} END AS c${i}`).join(', ')} FROM (SELECT *, CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END AS whole FROM (${lines}) WHERE trim(line) <> '')
  )`)
  const limit = input.limit === undefined ? '' : ` LIMIT ${Math.floor(input.limit)}`
  await session.run(`COPY (SELECT ${columns.map(([column], i) => `c${i} AS ${name(column)}`).join(', ')} FROM judged WHERE wrong IS NULL${limit}) TO ${literal(output)} (FORMAT parquet, COMPRESSION zstd)`)
  const [[rows, rejected]] = await session.rows('SELECT count(*) FILTER (wrong IS NULL), count(*) FILTER (wrong IS NOT NULL) FROM judged')
  if (Number(rejected) > 0) await session.run(`COPY (SELECT filename AS file_path, number AS line, split_part(wrong, chr(9), 1) AS column_name, 'TYPE' AS rule, 'is not ' || split_part(wrong, chr(9), 2) AS error_message, line AS original FROM judged WHERE wrong IS NOT NULL) TO ${literal(rejectsFile)} (FORMAT parquet, COMPRESSION zstd)`)
  await session.run('DROP TABLE judged')
  return { rows: Math.min(Number(rows), input.limit ?? Infinity), rejected: Number(rejected) }
}

async function transferWhole(session: DuckSession, input: TransferInput, output: string, rejectsFile?: string): Promise<TransferResult> {
  const limit = input.limit === undefined ? '' : ` LIMIT ${Math.floor(input.limit)}`
  await session.run(`COPY (SELECT ${input.select ?? '*'} FROM ${relation(input)}${limit}) TO ${literal(output)} (FORMAT parquet, COMPRESSION zstd)`)
  const [[rows]] = await session.rows(`SELECT sum(num_rows) FROM (SELECT DISTINCT file_name, row_group_id, row_group_num_rows AS num_rows FROM parquet_metadata(${literal(output)}))`)
  if (input.format !== 'csv' || input.rejects !== true) return { rows: Number(rows ?? 0), rejected: 0 }
  const [[rejected]] = await session.rows('SELECT count(DISTINCT (file_id, line)) FROM reject_errors')
  if (Number(rejected) > 0 && rejectsFile !== undefined) {
    await session.run(`COPY (SELECT s.file_path, e.line, e.byte_position, e.column_name, e.error_type::VARCHAR AS rule, e.error_message, e.csv_line AS original FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id)) TO ${literal(rejectsFile)} (FORMAT parquet, COMPRESSION zstd)`)
  }
  return { rows: Number(rows ?? 0), rejected: Number(rejected) }
}

function relation(input: TransferInput): string {
  const files = listLiteral(input.paths)
  if (input.format === 'parquet') return `read_parquet(${files})`
  const columns = input.columns === undefined ? '' : `, columns = {${Object.entries(input.columns).map(([column, type]) => `${literal(column)}: ${literal(type)}`).join(', ')}}`
  if (input.format !== 'csv') return `read_json(${files}, format = '${input.format === 'ndjson' ? 'newline_delimited' : 'auto'}'${columns})`
  const option = (key: string, value: string | undefined): string => (value === undefined ? '' : `, ${key} = ${literal(value)}`)
  // A declared shape is not sniffed: what a file looks like must not change how it is read.
  const sniff = input.columns === undefined ? '' : ', auto_detect = false'
  const { maxLineBytes: most } = input
  const long = most === undefined ? '' : `, max_line_size = ${most}, buffer_size = ${2 * most}, parallel = false`
  const keep = input.rejects === true ? ', store_rejects = true, rejects_limit = 0' : ''
  return `read_csv(${files}, header = ${input.header ?? true}${option('delim', input.delimiter ?? (input.columns === undefined ? undefined : ','))}${option('quote', input.quote ?? (input.columns === undefined ? undefined : '"'))}${option('escape', input.columns === undefined ? undefined : (input.quote ?? '"'))}${option('new_line', input.newLine?.replace('\r', '\\r').replace('\n', '\\n'))}${option('nullstr', input.nullText)}${input.nullText === undefined ? '' : ', allow_quoted_nulls = false'}${columns}${sniff}${long}${keep})`
}

/** A column as text of a pipe, turned into what it is: bytes come as \\x and hexadecimal digits. */
export function unhexed(column: string, as = column): string {
  return `unhex(substr(${name(column)}, 3)) AS ${name(as)}`
}
