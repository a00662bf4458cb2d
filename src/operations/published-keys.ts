/**
 * Connects the key index with the Processed table: updates it with what others appended, and rebuilds it if
 * it cannot be trusted.
 */
import type { BatchEngine } from '../core/batch-engine.ts'
import type { AddAction } from '../lakehouse/actions.ts'
import {
  compactRuns,
  probeRuns,
  readManifest,
  writeManifest,
  writeRun,
  type KeyIndexManifest,
} from '../lakehouse/key-index.ts'
import { engineFiles } from '../lakehouse/snapshot.ts'
import type { Table } from '../lakehouse/table.ts'
import { versionsAfter } from '../lakehouse/versions.ts'
import { createKeyCollector } from '../planning/sorted-keys.ts'
import type { KeyRun } from '../lakehouse/key-run.ts'
import type { PublishedKeys } from '../runner/batch-options.ts'

/** Keys to collect before they are written as a run during a rebuild. Limits memory. */
const REBUILD_KEYS = 2_000_000

/** The table of an index, and its reader. */
interface Indexed {
  table: Table
  engine: BatchEngine
  key: string[]
  progress: (text: string) => void
}

export function createPublishedKeys(
  table: Table,
  engine: BatchEngine,
  key: string[],
  progress: (text: string) => void,
): PublishedKeys {
  const { store } = table
  const indexed: Indexed = { table, engine, key, progress }
  let manifest: KeyIndexManifest | undefined
  const prepared: KeyRun[] = []
  const current = async (): Promise<KeyIndexManifest> => {
    // Each time: after losing a commit to another writer, a batch plans again on a newer table.
    manifest = await upToDate(indexed, manifest ?? (await readManifest(store)))
    return manifest
  }
  return {
    async probe(keys, horizonMs) {
      const index = await current()
      const runs =
        horizonMs === undefined ? index.runs : index.runs.filter((run) => run.newestMs >= horizonMs)
      const found = new Uint8Array(keys.count)
      if (await probeRuns(store, runs, keys, found)) return found
      manifest = await rebuild(indexed)
      found.fill(0)
      await probeRuns(store, manifest.runs, keys, found)
      return found
    },
    async prepare(keys, logicalMs) {
      prepared.push(await writeRun(store, keys, logicalMs))
    },
    async settled(version) {
      const runs = prepared.splice(0)
      if (version === undefined) {
        for (const run of runs) await store.delete(run.name)
        return
      }
      // The index that the probe used. The table has this commit by now.
      const index = manifest ?? (await current())
      const compacted = await compactRuns(store, [...index.runs, ...runs])
      // Versions of others in between were not read: the next run reads what they added, or all keys again.
      const seen = version === index.version + 1 ? version : index.version
      manifest = { ...index, version: seen, runs: compacted.runs }
      await writeManifest(store, manifest)
      for (const run of compacted.obsolete) await store.delete(run.name)
    },
  }
}

/**
 * Updates the index to the table's version: reads the keys of added files, or of all files if rows were
 * removed.
 */
async function upToDate(indexed: Indexed, known: KeyIndexManifest | undefined): Promise<KeyIndexManifest> {
  const { table, key, progress } = indexed
  const { snapshot, store } = table
  const usable =
    known !== undefined &&
    known.tableId === snapshot.metadata.id &&
    known.version <= snapshot.version &&
    known.key.join() === key.join()
  if (!usable) return rebuild(indexed)
  if (known.version === snapshot.version) return known
  const versions = await versionsAfter(store, known.version, snapshot.version).catch(() => undefined)
  if (versions === undefined || versions.some((version) => version.removed.length > 0))
    return rebuild(indexed)
  const files = versions.flatMap((version) => version.added)
  // Merged before the index read them: their keys lie in files that count as nothing new.
  if (files.some((file) => !snapshot.files.has(file.path))) return rebuild(indexed)
  if (files.length > 0) progress(`key index: reading ${files.length} files that were added without it`)
  const runs = await readRuns(indexed, files)
  const manifest = { ...known, version: snapshot.version, runs: [...known.runs, ...runs] }
  await writeManifest(store, manifest)
  return manifest
}

async function rebuild(indexed: Indexed): Promise<KeyIndexManifest> {
  const { table, key, progress } = indexed
  const { snapshot, store } = table
  const files = [...snapshot.files.values()]
  if (files.length > 0) progress(`key index: rebuilding from ${files.length} files`)
  const runs = await readRuns(indexed, files)
  const manifest: KeyIndexManifest = {
    format: 2,
    tableId: snapshot.metadata.id,
    version: snapshot.version,
    key,
    runs,
  }
  await writeManifest(store, manifest)
  const named = new Set(runs.map((run) => run.name))
  for (const stored of await store.list('_key_index'))
    if (stored.name.endsWith('.keys') && !named.has(stored.name)) await store.delete(stored.name)
  return manifest
}

async function readRuns(
  { table, engine, key }: Indexed,
  files: AddAction[],
): Promise<KeyIndexManifest['runs']> {
  const { store, snapshot } = table
  const runs: KeyIndexManifest['runs'] = []
  const collector = createKeyCollector(REBUILD_KEYS)
  const flush = async (): Promise<void> => {
    if (collector.rows === 0) return
    runs.push(await writeRun(store, collector.sorted(), snapshot.timestampMs))
    collector.begin(0, 1)
  }
  for (const file of files) {
    await engine.readPublishedKeys(
      await engineFiles(engine.access, store, [file]),
      key,
      (words, positions, rows) => collector.add(words, positions, rows),
    )
    if (collector.rows >= REBUILD_KEYS) await flush()
  }
  await flush()
  collector.end()
  return runs
}
