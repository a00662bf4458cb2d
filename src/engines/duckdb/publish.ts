/**
 * Turns rows of RAW into data files of Processed: which rows, in which table partition, and how they are
 * written.
 */
import duckdb from '@duckdb/node-bindings'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import { storageFailure } from '../../core/errors.ts'
import type { PartitionRule, PublishTarget, RawSlice } from '../../core/batch-engine.ts'
import type { DataFile, DeltaType, TableColumn } from '../../core/table-schema.ts'
import type { DuckSession } from './session.ts'
import { derivedExpression, literal, name, parquetRows } from './sql.ts'
import { copyWithStats, parquetOptions } from './stage.ts'
import { deltaStats } from './stats.ts'

/**
 * A Parquet file without rows that has all columns. Files of RAW may be older than a column: read together
 * with this file, they have null there.
 */
export async function emptyFile(
  session: DuckSession,
  folder: string,
  columns: TableColumn[],
): Promise<string> {
  const path = join(folder, 'empty.parquet')
  const nulls = columns.map((column) =>
    derivedExpression({ name: column.name, type: column.type, value: null }),
  )
  await session.run(`COPY (SELECT ${nulls.join(', ')} WHERE false) TO ${literal(path)} (FORMAT parquet)`)
  return path
}

const POSITION = name(ADDED_COLUMNS.position)

/**
 * SQL of the slices' rows in order, each with its position, its table partition and the requested columns.
 */
export type RowsOf = (slices: RawSlice[], partitions: PartitionRule[], columns: string[]) => string

/** See RowsOf. `empty`: a file without rows that has all columns. */
export function rowsOfSlices(
  slices: RawSlice[],
  empty: string,
  partitions: PartitionRule[],
  columns: string[],
): string {
  let base = 0
  const parts = slices.map((slice) => {
    const starts = slice.rows.map((rows) => (base += rows) - rows)
    const picked = columns.map((column) => `, ${name(column)}`).join('')
    const path = `${partitionPath(partitions)} AS ${name(ADDED_COLUMNS.partitionPath)}`
    const from = `FROM ${parquetRows([...slice.files, empty], 'file_row_number = true')}`
    return `SELECT [${starts.join(', ')}][(file_index + 1)::BIGINT] + file_row_number AS ${POSITION}, ${path}${picked} ${from}${filterOf(slice, partitions)}`
  })
  return parts.join(' UNION ALL ')
}

function filterOf(slice: RawSlice, partitions: PartitionRule[]): string {
  const path = partitionPath(partitions)
  if (slice.onlyPartitions !== undefined)
    return ` WHERE ${path} IN (${slice.onlyPartitions.map(literal).join(', ') || "''"})`
  if (slice.exceptPartitions.length > 0)
    return ` WHERE ${path} NOT IN (${slice.exceptPartitions.map(literal).join(', ')})`
  return ''
}

/** The name of a row's table partition, as users and marks write it: `publication_year=2010`. */
function partitionPath(partitions: PartitionRule[]): string {
  if (partitions.length === 0) return "''"
  return partitions
    .map((rule) => `'${rule.name}=' || coalesce(${partitionValue(rule)}::VARCHAR, 'null')`)
    .join(" || '/' || ")
}

function partitionValue(rule: PartitionRule): string {
  const column = name(rule.column)
  if (rule.transform === 'identity') return column
  const local = rule.timezone === 'UTC' ? column : `timezone(${literal(rule.timezone)}, ${column})`
  if (rule.transform === 'year') return `year(${local})::INTEGER`
  if (rule.transform === 'month') return `strftime(${local}, '%Y-%m')`
  return `${local}::DATE`
}

export async function publish(
  session: DuckSession,
  request: PublishTarget,
  rowsOf: RowsOf,
): Promise<DataFile[]> {
  const files = await writePartitions(session, request, newRows(request, rowsOf))
  await session.run('DROP TABLE chosen')
  return files
}

/** The rows of the slices whose positions are in the table `chosen`, with the columns of the table. */
export function newRows(request: PublishTarget, rowsOf: RowsOf): string {
  const derived = new Set(
    request.partitions.filter((rule) => rule.transform !== 'identity').map((rule) => rule.name),
  )
  const stored = request.columns
    .filter((column) => column.name !== 'processed_date' && !derived.has(column.name))
    .map((column) => column.name)
  const select = request.columns.map((column) => {
    if (column.name === 'processed_date')
      return derivedExpression({ name: column.name, type: column.type, value: request.logicalTime })
    const rule = request.partitions.find(
      (partition) => partition.name === column.name && partition.transform !== 'identity',
    )
    return rule === undefined ? name(column.name) : `${partitionValue(rule)} AS ${name(column.name)}`
  })
  return `SELECT ${select.join(', ')} FROM (${rowsOf(request.slices, request.partitions, stored)}) WHERE ${POSITION} IN (SELECT ${POSITION}::BIGINT FROM chosen)`
}

/** Writes rows, one folder per table partition. */
export async function writePartitions(
  session: DuckSession,
  request: PublishTarget,
  source: string,
): Promise<DataFile[]> {
  await mkdir(request.folder, { recursive: true }).catch((error: unknown) => {
    throw storageFailure(error, 'make', request.folder)
  })
  const by = request.partitions.map((rule) => name(rule.name)).join(', ')
  const target = by === '' ? `${request.folder}/part-0.parquet` : request.folder
  const partitioned =
    by === '' ? '' : `, PARTITION_BY (${by}), FILENAME_PATTERN 'part-{i}', OVERWRITE_OR_IGNORE true`
  return copyWithPartitions(
    session,
    `COPY (${source}) TO ${literal(target)} (${parquetOptions(request.compression, request.columns.length)}${partitioned})`,
    request,
  )
}

/**
 * Gives the winners to DuckDB as a table of positions; a semi join then selects their rows from the files.
 */
export async function choose(session: DuckSession, positions: Float64Array): Promise<void> {
  // Doubles, cast by DuckDB: exact up to 2^53, without any conversion in JavaScript.
  await session.run(`CREATE TEMP TABLE IF NOT EXISTS chosen (${POSITION} DOUBLE)`)
  const appender = duckdb.appender_create_ext(session.raw, 'temp', 'main', 'chosen')
  const chunk = duckdb.create_data_chunk([duckdb.create_logical_type(duckdb.Type.DOUBLE)])
  for (let from = 0; from < positions.length; from += 2048) {
    const rows = Math.min(2048, positions.length - from)
    duckdb.data_chunk_reset(chunk)
    duckdb.copy_data_to_vector(
      duckdb.data_chunk_get_vector(chunk, 0),
      0,
      positions.buffer as ArrayBuffer,
      positions.byteOffset + from * 8,
      rows * 8,
    )
    duckdb.data_chunk_set_size(chunk, rows)
    duckdb.append_data_chunk(appender, chunk)
  }
  duckdb.appender_close_sync(appender)
}

async function copyWithPartitions(
  session: DuckSession,
  sql: string,
  request: PublishTarget,
): Promise<DataFile[]> {
  const types = new Map<string, DeltaType>(request.columns.map((column) => [column.name, column.type]))
  const files = await copyWithStats(session, sql, request.folder)
  return files.map((file) => ({
    path: file.path.slice(request.folder.length + 1),
    size: file.size,
    partitionValues: file.partitionValues,
    stats: deltaStats(file, types),
  }))
}
