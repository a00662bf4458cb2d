/**
 * What was published of records that were decoded anew follows them: their keys are published again from
 * what RAW and the archive will hold. One commit to Processed; RAW is swapped after it (reprocess-job.ts).
 */
import type { RawSlice } from '../core/batch-engine.ts'
import { failure } from '../core/errors.ts'
import { heldPartitions } from '../core/marks.ts'
import type { EngineAccess } from '../core/object-store.ts'
import type { ReprocessResult } from '../core/results.ts'
import type { RewriteEngine } from '../core/rewrite-engine.ts'
import type { DataFile } from '../core/table-schema.ts'
import { decodePath, type AddAction } from '../lakehouse/actions.ts'
import { countRows } from '../lakehouse/file-rows.ts'
import { makePrivateFolder, placed } from '../lakehouse/placement.ts'
import { columnsOf, engineFiles } from '../lakehouse/snapshot.ts'
import type { Table } from '../lakehouse/table.ts'
import { openProcessed } from './batch-job.ts'
import type { LoadedDataset } from './home.ts'
import { fenceBatches } from './raw-consumers.ts'
import type { RawTable } from './raw-table.ts'

export interface Republication {
  loaded: LoadedDataset
  archive: Table | undefined
  engine: RewriteEngine
  raw: RawTable
  /** Files of RAW that are decoded anew, and those made of them, which no version names yet. */
  old: AddAction[]
  made: DataFile[]
  /** Paths of files that the batch has not come to: they are published when their turn comes. */
  unread: ReadonlySet<string>
}

/** Publishes the affected keys anew; the version is null when nothing of them was published. */
export async function republish(
  work: Republication,
): Promise<Pick<ReprocessResult, 'processedVersion' | 'republished'>> {
  const { loaded, engine, raw } = work
  const { dataset } = loaded
  if (dataset.processed.key.length === 0) return NOTHING
  const { table } = await openProcessed(dataset, loaded.processedPath, raw.table)
  const held = [...heldPartitions(table.snapshot.marks).keys()]
  if (held.length > 0)
    throw failure('partitions_held', { dataset: dataset.name, partitions: held.join(', ') })
  const slices = await slicesOf(work)
  if (slices === undefined) return NOTHING
  const live = [...table.snapshot.files.values()]
  const opened = await engineFiles(engine.access, table.store, live)
  const published = new Map(opened.map((one, i) => [one.path, live[i]]))
  const folder = await makePrivateFolder(table.store)
  const done = await engine.republish({
    ...slices,
    key: dataset.processed.key,
    latestBy: dataset.processed.keep === 'latest' ? dataset.processed.latestBy : undefined,
    columns: columnsOf(table.snapshot.metadata),
    partitions: dataset.processed.partitionBy,
    published: opened,
    logicalTime: new Date().toISOString(),
    folder: engine.access.path(table.store, folder),
    compression: dataset.processed.compression,
  })
  const adds = await placed(table, folder, done.adds)
  const removes = done.obsolete.map((path) => published.get(path)?.path ?? '')
  const processedVersion = await table.commit(
    {
      operation: 'REPROCESS',
      adds,
      removes,
      ...fenceBatches(table),
      info: { published: done.published, replaced: done.replaced },
    },
    Date.now(),
  )
  return { processedVersion, republished: done.published }
}

const NOTHING = { processedVersion: null, republished: 0 }

interface Slices {
  /** All accepted rows as they will be. */
  slices: RawSlice[]
  /** The rows that were decoded anew, as they were and as they are. */
  before: RawSlice[]
  after: RawSlice[]
}

/** Undefined when the batch has read nothing of what was decoded anew. */
async function slicesOf(work: Republication): Promise<Slices | undefined> {
  const { engine, raw, archive, old, made, unread } = work
  const replaced = new Set(old.map((file) => file.path))
  const read = old.filter((file) => !unread.has(file.path))
  const fresh = made.filter((file) => isAccepted(file) && file.dataChange !== true)
  if (read.length + fresh.length === 0) return undefined
  const stays = acceptedFiles(raw.table).filter((file) => !replaced.has(file.path) && !unread.has(file.path))
  const slices = [
    ...(archive === undefined ? [] : [await sliceOf(archive, engine.access, acceptedFiles(archive))]),
    await sliceOf(raw.table, engine.access, stays),
    await sliceOf(raw.table, engine.access, fresh),
  ]
  return {
    slices: withFiles(slices),
    before: withFiles([await sliceOf(raw.table, engine.access, read)]),
    after: withFiles([await sliceOf(raw.table, engine.access, fresh)]),
  }
}

const isAccepted = (file: AddAction | DataFile): boolean => file.partitionValues.outcome === 'accepted'

const acceptedFiles = (table: Table): AddAction[] => [...table.snapshot.files.values()].filter(isAccepted)

const withFiles = (slices: RawSlice[]): RawSlice[] => slices.filter((slice) => slice.files.length > 0)

async function sliceOf(
  table: Table,
  access: EngineAccess,
  files: (AddAction | DataFile)[],
): Promise<RawSlice> {
  const names = files.map((file) => decodePath(file.path))
  await access.ready(table.store, names)
  const rows = await countRows(table.store, files)
  return {
    files: names.map((name) => access.path(table.store, name)),
    rows,
    onlyPartitions: undefined,
    exceptPartitions: [],
  }
}
