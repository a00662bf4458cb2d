/** What changed between two versions of a table: what a consumer reads instead of asking for "new rows". */
import { failure } from '../core/errors.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { entryName, readEntry, type AddAction, type CommitInfo } from './actions.ts'

export interface Version {
  version: number
  commit: CommitInfo | undefined
  added: AddAction[]
  removed: string[]
}

/**
 * The entries after `version` up to `until`, oldest first. Entries that only rearrange rows (dataChange
 * false) come with empty `added`. A gap (an entry that log clean-up deleted) is refused by name: rows would
 * be missed silently.
 */
export async function versionsAfter(store: ObjectStore, version: number, until: number): Promise<Version[]> {
  const found: Version[] = []
  for (let at = version + 1; at <= until; at += 1) {
    const bytes = await store.read(entryName(at))
    if (bytes === undefined)
      throw failure('version_not_found', { path: store.root, version: at, first: at + 1, last: until })
    found.push(toVersion(at, readEntry(bytes, store.root, at)))
  }
  return found
}

/** All versions whose entries are still there, newest first, for people. */
export async function history(store: ObjectStore, limit: number): Promise<Version[]> {
  const entries = (await store.list('_delta_log'))
    .filter((one) => /\/\d{20}\.json$/.test(one.name))
    .toReversed()
  const found: Version[] = []
  for (const entry of entries.slice(0, limit)) {
    const version = Number(/(\d{20})\.json$/.exec(entry.name)?.[1])
    const bytes = await store.read(entry.name)
    if (bytes !== undefined) found.push(toVersion(version, readEntry(bytes, store.root, version)))
  }
  return found
}

function toVersion(version: number, actions: ReturnType<typeof readEntry>): Version {
  return {
    version,
    commit: actions.find((action) => action.commitInfo !== undefined)?.commitInfo,
    added: actions.flatMap((action) => (action.add?.dataChange ? [action.add] : [])),
    removed: actions.flatMap((action) => (action.remove?.dataChange ? [action.remove.path] : [])),
  }
}

/**
 * Paths of all files whose rows came after a version, merged away or not: what a consumer that has read up to
 * it still needs.
 */
export async function filesAfter(store: ObjectStore, version: number, until: number): Promise<Set<string>> {
  if (version >= until) return new Set()
  return new Set(
    (await versionsAfter(store, version, until)).flatMap((one) => one.added).map((file) => file.path),
  )
}
