/** Upkeep of the log after a commit: checkpoints by size, and deletion of entries that nobody needs. */
import { LIMITS } from '../core/limits.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { checkpointsAmong, durationMs, writeCheckpoint } from './checkpoint.ts'
import { listLog, versionOf } from './log-files.ts'
import type { Snapshot } from './snapshot.ts'
import type { Checkpoint } from './log-files.ts'

/**
 * A new checkpoint is due after this many entries (unless the table sets delta.checkpointInterval), or
 * earlier after this many bytes of log.
 */
const CHECKPOINT_ENTRIES = 100
const CHECKPOINT_BYTES = 4 * 1024 * 1024
/**
 * A large state waits longer for its next checkpoint: reading an entry costs about as much as writing this
 * many files into a checkpoint.
 */
const FILES_PER_ENTRY = 40
/**
 * Log entries that are older than this and before a checkpoint are deleted (delta.logRetentionDuration: 30
 * days).
 */
const LOG_RETENTION_MS = 30 * 86_400_000
/**
 * Of the checkpoints between the oldest entry and the newest, one per this many versions stays: time travel
 * replays from there.
 */
const CHECKPOINT_SPACING = 1_000

/** Log since the last checkpoint. */
export interface LogGrowth {
  entries: number
  bytes: number
}

/**
 * Writes a checkpoint and cleans up. A failure costs nothing: the commit stands, and the next one tries
 * again. `usedThrough`: the version up to which every consumer has read. Later entries stay, whatever their
 * age.
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
 * Deletes entries before the newest checkpoint that is older than the retention, or further back than the
 * number of entries to keep. Later versions can still be replayed, for time travel and for consumers.
 * Otherwise a stream that commits each second would leave 86,400 entries a day. It deletes from old to new,
 * in the order of the listing: a writer that slept finds the entry before its own gone.
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
  // A declared duration is a promise; only without one, the number of entries is a limit, too.
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
