/** The batch's work in SQL: DuckDB reads RAW, hashes keys, and writes partitioned Parquet. JavaScript touches keys only. */
import duckdb from '@duckdb/node-bindings'
import { mkdir } from 'node:fs/promises'
import type { BatchEngine, PartitionRule, PublishRequest, RawSlice, VisitKeys } from '../../core/batch-engine.ts'
import type { DataFile, DeltaType } from '../../core/table-schema.ts'
import { engineError } from './errors.ts'
import { openSession, type DuckSession, type SessionOptions } from './session.ts'
import { derivedExpression, listLiteral, literal, name } from './sql.ts'
import { copyWithStats, parquetOptions } from './stage.ts'
import { deltaStats } from './stats.ts'

export async function openBatchEngine(options: SessionOptions): Promise<BatchEngine> {
  const session = await openSession(options)
  return {
    readKeys: (slices, key, partitions, visit) => readChunks(session, `SELECT ${keyHash(key)} AS h, position FROM (${unionOf(slices, partitions, key)})`, visit),
    readPublishedKeys: (files, key, visit) =>
      files.length === 0 ? Promise.resolve() : readChunks(session, `SELECT ${keyHash(key)} AS h, 0::BIGINT FROM read_parquet(${listLiteral(files)}, union_by_name = true)`, visit),
    async countPartitions(slices, partitions) {
      const rows = await session.rows(`SELECT partition_path, count(*) FROM (${unionOf(slices, partitions, [])}) GROUP BY 1`)
      return new Map(rows.map(([path, count]) => [String(path), Number(count)]))
    },
    publish: (request) => publish(session, request),
    close: () => session.close(),
  }
}

/**
 * 128 bits of MD5 over the key: even over any keys (time-ordered UUIDs too), and wide enough that two different keys of
 * 50 million meet with a chance of 10^-23. Costs 0.1 CPU-seconds a million rows.
 */
function keyHash(key: string[]): string {
  const parts = key.map((column) => `coalesce(${name(column)}::VARCHAR, chr(0))`)
  return `md5_number(${parts.length === 1 ? parts[0] : `concat_ws(chr(31), ${parts.join(', ')})`})`
}

/** Rows of all slices in order, each with its position and the columns asked for. */
function unionOf(slices: RawSlice[], partitions: PartitionRule[], columns: string[]): string {
  let base = 0
  const parts = slices.map((slice) => {
    const starts = slice.rows.map((rows) => (base += rows) - rows)
    const picked = columns.map((column) => `, ${name(column)}`).join('')
    const path = `${partitionPath(partitions)} AS partition_path`
    const from = `FROM read_parquet(${listLiteral(slice.files)}, union_by_name = true, file_row_number = true)`
    return `SELECT [${starts.join(', ')}][(file_index + 1)::BIGINT] + file_row_number AS position, ${path}${picked} ${from}${filterOf(slice, partitions)}`
  })
  return parts.join(' UNION ALL ')
}

function filterOf(slice: RawSlice, partitions: PartitionRule[]): string {
  const path = partitionPath(partitions)
  if (slice.onlyPartitions !== undefined) return ` WHERE ${path} IN (${slice.onlyPartitions.map(literal).join(', ') || "''"})`
  if (slice.exceptPartitions.length > 0) return ` WHERE ${path} NOT IN (${slice.exceptPartitions.map(literal).join(', ')})`
  return ''
}

/** The name of a row's table partition, as users and marks write it: `publication_year=2010`. */
function partitionPath(partitions: PartitionRule[]): string {
  if (partitions.length === 0) return "''"
  return partitions.map((rule) => `'${rule.name}=' || coalesce(${partitionValue(rule)}::VARCHAR, 'null')`).join(" || '/' || ")
}

function partitionValue(rule: PartitionRule): string {
  const column = name(rule.column)
  if (rule.transform === 'identity') return column
  const local = rule.timezone === 'UTC' ? column : `timezone(${literal(rule.timezone)}, ${column})`
  if (rule.transform === 'year') return `year(${local})::INTEGER`
  if (rule.transform === 'month') return `strftime(${local}, '%Y-%m')`
  return `${local}::DATE`
}

