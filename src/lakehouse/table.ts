/**
 * An open table and its only way to change: `commit`. Rows, positions and counts go into one log entry,
 * created only if absent, under a precondition on the table's marks that is checked again before every
 * attempt. A writer that slept an hour finds the marks moved and stops, or the log cleaned up and takes its
 * entry back; this holds without any lease.
 */
import { randomUUID } from 'node:crypto'
import { HeadraceError, failure } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import { LIMITS } from '../core/limits.ts'
import type { ObjectStore } from '../core/object-store.ts'
import type { DataFile, TableColumn, TableSchema } from '../core/table-schema.ts'
import {
  ENGINE,
  PROTOCOL,
  asLogged,
  decodePath,
  entryName,
  readEntry,
  writeEntry,
  type Action,
  type AddAction,
  type CommitInfo,
  type MetadataAction,
} from './actions.ts'
import { loadTombstones } from './checkpoint.ts'
import { createLogReader, overtakenAt, type LogReader } from './log-reader.ts'
import { tidyLog } from './log-upkeep.ts'
import { columnsOf, schemaString, type Snapshot } from './snapshot.ts'

export interface CommitRequest {
  /**
   * Names the operation. One that is tried again under its name after an error whose outcome is not known
   * happens once.
   */
  id?: string
  operation: string
  adds: DataFile[]
  /** Paths of files that this commit replaces. */
  removes: string[]
  marks: Record<string, number>
  /** Amounts by which marks grow: added to what the table has when the commit is made, whoever wrote it. */
  counts?: Record<string, number>
  /** What the marks must be for the commit to be right; undefined: must be absent. */
  expect: Record<string, number | undefined>
  /**
   * The new schema, of the columns that the table has when the commit is made: another writer may have added
   * some since it was read. Undefined when there is nothing to change any more. Given as such, it keeps
   * those.
   */
  schema?: TableSchema | ((columns: TableColumn[]) => TableSchema | undefined)
  /** False for commits that only rearrange rows. Default true. */
  dataChange?: boolean
  info?: Record<string, unknown>
}

export interface Table {
  readonly store: ObjectStore
  /** The newest state read so far; `refresh` brings it up to date. */
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
   * The version up to which every consumer has read: log clean-up spares the entries behind it. Without it
   * there are no consumers.
   */
  usedThrough?: () => Promise<number>
}

/** Opens the table at the root of a store; undefined when there is none. */
export async function openTable(store: ObjectStore, options: TableOptions = {}): Promise<Table | undefined> {
  const reader = createLogReader(store)
  await reader.load()
  return reader.snapshot.version < 0 ? undefined : tableOver(store, reader, options)
}

/** Opens the table, or creates it when there is none. Two creators at once: one wins, both get the table. */
export async function openOrCreateTable(
  store: ObjectStore,
  schema: TableSchema,
  configuration: Record<string, string>,
  nowMs: number,
  options: TableOptions = {},
): Promise<Table> {
  const known = await openTable(store, options)
  if (known !== undefined) return known
  const metaData: MetadataAction = {
    id: randomUUID(),
    format: { provider: 'parquet', options: {} },
    schemaString: schemaString(schema.columns),
    partitionColumns: schema.partitionColumns,
    configuration,
    createdTime: nowMs,
  }
  const info = commitInfo('CREATE TABLE', nowMs, {})
  await store.writeIfAbsent(
    entryName(0),
    writeEntry([{ commitInfo: info }, { protocol: PROTOCOL }, { metaData }]),
  )
  const table = await openTable(store, options)
  if (table === undefined) throw failure('table_not_found', { path: store.root })
  return table
}

