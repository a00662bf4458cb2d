/**
 * Finds the rows that DuckDB refuses to write, in their staging table: half of the rows at a time, until one
 * is left. All of this runs only after a COPY has failed; successful writes pay nothing for it.
 */
import { rm } from 'node:fs/promises'
import { reasonOf } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { RefusedRow, StageColumn } from '../../core/engine.ts'
import type { DuckSession } from './session.ts'
import { duckType, literal, name } from './sql.ts'

export interface FailedCopy {
  session: DuckSession
  table: string
  columns: StageColumn[]
  /** The expressions of the failed COPY, without SELECT. */
  select: string
  /** A path for trial files, which are removed. */
  path: string
  options: string
}

/** A longer search reports what it has found: the next attempt looks for the rest. */
const SEARCH_MS = 15_000
const QUOTED = 80
const MOST_ROWS = 100_000
const IDENTITY = ['kafka_partition', 'kafka_offset', 'ordinal']

/**
 * The rows that cannot be written. Empty if the rows are not to blame: an empty file fails too, or each row
 * passes alone.
 */
export async function findRefused(copy: FailedCopy): Promise<RefusedRow[]> {
  if (!IDENTITY.every((identity) => copy.columns.some((column) => column.name === identity))) return []
  if ((await attempt(copy, 'false')) !== undefined) return []
  const byCast = await castRefused(copy)
  if (byCast.length > 0) return byCast
  const search: Search = { copy, found: [], endMs: performance.now() + SEARCH_MS }
  const [[rows]] = await copy.session.rows(`SELECT count(*) FROM ${copy.table}`)
  await searchBetween(search, 0, Number(rows))
  return search.found
}

interface Search {
  copy: FailedCopy
  found: RefusedRow[]
  endMs: number
}

/** Rows [from, until) contain a refused row. */
async function searchBetween(search: Search, from: number, until: number): Promise<void> {
  const { copy, found, endMs } = search
  const middle = from + Math.floor((until - from) / 2)
  for (const [a, b] of [
    [from, middle],
    [middle, until],
  ]) {
    if (b <= a || performance.now() > endMs || found.length >= LIMITS.refusedAtOnce) continue
    const reason = await attempt(copy, `rowid >= ${a} AND rowid < ${b}`)
    if (reason === undefined) continue
    if (b - a > 1) await searchBetween(search, a, b)
    else found.push(...(await identities(copy, `rowid = ${a}`, literal(reason))))
  }
}

/** Writes the rows that satisfy the condition. Returns why that failed. */
async function attempt(copy: FailedCopy, condition: string): Promise<string | undefined> {
  try {
    await copy.session.run(
      `COPY (SELECT ${copy.select} FROM ${copy.table} WHERE ${condition})` +
        ` TO ${literal(copy.path)} (${copy.options})`,
    )
    return undefined
  } catch (error) {
    return reasonOf((error as Error).cause ?? error)
      .split('\n')[0]
      .slice(0, LIMITS.quotedValueBytes)
  } finally {
    await rm(copy.path, { force: true })
  }
}

/** Most refusals are casts, and one cast tells for all rows which ones it refuses. */
async function castRefused(copy: FailedCopy): Promise<RefusedRow[]> {
  const found: RefusedRow[] = []
  for (const column of copy.columns) {
    if (column.kind !== 'text' || column.type === 'string' || column.type === 'binary') continue
    const quoted = name(column.name)
    const type = duckType(column.type)
    const value = typeof column.type === 'string' ? quoted : `TRY_CAST(${quoted} AS JSON)`
    const reason = `${literal(`${column.name} cannot be stored as ${type}: `)} || left(${quoted}, ${QUOTED})`
    found.push(
      ...(await identities(
        copy,
        `${quoted} IS NOT NULL AND TRY_CAST(${value} AS ${type}) IS NULL`,
        reason,
      ).catch(() => [])),
    )
  }
  return found
}

async function identities(
  { session, table }: FailedCopy,
  condition: string,
  reason: string,
): Promise<RefusedRow[]> {
  const rows = await session.rows(
    `SELECT ${IDENTITY.join(', ')}, ${reason} FROM ${table} WHERE ${condition} LIMIT ${MOST_ROWS}`,
  )
  return rows.map(([partition, offset, ordinal, why]) => ({
    partition: Number(partition),
    offset: Number(offset),
    ordinal: Number(ordinal),
    reason: String(why),
  }))
}
