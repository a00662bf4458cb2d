/**
 * Readers over one table: by its log (ours, Spark, those of `delta_readers.py`) and by its folders alone
 * (pyarrow, DuckDB).
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openSession } from '../../src/engines/duckdb/session.ts'
import { literal, name } from '../../src/engines/duckdb/sql.ts'
import { createApp } from '../../src/main/app.ts'
import type { SharedSpark } from './spark.ts'
import { PYTHON } from './system.ts'

/** Rows as each reader finds them, a JSON text each, sorted. */
async function readers(
  spark: SharedSpark,
  root: string,
  columns: string[],
  partitions: string[],
): Promise<Record<string, string[]>> {
  const found = JSON.parse(
    execFileSync(
      PYTHON,
      ['test/support/read_layout.py', root, JSON.stringify(columns), JSON.stringify(partitions)],
      { maxBuffer: 1 << 26 },
    ).toString(),
  ) as Record<string, string[]>
  return {
    ours: await byUs(root, columns),
    ...found,
    'duckdb by folders': await byDuckDb(root, columns),
    spark: await bySpark(spark, root, columns),
  }
}

async function byUs(root: string, columns: string[]): Promise<string[]> {
  const asText = (column: string): string =>
    column === 'at'
      ? `strftime("at" AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')`
      : `${name(column)}::VARCHAR`
  const select = columns.map((column) => `${asText(column)} AS ${name(column)}`).join(', ')
  const rows = await createApp('test').query(root, `SELECT ${select} FROM t`, undefined)
  return asTexts(rows.map((row) => columns.map((column) => row[column])))
}

/** DuckDB by folders alone: it takes values from them as texts. */
async function byDuckDb(root: string, columns: string[]): Promise<string[]> {
  const session = await openSession({
    memoryBytes: 1 << 28,
    threads: 1,
    spillFolder: mkdtempSync(join(tmpdir(), 'headrace-layout-')),
  })
  const from = `read_parquet(${literal(`${root}/*=*/**/*.parquet`)}, hive_partitioning = true, hive_types_autocast = false, union_by_name = true)`
  const rows = await session.rows(
    `SELECT ${columns.map((column) => `${name(column)}::VARCHAR`).join(', ')} FROM ${from}`,
  )
  await session.close()
  return asTexts(rows)
}

async function bySpark(spark: SharedSpark, root: string, columns: string[]): Promise<string[]> {
  const session = spark.session()
  const asText = (column: string): string =>
    column === 'at' ? `date_format(at, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")` : `CAST(${column} AS STRING)`
  const rows = await session.sql(
    `SELECT ${columns.map((column) => `${asText(column)} AS ${column}`).join(', ')} FROM delta.\`${root}\``,
  )
  await session.close()
  return asTexts(rows.map((row) => columns.map((column) => row[column])))
}

/** As Python's JSON; doubles in one way, where engines have several. */
const asTexts = (rows: unknown[][]): string[] =>
  rows.map((row) => JSON.stringify(row.map((value) => value ?? null)))
const alike = (rows: string[]): string[] =>
  rows
    .map((row) =>
      JSON.stringify(
        (JSON.parse(row) as (string | null)[]).map((value) =>
          value !== null && /^-?\d+(\.\d+)?e[+-]?\d+$|^-?\d+\.0$/i.test(value)
            ? String(Number(value))
            : value,
        ),
      ),
    )
    .toSorted()

/** The rows that all readers agree on. */
export async function allAlike(
  spark: SharedSpark,
  root: string,
  columns: string[],
  partitions: string[],
): Promise<string[]> {
  const found = Object.entries(await readers(spark, root, columns, partitions)).map(
    ([reader, rows]) => [reader, alike(rows)] as const,
  )
  const [, first] = found[0]
  for (const [reader, rows] of found) expect(rows, reader).toEqual(first)
  return first
}
