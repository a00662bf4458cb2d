/**
 * An open table and its only way to change: `commit`. Rows, positions and counts go into one log entry, created only if
 * absent, under a precondition on the table's marks that is checked again before every attempt. A writer that slept an
 * hour finds the marks moved and stops; this holds without any lease.
 */
import { randomUUID } from 'node:crypto'
import { failure } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import { LIMITS } from '../core/limits.ts'
import type { ObjectStore } from '../core/object-store.ts'
import type { DataFile, TableColumn, TableSchema } from '../core/table-schema.ts'
import { ENGINE, PROTOCOL, asLogged, checkProtocol, entryName, readEntry, writeEntry, type Action, type AddAction, type CommitInfo, type MetadataAction } from './actions.ts'
import { lastCheckpoint, readCheckpoint } from './checkpoint.ts'
import { tidyLog, type LogGrowth } from './log-upkeep.ts'
import { applyActions, columnsOf, emptySnapshot, schemaString, type Snapshot } from './snapshot.ts'

export interface CommitRequest {
  /** Names the operation. One that is tried again under its name after an error whose outcome is not known happens once. */
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
   * some since it was read. Undefined when there is nothing to change any more.
   */
  schema?: (columns: TableColumn[]) => TableSchema | undefined
  /** False for commits that only rearrange rows. Default true. */
  dataChange?: boolean
  info?: Record<string, unknown>
}

export interface Table {
  readonly store: ObjectStore
  /** The newest state read so far; `refresh` brings it up to date. */
  readonly snapshot: Snapshot
  refresh(): Promise<Snapshot>
  /** Commits and returns the new version. Throws marks_moved, table_gone, commit_conflict or a storage error. */
  commit(request: CommitRequest, nowMs: number): Promise<number>
}

export interface TableOptions {
  /** The version up to which every consumer has read: log clean-up spares the entries behind it. Without it there are no consumers. */
  usedThrough?: () => Promise<number>
}

/** Opens the table at the root of a store; undefined when there is none. */
export async function openTable(store: ObjectStore, options: TableOptions = {}): Promise<Table | undefined> {
  const snapshot = emptySnapshot()
  const reader = createLogReader(store, snapshot)
  await reader.load()
  if (snapshot.version < 0) return undefined
  return tableOver(store, snapshot, reader, options)
}

/**
 * What follows a checkpoint is its next entry; without one (-1) it is the first. Where that is gone and later
 * ones are there, somebody is ahead of what we can read: the table is neither in an older state nor missing.
 */
function refuseGap(store: ObjectStore, names: string[], checkpoint: number): void {
  const later = names.filter((name) => /^\d{20}\./.test(name) && Number(name.slice(0, 20)) > checkpoint)
  const next = entryName(checkpoint + 1).slice(LOG.length)
  if (later.length === 0 || later.includes(next)) return
  const foreign = later.find((name) => name.includes('.checkpoint.'))
  if (foreign !== undefined) throw failure('table_unsupported', { path: store.root, feature: `the checkpoint ${foreign}` })
  const reason = `it is missing, and ${later.toSorted()[0]} is there`
  throw failure('table_corrupt', { path: store.root, version: checkpoint + 1, reason })
}

/** Opens the table, or creates it when there is none. Two creators at once: one wins, both get the table. */
export async function openOrCreateTable(store: ObjectStore, schema: TableSchema, configuration: Record<string, string>, nowMs: number, options: TableOptions = {}): Promise<Table> {
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
  await store.writeIfAbsent(entryName(0), writeEntry([{ commitInfo: info }, { protocol: PROTOCOL }, { metaData }]))
  const table = await openTable(store, options)
  if (table === undefined) throw failure('table_not_found', { path: store.root })
  return table
}

