/** Wires and runs the hourly batch of a dataset. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { failure } from '../core/errors.ts'
import { consumerMark } from '../core/marks.ts'
import type { TableColumn } from '../core/table-schema.ts'
import type { Dataset } from '../dataset/declaration.ts'
import type { EngineAccess } from '../core/object-store.ts'
import { decodePath, type AddAction } from '../lakehouse/actions.ts'
import { countRows } from '../lakehouse/file-rows.ts'
import { makePrivateFolder, placeFiles } from '../lakehouse/placement.ts'
import { columnsOf, engineFiles } from '../lakehouse/snapshot.ts'
import { addTableColumns, openOrCreateTable, openTable, type Table } from '../lakehouse/table.ts'
import { unreadIn, versionsAfter } from '../lakehouse/versions.ts'
import { effectiveColumns, processedSchema, schemaChange } from '../planning/table-layout.ts'
import type { BatchResult } from '../core/results.ts'
import { CONSUMER } from '../runner/batch-plan.ts'
import { runHourlyBatch } from '../runner/hourly-batch.ts'
import { openBatchEngineFor } from './engine-choice.ts'
import { type LoadedDataset } from './datasets.ts'
import { createPublishedKeys } from './published-keys.ts'
import { openStore } from './stores.ts'
import type { GateFacts, RawVersion } from '../runner/batch-options.ts'

export interface BatchRun {
  memoryBytes: number
  dryRun: boolean
  progress(text: string): void
}

/**
 * Memory of the process before it reads anything: Node, DuckDB's code, buffers that its limit does not count.
 */
const BASE_BYTES = 416 * 1024 * 1024
/** The least memory of a batch. */
export const LEAST_BYTES = 768 * 1024 * 1024
/**
 * JavaScript's share of the rest; DuckDB gets the other part. Keys take 112 bytes per row in the worst
 * moment, garbage included.
 */
const SCRIPT_SHARE = 0.4
const BYTES_PER_ROW = 112
/** With less memory, DuckDB's two threads would wait for each other. */
const TWO_THREADS_BYTES = 352 * 1024 * 1024

export async function runBatch(loaded: LoadedDataset, run: BatchRun): Promise<BatchResult[]> {
  const { dataset } = loaded
  if (dataset.processed.key.length === 0)
    throw failure('usage', {
      reason: `${dataset.name} declares no processed.key. A batch publishes by key`,
    })
  if (run.memoryBytes < LEAST_BYTES)
    throw failure('usage', {
      reason: `--memory ${run.memoryBytes} is less than the ${LEAST_BYTES} bytes (768MiB) that a batch needs`,
    })
  const raw = await openTable(await openStore(loaded.rawPath))
  if (raw === undefined) throw failure('table_not_found', { path: loaded.rawPath })
  const { table, columns } = await openProcessed(dataset, loaded.processedPath, raw)
  const free = run.memoryBytes - BASE_BYTES
  const memoryBytes = free * (1 - SCRIPT_SHARE)
  const embedded = {
    memoryBytes,
    threads: memoryBytes < TWO_THREADS_BYTES ? 1 : availableParallelism(),
    spillFolder: join(loaded.home, 'spill', `batch-${process.pid}`),
  }
  const engine = await openBatchEngineFor(
    { dataset, embedded, say: run.progress },
    { rawColumns: columnsOf(raw.snapshot.metadata), columns, processed: table.store },
  )
  try {
    return await runHourlyBatch({
      dataset,
      table,
      rawVersion: raw.snapshot.version,
      rawVersions: (after) =>
        rawVersions(raw, engine.access, after, table.snapshot.marks.get(consumerMark(CONSUMER)) ?? -1),
      engine,
      keys: createPublishedKeys(table, engine, dataset.processed.key, run.progress),
      async publishedFiles() {
        const files = [...table.snapshot.files.values()]
        const opened = await engineFiles(engine.access, table.store, files)
        return files.map((file, i) => ({ name: file.path, ...opened[i] }))
      },
      columns,
      newFolder: () => makePrivateFolder(table.store),
      engineFolder: (name) => engine.access.path(table.store, name),
      place: (folder, files) => placeFiles(table, folder, files),
      discard: async (names) => {
        for (const name of names) await table.store.delete(decodePath(name))
      },
      gate: (partition, facts) => gate(dataset, partition, facts),
      rowsPerBatch: Math.floor((free * SCRIPT_SHARE) / BYTES_PER_ROW),
      dryRun: run.dryRun,
      nowMs: Date.now,
      progress: run.progress,
    })
  } finally {
    await engine.close()
  }
}

export async function openProcessed(
  dataset: Dataset,
  path: string,
  raw: Table,
): Promise<{ table: Table; columns: TableColumn[] }> {
  const wanted = processedSchema(dataset, effectiveColumns(dataset, columnsOf(raw.snapshot.metadata)))
  const table = await openOrCreateTable(await openStore(path), {
    schema: wanted,
    configuration: { 'headrace.dataset': dataset.name, 'headrace.zone': 'processed' },
    nowMs: Date.now(),
  })
  await addTableColumns(table, (existing) => schemaChange(dataset, existing, wanted, path), Date.now())
  return { table, columns: columnsOf(table.snapshot.metadata) }
}

/**
 * Refreshes RAW after the marks of Processed were read. A deletion changes RAW first, so a plan that missed
 * it cannot be committed.
 */
async function rawVersions(
  raw: Table,
  access: EngineAccess,
  after: number,
  read: number,
): Promise<RawVersion[]> {
  const snapshot = await raw.refresh()
  const { store } = raw
  const versions = await versionsAfter(store, after, snapshot.version)
  // A held table partition waits for versions that were read without it. A newer state does not replace them.
  const isNewer = after < read && versions.length > 0 && versions[0].version > read
  if (isNewer)
    throw failure('versions_cleaned', {
      path: store.root,
      first: after + 1,
      version: after,
      last: snapshot.version,
    })
  const { toRead } = unreadIn(versions, (path) => snapshot.files.has(path))
  const accepted = ({ version }: { version: number }): AddAction[] =>
    (toRead.get(version) ?? []).filter((file) => file.partitionValues.outcome === 'accepted')
  await access.ready(
    store,
    versions.flatMap(accepted).map((file) => decodePath(file.path)),
  )
  const found: RawVersion[] = []
  for (const version of versions) {
    const files = accepted(version)
    const rows = await countRows(store, files)
    const counts = (version.commit?.headrace?.counts ?? {}) as { accepted?: number; quarantined?: number }
    found.push({
      version: version.version,
      timestampMs: version.commit?.timestamp ?? 0,
      files: files.map((file, i) => ({ path: access.path(store, decodePath(file.path)), rows: rows[i] })),
      accepted: counts.accepted ?? 0,
      quarantined: counts.quarantined ?? 0,
    })
  }
  return found
}

function gate(dataset: Dataset, _partition: string, facts: GateFacts): string | undefined {
  const limit = dataset.processed.gate?.maxRejectRatio
  const total = facts.accepted + facts.quarantined
  if (limit === undefined || total === 0 || facts.quarantined / total <= limit) return undefined
  return `${((facts.quarantined / total) * 100).toFixed(1)} % of the records were quarantined, allowed are ${(limit * 100).toFixed(1)} %`
}