/**
 * Adds columns, where there still are some to add: `schema` is asked again when another writer was quicker.
 */
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
  const entries = await store.list('_delta_log')
  return Math.min(
    ...entries
      .filter((entry) => entry.name.endsWith('.json'))
      .map((entry) => Number(/(\d+)\.json$/.exec(entry.name)?.[1])),
  )
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
        checkExpected(store, snapshot, request.expect)
        checkRemoves(store, snapshot, request.removes)
        if (request.dataChange !== false) checkChangeable(store, snapshot, request)
        await checkThere(store, request.adds)
        const version = snapshot.version + 1
        failpoint('commit.before')
        const created = await store.writeIfAbsent(
          entryName(version),
          writeEntry(actionsOf(named, snapshot, nowMs)),
        )
        if (!created) continue
        await proveContinues(store, reader, version, named)
        failpoint('commit.done')
        await tidyLog(
          store,
          snapshot,
          reader.sinceCheckpoint,
          options.usedThrough ?? (async () => Infinity),
          nowMs,
        )
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

/**
 * Proves that the entry which was just created continues the log: whoever slept between the last look and the
 * creation may have found a name free again that log clean-up had deleted. Such an entry is taken back;
 * readers start behind it and never see it. Whoever slept after the creation finds the same log, and its
 * commit in the newest state.
 */
async function proveContinues(
  store: ObjectStore,
  reader: LogReader,
  version: number,
  request: CommitRequest & { id: string },
): Promise<void> {
  const overtaken = await reader.refresh().then(() => undefined, asOvertaken)
  // No checkpoint is ahead of us, so nobody had a reason to delete an entry as new as ours.
  if (overtaken === undefined && (reader.pointed ?? -1) < version) return
  const isKept = await isInNewestState(store, request, reader.snapshot.metadata.id)
  if (isKept === true && overtaken !== undefined) return reader.load()
  if (isKept !== false && overtaken === undefined) return
  if (isKept === false && (await isOurs(store, version, request.id))) await store.delete(entryName(version))
  throw overtaken ?? (await overtakenAt(store, reader.snapshot))
}

function asOvertaken(error: unknown): Error {
  if (error instanceof HeadraceError && ['writer_overtaken', 'table_gone'].includes(error.code)) return error
  throw error
}

/**
 * Whether the state that others see has this commit's files, there or removed since; undefined for a commit
 * without any.
 */
async function isInNewestState(
  store: ObjectStore,
  { adds }: CommitRequest,
  tableId: string,
): Promise<boolean | undefined> {
  const { snapshot, load } = createLogReader(store)
  await load()
  // The table was replaced, and our entry happens to continue the other one.
  if (snapshot.metadata.id !== tableId) return false
  await loadTombstones(store, snapshot)
  return adds.length === 0
    ? undefined
    : adds.every(({ path }) => snapshot.files.has(path) || snapshot.tombstones.has(path))
}

const LOOKED_AT_ONCE = 64

/**
 * Who waits for storage, or is stopped, for longer than the grace period of a vacuum finds its files gone: a
 * commit that named them would make the table unreadable, and its marks would say that the rows are in.
 */
async function checkThere(store: ObjectStore, adds: DataFile[]): Promise<void> {
  const placed = adds.filter((file) => file.placed)
  for (let at = 0; at < placed.length; at += LOOKED_AT_ONCE)
    await Promise.all(
      placed.slice(at, at + LOOKED_AT_ONCE).map(async ({ path }) => {
        const file = decodePath(path)
        if ((await store.stat(file)) === undefined) throw failure('files_gone', { path: store.root, file })
      }),
    )
}

/** The table may have been replaced since we created our entry: what has its name now is then another's. */
async function isOurs(store: ObjectStore, version: number, id: string): Promise<boolean> {
  const bytes = await store.read(entryName(version))
  return (
    bytes !== undefined &&
    readEntry(bytes, store.root, version).some(({ commitInfo }) => commitInfo?.txnId === id)
  )
}

