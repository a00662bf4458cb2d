/** The state of a table at one version: its files, schema and marks, replayed from the log. */
import type { PublishedFile } from '../core/batch-engine.ts'
import type { EngineAccess, ObjectStore } from '../core/object-store.ts'
import type { TableColumn } from '../core/table-schema.ts'
import {
  decodePath,
  type Action,
  type AddAction,
  type CommitInfo,
  type MetadataAction,
  type ProtocolAction,
  type RemoveAction,
} from './actions.ts'
import type { Checkpoint } from './log-files.ts'

export interface Snapshot {
  version: number
  protocol: ProtocolAction
  metadata: MetadataAction
  files: Map<string, AddAction>
  marks: Map<string, number>
  /** Removed files that readers of older versions may still need, without those of the checkpoint below. */
  tombstones: Map<string, RemoveAction>
  /**
   * A checkpoint whose removed files have not been read: only vacuum and the next checkpoint need them, and
   * there may be 86,400 a day.
   */
  unreadTombstones: Checkpoint | undefined
  /** Commit information of the newest entry. */
  lastCommit: CommitInfo | undefined
  /** When the newest entry was written, in milliseconds since 1970. */
  timestampMs: number
}

export function emptySnapshot(): Snapshot {
  return {
    version: -1,
    protocol: { minReaderVersion: 1, minWriterVersion: 2 },
    metadata: {
      id: '',
      format: { provider: 'parquet' },
      schemaString: '{"type":"struct","fields":[]}',
      partitionColumns: [],
      configuration: {},
    },
    files: new Map(),
    marks: new Map(),
    tombstones: new Map(),
    unreadTombstones: undefined,
    lastCommit: undefined,
    timestampMs: 0,
  }
}

/** Applies the actions of one entry (or checkpoint) in place. */
export function applyActions(snapshot: Snapshot, actions: Action[]): void {
  for (const action of actions) {
    if (action.add) {
      snapshot.files.set(action.add.path, action.add)
      snapshot.tombstones.delete(action.add.path)
    } else if (action.remove) {
      snapshot.files.delete(action.remove.path)
      snapshot.tombstones.set(action.remove.path, action.remove)
    } else if (action.txn) snapshot.marks.set(action.txn.appId, action.txn.version)
    else if (action.metaData) snapshot.metadata = action.metaData
    else if (action.protocol) snapshot.protocol = action.protocol
    else if (action.commitInfo) {
      snapshot.lastCommit = action.commitInfo
      snapshot.timestampMs = action.commitInfo.timestamp ?? snapshot.timestampMs
    }
  }
}

/** Makes data files ready, and returns them as an engine opens them. */
export async function engineFiles(
  access: EngineAccess,
  store: ObjectStore,
  files: AddAction[],
): Promise<PublishedFile[]> {
  await access.ready(
    store,
    files.map((file) => decodePath(file.path)),
  )
  return files.map((file) => ({
    path: access.path(store, decodePath(file.path)),
    partitionValues: withoutEmpty(file.partitionValues),
  }))
}

/** An empty text in the log is null, whatever the type. Some writers state one. */
function withoutEmpty(values: AddAction['partitionValues']): AddAction['partitionValues'] {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value || null]))
}

/** Columns of the schema, in order. */
export function columnsOf(metadata: MetadataAction): TableColumn[] {
  return (JSON.parse(metadata.schemaString) as { fields: TableColumn[] }).fields
}

export function schemaString(columns: TableColumn[]): string {
  return JSON.stringify({ type: 'struct', fields: columns })
}

/** The number of rows in a file's statistics. Undefined without statistics (a foreign writer's file). */
export function rowsOf(file: Pick<AddAction, 'stats'>): number | undefined {
  if (!file.stats) return undefined
  const { numRecords } = JSON.parse(file.stats) as { numRecords?: number }
  return numRecords
}
