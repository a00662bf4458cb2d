/** Quarantined rows of a dataset, as a view over their files that SQL reads. */
import { join } from 'node:path'
import { openSession, type DuckSession } from '../engines/duckdb/session.ts'
import { literal, parquetRows } from '../engines/duckdb/sql.ts'
import { decodePath, type AddAction } from '../lakehouse/actions.ts'
import { homeFolder } from './home-folder.ts'
import { loadDataset, type LoadedDataset } from './home.ts'
import { openRaw, type RawTable } from './raw-table.ts'

/** Memory of an engine that works on quarantined rows. */
export const QUARANTINE_MEMORY_BYTES = 512 * 1024 * 1024

export async function openQuarantine(name: string): Promise<{ loaded: LoadedDataset; raw: RawTable }> {
  const loaded = await loadDataset(name)
  return { loaded, raw: await openRaw(loaded.dataset, loaded.rawPath, Date.now()) }
}

export function quarantineFiles(raw: RawTable): AddAction[] {
  return [...raw.table.snapshot.files.values()].filter(
    (file) => file.partitionValues.outcome === 'quarantined',
  )
}

/** Lends a session in which the view `q` has all quarantined rows. */
export async function withQuarantine<T>(
  raw: RawTable,
  action: (session: DuckSession) => Promise<T>,
): Promise<T> {
  const session = await openSession({
    memoryBytes: QUARANTINE_MEMORY_BYTES,
    threads: 2,
    spillFolder: join(homeFolder(), 'spill', `quarantine-${process.pid}`),
  })
  try {
    const names = quarantineFiles(raw).map((file) => decodePath(file.path))
    await raw.table.store.stage(names)
    const paths = names.map((name) => raw.table.store.localPath(name))
    await session.run(`CREATE VIEW q AS SELECT * FROM ${parquetRows(paths, 'filename = true')}`)
    return await action(session)
  } finally {
    await session.close()
  }
}

/** Rows of a query over the view `q`. */
export async function readQuarantine(raw: RawTable, sql: string): Promise<Record<string, unknown>[]> {
  if (quarantineFiles(raw).length === 0) return []
  return withQuarantine(raw, (session) => session.objects(sql))
}

/** The condition that a row is of this rule, or of one below it (`RULE.part`). */
export function isOfRule(rule: string): string {
  return `(reject_rule = ${literal(rule)} OR starts_with(reject_rule, ${literal(`${rule}.`)}))`
}

/** A WHERE clause for rows of a rule; nothing for all. */
export function whereRule(rule: string | undefined): string {
  return rule === undefined ? '' : `WHERE ${isOfRule(rule)}`
}
