/**
 * The batch's engine: DuckDB reads RAW, hashes keys, and writes partitioned Parquet. JavaScript touches keys
 * only.
 */
import duckdb, { type Result } from '@duckdb/node-bindings'
import type { BatchEngine, RawSlice, VisitKeys } from '../../core/batch-engine.ts'
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import { BY_LOCAL_PATH } from '../../core/object-store.ts'
import type { TableColumn } from '../../core/table-schema.ts'
import { engineError } from './errors.ts'
import { choose, emptyFile, publish, rowsOfSlices, type RowsOf } from './publish.ts'
import { replace } from './replace.ts'
import { openSession, type DuckSession, type SessionOptions } from './session.ts'
import { name } from './sql.ts'
import { rowsOfFiles } from './table-view.ts'

export interface BatchEngineOptions extends SessionOptions {
  /** Columns of Processed, and its partition columns. */
  columns: TableColumn[]
  partitionColumns: string[]
}

export async function openBatchEngine(options: BatchEngineOptions): Promise<BatchEngine> {
  const session = await openSession(options)
  // The order of rows means nothing in Processed, and keeping it costs memory.
  await session.run('SET preserve_insertion_order = false')
  const empty = await emptyFile(session, options.spillFolder, options.columns)
  const isLarge = (slices: RawSlice[]): boolean =>
    slices.reduce((sum, slice) => sum + slice.rows.reduce((a, b) => a + b, 0), 0) * KEY_ROW_BYTES >
    options.memoryBytes / 8
  const rowsOf: RowsOf = (slices, partitions, columns) => rowsOfSlices(slices, empty, partitions, columns)
  return {
    access: BY_LOCAL_PATH,
    readKeys: (slices, key, partitions, visit) =>
      readChunks(
        session,
        isLarge(slices) ? streamed : atOnce,
        `SELECT ${keyHash(key)} AS h, ${name(ADDED_COLUMNS.position)} FROM (${rowsOf(slices, partitions, key)})`,
        visit,
      ),
    readPublishedKeys: (files, key, visit) =>
      files.length === 0
        ? Promise.resolve()
        : readChunks(
            session,
            streamed,
            `SELECT ${keyHash(key)} AS h, 0::BIGINT FROM (${rowsOfFiles(options.columns, options.partitionColumns, files)})`,
            visit,
          ),
    async countPartitions(slices, partitions) {
      const rows = await session.rows(
        `SELECT ${name(ADDED_COLUMNS.partitionPath)}, count(*) FROM (${rowsOf(slices, partitions, [])}) GROUP BY 1`,
      )
      return new Map(rows.map(([path, count]) => [String(path), Number(count)]))
    },
    choose: (positions) => choose(session, positions),
    publish: (request) => publish(session, request, rowsOf),
    replace: (request) => replace(session, request, rowsOf),
    close: () => session.close(),
  }
}

const KEY_ROW_BYTES = 24

/**
 * 128 bits of MD5 over the key: evenly spread for any keys (also time-ordered UUIDs), and wide enough that
 * two different keys among 50 million collide with a probability of 10^-23. It costs 0.1 CPU-seconds per
 * million rows. Each part is prefixed with its length: no separator can be part of a value, and null is no
 * text.
 */
function keyHash(key: string[]): string {
  const parts = key.map((column) => {
    const text = `${name(column)}::VARCHAR`
    return `coalesce(strlen(${text}) || ':' || ${text}, '-')`
  })
  return `md5_number(${parts.join(' || ')})`
}

/**
 * Fetching the whole result at once is a tenth faster, but it lies in memory outside DuckDB's limit; a
 * streamed result does not.
 */
type Execute = (session: DuckSession, sql: string) => Promise<Result>
const atOnce: Execute = (session, sql) => duckdb.query(session.raw, sql)
const streamed: Execute = async (session, sql) =>
  duckdb.execute_prepared_streaming(await duckdb.prepare(session.raw, sql))

async function readChunks(
  session: DuckSession,
  execute: Execute,
  sql: string,
  visit: VisitKeys,
): Promise<void> {
  const positions = new Float64Array(2048)
  try {
    const result = await execute(session, sql)
    for (;;) {
      const chunk = await duckdb.fetch_chunk(result)
      const rows = chunk === null ? 0 : duckdb.data_chunk_get_size(chunk)
      if (chunk === null || rows === 0) return
      const hashes = duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk, 0), rows * 16)
      const longs = duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk, 1), rows * 8)
      const words = new Uint32Array(longs.buffer, longs.byteOffset, rows * 2)
      for (let row = 0; row < rows; row += 1)
        positions[row] = words[row * 2] + words[row * 2 + 1] * 4_294_967_296
      visit(new Int32Array(hashes.buffer, hashes.byteOffset, rows * 4), positions, rows)
    }
  } catch (error) {
    throw engineError(error, 'read keys')
  }
}
