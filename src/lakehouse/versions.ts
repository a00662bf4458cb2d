/** What changed between two versions of a table: what a consumer reads instead of asking for "new rows". */
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
  /** What only rearranges rows, and what is left of files that were written again. */
  rearranged: { added: AddAction[]; removed: string[] }
}

/**
 * The entries after `version` up to `until`, oldest first. Entries that only rearrange rows (dataChange
 * false) come with empty `added` and `removed`. A gap (an entry that log clean-up deleted) is refused by
 * name: rows would be missed silently. Only who has read nothing yet (-1) begins with a state of the table,
 * as if one version had added all of it.
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

/** All versions whose entries are still there, newest first, for people. */
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
  /** What a consumer reads, by version. */
  toRead: Map<number, AddAction[]>
  /** Paths of all files that hold such rows, or did. */
  holding: ReadonlySet<string>
}

/**
 * What a consumer reads that has read none of these versions. A file that was merged away is read all the
 * same: vacuum spares it, and what it was merged into counts as nothing new. But when rows of the merged file
 * are changed or deleted afterwards, the old file still has them as they were: then what holds them now is
 * read in its place, at the version of the old one. Rows that were read before may come with it: a consumer
 * knows them by their key.
 */
export function unreadIn(versions: Version[], isLive: (path: string) => boolean): Unread {
  /** The new files whose rows a file may hold. */
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

/** The same of a table after a version that a consumer has read up to. */
export async function unreadAfter(
  store: ObjectStore,
  version: number,
  { version: until, files }: Snapshot,
): Promise<Unread> {
  if (version >= until) return { toRead: new Map(), holding: new Set() }
  return unreadIn(await versionsAfter(store, version, until), (path) => files.has(path))
}

/**
 * Paths of all files with rows that came after a version, merged or not: what a consumer that has read up to
 * it still needs.
 */
export async function filesAfter(
  store: ObjectStore,
  version: number,
  snapshot: Snapshot,
): Promise<ReadonlySet<string>> {
  return (await unreadAfter(store, version, snapshot)).holding
}
