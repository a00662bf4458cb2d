/**
 * Writes checked rows to one Parquet file. They gather in a table in memory. When it is full, another takes
 * its place, and DuckDB's threads write it while reading continues. Each table becomes a separate part; all
 * parts have one schema, so they are joined by copying.
 */
import duckdb, { type Appender } from '@duckdb/node-bindings'
import { rm } from 'node:fs/promises'
import type { StageRows } from '../../core/engine.ts'
import { LIMITS } from '../../core/limits.ts'
import type { ColumnValues } from '../../core/rows.ts'
import type { DeltaType } from '../../core/table-schema.ts'
import { appendChunks, createArena, createChunkWriter, type ChunkWriter } from './chunks.ts'
import type { DuckSession } from './session.ts'
import { literal, name, stagedExpression, stageType } from './sql.ts'
import { parquetOptions } from './stage.ts'

/** How a column arrives, and its type in the file. */
export interface RowsFileColumn {
  name: string
  kind: ColumnValues['kind']
  /** The type from its checks. */
  type: DeltaType
  /** Its DuckDB type in the file. */
  duckType: string
}

export interface RowsFile {
  /** Appended rows, without those taken back. */
  readonly rows: number
  append(rows: StageRows): Promise<void>
  /** Starts a group of rows that can be taken back: rows of an input whose end decides about all of them. */
  begin(): Promise<void>
  /** Takes back the rows appended since `begin`. */
  takeBack(): Promise<void>
  /** Writes the rest and returns the parts in order: at least one, possibly without rows. */
  finish(): Promise<string[]>
}

export interface RowsFileOptions {
  /** Parts are `PREFIX-N.parquet`. */
  prefix: string
  /** Memory limit of one table. There are two. */
  tableBytes: number
}

export async function openRowsFile(
  session: DuckSession,
  columns: RowsFileColumn[],
  options: RowsFileOptions,
): Promise<RowsFile> {
  const file = new StagedRowsFile(session, await session.connect(), columns, options)
  await file.open()
  return file
}

/** The table that takes rows. */
interface Filling {
  table: string
  appender: Appender
  rows: number
  bytes: number
}

class StagedRowsFile implements RowsFile {
  rows = 0
  private readonly session: DuckSession
  private readonly writing: DuckSession
  private readonly options: RowsFileOptions
  private readonly sql: ColumnSql
  private readonly writer: ChunkWriter
  private readonly arena = createArena()
  private readonly own = `rows_${(opened += 1)}`
  private readonly parts: string[] = []
  private tables = 0
  private filling!: Filling
  private kept = { parts: 0, rows: 0 }
  private write: Promise<void> = Promise.resolve()

  constructor(
    session: DuckSession,
    writing: DuckSession,
    columns: RowsFileColumn[],
    options: RowsFileOptions,
  ) {
    this.session = session
    this.writing = writing
    this.options = options
    this.sql = sqlOf(columns)
    this.writer = createChunkWriter(
      columns.map((column) => duckdb.create_logical_type(LOGICAL[stagedType(column)])),
      columns.map((column) => column.kind),
    )
  }

  /** Opens the next table, whose rows are a separate part. */
  async open(): Promise<void> {
    const table = `${this.own}_${(this.tables += 1)}`
    await this.session.run(`CREATE TABLE ${table} (${this.sql.definition})`)
    const appender = duckdb.appender_create(this.session.raw, 'main', table)
    this.filling = { table, appender, rows: 0, bytes: 0 }
  }

  async append(batch: StageRows): Promise<void> {
    const { filling } = this
    if (batch.count === 0) return
    filling.bytes += appendChunks(filling.appender, this.writer, this.arena, batch)
    filling.rows += batch.count
    this.rows += batch.count
    if (filling.rows >= LIMITS.rowsPerFile || filling.bytes >= this.options.tableBytes) await this.rotate()
  }

  async begin(): Promise<void> {
    if (this.filling.rows > 0) await this.rotate()
    this.kept = { parts: this.parts.length, rows: this.rows }
  }

  async takeBack(): Promise<void> {
    const { filling, kept } = this
    await this.write
    for (const path of this.parts.splice(kept.parts)) await rm(path, { force: true })
    duckdb.appender_close_sync(filling.appender)
    await this.session.run(`DROP TABLE ${filling.table}`)
    await this.open()
    this.rows = kept.rows
  }

  async finish(): Promise<string[]> {
    if (this.filling.rows > 0 || this.parts.length === 0) await this.rotate()
    await this.write
    await this.writing.close()
    return this.parts
  }

  /** Passes the table to the writing connection, which must have finished the previous one. */
  private async rotate(): Promise<void> {
    const { table, appender } = this.filling
    const { select, staged, columns } = this.sql
    duckdb.appender_close_sync(appender)
    await this.write
    const path = `${this.options.prefix}-${this.parts.length + 1}.parquet`
    this.parts.push(path)
    await this.open()
    this.write = this.writing
      .run(
        `COPY (SELECT ${select} FROM (SELECT ${staged} FROM ${table})) TO ${literal(path)} (${parquetOptions('zstd', columns)})`,
      )
      .then(() => this.writing.run(`DROP TABLE ${table}`))
    // Whoever awaits it sees its error.
    this.write.catch(() => undefined)
  }
}

/** Columns: their declaration, the expression that reads them from the table, and their name in the file. */
interface ColumnSql {
  definition: string
  staged: string
  select: string
  columns: number
}

/**
 * For DuckDB, names that differ only in case are equal, but they are two columns of the file. So the staged
 * columns are numbered.
 */
function sqlOf(columns: RowsFileColumn[]): ColumnSql {
  return {
    definition: columns.map((column, i) => `c${i} ${stagedType(column)}`).join(', '),
    staged: columns.map((column, i) => unpacked(column, `c${i}`)).join(', '),
    select: columns.map((column, i) => `${valueOf(column, `c${i}`)} AS ${name(column.name)}`).join(', '),
    columns: columns.length,
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

/** Instants are the same number with and without a zone, so they are staged with their final type. */
function stagedType({ kind, type, duckType }: RowsFileColumn): string {
  return type === 'timestamp' ? duckType : stageType(kind, type)
}

/** The staged column, with lists and structures built from their JSON text. */
function unpacked({ kind, type }: RowsFileColumn, staged: string): string {
  return typeof type === 'string' ? staged : stagedExpression(staged, kind, type)
}

function valueOf(column: RowsFileColumn, staged: string): string {
  return stagedType(column) === column.duckType ? staged : `CAST(${staged} AS ${column.duckType})`
}