/** Adds columns, where there still are some to add: `schema` is asked again when another writer was quicker. */
export async function addTableColumns(table: Table, schema: NonNullable<CommitRequest['schema']>, nowMs: number): Promise<void> {
  if (schema(columnsOf(table.snapshot.metadata)) === undefined) return
  await table.commit({ operation: 'ADD COLUMNS', adds: [], removes: [], marks: {}, expect: {}, schema }, nowMs)
}

/** State of the table at an older version, replayed from the nearest checkpoint before it. */
export async function snapshotAt(store: ObjectStore, version: number): Promise<Snapshot> {
  const snapshot = emptySnapshot()
  const reader = createLogReader(store, snapshot)
  await reader.load(version)
  if (snapshot.version !== version) throw failure('version_not_found', { path: store.root, version, first: await firstVersion(store), last: snapshot.version })
  return snapshot
}

async function firstVersion(store: ObjectStore): Promise<number> {
  const entries = await store.list('_delta_log')
  return Math.min(...entries.filter((entry) => entry.name.endsWith('.json')).map((entry) => Number(/(\d+)\.json$/.exec(entry.name)?.[1])))
}

interface LogReader {
  /** Version of each of the newest entries by the name of its operation. */
  committed: ReadonlyMap<string, number>
  load(until?: number): Promise<void>
  refresh(): Promise<void>
  sinceCheckpoint: LogGrowth
}

function createLogReader(store: ObjectStore, snapshot: Snapshot): LogReader {
  const sinceCheckpoint = { entries: 0, bytes: 0 }
  const committed = new Map<string, number>()
  const follow = async (until = Infinity): Promise<void> => {
    while (snapshot.version < until) {
      const version = snapshot.version + 1
      const bytes = await store.read(entryName(version))
      if (bytes === undefined) return
      applyActions(snapshot, readEntry(bytes, store.root, version))
      // A writer may raise the protocol of a table that has been open for weeks.
      checkProtocol(snapshot.protocol, store.root)
      snapshot.version = version
      if (snapshot.lastCommit?.txnId !== undefined) remember(committed, snapshot.lastCommit.txnId, version)
      sinceCheckpoint.entries += 1
      sinceCheckpoint.bytes += bytes.length
    }
  }
  return {
    committed,
    sinceCheckpoint,
    async load(until) {
      const start = await usableCheckpoint(store, until)
      if (start !== undefined) {
        applyActions(snapshot, start.actions)
        checkProtocol(snapshot.protocol, store.root)
        snapshot.version = start.version
        snapshot.unreadTombstones = start.version
      }
      await follow(until)
    },
    async refresh() {
      const before = snapshot.version
      await follow()
      if (snapshot.version === before && (await store.stat(entryName(before))) === undefined)
        throw failure('table_gone', { path: store.root, start: 'the earliest offset that the topic still has' })
    },
  }
}

const LOG = '_delta_log/'

/** Entries between an attempt and the next one: other writers are few. */
const REMEMBERED = 200

function remember(committed: Map<string, number>, id: string, version: number): void {
  committed.set(id, version)
  if (committed.size > REMEMBERED) committed.delete(committed.keys().next().value as string)
}

async function usableCheckpoint(store: ObjectStore, until: number | undefined): Promise<{ version: number; actions: Action[] } | undefined> {
  const named = await lastCheckpoint(store)
  if (named !== undefined && named <= (until ?? Infinity)) {
    const actions = await readCheckpoint(store, named)
    if (actions !== undefined) return { version: named, actions }
  }
  const names = (await store.list('_delta_log')).map((one) => one.name.slice(LOG.length))
  const versions = names.map((name) => Number(/^(\d{20})\.checkpoint\.parquet$/.exec(name)?.[1] ?? NaN)).filter((version) => version <= (until ?? Infinity))
  const version = Math.max(...versions, -1)
  if (until === undefined) refuseGap(store, names, version)
  if (version < 0) return undefined
  const actions = await readCheckpoint(store, version)
  return actions === undefined ? undefined : { version, actions }
}

