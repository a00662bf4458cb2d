/**
 * Proves, after an entry was created, that it continues the log as all other writers see it. If not, takes it
 * back.
 */
import { HeadraceError } from '../core/errors.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { entryName, readEntry } from './actions.ts'
import { loadTombstones } from './checkpoint.ts'
import type { NamedCommit } from './commit-entry.ts'
import { createLogReader, overtakenAt, type LogReader } from './log-reader.ts'
import type { CommitRequest } from '../core/commit-request.ts'

/**
 * Proves that the new entry continues the log. A writer that slept between its last look and the creation may
 * have used a name that log clean-up had freed. Such an entry is taken back; readers start after it and never
 * see it. A writer that slept after the creation finds the same log, and its commit in the newest state.
 */
export async function proveContinues(
  store: ObjectStore,
  reader: LogReader,
  version: number,
  request: NamedCommit,
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
 * Whether the state that others see has this commit's files, present or removed since. Undefined for a commit
 * without files.
 */
async function isInNewestState(
  store: ObjectStore,
  { adds }: CommitRequest,
  tableId: string,
): Promise<boolean | undefined> {
  const { snapshot, load } = createLogReader(store)
  await load()
  // The table was replaced, and our entry happens to continue the new one.
  if (snapshot.metadata.id !== tableId) return false
  await loadTombstones(store, snapshot)
  return adds.length === 0
    ? undefined
    : adds.every(({ path }) => snapshot.files.has(path) || snapshot.tombstones.has(path))
}

/** The table may have been replaced after we created our entry; then another writer's entry has its name. */
async function isOurs(store: ObjectStore, version: number, id: string): Promise<boolean> {
  const bytes = await store.read(entryName(version))
  return (
    bytes !== undefined &&
    readEntry(bytes, store.root, version).some(({ commitInfo }) => commitInfo?.txnId === id)
  )
}
