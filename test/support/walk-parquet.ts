/** Rows as Parquet files, written by DuckDB, whole or not at all. */
import { renameSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSession, type DuckSession } from '../../src/engines/duckdb/session.ts'

let session: Promise<DuckSession> | undefined

export async function inParquet(texts: string[], path: string): Promise<void> {
  session ??= openSession({
    memoryBytes: 128 << 20,
    threads: 1,
    spillFolder: join(tmpdir(), `headrace-parquet-${process.pid}`),
  })
  const rows = texts.map((text, i) => `(${i}::BIGINT, '${text}')`).join(', ')
  await (
    await session
  ).run(`COPY (SELECT * FROM (VALUES ${rows}) r (id, text)) TO '${path}.part' (FORMAT parquet)`)
  renameSync(`${path}.part`, path)
}
