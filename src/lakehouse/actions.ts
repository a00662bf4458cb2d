/**
 * The actions of a Delta Lake log entry that we read and write (Delta protocol: "Actions"). Reader version 1,
 * writer version 2. Anything beyond is refused with an error: a reader that skips a feature shows wrong rows.
 */
import { failure } from '../core/errors.ts'
import { encodePath } from '../core/table-schema.ts'

export interface AddAction {
  /** Spelled as `encodePath` does. */
  path: string
  /** The spelling in the log, if it differs: other writers compare texts. */
  loggedPath?: string
  partitionValues: Record<string, string | null>
  size: number
  modificationTime: number
  dataChange: boolean
  stats?: string | null
  tags?: Record<string, string> | null
}

export interface RemoveAction {
  path: string
  loggedPath?: string
  deletionTimestamp?: number | null
  dataChange: boolean
  extendedFileMetadata?: boolean | null
  partitionValues?: Record<string, string | null> | null
  size?: number | null
}

export interface MetadataAction {
  id: string
  name?: string | null
  description?: string | null
  format: { provider: string; options?: Record<string, string> | null }
  schemaString: string
  partitionColumns: string[]
  configuration: Record<string, string>
  createdTime?: number | null
}

export interface ProtocolAction {
  minReaderVersion: number
  minWriterVersion: number
  readerFeatures?: string[]
  writerFeatures?: string[]
}

export interface TxnAction {
  appId: string
  version: number
  lastUpdated?: number | null
}

/** Marks an entry as ours. */
export const ENGINE = 'headrace'

export interface CommitInfo {
  timestamp: number
  operation: string
  operationParameters: Record<string, string>
  engineInfo: string
  /** Unique per attempt: a writer recognizes its own entry by it. */
  txnId: string
  isBlindAppend?: boolean
  headrace?: Record<string, unknown>
}

export interface Action {
  add?: AddAction
  remove?: RemoveAction
  metaData?: MetadataAction
  protocol?: ProtocolAction
  txn?: TxnAction
  commitInfo?: CommitInfo
}

export const PROTOCOL: ProtocolAction = { minReaderVersion: 1, minWriterVersion: 2 }

export function entryName(version: number): string {
  return `_delta_log/${String(version).padStart(20, '0')}.json`
}

export function checkpointName(version: number): string {
  return `_delta_log/${String(version).padStart(20, '0')}.checkpoint.parquet`
}

export function writeEntry(actions: Action[]): Buffer {
  return Buffer.from(actions.map((action) => `${JSON.stringify(action)}\n`).join(''))
}

export function readEntry(bytes: Buffer, root: string, version: number): Action[] {
  try {
    return bytes
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => spelledAlike(JSON.parse(line) as Action))
  } catch (error) {
    throw failure('table_corrupt', { path: root, version, reason: (error as Error).message }, error)
  }
}

/** Refuses tables that need features beyond ours. */
export function checkProtocol(protocol: ProtocolAction, root: string): void {
  if (protocol.minReaderVersion <= 1 && protocol.minWriterVersion <= 2) return
  const features = [...(protocol.readerFeatures ?? []), ...(protocol.writerFeatures ?? [])].join(', ')
  const feature = `reader version ${protocol.minReaderVersion}, writer version ${protocol.minWriterVersion} ${features}`
  throw failure('table_unsupported', { path: root, feature })
}

/**
 * Refuses files outside the table's folder: absolute paths, as in the log of a shallow clone, and `..`.
 * Joined to the root, such a file would be missing or belong to another table.
 */
export function checkPaths(actions: Action[], root: string): void {
  for (const { add } of actions) {
    if (add === undefined) continue
    const path = decodePath(add.path)
    if (/^(\/|[a-z][a-z0-9+.-]*:\/)/i.test(path) || path.split('/').includes('..'))
      throw failure('table_unsupported', { path: root, feature: `files outside of its folder (${path})` })
  }
}

/**
 * Paths in the log are URI-encoded (protocol: "Add File"): files that Spark wrote carry encoded partition
 * values.
 */
export function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    // A writer that does not encode: a lone % is itself.
    return path
  }
}

/**
 * The action as read, with its path in our spelling: a file may be added under one spelling and removed under
 * another.
 */
export function spelledAlike(action: Action): Action {
  if (action.add !== undefined) return { ...action, add: withOurPath(action.add) }
  return action.remove === undefined ? action : { ...action, remove: withOurPath(action.remove) }
}

function withOurPath<A extends AddAction | RemoveAction>(action: A): A {
  const path = encodePath(decodePath(action.path))
  return path === action.path ? action : { ...action, path, loggedPath: action.path }
}

/** The action as the log has it. */
export function asLogged<A extends AddAction | RemoveAction>({
  loggedPath,
  ...action
}: A): Omit<A, 'loggedPath'> {
  return loggedPath === undefined ? action : { ...action, path: loggedPath }
}
