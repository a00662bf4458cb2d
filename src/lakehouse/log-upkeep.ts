/** The log's own upkeep after a commit: checkpoints by size, and entries that nobody needs any more. */
import { LIMITS } from '../core/limits.ts'
import type { ObjectStore, StoredObject } from '../core/object-store.ts'
import { durationMs, writeCheckpoint } from './checkpoint.ts'
import type { Snapshot } from './snapshot.ts'

/** Entries since the last checkpoint before a new one is written (unless the table's delta.checkpointInterval says), and the bytes of log that force one earlier. */
const CHECKPOINT_ENTRIES = 100
const CHECKPOINT_BYTES = 4 * 1024 * 1024
/** A large state waits longer for its next checkpoint: reading an entry costs about what writing this many files into one does. */
const FILES_PER_ENTRY = 40
/** Log entries older than this and behind a checkpoint are deleted (delta.logRetentionDuration: 30 days). */
const LOG_RETENTION_MS = 30 * 86_400_000
/** Of the checkpoints between the oldest entry and the newest, one for so many versions stays: time travel replays from there. */
const CHECKPOINT_SPACING = 1_000

/** Log since the last checkpoint. */
export interface LogGrowth {
  entries: number
  bytes: number
}

/**
 * Checkpoint and clean-up. What fails here costs nothing: the commit stands, the next one tries again. `usedThrough`: the version
 * up to which every consumer has read; entries behind it stay, whatever their age.
 */
export async function tidyLog(store: ObjectStore, snapshot: Snapshot, since: LogGrowth, usedThrough: () => Promise<number>, nowMs: number): Promise<void> {
  const interval = Number(snapshot.metadata.configuration['delta.checkpointInterval']) || CHECKPOINT_ENTRIES
  const files = snapshot.files.size + snapshot.tombstones.size
  if (since.entries < Math.max(interval, files / FILES_PER_ENTRY) && since.bytes < CHECKPOINT_BYTES) return
  try {
    await writeCheckpoint(store, snapshot)
    since.entries = since.bytes = 0
    await cleanLog(store, snapshot, await usedThrough(), nowMs)
  } catch {
    since.entries = Math.floor(interval / 2)
  }
}

const versionOf = (name: string): number => Number(/(\d{20})\.(json|checkpoint\.parquet)$/.exec(name)?.[1] ?? NaN)

/**
 * Deletes what lies before the newest checkpoint that is older than the retention or further back than the entries we keep:
 * versions behind it stay replayable, for time travel and for consumers. A stream that commits each second would else write
 * 86,400 entries a day.
 */
async function cleanLog(store: ObjectStore, snapshot: Snapshot, usedThrough: number, nowMs: number): Promise<void> {
  const all = await store.list('_delta_log')
  const checkpoints = all.filter((one) => one.name.endsWith('.checkpoint.parquet')).toSorted((a, b) => versionOf(a.name) - versionOf(b.name))
  const { configuration } = snapshot.metadata
  if (configuration['delta.enableExpiredLogCleanup'] === 'false') return
  const declaredMs = durationMs(configuration['delta.logRetentionDuration'])
  // Who declares a duration is promised it; only without one is the number of entries a bound, too.
  const isBeyond = (one: StoredObject): boolean =>
    declaredMs === undefined && versionOf(one.name) <= snapshot.version - LIMITS.logEntries
  const isPast = (one: StoredObject): boolean =>
    one.modifiedMs < nowMs - (declaredMs ?? LOG_RETENTION_MS) || isBeyond(one)
  const anchors = checkpoints.map((one) => ({ version: versionOf(one.name), past: isPast(one) })).filter((one) => one.past && one.version < snapshot.version && one.version <= usedThrough + 1)
  const anchor = anchors.at(-1)?.version ?? -1
  for (const one of all) if (versionOf(one.name) < anchor) await store.delete(one.name)
  for (const one of superfluous(checkpoints.filter((checkpoint) => versionOf(checkpoint.name) > anchor))) await store.delete(one.name)
}

/** Checkpoints between the first and the newest two that share their thousand of versions with an older one. */
function superfluous(checkpoints: StoredObject[]): StoredObject[] {
  const bucket = (one: StoredObject): number => Math.floor(versionOf(one.name) / CHECKPOINT_SPACING)
  return checkpoints.slice(0, -2).filter((one, i) => i > 0 && bucket(one) === bucket(checkpoints[i - 1]))
}
