/** The batch's engine on Spark: the same port, keys, positions and files. */
import { ByteWriter, parquetWrite } from 'hyparquet-writer'
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import type { BatchEngine, PublishTarget, VisitKeys } from '../../core/batch-engine.ts'
import { failure } from '../../core/errors.ts'
import { BY_ADDRESS } from '../../core/object-store.ts'
import type { DataFile, TableColumn } from '../../core/table-schema.ts'
import { arrowColumns } from './arrow-rows.ts'
import {
  countByPartition,
  rowsOfSlices,
  storedColumns,
  tableColumns,
  targetOf,
  writeFiles,
} from './publish.ts'
import { parquetFiles, relationOf, rowsOfFiles, type Query } from './query.ts'
import { replace, type SparkBatchOptions } from './replace.ts'
import type { SparkSession } from './session.ts'
import { name } from './sql.ts'

const POSITION = name(ADDED_COLUMNS.position)

export function openSparkBatchEngine(options: SparkBatchOptions): BatchEngine {
  const { session, rawColumns, columns, store } = options
  const chosen: string[] = []
  return {
    access: BY_ADDRESS,
    async readKeys(slices, key, partitions, visit) {
      const rows = rowsOfSlices('raw', slices, { all: rawColumns, columns: key, partitions })
      const sql = `SELECT ${keyHash(key, rawColumns)} AS h, ${POSITION} AS position FROM (${rows.sql})`
      await visitKeys(session, { sql, sources: rows.sources }, visit)
    },
    async readPublishedKeys(files, key, visit) {
      if (files.length === 0) return
      const rows = rowsOfFiles('published', options, files)
      const sql = `SELECT ${keyHash(key, columns)} AS h, 0L AS position FROM (${rows.sql})`
      await visitKeys(session, { sql, sources: rows.sources }, visit)
    },
    countPartitions: (slices, partitions) =>
      countByPartition(session, rowsOfSlices('raw', slices, { all: rawColumns, columns: [], partitions })),
    async choose(positions) {
      const address = `${options.workFolder}/chosen-${chosen.length}.parquet`
      await store.write(address, positionFile(positions))
      chosen.push(address)
    },
    async publish(request) {
      const files = chosen.length === 0 ? [] : await publish(options, request, chosen)
      chosen.length = 0
      return files
    },
    replace: (request) => replace(options, request),
    async close() {
      await store.clear(options.workFolder)
      await session.close()
    },
  }
}

/** `chosen`: files with the positions of the rows. */
async function publish(
  options: SparkBatchOptions,
  request: PublishTarget,
  chosen: string[],
): Promise<DataFile[]> {
  const { slices, partitions } = request
  const picked = { all: options.rawColumns, columns: storedColumns(request), partitions }
  const rows = rowsOfSlices('raw', slices, picked)
  const sources = { ...rows.sources, chosen: parquetFiles([...chosen], 'position DOUBLE') }
  const sql = `SELECT ${tableColumns(request)} FROM (${rows.sql}) r WHERE EXISTS (SELECT 1 FROM chosen c WHERE CAST(c.position AS BIGINT) = r.${POSITION})`
  return writeFiles(options, { sql, sources }, targetOf(request))
}

/** Positions as a Parquet file: plain doubles, exact up to 2^53. */
function positionFile(positions: Float64Array): Uint8Array {
  const writer = new ByteWriter()
  parquetWrite({
    writer,
    columnData: [{ name: 'position', data: positions, type: 'DOUBLE' }],
    statistics: false,
  })
  return new Uint8Array(writer.getBuffer())
}

/** Why Spark cannot compare keys of these types as DuckDB does. Undefined if it can. */
function keyProblem(key: string[], columns: TableColumn[]): string | undefined {
  const odd = columns.find(
    (column) => key.includes(column.name) && (typeof column.type !== 'string' || column.type === 'double'),
  )
  return odd === undefined
    ? undefined
    : `a key with a column of type ${typeof odd.type === 'string' ? odd.type : odd.type.type} (${odd.name})`
}

/**
 * The same 128 bits that DuckDB makes of a key, from the same text: both engines share one index of published
 * keys.
 */
function keyHash(key: string[], columns: TableColumn[]): string {
  const problem = keyProblem(key, columns)
  if (problem !== undefined)
    throw failure('not_supported', {
      feature: `${problem} on Spark`,
      instead: 'Use engine: duckdb for this dataset.',
    })
  const parts = key.map((column) => {
    const text = keyText(column, columns)
    return `coalesce(concat(octet_length(${text}), ':', ${text}), '-')`
  })
  return `unhex(md5(encode(concat(${parts.join(', ')}), 'UTF-8')))`
}

function keyText(column: string, columns: TableColumn[]): string {
  const type = columns.find((candidate) => candidate.name === column)?.type
  const text = `CAST(${name(column)} AS STRING)`
  return type === 'timestamp' ? `concat(${text}, '+00')` : text
}

async function visitKeys(session: SparkSession, query: Query, visit: VisitKeys): Promise<void> {
  for await (const bytes of session.batches(relationOf(query), { action: 'read keys' })) {
    const batch = arrowColumns(bytes)
    const [hash, position] = [batch.column('h'), batch.column('position')]
    const words = new Int32Array(batch.rows * 4)
    const digests = new Uint8Array(words.buffer)
    const positions = new Float64Array(batch.rows)
    for (let row = 0; row < batch.rows; row += 1) {
      digests.set(hash(row) as Uint8Array, row * 16)
      positions[row] = Number(position(row))
    }
    visit(words, positions, batch.rows)
  }
}
