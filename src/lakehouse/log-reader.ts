/**
 * Follows the log of a table from its newest checkpoint, entry by entry. Its state is the newest only while
 * the log still holds the last entry that it read: where others clean the log, a used name becomes free, and
 * a writer that slept could create it again (docs/decisions/0018-a-fence-that-stays-shut.md).
 */
import { createHash } from 'node:crypto'
import { failure } from '../core/errors.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { checkPaths, checkProtocol, entryName, readEntry } from './actions.ts'
import { checkpointsAmong, pointedVersion, readCheckpoint } from './checkpoint.ts'
import { listLog, nameInLog, versionOf } from './log-files.ts'
import type { LogGrowth } from './log-upkeep.ts'
import { applyActions, emptySnapshot, type Snapshot } from './snapshot.ts'
import type { Checkpoint } from './log-files.ts'

export interface LogReader {
  readonly snapshot: Snapshot
  /** Version of each of the newest entries, by the name of its operation. */
  readonly committed: ReadonlyMap<string, number>
  readonly sinceCheckpoint: LogGrowth
  /** The version of the checkpoint that the pointer of the log named at the last refresh. */
  readonly pointed: number | undefined
  /**
   * Reads the state from the newest checkpoint, up to a version or to the end. The version is -1 if there is
   * no table.
   */
  load(until?: number): Promise<void>
  /**
   * Reads the entries that came since. Throws `table_gone` if the log no longer exists, and
   * `writer_overtaken` if it was cleaned up beyond what this reader has read: then nothing shows what
   * follows.
   */
  refresh(): Promise<void>
}

/**
 * A listing is no snapshot: it may miss new files, or name files that were cleaned up since. A gap that
 * persists is real.
 */
const LOAD_ATTEMPTS = 5

/** The part of a log that has been read. */
interface ReadLog {
  store: ObjectStore
  snapshot: Snapshot
  committed: Map<string, number>
  sinceCheckpoint: LogGrowth
  /**
   * Digest of the last entry that was read. Undefined if the state comes from a checkpoint whose entry is
   * gone.
   */
  newest: string | undefined
  /** The checkpoint that the state started from. */
  base: Checkpoint | undefined
  pointed: number | undefined
}

export function createLogReader(store: ObjectStore): LogReader {
  const log: ReadLog = {
    store,
    snapshot: emptySnapshot(),
    committed: new Map(),
    sinceCheckpoint: { entries: 0, bytes: 0 },
    newest: undefined,
    base: undefined,
    pointed: undefined,
  }
  const { snapshot, committed, sinceCheckpoint } = log
  return {
    snapshot,
    committed,
    sinceCheckpoint,
    get pointed() {
      return log.pointed
    },
    load: (until) => load(log, until),
    refresh: () => refresh(log),
  }
}

async function load(log: ReadLog, until = Infinity): Promise<void> {
  const { store, snapshot } = log
  for (let attempt = 1; ; attempt += 1) {
    const { checkpoint, names } = await newestCheckpoint(store, until)
    const isRead = await start(log, checkpoint)
    if (isRead) await follow(log, until)
    if (isRead && until !== Infinity) return
    const gap = isRead ? gapAfter(store, names, snapshot.version) : undefined
    if (isRead && gap === undefined) return
    if (attempt === LOAD_ATTEMPTS)
      throw gap ?? corrupt(store, checkpoint?.version ?? 0, 'its checkpoint is gone')
  }
}

async function refresh(log: ReadLog): Promise<void> {
  const { store, snapshot } = log
  const before = snapshot.version
  // All at once: on a remote store, each costs a round trip.
  const [version, there, next] = await Promise.all([
    pointedVersion(store),
    store.read(entryName(before)),
    store.read(entryName(before + 1)),
  ])
  log.pointed = version
  const { newest, base } = log
  const isThere =
    there === undefined ? newest === undefined && (await isAt(store, base)) : digest(there) === newest
  if (!isThere) throw await overtakenAt(store, snapshot)
  if (next !== undefined) apply(log, next)
  if (next !== undefined || isAhead(version, snapshot)) await follow(log)
  if (isAhead(version, snapshot)) throw await overtakenAt(store, snapshot)
}

