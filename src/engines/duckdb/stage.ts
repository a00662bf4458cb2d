/** Stages: rows of a stream gather in DuckDB's memory until they are written as one Parquet file. */
import duckdb, { type Appender, type LogicalType } from '@duckdb/node-bindings'
import { failpoint, trapFor } from '../../core/failpoint.ts'
import type {
  DerivedColumn,
  RefusedRow,
  Stage,
  StageColumn,
  StageEngine,
  WrittenFile,
} from '../../core/engine.ts'
import { failure, type HeadraceError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { DeltaType } from '../../core/table-schema.ts'
import { CHUNK_ROWS, appendChunks, createArena, createChunkWriter, type Arena } from './chunks.ts'
import { engineError } from './errors.ts'
import { readMessageIds, readRowIds } from './identities.ts'
import { findRefused } from './refused.ts'
import { openSession, type DuckSession, type SessionOptions } from './session.ts'
import { derivedExpression, literal, name, stageType, stagedExpression } from './sql.ts'
import { deltaStats, type FileStatistics } from './stats.ts'

export async function openStageEngine(options: SessionOptions): Promise<StageEngine> {
  const session = await openSession(options)
  const writing = await session.connect()
  await writing.run('SET preserve_insertion_order = true')
  const staging: Staging = { session, writing, arena: createArena(), tables: 0 }
  return {
    createStage: (columns) => createStage(staging, columns),
    readMessageIds: (committed, topicId, ranges, visit) =>
      readMessageIds(session, committed, { topicId, ranges }, visit),
    readRowIds: (files, topicId, ranges) => readRowIds(session, files, topicId, ranges),
    close() {
      void writing.close()
      void session.close()
    },
  }
}

/** What all stages of an engine share. */
interface Staging {
  session: DuckSession
  /** The connection that writes files while the other one takes rows. */
  writing: DuckSession
  arena: Arena
  /** Tables created so far. They are numbered. */
  tables: number
}

async function createStage(staging: Staging, columns: StageColumn[]): Promise<Stage> {
  const { session, writing, arena } = staging
  const definition = columns
    .map((column) => `${name(column.name)} ${stageType(column.kind, column.type)}`)
    .join(', ')
  const writer = createChunkWriter(
    columns.map(logicalType),
    columns.map((column) => column.kind),
  )
  let table = ''
  let appender: Appender | undefined
  let rows = 0
  let bytes = 0
  const begin = async (): Promise<void> => {
    table = `stage_${(staging.tables += 1)}`
    await session.run(`CREATE TABLE ${table} (${definition})`)
    appender = duckdb.appender_create(session.raw, 'main', table)
    rows = bytes = 0
  }
  await begin()
  return {
    get rows() {
      return rows
    },
    get bytes() {
      return bytes
    },
    append(batch) {
      if (batch.count === 0) return
      bytes += appendChunks(appender as Appender, writer, arena, batch)
      rows += batch.count
    },
    async rotate() {
      if (rows === 0) return undefined
      const [full, count] = [table, rows]
      try {
        duckdb.appender_close_sync(appender as Appender)
      } catch (error) {
        throw engineError(error, 'take rows')
      }
      await begin()
      return {
        async write(path, derived, order, compression) {
          const file: NewFile = { path, columns, derived, order, compression }
          const written = await writeFile(writing, full, file)
          failpoint('file.written')
          await writing.run(`DROP TABLE ${full}`)
          return { ...written, rows: count }
        },
      }
    },
  }
}

interface NewFile {
  path: string
  /** In staged form. */
  columns: StageColumn[]
  derived: DerivedColumn[]
  /** Names of all columns, in the order of the file. */
  order: string[]
  compression: string
}

async function writeFile(
  session: DuckSession,
  table: string,
  { path, columns, derived, order, compression }: NewFile,
): Promise<WrittenFile> {
  const expressions = new Map<string, string>()
  for (const column of columns)
    expressions.set(column.name, stagedExpression(column.name, column.kind, column.type))
  await springTraps(session, table, columns, expressions)
  for (const column of derived) expressions.set(column.name, derivedExpression(column))
  const select = order.flatMap((column) => expressions.get(column) ?? []).join(', ')
  const options = parquetOptions(compression, columns.length + derived.length)
  const types = new Map<string, DeltaType>(
    [...columns, ...derived].map((column) => [column.name, column.type]),
  )
  const [written] = await copyWithStats(
    session,
    `COPY (SELECT ${select} FROM ${table}) TO ${literal(path)} (${options})`,
    path,
  ).catch(async (error: HeadraceError) => {
    if (error.code !== 'engine_failed') throw error
    const rows = await findRefused({ session, table, columns, select, path, options }).catch(
      (): RefusedRow[] => [],
    )
    throw rows.length === 0
      ? error
      : failure('rows_refused', { count: rows.length, reason: rows[0].reason, rows }, error)
  })
  return { path, rows: written.rows, size: written.size, stats: deltaStats(written, types) }
}

/** Only in tests: a value that the engine refuses, or that kills this process, when it is written. */
async function springTraps(
  session: DuckSession,
  table: string,
  columns: StageColumn[],
  expressions: Map<string, string>,
): Promise<void> {
  const texts = columns.filter((column) => column.type === 'string')
  const refused = trapFor('refuse')
  for (const column of refused === undefined ? [] : texts)
    expressions.set(
      column.name,
      `CASE WHEN ${name(column.name)} = ${literal(refused as string)} THEN error('a trap') ELSE ${name(column.name)} END AS ${name(column.name)}`,
    )
  const deadly = trapFor('kill')
  if (deadly === undefined) return
  const [[found]] = await session.rows(
    `SELECT count(*) FROM ${table} WHERE ${literal(deadly)} IN (${texts.map((column) => name(column.name)).join(', ')})`,
  )
  if (Number(found) > 0) process.kill(process.pid, 'SIGKILL')
}

/**
 * zstd at level 1: a quarter less CPU than level 3 for the same size. Dictionaries stop at 4,096 values
 * instead of a fifth of the row group: before, IDs and titles cost 13 % of the whole COPY; now files are also
 * 3 % smaller (measured on the sample).
 */
export function parquetOptions(compression: string, columns = 0): string {
  const level = compression === 'zstd' ? ', COMPRESSION_LEVEL 1' : ''
  return `FORMAT parquet, COMPRESSION ${compression}${level}, RETURN_STATS, ${dictionaryOptions(columns)}`
}

/**
 * DuckDB keeps a dictionary of each column in memory, at its full size from the first row on: by default 1.2
 * MB, so 1 GB for 850 columns of 250 rows (measured), plus a row group of all columns. Wide tables share the
 * memory of 32 columns.
 */
function dictionaryOptions(columns: number): string {
  const { wideColumns } = LIMITS
  if (columns <= wideColumns) return `DICTIONARY_SIZE_LIMIT ${DICTIONARY_VALUES}`
  const values = Math.max(64, Math.floor((DICTIONARY_VALUES * wideColumns) / columns))
  const page = Math.max(8_192, Math.floor(DICTIONARY_PAGES / columns))
  const rows = Math.max(1, Math.floor((ROW_GROUP_ROWS * wideColumns) / columns / CHUNK_ROWS)) * CHUNK_ROWS
  return `DICTIONARY_SIZE_LIMIT ${values}, STRING_DICTIONARY_PAGE_SIZE_LIMIT ${page}, ROW_GROUP_SIZE ${rows}`
}

const DICTIONARY_VALUES = 4_096
const DICTIONARY_PAGES = 32 * 1024 * 1024
const ROW_GROUP_ROWS = 122_880

export interface CopiedFile extends FileStatistics {
  path: string
  /** Values of a partitioned COPY, as text; null for the null partition. */
  partitionValues: Record<string, string | null>
}

/** Runs a COPY that returns statistics, one row per file. */
export async function copyWithStats(session: DuckSession, sql: string, path: string): Promise<CopiedFile[]> {
  try {
    const files = await session.objects(sql)
    return files.map((file) => ({
      path: String(file.filename),
      rows: Number(file.count),
      size: Number(file.file_size_bytes),
      partitionValues: Object.fromEntries(
        ((file.partition_keys as MapEntry<string | null>[] | null) ?? []).map((entry) => [
          entry.key,
          entry.value,
        ]),
      ),
      columns: Object.fromEntries(
        (file.column_statistics as MapEntry<MapEntry<string>[]>[]).map((column) => [
          column.key,
          Object.fromEntries(column.value.map((entry) => [entry.key, entry.value])),
        ]),
      ),
    }))
  } catch (error) {
    throw engineError(error, `write ${path}`, path)
  }
}

interface MapEntry<T> {
  key: string
  value: T
}

function logicalType(column: StageColumn): LogicalType {
  const ids: Record<string, number> = {
    text: column.type === 'binary' ? duckdb.Type.BLOB : duckdb.Type.VARCHAR,
    int32: column.type === 'date' ? duckdb.Type.DATE : duckdb.Type.INTEGER,
    int64: column.type === 'timestamp' ? duckdb.Type.TIMESTAMP_TZ : duckdb.Type.BIGINT,
    double: duckdb.Type.DOUBLE,
    boolean: duckdb.Type.BOOLEAN,
  }
  return duckdb.create_logical_type(ids[column.kind])
}
