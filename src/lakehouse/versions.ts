/** The changes between two versions of a table. Consumers read them instead of asking for "new rows". */
import { failure } from '../core/errors.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { entryName, readEntry, type AddAction, type CommitInfo } from './actions.ts'
import { checkpointsAmong } from './checkpoint.ts'
import { isEntry, listLog, versionOf } from './log-files.ts'
import { createLogReader } from './log-reader.ts'
import type { Snapshot } from './snapshot.ts'

export interface Version {
  version: number
  commit: CommitInfo | undefined
  added: AddAction[]
  removed: string[]
  /** Files of entries that only rearrange rows, and rewritten files with the rest of their rows. */
  rearranged: { added: AddAction[]; removed: string[] }
}

/**
 * The entries after `version` up to `until`, oldest first. Entries that only rearrange rows (dataChange
 * false) have empty `added` and `removed`. A gap (an entry that log clean-up deleted) is an error: otherwise
 * rows would be missed silently. Only a consumer that has read nothing yet (-1) starts with a state of the
 * table, as if one version had added all of it.
 */
export async function versionsAfter(store: ObjectStore, version: number, until: number): Promise<Version[]> {
  const found: Version[] = []
  for (let at = version + 1; at <= until; at += 1) {
    const bytes = await store.read(entryName(at))
    if (bytes !== undefined) found.push(toVersion(at, readEntry(bytes, store.root, at)))
    else if (at === 0) return fromCheckpoint(store, until)
    else throw failure('versions_cleaned', { path: store.root, first: at, version, last: until })
  }
  return found
}

/** From the oldest state that can still be read. */
async function fromCheckpoint(store: ObjectStore, until: number): Promise<Version[]> {
  const names = (await listLog(store)).map(({ name }) => name)
  for (const { version } of checkpointsAmong(names, until)) {
    const reader = createLogReader(store)
    await reader.load(version)
    if (reader.snapshot.version !== version) continue
    const added = [...reader.snapshot.files.values()]
    const state = { version, commit: undefined, added, removed: [], rearranged: { added: [], removed: [] } }
    return [state, ...(await versionsAfter(store, version, until))]
  }
  throw failure('versions_cleaned', { path: store.root, first: 0, version: -1, last: until })
}

/** All versions whose entries still exist, newest first, for people. */
export async function history(store: ObjectStore, limit: number): Promise<Version[]> {
  const entries = (await listLog(store)).filter(({ name }) => isEntry(name)).toReversed()
  const found: Version[] = []
  for (const { name } of entries.slice(0, limit)) {
    const version = versionOf(name)
    const bytes = await store.read(name)
    if (bytes !== undefined) found.push(toVersion(version, readEntry(bytes, store.root, version)))
  }
  return found
}

function toVersion(version: number, actions: ReturnType<typeof readEntry>): Version {
  const added = actions.flatMap(({ add }) => add ?? [])
  const removed = actions.flatMap(({ remove }) => remove ?? [])
  const paths = (isChange: boolean): string[] =>
    removed.filter(({ dataChange }) => Boolean(dataChange) === isChange).map(({ path }) => path)
  return {
    version,
    commit: actions.find((action) => action.commitInfo !== undefined)?.commitInfo,
    added: added.filter(({ dataChange }) => dataChange),
    removed: paths(true),
    rearranged: { added: added.filter(({ dataChange }) => !dataChange), removed: paths(false) },
  }
}

export interface Unread {
  /** Files for a consumer to read, by version. */
  toRead: Map<number, AddAction[]>
  /** Paths of all files that hold such rows, or did. */
  holding: ReadonlySet<string>
}

/**
 * The files for a consumer that has read none of these versions. It reads a file even after compaction merged
 * it: vacuum spares the file, and the merged file counts as nothing new. But if rows of the merged file are
 * changed or deleted later, the old file still has their old state. Then the consumer reads the present file
 * in its place, at the version of the old one. Rows that it has read before may come with it: it recognizes
 * them by their key.
 */
export function unreadIn(versions: Version[], isLive: (path: string) => boolean): Unread {
  /** The new files that rows of a file may have come from. */
  const origins = new Map<string, ReadonlySet<string>>()
  const carriers: { file: AddAction; origins: ReadonlySet<string> }[] = []
  const changed = new Set<string>()
  for (const { added, removed, rearranged } of versions) {
    const held = new Set<string>()
    for (const path of [...removed, ...rearranged.removed])
      for (const origin of origins.get(path) ?? []) held.add(origin)
    for (const path of removed) for (const origin of origins.get(path) ?? []) changed.add(origin)
    for (const file of added) origins.set(file.path, new Set([file.path]))
    if (held.size === 0) continue
    for (const file of rearranged.added) {
      origins.set(file.path, held)
      carriers.push({ file, origins: held })
    }
  }
  const toRead = new Map<number, AddAction[]>()
  const placed = new Set<AddAction>()
  for (const { version, added } of versions) {
    const files = added.filter(({ path }) => !changed.has(path))
    const isInstead = ({ file, origins: of }: (typeof carriers)[number]): boolean =>
      !placed.has(file) && isLive(file.path) && added.some(({ path }) => changed.has(path) && of.has(path))
    const instead = carriers.filter(isInstead).map(({ file }) => file)
    for (const file of instead) placed.add(file)
    toRead.set(version, [...files, ...instead])
  }
  return { toRead, holding: new Set(origins.keys()) }
}

/** The same for a table and the version up to which a consumer has read. */
export async function unreadAfter(
  store: ObjectStore,
  version: number,
  { version: until, files }: Snapshot,
): Promise<Unread> {
  if (version >= until) return { toRead: new Map(), holding: new Set() }
  return unreadIn(await versionsAfter(store, version, until), (path) => files.has(path))
}

/**
 * Paths of all files with rows that came after a version, merged or not: what a consumer at this version
 * still needs.
 */
export async function filesAfter(
  store: ObjectStore,
  version: number,
  snapshot: Snapshot,
): Promise<ReadonlySet<string>> {
  return (await unreadAfter(store, version, snapshot)).holding
}
