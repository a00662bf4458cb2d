/** Vacuum: deletes data files that no version, reader, writer or consumer can need. */
import { isBeingWritten, partitionFolder } from '../core/data-path.ts'
import { failpoint } from '../core/failpoint.ts'
import type { VacuumResult } from '../core/results.ts'
import { encodePath } from '../core/table-schema.ts'
import { deadFiles } from '../planning/upkeep.ts'
import { decodePath } from './actions.ts'
import { loadTombstones } from './checkpoint.ts'
import type { Table } from './table.ts'
import { unreadAfter } from './versions.ts'

export interface VacuumRequest {
  table: Table
  /**
   * The version up to which every consumer has used the rows. Files that came later stay, merged or not.
   * Infinity: there are no consumers.
   */
  usedThrough: number
  /** How long removed files, and files of unfinished batches, stay for readers and writers. */
  graceMs: number
  dryRun: boolean
  nowMs: () => number
}

/**
 * The folder of a batch of older versions. Everything below it is ours, hidden or not: Spark staged a table
 * with a log there.
 */
const OUR_FOLDER = /^data\/(\d{4}-\d\d-\d\d\/)?[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\//

/**
 * Names that begin with `_` or `.` belong to others: the log, our key index, and what other writers keep
 * beside a table (change data, manifests, indexes). Only a partition column may begin so too, as in Spark's
 * own vacuum.
 */
function isHidden(name: string, partitionColumns: string[]): boolean {
  if (OUR_FOLDER.test(name) || isBeingWritten(name)) return false
  return name
    .split('/')
    .some(
      (part) => /^[_.]/.test(part) && !partitionColumns.some((column) => part.startsWith(folderOf(column))),
    )
}

/** How the folders of a column's values begin. */
const folderOf = (column: string): string => partitionFolder(column, 'x').slice(0, -1)

/** The log is read again after this many deletions. */
const LOOKED_AGAIN_AFTER = 100

export async function vacuum(request: VacuumRequest): Promise<VacuumResult> {
  const { table } = request
  const { store, snapshot } = table
  // List before reading the log: then any file committed in between is known to be live.
  const listed = await store.list('')
  await table.refresh()
  await loadTombstones(store, snapshot)
  const live = new Set([...snapshot.files.keys()].map(decodePath))
  const removed = new Map(
    [...snapshot.tombstones.values()].map((tombstone) => [
      decodePath(tombstone.path),
      tombstone.deletionTimestamp ?? 0,
    ]),
  )
  const { toRead } = await unreadAfter(store, request.usedThrough, snapshot)
  const needed = new Set([...toRead.values()].flat().map((file) => decodePath(file.path)))
  // A file that the log removed was a data file, whatever its name.
  const stored = listed.filter(
    (file) => removed.has(file.name) || !isHidden(file.name, snapshot.metadata.partitionColumns),
  )
  const dead = deadFiles(
    stored.map((file) => ({ ...file, path: file.name })),
    {
      live: (path) => live.has(path),
      removedMs: (path) => removed.get(path),
      needed: (path) => needed.has(path),
      beforeMs: request.nowMs() - request.graceMs,
    },
  )
  if (!request.dryRun) {
    for (const [i, file] of dead.entries()) {
      // A writer that slept may have committed one by now: deleting them all may take hours.
      if (i % LOOKED_AGAIN_AFTER === 0) await table.refresh()
      if (snapshot.files.has(encodePath(file.path))) continue
      await store.delete(file.path)
      failpoint('vacuum.deleted')
    }
    await store.sweep(request.nowMs() - request.graceMs)
  }
  return { files: dead.length, bytes: dead.reduce((sum, file) => sum + file.size, 0) }
}
