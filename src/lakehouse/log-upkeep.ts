/** The log's own upkeep after a commit: checkpoints by size, and entries that nobody needs any more. */
import { LIMITS } from '../core/limits.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { checkpointsAmong, durationMs, writeCheckpoint } from './checkpoint.ts'
import { listLog, versionOf } from './log-files.ts'
import type { Snapshot } from './snapshot.ts'
import type { Checkpoint } from './log-files.ts'

/**
 * Entries since the last checkpoint before a new one is written (unless the table's delta.checkpointInterval
 * says), and the bytes of log that force one earlier.
 */
const CHECKPOINT_ENTRIES = 100
const CHECKPOINT_BYTES = 4 * 1024 * 1024
/**
 * A large state waits longer for its next checkpoint: reading an entry costs about what writing this many
 * files into one does.
 */
const FILES_PER_ENTRY = 40
/** Log entries older than this and behind a checkpoint are deleted (delta.logRetentionDuration: 30 days). */
const LOG_RETENTION_MS = 30 * 86_400_000
/**
 * Of the checkpoints between the oldest entry and the newest, one for so many versions stays: time travel
 * replays from there.
 */
const CHECKPOINT_SPACING = 1_000

/** Log since the last checkpoint. */
export interface LogGrowth {
  entries: number
  bytes: number
}

/**
 * Checkpoint and clean-up. What fails here costs nothing: the commit stands, the next one tries again.
 * `usedThrough`: the version up to which every consumer has read; entries behind it stay, whatever their age.
 */
export async function tidyLog(
  store: ObjectStore,
  { snapshot, sinceCheckpoint: since }: { snapshot: Snapshot; sinceCheckpoint: LogGrowth },
  usedThrough: () => Promise<number>,
  nowMs: number,
): Promise<void> {
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

/**
 * Deletes what lies before the newest checkpoint that is older than the retention or further back than the
 * entries we keep: versions behind it stay replayable, for time travel and for consumers. A stream that
 * commits each second would else write 86,400 entries a day. From old to new, as the listing comes: a writer
 * that slept finds the entry before its own gone.
 */
async function cleanLog(
  store: ObjectStore,
  snapshot: Snapshot,
  usedThrough: number,
  nowMs: number,
): Promise<void> {
  const { configuration } = snapshot.metadata
  if (configuration['delta.enableExpiredLogCleanup'] === 'false') return
  const all = await listLog(store)
  const modifiedMs = new Map(all.map((file) => [file.name, file.modifiedMs]))
  const checkpoints = checkpointsAmong(all.map(({ name }) => name))
  const declaredMs = durationMs(configuration['delta.logRetentionDuration'])
  const oldestMs = nowMs - (declaredMs ?? LOG_RETENTION_MS)
  // Who declares a duration is promised it; only without one is the number of entries a bound, too.
  const isBeyond = (version: number): boolean =>
    declaredMs === undefined && version <= snapshot.version - LIMITS.logEntries
  const isPast = ({ version, names }: Checkpoint): boolean =>
    isBeyond(version) || names.every((name) => (modifiedMs.get(name) as number) < oldestMs)
  const isSpare = ({ version }: Checkpoint): boolean =>
    version < snapshot.version && version <= usedThrough + 1
  const anchor =
    checkpoints.findLast((checkpoint) => isSpare(checkpoint) && isPast(checkpoint))?.version ?? -1
  for (const { name } of all) if (versionOf(name) < anchor) await store.delete(name)
  const spaced = superfluous(checkpoints.filter((checkpoint) => checkpoint.version > anchor))
  for (const name of spaced.flatMap((checkpoint) => checkpoint.names)) await store.delete(name)
}

/**
 * Checkpoints between the first and the newest two that share their thousand of versions with an older one.
 */
function superfluous(checkpoints: Checkpoint[]): Checkpoint[] {
  const bucket = ({ version }: Checkpoint): number => Math.floor(version / CHECKPOINT_SPACING)
  return checkpoints
    .slice(0, -2)
    .filter((checkpoint, i) => i > 0 && bucket(checkpoint) === bucket(checkpoints[i - 1]))
}
