/**
 * Writes whole inputs to one Parquet file with DuckDB alone: Parquet files, and CSV that another process
 * writes into a pipe.
 */
import type { DuckSession } from './session.ts'
import { fileList, fileLiteral, literal, name } from './sql.ts'

export interface TransferInput {
  format: 'csv' | 'parquet'
  paths: string[]
  /** Name to DuckDB type, in order. Without it, the types are inferred from the first rows. */
  columns?: Record<string, string>
  header?: boolean
  delimiter?: string
  quote?: string
  newLine?: string
  /** Stands for a missing value. In quotes, it is this text. */
  nullText?: string
  /** At most this many rows, for a draft. */
  limit?: number
  /** Expressions instead of `*`, for types without a text form. */
  select?: string
  /**
   * Most bytes of a line; lines are then read one after the other. The reader takes a few times as much
   * memory.
   */
  maxLineBytes?: number
}

export interface TransferResult {
  rows: number
  rejected: number
}

/**
 * Reads the input and writes it. Text is cast directly: only text that we wrote ourselves is read this way.
 */
export async function transfer(
  session: DuckSession,
  input: TransferInput,
  output: string,
): Promise<TransferResult> {
  const limit = input.limit === undefined ? '' : ` LIMIT ${Math.floor(input.limit)}`
  const select = `SELECT ${input.select ?? '*'} FROM ${relation(input)}${limit}`
  await session.run(`COPY (${select}) TO ${literal(output)} (FORMAT parquet, COMPRESSION zstd)`)
  const groups = `SELECT DISTINCT file_name, row_group_id, row_group_num_rows AS num_rows FROM parquet_metadata(${fileLiteral(output)})`
  const [[rows]] = await session.rows(`SELECT sum(num_rows) FROM (${groups})`)
  return { rows: Number(rows ?? 0), rejected: 0 }
}

function relation(input: TransferInput): string {
  const files = fileList(input.paths)
  if (input.format === 'parquet') return `read_parquet(${files})`
  const columns =
    input.columns === undefined
      ? ''
      : `, columns = {${Object.entries(input.columns)
          .map(([column, type]) => `${literal(column)}: ${literal(type)}`)
          .join(', ')}}`
  const option = (key: string, value: string | undefined): string =>
    value === undefined ? '' : `, ${key} = ${literal(value)}`
  // A declared shape is not sniffed: the look of a file must not change how it is read.
  const sniff = input.columns === undefined ? '' : ', auto_detect = false'
  const { maxLineBytes: most } = input
  const long =
    most === undefined ? '' : `, max_line_size = ${most}, buffer_size = ${2 * most}, parallel = false`
  return `read_csv(${files}, header = ${input.header ?? true}${option('delim', input.delimiter ?? (input.columns === undefined ? undefined : ','))}${option('quote', input.quote ?? (input.columns === undefined ? undefined : '"'))}${option('escape', input.columns === undefined ? undefined : (input.quote ?? '"'))}${option('new_line', input.newLine?.replace('\r', '\\r').replace('\n', '\\n'))}${option('nullstr', input.nullText)}${input.nullText === undefined ? '' : ', allow_quoted_nulls = false'}${columns}${sniff}${long})`
}

/** Turns the text of a pipe back into its column: bytes arrive as \\x and hexadecimal digits. */
export function unhexed(column: string, as = column): string {
  return `unhex(substr(${name(column)}, 3)) AS ${name(as)}`
}