function checkExpected(
  store: ObjectStore,
  snapshot: Snapshot,
  expect: Record<string, number | undefined>,
): void {
  for (const [mark, expected] of Object.entries(expect)) {
    const found = snapshot.marks.get(mark)
    if (found !== expected)
      throw failure('marks_moved', {
        mark,
        path: store.root,
        found: found ?? 'nothing',
        expected: expected ?? 'nothing',
      })
  }
}

/** Throws `append_only` for a table whose property `delta.appendOnly` forbids that rows go. */
export function checkRemovable(store: ObjectStore, { metadata }: Snapshot): void {
  if (metadata.configuration['delta.appendOnly']?.toLowerCase() === 'true')
    throw failure('append_only', { path: store.root })
}

/** A table may forbid that rows go (`delta.appendOnly`), or say what they must be, in Spark's own SQL. */
function checkChangeable(store: ObjectStore, snapshot: Snapshot, request: CommitRequest): void {
  if (request.removes.length > 0) checkRemovable(store, snapshot)
  if (request.adds.length === 0) return
  const bound = columnsOf(snapshot.metadata).find(
    (column) => column.metadata?.['delta.invariants'] !== undefined,
  )
  if (bound === undefined) return
  const feature = `column invariants (delta.invariants of ${bound.name}), which nothing here can check`
  throw failure('table_unsupported', { path: store.root, feature })
}

/**
 * A file that somebody else removed meanwhile cannot be removed again: its rows would come back or double.
 */
function checkRemoves(store: ObjectStore, snapshot: Snapshot, removes: string[]): void {
  for (const path of removes)
    if (!snapshot.files.has(path))
      throw failure('marks_moved', {
        mark: `file ${path}`,
        path: store.root,
        found: 'removed',
        expected: 'present',
      })
}

function actionsOf(request: CommitRequest & { id: string }, snapshot: Snapshot, nowMs: number): Action[] {
  const dataChange = request.dataChange ?? true
  const actions: Action[] = [
    { commitInfo: commitInfo(request.operation, nowMs, request.info ?? {}, request.id) },
  ]
  const schema = schemaOf(request, columnsOf(snapshot.metadata))
  if (schema !== undefined) {
    const { columns, partitionColumns } = schema
    actions.push({
      metaData: { ...snapshot.metadata, schemaString: schemaString(columns), partitionColumns },
    })
  }
  const marks = { ...request.marks }
  for (const [mark, amount] of Object.entries(request.counts ?? {}))
    marks[mark] = (snapshot.marks.get(mark) ?? 0) + amount
  for (const [appId, version] of Object.entries(marks))
    actions.push({ txn: { appId, version, lastUpdated: nowMs } })
  for (const path of request.removes) {
    const file = snapshot.files.get(path) as AddAction
    const { partitionValues, size } = file
    actions.push({
      remove: {
        path: asLogged(file).path,
        deletionTimestamp: nowMs,
        dataChange,
        extendedFileMetadata: true,
        partitionValues,
        size,
      },
    })
  }
  for (const file of request.adds)
    actions.push({
      add: {
        path: file.path,
        partitionValues: file.partitionValues,
        size: file.size,
        modificationTime: nowMs,
        dataChange: file.dataChange ?? dataChange,
        ...(file.stats === '' ? {} : { stats: file.stats }),
        ...(file.tags === undefined ? {} : { tags: file.tags }),
      },
    })
  return actions
}

function schemaOf({ schema }: CommitRequest, present: TableColumn[]): TableSchema | undefined {
  if (schema === undefined || typeof schema === 'function') return schema?.(present)
  const names = new Set(schema.columns.map((column) => column.name.toLowerCase()))
  const others = present.filter((column) => !names.has(column.name.toLowerCase()))
  return { ...schema, columns: [...schema.columns, ...others] }
}

function commitInfo(
  operation: string,
  timestamp: number,
  headrace: Record<string, unknown>,
  txnId: string = randomUUID(),
): CommitInfo {
  return { timestamp, operation, operationParameters: {}, engineInfo: ENGINE, txnId, headrace }
}