async function readChunks(session: DuckSession, sql: string, visit: VisitKeys): Promise<void> {
  const positions = new Float64Array(2048)
  try {
    const prepared = await duckdb.query(session.raw, sql)
    for (;;) {
      const chunk = await duckdb.fetch_chunk(prepared)
      const rows = chunk === null ? 0 : duckdb.data_chunk_get_size(chunk)
      if (chunk === null || rows === 0) return
      const hashes = duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk, 0), rows * 16)
      const longs = duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk, 1), rows * 8)
      const words = new Uint32Array(longs.buffer, longs.byteOffset, rows * 2)
      for (let row = 0; row < rows; row += 1) positions[row] = words[row * 2] + words[row * 2 + 1] * 4_294_967_296
      visit(new Int32Array(hashes.buffer, hashes.byteOffset, rows * 4), positions, rows)
    }
  } catch (error) {
    throw engineError(error, 'read keys')
  }
}

async function publish(session: DuckSession, request: PublishRequest): Promise<DataFile[]> {
  await mkdir(request.folder, { recursive: true })
  await chosenRows(session, request)
  const derived = new Set(request.partitions.filter((rule) => rule.transform !== 'identity').map((rule) => rule.name))
  const stored = request.columns.filter((column) => column.name !== 'processed_date' && !derived.has(column.name)).map((column) => column.name)
  const select = request.columns.map((column) => {
    if (column.name === 'processed_date') return derivedExpression({ name: column.name, type: column.type, value: request.logicalTime })
    const rule = request.partitions.find((one) => one.name === column.name && one.transform !== 'identity')
    return rule === undefined ? name(column.name) : `${partitionValue(rule)} AS ${name(column.name)}`
  })
  const source = `SELECT ${select.join(', ')} FROM (${unionOf(request.slices, request.partitions, stored)}) WHERE position IN (SELECT position FROM chosen)`
  const by = request.partitions.map((rule) => name(rule.name)).join(', ')
  const target = by === '' ? `${request.folder}/part-0.parquet` : request.folder
  const partitioned = by === '' ? '' : `, PARTITION_BY (${by}), FILENAME_PATTERN 'part-{i}', OVERWRITE_OR_IGNORE true`
  const files = await copyWithPartitions(session, `COPY (${source}) TO ${literal(target)} (${parquetOptions(request.compression)}${partitioned})`, request)
  await session.run('DROP TABLE chosen')
  return files
}

/** Hands the winners to DuckDB as a table of positions: a semi join picks them out of the files again. */
async function chosenRows(session: DuckSession, request: PublishRequest): Promise<void> {
  await session.run('CREATE TEMP TABLE chosen (position BIGINT)')
  const appender = duckdb.appender_create_ext(session.raw, 'temp', 'main', 'chosen')
  const chunk = duckdb.create_data_chunk([duckdb.create_logical_type(duckdb.Type.BIGINT)])
  const words = new Uint32Array(2048 * 2)
  for (let from = 0; from < request.count; from += 2048) {
    const rows = Math.min(2048, request.count - from)
    for (let i = 0; i < rows; i += 1) {
      const position = request.positions[from + i]
      words[i * 2 + 1] = position / 4_294_967_296
      words[i * 2] = position
    }
    duckdb.data_chunk_reset(chunk)
    duckdb.copy_data_to_vector(duckdb.data_chunk_get_vector(chunk, 0), 0, words.buffer, 0, rows * 8)
    duckdb.data_chunk_set_size(chunk, rows)
    duckdb.append_data_chunk(appender, chunk)
  }
  duckdb.appender_close_sync(appender)
}

async function copyWithPartitions(session: DuckSession, sql: string, request: PublishRequest): Promise<DataFile[]> {
  const types = new Map<string, DeltaType>(request.columns.map((column) => [column.name, column.type]))
  const files = await copyWithStats(session, sql, request.folder)
  return files.map((file) => ({
    path: file.path.slice(request.folder.length + 1),
    size: file.size,
    partitionValues: file.partitionValues,
    stats: deltaStats(file, types),
  }))
}
