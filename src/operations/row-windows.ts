/** Rows of RAW, a part at a time: their messages are in memory together, and a message may have megabytes. */
import type { ObjectStore } from '../core/object-store.ts'
import type { DuckSession } from '../engines/duckdb/session.ts'
import { parquetRows } from '../engines/duckdb/sql.ts'
import { decodePath, type AddAction } from '../lakehouse/actions.ts'

/** The rows of one data file, which must be staged, with their numbers in it. */
export const numberedRows = (store: ObjectStore, file: Pick<AddAction, 'path'>): string =>
  parquetRows([store.local.path(decodePath(file.path))], 'file_row_number = true')

const WINDOW_BYTES = 64 * 1024 * 1024
/** A row takes about this much, whatever its message has, so at most 20,000 rows fit into a window. */
const ROW_BYTES = Math.ceil(WINDOW_BYTES / 20_000)

/**
 * Conditions over `file_row_number` that divide the rows of a file into windows, in order. `source`: a
 * relation over the file with that column and `original`. `filter`: the wanted rows.
 */
export async function rowWindows(session: DuckSession, source: string, filter = 'true'): Promise<string[]> {
  const bytes = `coalesce(octet_length(original), 0) + ${ROW_BYTES}`
  const running = `sum(${bytes}) OVER (ORDER BY file_row_number) // ${WINDOW_BYTES}`
  const numbered = `SELECT file_row_number, ${running} AS nth FROM ${source} WHERE ${filter}`
  const found = await session.rows(
    `SELECT min(file_row_number), max(file_row_number) FROM (${numbered}) GROUP BY nth ORDER BY 1`,
  )
  return found.map(([first, last]) => `file_row_number BETWEEN ${Number(first)} AND ${Number(last)}`)
}
