/**
 * An open table and the only way to change it: `commit`. Rows, positions and counts go into one log entry,
 * which is created only if absent, under a precondition on the table's marks that is checked again before
 * every attempt. A writer that slept an hour finds the marks moved and stops, or finds the log cleaned up and
 * takes its entry back. This holds without any lease.
 */
import { randomUUID } from 'node:crypto'
import { failure } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import { LIMITS } from '../core/limits.ts'
import type { ObjectStore } from '../core/object-store.ts'
import type { TableColumn, TableSchema } from '../core/table-schema.ts'
import { entryName, writeEntry } from './actions.ts'
import { checkCommit } from './commit-checks.ts'
import { commitActions, creationActions } from './commit-entry.ts'
import { proveContinues } from './commit-proof.ts'
import { isEntry, listLog, versionOf } from './log-files.ts'
import { createLogReader, type LogReader } from './log-reader.ts'
import { tidyLog } from './log-upkeep.ts'
import { columnsOf, type Snapshot } from './snapshot.ts'
import type { CommitRequest } from '../core/commit-request.ts'

export interface Table {
  readonly store: ObjectStore
  /** The newest state read so far. `refresh` updates it. */
  readonly snapshot: Snapshot
  refresh(): Promise<Snapshot>
  /**
   * Commits and returns the new version. Throws marks_moved, writer_overtaken, table_gone, commit_conflict or
   * a storage error.
   */
  commit(request: CommitRequest, nowMs: number): Promise<number>
}

export interface TableOptions {
  /**
   * The version up to which every consumer has read. Log clean-up spares later entries. Without it, there are
   * no consumers.
   */
  usedThrough?: () => Promise<number>
}

/** Opens the table at the root of a store. Undefined if there is none. */
export async function openTable(store: ObjectStore, options: TableOptions = {}): Promise<Table | undefined> {
  const reader = createLogReader(store)
  await reader.load()
  return reader.snapshot.version < 0 ? undefined : tableOver(store, reader, options)
}

/** What a table is created with. */
export interface NewTable {
  schema: TableSchema
  configuration: Record<string, string>
  nowMs: number
}

/** Opens the table, or creates it. If two callers create it at once, one wins and both get the table. */
export async function openOrCreateTable(
  store: ObjectStore,
  { schema, configuration, nowMs }: NewTable,
  options: TableOptions = {},
): Promise<Table> {
  const known = await openTable(store, options)
  if (known !== undefined) return known
  await store.writeIfAbsent(entryName(0), writeEntry(creationActions(schema, configuration, nowMs)))
  const table = await openTable(store, options)
  if (table === undefined) throw failure('table_not_found', { path: store.root })
  return table
}

/** Adds columns, if any are missing. `schema` is called again if another writer was faster. */
export async function addTableColumns(
  table: Table,
  schema: (columns: TableColumn[]) => TableSchema | undefined,
  nowMs: number,
): Promise<void> {
  if (schema(columnsOf(table.snapshot.metadata)) === undefined) return
  await table.commit(
    { operation: 'ADD COLUMNS', adds: [], removes: [], marks: {}, expect: {}, schema },
    nowMs,
  )
}

/** State of the table at an older version, replayed from the nearest checkpoint before it. */
export async function snapshotAt(store: ObjectStore, version: number): Promise<Snapshot> {
  const reader = createLogReader(store)
  await reader.load(version)
  const { snapshot } = reader
  if (snapshot.version !== version)
    throw failure('version_not_found', {
      path: store.root,
      version,
      first: await firstVersion(store),
      last: snapshot.version,
    })
  return snapshot
}

async function firstVersion(store: ObjectStore): Promise<number> {
  const entry = (await listLog(store)).find(({ name }) => isEntry(name))
  return entry === undefined ? Infinity : versionOf(entry.name)
}

function tableOver(store: ObjectStore, reader: LogReader, options: TableOptions): Table {
  const { snapshot } = reader
  const { id } = snapshot.metadata
  const partitionColumns = snapshot.metadata.partitionColumns.join()
  const table: Table = {
    store,
    snapshot,
    async refresh() {
      await reader.refresh()
      if (snapshot.metadata.id !== id)
        throw failure('table_gone', { path: store.root, start: 'the beginning' })
      const changed = snapshot.metadata.partitionColumns.join()
      if (changed !== partitionColumns) {
        const feature = `partition columns that change while it is open, from ${partitionColumns} to ${changed}`
        throw failure('table_unsupported', { path: store.root, feature })
      }
      return snapshot
    },
    async commit(request, nowMs) {
      const named = { ...request, id: request.id ?? randomUUID() }
      for (let attempt = 1; attempt <= LIMITS.commitAttempts; attempt += 1) {
        await table.refresh()
        const done = reader.committed.get(named.id)
        if (done !== undefined) return done
        await checkCommit(store, snapshot, request)
        const version = snapshot.version + 1
        failpoint('commit.before')
        const created = await store.writeIfAbsent(
          entryName(version),
          writeEntry(commitActions(named, snapshot, nowMs)),
        )
        if (!created) continue
        await proveContinues(store, reader, version, named)
        failpoint('commit.done')
        await tidyLog(store, reader, options.usedThrough ?? (async () => Infinity), nowMs)
        return version
      }
      throw failure('commit_conflict', {
        path: store.root,
        version: snapshot.version + 1,
        attempts: LIMITS.commitAttempts,
      })
    },
  }
  return table
}
