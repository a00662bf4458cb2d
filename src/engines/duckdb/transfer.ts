/** Whole inputs to one Parquet file, by DuckDB: CSV, JSON, NDJSON and Parquet files, and text that another process writes into a pipe. */
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
  /** Keep lines that do not fit instead of failing on them (CSV). */
  rejects?: boolean
}

export interface TransferResult {
  rows: number
  rejected: number
}

/** Reads the input and writes it. With `rejects`, lines that do not fit are written to that file with their number and the reason. */
export async function transfer(session: DuckSession, input: TransferInput, output: string, rejectsFile?: string): Promise<TransferResult> {
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
  const keep = input.rejects === true ? ', store_rejects = true, rejects_limit = 0' : ''
  return `read_csv(${files}, header = ${input.header ?? true}${option('delim', input.delimiter ?? (input.columns === undefined ? undefined : ','))}${option('quote', input.quote ?? (input.columns === undefined ? undefined : '"'))}${option('escape', input.columns === undefined ? undefined : (input.quote ?? '"'))}${option('new_line', input.newLine?.replace('\r', '\\r').replace('\n', '\\n'))}${option('nullstr', input.nullText)}${input.nullText === undefined ? '' : ', allow_quoted_nulls = false'}${columns}${sniff}${keep})`
}

/** A column as text of a pipe, turned into what it is: bytes come as \\x and hexadecimal digits. */
export function unhexed(column: string): string {
  return `unhex(substr(${name(column)}, 3)) AS ${name(column)}`
}
