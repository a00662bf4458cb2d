/**
 * Checked rows into one Parquet file. They are gathered in a table in memory; when it is full, another one
 * takes its place and DuckDB's threads write it beside the reading. Each table becomes a part of its own;
 * parts have one schema, so that they are joined by copying.
 */
import duckdb, { type Appender } from '@duckdb/node-bindings'
import { rm } from 'node:fs/promises'
import type { StageRows } from '../../core/engine.ts'
import { LIMITS } from '../../core/limits.ts'
import type { ColumnValues } from '../../core/rows.ts'
import type { DeltaType } from '../../core/table-schema.ts'
import { CHUNK_ROWS, createArena, createChunkWriter } from './chunks.ts'
import { engineError } from './errors.ts'
import type { DuckSession } from './session.ts'
import { literal, name, stagedExpression, stageType } from './sql.ts'
import { parquetOptions } from './stage.ts'

/** How a column arrives, and what it is in the file. */
export interface RowsFileColumn {
  name: string
  kind: ColumnValues['kind']
  /** What its checks made of it. */
  type: DeltaType
  /** DuckDB's type of it in the file. */
  duckType: string
}

export interface RowsFile {
  /** Rows appended that were not taken back. */
  readonly rows: number
  append(rows: StageRows): Promise<void>
  /** Begins what may be taken back: rows of an input whose end decides about all of them. */
  begin(): Promise<void>
  /** Takes back what was appended since `begin`. */
  takeBack(): Promise<void>
  /** Writes the rest and gives the parts in order; at least one, which may have no rows. */
  finish(): Promise<string[]>
}

export interface RowsFileOptions {
  /** Parts are `PREFIX-N.parquet`. */
  prefix: string
  /** What one table may take in memory; there are two of them. */
  tableBytes: number
}

interface Filling {
  table: string
  appender: Appender
  rows: number
  bytes: number
}

export async function openRowsFile(
  session: DuckSession,
  columns: RowsFileColumn[],
  { prefix, tableBytes }: RowsFileOptions,
): Promise<RowsFile> {
  const writing = await session.connect()
  const writer = createChunkWriter(
    columns.map((column) => duckdb.create_logical_type(LOGICAL[stagedType(column)])),
    columns.map((column) => column.kind),
  )
  const arena = createArena()
  const definition = columns.map((column, i) => `c${i} ${stagedType(column)}`).join(', ')
  // Names that differ in case only, or not at all for DuckDB, are two columns of the file all the same: the
  // staged ones are numbered.
  const select = columns.map((column, i) => `${valueOf(column, `c${i}`)} AS ${name(column.name)}`).join(', ')
  const staged = columns.map((column, i) => unpacked(column, `c${i}`)).join(', ')
  const own = `rows_${(opened += 1)}`
  const parts: { path: string; rows: number }[] = []
  let tables = 0
  let kept = { parts: 0, rows: 0 }
  let rows = 0
  let write: Promise<void> = Promise.resolve()

  const open = async (): Promise<Filling> => {
    const table = `${own}_${(tables += 1)}`
    await session.run(`CREATE TABLE ${table} (${definition})`)
    return { table, appender: duckdb.appender_create(session.raw, 'main', table), rows: 0, bytes: 0 }
  }
  let filling = await open()

  /** Hands the table over to the writing connection, which must be done with the one before. */
  const rotate = async (): Promise<void> => {
    const { table, appender, rows: count } = filling
    duckdb.appender_close_sync(appender)
    await write
    const path = `${prefix}-${parts.length + 1}.parquet`
    parts.push({ path, rows: count })
    filling = await open()
    write = writing
      .run(
        `COPY (SELECT ${select} FROM (SELECT ${staged} FROM ${table})) TO ${literal(path)} (${parquetOptions('zstd', columns.length)})`,
      )
      .then(() => writing.run(`DROP TABLE ${table}`))
    // Its error is thrown where it is waited for.
    write.catch(() => undefined)
  }

  return {
    get rows() {
      return rows
    },
    async append(batch) {
      if (batch.count === 0) return
      try {
        arena.load(batch.text)
        for (let from = 0; from < batch.count; from += CHUNK_ROWS) {
          filling.bytes += writer.fill(batch, from, Math.min(CHUNK_ROWS, batch.count - from), arena)
          duckdb.append_data_chunk(filling.appender, writer.chunk)
        }
      } catch (error) {
        throw engineError(error, 'take rows')
      }
      filling.rows += batch.count
      rows += batch.count
      if (filling.rows >= LIMITS.rowsPerFile || filling.bytes >= tableBytes) await rotate()
    },
    async begin() {
      if (filling.rows > 0) await rotate()
      kept = { parts: parts.length, rows }
    },
    async takeBack() {
      await write
      for (const { path } of parts.splice(kept.parts)) await rm(path, { force: true })
      duckdb.appender_close_sync(filling.appender)
      await session.run(`DROP TABLE ${filling.table}`)
      filling = await open()
      rows = kept.rows
    },
    async finish() {
      if (filling.rows > 0 || parts.length === 0) await rotate()
      await write
      await writing.close()
      return parts.map((part) => part.path)
    },
  }
}

let opened = 0

const LOGICAL: Record<string, number> = {
  VARCHAR: duckdb.Type.VARCHAR,
  INTEGER: duckdb.Type.INTEGER,
  BIGINT: duckdb.Type.BIGINT,
  DOUBLE: duckdb.Type.DOUBLE,
  BOOLEAN: duckdb.Type.BOOLEAN,
  DATE: duckdb.Type.DATE,
  TIMESTAMP: duckdb.Type.TIMESTAMP,
  TIMESTAMPTZ: duckdb.Type.TIMESTAMP_TZ,
}

/** Instants are the same number with and without a zone flag, so that they arrive as what they will be. */
function stagedType({ kind, type, duckType }: RowsFileColumn): string {
  return type === 'timestamp' ? duckType : stageType(kind, type)
}

/** The staged column with lists and structures made of their JSON text. */
function unpacked({ kind, type }: RowsFileColumn, staged: string): string {
  return typeof type === 'string' ? staged : stagedExpression(staged, kind, type)
}

function valueOf(column: RowsFileColumn, staged: string): string {
  return stagedType(column) === column.duckType ? staged : `CAST(${staged} AS ${column.duckType})`
}
