/**
 * The keys that are published, kept beside the Processed table so that an hour costs what the hour brings.
 * Without it the batch would read every published key from Parquet each time: at 50 million keys that tripled
 * the cost of the same hour.
 *
 * A log-structured index: sorted runs of 128-bit hashes, 16 bytes a key, merged by size. The delta's keys are
 * sorted and walked beside each run once: reading 16 bytes a key in order is all that grows with the table.
 * It is a cache of the table: stamped with table id and version, caught up or rebuilt when they differ,
 * deleted without harm.
 */
import { randomUUID } from 'node:crypto'
import { failpoint } from '../core/failpoint.ts'
import type { ObjectStore } from '../core/object-store.ts'
import type { SortedKeys } from '../planning/sorted-keys.ts'
import { mergeRuns } from './key-runs.ts'
import type { KeyRun } from './key-run.ts'

const FOLDER = '_key_index'
const MANIFEST = `${FOLDER}/manifest.json`
const KEY_BYTES = 16
const BLOCK_BYTES = 4 * 1024 * 1024
/** Runs of about the same size before they are merged. Each key is then rewritten a few times in its life. */
const RUNS_PER_TIER = 4
const SMALLEST_TIER = 65_536

export interface KeyIndexManifest {
  /** Format 1 hashed the parts of a key with a separator between them. Such an index is rebuilt. */
  format: 2
  tableId: string
  version: number
  key: string[]
  runs: KeyRun[]
}

export async function readManifest(store: ObjectStore): Promise<KeyIndexManifest | undefined> {
  const bytes = await store.read(MANIFEST)
  if (bytes === undefined) return undefined
  try {
    const manifest = JSON.parse(bytes.toString('utf8')) as KeyIndexManifest
    return manifest.format === 2 ? manifest : undefined
  } catch {
    return undefined
  }
}

export async function writeManifest(store: ObjectStore, manifest: KeyIndexManifest): Promise<void> {
  await store.write(MANIFEST, Buffer.from(JSON.stringify(manifest)))
  failpoint('index.written')
}

/** Writes sorted keys as a new run. It counts only once a manifest names it. */
export async function writeRun(store: ObjectStore, keys: SortedKeys, newestMs: number): Promise<KeyRun> {
  const name = `${FOLDER}/${randomUUID()}.keys`
  await store.write(name, new Uint8Array(keys.words.buffer, keys.words.byteOffset, keys.count * KEY_BYTES))
  return { name, count: keys.count, newestMs }
}

/**
 * Marks in `found` (one byte per key) the sorted keys that some run holds. Returns false if a run is missing
 * or truncated: then rebuild the index.
 */
export async function probeRuns(
  store: ObjectStore,
  runs: KeyRun[],
  keys: SortedKeys,
  found: Uint8Array,
): Promise<boolean> {
  for (const run of runs) {
    const size = run.count * KEY_BYTES
    if ((await store.stat(run.name))?.size !== size) return false
    let at = 0
    for (let from = 0; from < size && at < keys.count; from += BLOCK_BYTES) {
      const block = await store.readRange(run.name, from, Math.min(size, from + BLOCK_BYTES))
      if (block === undefined) return false
      at = probeBlock(new Int32Array(block.buffer, block.byteOffset, block.length / 4), keys, at, found)
    }
  }
  return true
}

/** Walks one block beside the keys, from key `at` on. Returns the first key to look for in the next block. */
function probeBlock(block: Int32Array, keys: SortedKeys, at: number, found: Uint8Array): number {
  const { words, count } = keys
  const end = block.length
  const last = block[end - 4]
  let askAgain = -1
  let i = 0
  for (; at < count; at += 1) {
    const first = words[at * 4]
    if (first > last) break
    while (block[i] < first) i += 4
    // Equal first words are rare (a key in 2^32); compare the rest of all of them.
    for (let j = i; j < end && block[j] === first && found[at] === 0; j += 4)
      if (
        block[j + 1] === words[at * 4 + 1] &&
        block[j + 2] === words[at * 4 + 2] &&
        block[j + 3] === words[at * 4 + 3]
      )
        found[at] = 1
    // Keys with the same first word may continue in the next block.
    if (first === last && found[at] === 0 && askAgain < 0) askAgain = at
  }
  return askAgain < 0 ? at : askAgain
}

/**
 * Merges the runs of one size class if there are enough of them. Returns the runs in force. Old files are
 * deleted after the manifest is written.
 */
export async function compactRuns(
  store: ObjectStore,
  runs: KeyRun[],
): Promise<{ runs: KeyRun[]; obsolete: KeyRun[] }> {
  const tiers = Map.groupBy(runs, (run) =>
    Math.max(0, Math.floor(Math.log(Math.max(run.count, 1) / SMALLEST_TIER) / Math.log(RUNS_PER_TIER))),
  )
  for (const [, members] of [...tiers].toSorted(([a], [b]) => a - b)) {
    if (members.length < RUNS_PER_TIER) continue
    const merged = await mergeRuns(store, members, `${FOLDER}/${randomUUID()}.keys`)
    return { runs: [...runs.filter((run) => !members.includes(run)), merged], obsolete: members }
  }
  return { runs, obsolete: [] }
}