/** Starts again from the state of a checkpoint. False if the checkpoint is gone. */
async function start(log: ReadLog, checkpoint: Checkpoint | undefined): Promise<boolean> {
  const { store, snapshot, sinceCheckpoint } = log
  Object.assign(snapshot, emptySnapshot())
  Object.assign(sinceCheckpoint, { entries: 0, bytes: 0 })
  log.newest = undefined
  log.base = checkpoint
  if (checkpoint === undefined) return true
  const actions = await readCheckpoint(store, checkpoint)
  if (actions === undefined) return false
  checkPaths(actions, store.root)
  applyActions(snapshot, actions)
  checkProtocol(snapshot.protocol, store.root)
  snapshot.version = checkpoint.version
  snapshot.unreadTombstones = checkpoint
  const entry = await store.read(entryName(checkpoint.version))
  log.newest = entry === undefined ? undefined : digest(entry)
  return true
}

async function follow(log: ReadLog, until = Infinity): Promise<void> {
  while (log.snapshot.version < until) {
    const bytes = await log.store.read(entryName(log.snapshot.version + 1))
    if (bytes === undefined) return
    apply(log, bytes)
  }
}

function apply(log: ReadLog, bytes: Buffer): void {
  const { store, snapshot, committed, sinceCheckpoint } = log
  const version = snapshot.version + 1
  const actions = readEntry(bytes, store.root, version)
  checkPaths(actions, store.root)
  applyActions(snapshot, actions)
  // A writer may raise the protocol of a table that has been open for weeks.
  checkProtocol(snapshot.protocol, store.root)
  snapshot.version = version
  log.newest = digest(bytes)
  if (snapshot.lastCommit?.txnId !== undefined) remember(committed, snapshot.lastCommit.txnId, version)
  sinceCheckpoint.entries += 1
  sinceCheckpoint.bytes += bytes.length
}

/**
 * Whether the pointer names a state beyond what was read: its entries existed when the pointer was written.
 */
function isAhead(pointed: number | undefined, { version }: Snapshot): boolean {
  return pointed !== undefined && pointed > version
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64')
}

/** Some writers clean up the entry of a checkpoint, too: the checkpoint itself stands for it. */
async function isAt(store: ObjectStore, base: Checkpoint | undefined): Promise<boolean> {
  return base !== undefined && (await store.stat(base.names[0])) !== undefined
}

/**
 * The error for a log that does not continue what was read: cleaned up while others went on, replaced, or
 * gone.
 */
export async function overtakenAt(store: ObjectStore, { version, metadata }: Snapshot): Promise<Error> {
  const { snapshot, load } = createLogReader(store)
  await load()
  if (snapshot.version < 0 || snapshot.metadata.id !== metadata.id)
    return failure('table_gone', { path: store.root, start: 'the earliest offset that the topic still has' })
  return failure('writer_overtaken', { path: store.root, version, newest: snapshot.version })
}

/** Most entries between one attempt and the next: there are few other writers. */
const REMEMBERED = 200

function remember(committed: Map<string, number>, id: string, version: number): void {
  committed.set(id, version)
  if (committed.size > REMEMBERED) committed.delete(committed.keys().next().value as string)
}

/**
 * Finds the newest checkpoint up to a version by listing. The pointer only tells where the listing may start:
 * a writer that slept before it wrote the pointer sets it back to a very old state.
 */
async function newestCheckpoint(
  store: ObjectStore,
  until: number,
): Promise<{ checkpoint?: Checkpoint; names: string[] }> {
  const pointed = await pointedVersion(store)
  if (pointed !== undefined && pointed <= until) {
    const names = await namesFrom(store, pointed)
    const checkpoint = checkpointsAmong(names, until).at(-1)
    if (checkpoint !== undefined) return { checkpoint, names }
  }
  const names = await namesFrom(store)
  return { checkpoint: checkpointsAmong(names, until).at(-1), names }
}

const namesFrom = async (store: ObjectStore, version?: number): Promise<string[]> =>
  (await listLog(store, version)).map(({ name }) => name)

/**
 * Undefined if a log that was read up to a version has nothing later. If the next entry is gone and later
 * ones exist, another writer is ahead of what we can read: the table is neither in an older state nor
 * missing.
 */
function gapAfter(store: ObjectStore, names: string[], version: number): Error | undefined {
  const later = names.filter((name) => versionOf(name) > version)
  if (later.length === 0) return undefined
  const foreign = later.find((name) => name.includes('.checkpoint.'))
  if (foreign !== undefined)
    return failure('table_unsupported', { path: store.root, feature: `the checkpoint ${nameInLog(foreign)}` })
  return corrupt(store, version + 1, `it is missing, and ${nameInLog(later[0])} is there`)
}

function corrupt(store: ObjectStore, version: number, reason: string): Error {
  return failure('table_corrupt', { path: store.root, version, reason })
}