function tableOver(store: ObjectStore, snapshot: Snapshot, reader: LogReader, options: TableOptions): Table {
  const { id } = snapshot.metadata
  const partitionColumns = snapshot.metadata.partitionColumns.join()
  const table: Table = {
    store,
    snapshot,
    async refresh() {
      await reader.refresh()
      if (snapshot.metadata.id !== id) throw failure('table_gone', { path: store.root, start: 'the beginning' })
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
        if (request.removes.length > 0 && request.dataChange !== false) checkRemovable(store, snapshot)
        const version = snapshot.version + 1
        failpoint('commit.before')
        const created = await store.writeIfAbsent(entryName(version), writeEntry(actionsOf(named, snapshot, nowMs)))
        if (!created) continue
        await reader.refresh()
        failpoint('commit.done')
        await tidyLog(store, snapshot, reader.sinceCheckpoint, options.usedThrough ?? (async () => Infinity), nowMs)
        return version
      }
      throw failure('commit_conflict', { path: store.root, version: snapshot.version + 1, attempts: LIMITS.commitAttempts })
    },
  }
  return table
}

function checkExpected(store: ObjectStore, snapshot: Snapshot, expect: Record<string, number | undefined>): void {
  for (const [mark, expected] of Object.entries(expect)) {
    const found = snapshot.marks.get(mark)
    if (found !== expected) throw failure('marks_moved', { mark, path: store.root, found: found ?? 'nothing', expected: expected ?? 'nothing' })
  }
}

/** Throws `append_only` for a table whose property `delta.appendOnly` forbids that rows go. */
export function checkRemovable(store: ObjectStore, { metadata }: Snapshot): void {
  if (metadata.configuration['delta.appendOnly']?.toLowerCase() === 'true')
    throw failure('append_only', { path: store.root })
}

/** A file that somebody else removed meanwhile cannot be removed again: its rows would come back or double. */
function checkRemoves(store: ObjectStore, snapshot: Snapshot, removes: string[]): void {
  for (const path of removes)
    if (!snapshot.files.has(path)) throw failure('marks_moved', { mark: `file ${path}`, path: store.root, found: 'removed', expected: 'present' })
}

function actionsOf(request: CommitRequest & { id: string }, snapshot: Snapshot, nowMs: number): Action[] {
  const dataChange = request.dataChange ?? true
  const actions: Action[] = [{ commitInfo: commitInfo(request.operation, nowMs, request.info ?? {}, request.id) }]
  const schema = request.schema?.(columnsOf(snapshot.metadata))
  if (schema !== undefined) {
    const { columns, partitionColumns } = schema
    actions.push({ metaData: { ...snapshot.metadata, schemaString: schemaString(columns), partitionColumns } })
  }
  const marks = { ...request.marks }
  for (const [mark, amount] of Object.entries(request.counts ?? {}))
    marks[mark] = (snapshot.marks.get(mark) ?? 0) + amount
  for (const [appId, version] of Object.entries(marks)) actions.push({ txn: { appId, version, lastUpdated: nowMs } })
  for (const path of request.removes) {
    const file = snapshot.files.get(path) as AddAction
    const { partitionValues, size } = file
    actions.push({ remove: { path: asLogged(file).path, deletionTimestamp: nowMs, dataChange, extendedFileMetadata: true, partitionValues, size } })
  }
  for (const file of request.adds)
    actions.push({ add: { path: file.path, partitionValues: file.partitionValues, size: file.size, modificationTime: nowMs, dataChange: file.dataChange ?? dataChange, stats: file.stats, ...(file.tags === undefined ? {} : { tags: file.tags }) } })
  return actions
}

function commitInfo(operation: string, timestamp: number, headrace: Record<string, unknown>, txnId: string = randomUUID()): CommitInfo {
  return { timestamp, operation, operationParameters: {}, engineInfo: ENGINE, txnId, headrace }
}
