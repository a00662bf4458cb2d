/** Vacuum: deletes data files that no version, reader, writer or consumer can need any more. */
import { failpoint } from '../core/failpoint.ts'
import type { VacuumResult } from '../core/results.ts'
import { deadFiles } from '../planning/upkeep.ts'
import { decodePath } from './actions.ts'
import { loadTombstones } from './checkpoint.ts'
import type { Table } from './table.ts'
import { filesAfter } from './versions.ts'

export interface VacuumRequest {
  table: Table
  /** Version up to which every consumer has used the rows: files that came after it stay, merged away or not. Infinity: there are none. */
  usedThrough: number
  /** How long removed files and those of unfinished batches stay for readers and writers. */
  graceMs: number
  dryRun: boolean
  nowMs: () => number
}

/** The log and the key index keep their own house. */
const OTHERS = ['_delta_log/', '_key_index/']

export async function vacuum(request: VacuumRequest): Promise<VacuumResult> {
  const { table } = request
  const { store, snapshot } = table
  // Listed before the log is read: what a writer commits in between is then known to be live.
  const stored = (await store.list('')).filter((file) => !OTHERS.some((prefix) => file.name.startsWith(prefix)))
  await table.refresh()
  await loadTombstones(store, snapshot)
  const live = new Set([...snapshot.files.keys()].map(decodePath))
  const removed = new Map([...snapshot.tombstones.values()].map((one) => [decodePath(one.path), one.deletionTimestamp ?? 0]))
  const needed = new Set([...(await filesAfter(store, request.usedThrough, snapshot.version))].map(decodePath))
  const dead = deadFiles(stored.map((file) => ({ ...file, path: file.name })), {
    live: (path) => live.has(path),
    removedMs: (path) => removed.get(path),
    needed: (path) => needed.has(path),
    beforeMs: request.nowMs() - request.graceMs,
  })
  if (!request.dryRun) {
    for (const file of dead) {
      await store.delete(file.path)
      failpoint('vacuum.deleted')
    }
    await store.sweep(request.nowMs() - request.graceMs)
  }
  return { files: dead.length, bytes: dead.reduce((sum, file) => sum + file.size, 0) }
}
