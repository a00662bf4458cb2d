/** Tables for users: list, show, versions, files, query, verify, register. */
import { readdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { failure } from '../core/errors.ts'
import { BY_LOCAL_PATH } from '../core/object-store.ts'
import { typeText } from '../core/table-schema.ts'
import type { App, TableInfo, VerifyResult, VersionInfo } from './app.ts'
import { lockDown, openSession, type DuckSession } from '../engines/duckdb/session.ts'
import { name, parquetRows } from '../engines/duckdb/sql.ts'
import { rowsOfFiles } from '../engines/duckdb/table-view.ts'
import { decodePath } from '../lakehouse/actions.ts'
import { registerText } from '../lakehouse/register.ts'
import { columnsOf, engineFiles, rowsOf, type Snapshot } from '../lakehouse/snapshot.ts'
import { openTable, snapshotAt, type Table } from '../lakehouse/table.ts'
import { history, type Version } from '../lakehouse/versions.ts'
import { homeFolder } from '../host/home-folder.ts'
import { loadDataset, tablesRoot } from './datasets.ts'
import { pathBelow, isRemote, openStore } from './stores.ts'

type TablesApp = Pick<
  App,
  'listTables' | 'showTable' | 'tableVersions' | 'tableFiles' | 'query' | 'verify' | 'register'
>

const QUERY_MEMORY = 1024 * 1024 * 1024

export function createTablesApp(): TablesApp {
  return {
    async listTables() {
      const root = tablesRoot()
      const names = (await datasetsIn(root))
        .toSorted()
        .flatMap((dataset) => [`${dataset}/raw`, `${dataset}/processed`])
      const found = await Promise.all(
        names.map(async (tableName) => openTable(await openStore(pathBelow(root, tableName)))),
      )
      return found.flatMap((table, i) =>
        table === undefined ? [] : [infoOf(names[i], table, table.snapshot)],
      )
    },
    async showTable(given, version) {
      const { table, label } = await find(given)
      return infoOf(label, table, await stateOf(table, version))
    },
    async tableVersions(given, limit) {
      const { table } = await find(given)
      return (await history(table.store, limit)).map(versionInfo)
    },
    async tableFiles(given, version) {
      const { table } = await find(given)
      const { files } = await stateOf(table, version)
      return [...files.values()].map((file) => ({
        path: decodePath(file.path),
        ...file.partitionValues,
        rows: rowsOf(file) ?? null,
        bytes: file.size,
      }))
    },
    async query(given, sql, version) {
      const { table } = await find(given)
      return query(table, await stateOf(table, version), sql)
    },
    async verify(given) {
      const { table, label } = await find(given)
      return { table: label, ...(await verify(table)) }
    },
    async register(given, kind) {
      const { table, label } = await find(given)
      return registerText(kind, {
        name: label.replaceAll(/\W/g, '_'),
        address: table.store.address('').replace(/\/$/, ''),
        columns: columnsOf(table.snapshot.metadata),
        partitions: table.snapshot.metadata.partitionColumns,
      })
    },
  }
}

async function query(table: Table, snapshot: Snapshot, sql: string): Promise<Record<string, unknown>[]> {
  return withSession(async (session) => {
    await createView(session, 't', table, snapshot)
    await lockDown(session, [table.store.local.path('')])
    return session.objects(sql).catch((error: unknown) => {
      throw failure('query_failed', { reason: (error as Error).message }, error)
    })
  })
}

async function verify(table: Table): Promise<Omit<VerifyResult, 'table'>> {
  const { snapshot } = table
  const problems = await missingFiles(table, snapshot)
  const checked =
    problems.length > 0
      ? { rows: 0, hash: '' }
      : await withSession((session) => hashTable(session, table, snapshot, problems))
  return {
    version: snapshot.version,
    files: snapshot.files.size,
    rows: checked.rows,
    problems,
    contentHash: checked.hash,
  }
}

function versionInfo({ version, commit, added, removed }: Version): VersionInfo {
  return {
    version,
    time: new Date(commit?.timestamp ?? 0).toISOString(),
    operation: commit?.operation ?? 'unknown',
    filesAdded: added.length,
    filesRemoved: removed.length,
    rowsAdded: added.reduce((sum, file) => sum + (rowsOf(file) ?? 0), 0),
    details: commit?.headrace ?? {},
  }
}

/** Datasets with tables below a folder. */
async function datasetsIn(root: string): Promise<string[]> {
  if (!isRemote(root)) return readdir(root).catch((): string[] => [])
  const stored = await (await openStore(root)).list('')
  return [...new Set(stored.map((object) => object.name.split('/')[0]))]
}

/**
 * A table by `books/raw` or `books/archive`, by `books` (its Processed zone), or by the path of its folder.
 */
async function find(given: string): Promise<{ table: Table; label: string }> {
  const [dataset, zone = 'processed'] = given.split('/')
  const candidates = isRemote(given) ? [given] : [pathBelow(tablesRoot(), dataset, zone), resolve(given)]
  const declared = await loadDataset(dataset).catch(() => undefined)
  const places: Record<string, string | undefined> = {
    raw: declared?.rawPath,
    processed: declared?.processedPath,
    archive: declared?.archivePath,
  }
  if (places[zone] !== undefined) candidates.unshift(places[zone])
  for (const path of candidates) {
    const table = await openTable(await openStore(path))
    if (table !== undefined) return { table, label: given.includes('/') ? given : `${dataset}/processed` }
  }
  throw failure('table_not_found', { path: given })
}

function stateOf(table: Table, version: number | undefined): Promise<Snapshot> | Snapshot {
  return version === undefined ? table.snapshot : snapshotAt(table.store, version)
}

function infoOf(label: string, table: Table, snapshot: Snapshot): TableInfo {
  const files = [...snapshot.files.values()]
  const { partitionColumns } = snapshot.metadata
  return {
    name: label,
    path: table.store.root,
    version: snapshot.version,
    files: files.length,
    rows: files.reduce((sum, file) => sum + (rowsOf(file) ?? 0), 0),
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    columns: columnsOf(snapshot.metadata).map((column) => ({
      name: column.name,
      type: typeText(column.type),
      partition: partitionColumns.includes(column.name),
      description: String(column.metadata.comment ?? ''),
    })),
    marks: Object.fromEntries(snapshot.marks),
  }
}

async function withSession<T>(action: (session: DuckSession) => Promise<T>): Promise<T> {
  const session = await openSession({
    memoryBytes: QUERY_MEMORY,
    threads: availableParallelism(),
    spillFolder: join(homeFolder(), 'spill', `query-${process.pid}`),
  })
  try {
    return await action(session)
  } finally {
    await session.close()
  }
}

/** A view over a version's files. */
export async function createView(
  session: DuckSession,
  view: string,
  table: Table,
  snapshot: Snapshot,
): Promise<void> {
  const files = await engineFiles(BY_LOCAL_PATH, table.store, [...snapshot.files.values()])
  const { metadata } = snapshot
  const rows = rowsOfFiles(columnsOf(metadata), metadata.partitionColumns, files)
  await session.run(`CREATE VIEW ${name(view)} AS ${rows}`)
}

async function missingFiles(table: Table, snapshot: Snapshot): Promise<string[]> {
  const problems: string[] = []
  for (const file of snapshot.files.values()) {
    const stored = await table.store.stat(decodePath(file.path))
    if (stored === undefined) problems.push(`${decodePath(file.path)} is named by the log and missing`)
    else if (stored.size !== file.size)
      problems.push(`${decodePath(file.path)} has ${stored.size} bytes, the log says ${file.size}`)
  }
  return problems
}

/**
 * Reads every row: compares the counts with the log's statistics, and computes a hash over all columns that
 * does not depend on the order.
 */
async function hashTable(
  session: DuckSession,
  table: Table,
  snapshot: Snapshot,
  problems: string[],
): Promise<{ rows: number; hash: string }> {
  for (const file of snapshot.files.values()) {
    await table.store.local.stage([decodePath(file.path)])
    const path = table.store.local.path(decodePath(file.path))
    const [[rows]] = await session
      .rows(`SELECT count(*) FROM ${parquetRows([path])}`)
      .catch((error: Error) => [[error.message]])
    const stated = rowsOf(file)
    if (stated !== undefined && Number(rows) !== stated)
      problems.push(`${decodePath(file.path)} has ${String(rows)} rows, the log says ${stated}`)
  }
  if (problems.length > 0) return { rows: 0, hash: '' }
  await createView(session, 't', table, snapshot)
  const columns = columnsOf(snapshot.metadata)
    .map((column) => name(column.name))
    .join(', ')
  const [[rows, hash]] = await session.rows(
    `SELECT
       count(*),
       printf('%x', coalesce(sum(hash(${columns})::HUGEINT) % 9223372036854775807, 0)::BIGINT)
     FROM t`,
  )
  return { rows: Number(rows), hash: String(hash) }
}
