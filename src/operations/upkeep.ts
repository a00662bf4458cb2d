/**
 * Upkeep of a dataset's tables: compaction, retention, vacuum, deletion by key. Connects the parts of the
 * lakehouse with an engine.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { App, UpkeepOptions } from './app.ts'
import { failure } from '../core/errors.ts'
import type { TableColumn, TableSchema } from '../core/table-schema.ts'
import type { CompactResult, DeleteResult, VacuumResult } from '../core/results.ts'
import type { DoomedKeys, RewriteEngine } from '../core/rewrite-engine.ts'
import { checkRemovable } from '../lakehouse/commit-checks.ts'
import { compact, misplaced, moveOnly } from '../lakehouse/compact.ts'
import { deleteKeys } from '../lakehouse/delete.ts'
import { followArchive, retain, undoUnfinished } from '../lakehouse/retain.ts'
import { columnsOf } from '../lakehouse/snapshot.ts'
import { addTableColumns, openOrCreateTable, openTable, type Table } from '../lakehouse/table.ts'
import { vacuum } from '../lakehouse/vacuum.ts'
import { rawSchema } from '../planning/table-layout.ts'
import { keepFrom } from '../planning/upkeep.ts'
import { openRewriteEngineFor } from './engine-choice.ts'
import { homeFolder } from '../host/home-folder.ts'
import { loadDataset, type LoadedDataset } from './datasets.ts'
import { lockJob } from '../host/lock.ts'
import { reprocess } from './reprocess.ts'
import { consumerPositions, fenceBatches, type ConsumerPositions } from './raw-consumers.ts'
import { openStore } from './stores.ts'
import { retry, hasCode } from '../core/waiting.ts'

type UpkeepApp = Pick<App, 'compact' | 'retain' | 'vacuum' | 'deleteRows' | 'reprocess'>
type Zone = 'raw' | 'processed' | 'archive'

export function createUpkeepApp(): UpkeepApp {
  return {
    compact: (dataset, options) => alone(dataset, options, (tables) => compactZones(tables, options)),
    retain: (dataset, options) => alone(dataset, options, (tables) => retainRaw(tables, options)),
    vacuum: (dataset, options) => alone(dataset, options, (tables) => vacuumZones(tables, options)),
    deleteRows: (dataset, options) => alone(dataset, options, (tables) => deleteRows(tables, options)),
    reprocess: (dataset, options) =>
      alone(dataset, options, (tables) =>
        withEngine(tables, options, (engine) =>
          reprocess({ loaded: tables.loaded, archive: tables.archive, engine }, options),
        ),
      ),
  }
}

interface Tables {
  loaded: LoadedDataset
  raw: Table
  processed: Table | undefined
  archive: Table | undefined
  positions: ConsumerPositions
}

/** One upkeep of a dataset at a time: two would undo each other's work, file by file. */
async function alone<T>(
  name: string,
  options: UpkeepOptions,
  action: (tables: Tables) => Promise<T>,
): Promise<T> {
  const loaded = await loadDataset(name, options.engine)
  const unlock = await lockJob(loaded.home, `upkeep ${loaded.dataset.name}`)
  try {
    return await action(await openTables(loaded))
  } finally {
    await unlock()
  }
}

async function openTables(loaded: LoadedDataset): Promise<Tables> {
  const { dataset } = loaded
  // Consumers only move forward: by then, they need fewer files, never more.
  const positions = await consumerPositions(dataset, loaded.processedPath)
  const raw = await openTable(await openStore(loaded.rawPath), { usedThrough: async () => positions.used })
  if (raw === undefined) throw failure('table_not_found', { path: loaded.rawPath })
  return {
    loaded,
    raw,
    processed: await openTable(await openStore(loaded.processedPath)),
    archive:
      loaded.archivePath === undefined ? undefined : await openTable(await openStore(loaded.archivePath)),
    positions,
  }
}

function zones(tables: Tables): [Zone, Table][] {
  const { raw, processed, archive } = tables
  return (
    [
      ['raw', raw],
      ['processed', processed],
      ['archive', archive],
    ] as [Zone, Table | undefined][]
  ).filter((entry): entry is [Zone, Table] => entry[1] !== undefined)
}

async function withEngine<T>(
  tables: Tables,
  options: UpkeepOptions,
  action: (engine: RewriteEngine) => Promise<T>,
): Promise<T> {
  const embedded = {
    memoryBytes: options.memoryBytes,
    threads: 1,
    spillFolder: join(homeFolder(), 'spill', `upkeep-${process.pid}`),
  }
  const stores = zones(tables).map(([, table]) => table.store)
  const engine = await openRewriteEngineFor(
    { dataset: tables.loaded.dataset, embedded, say: options.say },
    stores,
  )
  try {
    return await action(engine)
  } finally {
    await engine.close()
  }
}

function compactZones(
  tables: Tables,
  options: UpkeepOptions,
): Promise<({ table: string } & CompactResult)[]> {
  const { dataset } = tables.loaded
  return withEngine(tables, options, async (engine) => {
    const results: ({ table: string } & CompactResult)[] = []
    for (const [zone, table] of zones(tables).filter(([name]) => name !== 'archive')) {
      const { clusterBy, compression } = zone === 'raw' ? dataset.raw : dataset.processed
      const readThrough = zone === 'raw' ? tables.positions.read : Infinity
      const done = await compact({
        table,
        engine,
        target: dataset.upkeep,
        clusterBy,
        compression,
        readThrough,
        dryRun: options.dryRun,
        nowMs: Date.now,
        progress: options.say,
      })
      results.push({ table: `${dataset.name}/${zone}`, ...done })
    }
    return [...results, ...(await moveArchive(tables, options))]
  })
}

/** Takes back an unfinished move of days first: its names identify it. */
async function moveArchive(
  { loaded, raw, archive }: Tables,
  options: UpkeepOptions,
): Promise<({ table: string } & CompactResult)[]> {
  if (archive === undefined || misplaced(archive.snapshot, [...archive.snapshot.files.keys()]).length === 0)
    return []
  if (!options.dryRun) await undoUnfinished(raw, archive, Date.now())
  const done = await moveOnly({
    table: archive,
    readThrough: Infinity,
    dryRun: options.dryRun,
    nowMs: Date.now,
    progress: options.say,
  })
  if (!options.dryRun) await followArchive(raw, archive, Date.now())
  return [{ table: `${loaded.dataset.name}/archive`, ...done }]
}

async function retainRaw(tables: Tables, options: UpkeepOptions): ReturnType<App['retain']> {
  const { loaded, raw, positions } = tables
  const { dataset, archivePath } = loaded
  const archive =
    archivePath === undefined
      ? undefined
      : (tables.archive ?? (options.dryRun ? undefined : await createArchive(dataset.name, raw, archivePath)))
  if (archive !== undefined && !options.dryRun) await sameColumns(raw, archive)
  return retain({
    raw,
    archive,
    keepFromDate: options.keepFrom ?? keepFrom(Date.now(), dataset.raw.retentionDays),
    usedThrough: positions.used,
    dryRun: options.dryRun,
    nowMs: Date.now,
    progress: options.say,
  })
}

async function createArchive(dataset: string, raw: Table, path: string): Promise<Table> {
  const schema = {
    columns: columnsOf(raw.snapshot.metadata),
    partitionColumns: rawSchema([]).partitionColumns,
  }
  return openOrCreateTable(await openStore(path), {
    schema,
    configuration: { 'headrace.dataset': dataset, 'headrace.zone': 'archive' },
    nowMs: Date.now(),
  })
}

/** RAW may have new columns since the archive was created. */
async function sameColumns(raw: Table, archive: Table): Promise<void> {
  const { partitionColumns } = raw.snapshot.metadata
  const missing = (theirs: TableColumn[]): TableSchema | undefined => {
    const known = new Set(theirs.map((column) => column.name.toLowerCase()))
    const added = columnsOf(raw.snapshot.metadata).filter((column) => !known.has(column.name.toLowerCase()))
    return added.length === 0 ? undefined : { columns: [...theirs, ...added], partitionColumns }
  }
  await addTableColumns(archive, missing, Date.now())
}

async function vacuumZones(
  tables: Tables,
  options: UpkeepOptions,
): Promise<({ table: string } & VacuumResult)[]> {
  const { dataset } = tables.loaded
  const results: ({ table: string } & VacuumResult)[] = []
  for (const [zone, table] of zones(tables)) {
    const usedThrough = zone === 'raw' ? tables.positions.used : Infinity
    results.push({
      table: `${dataset.name}/${zone}`,
      ...(await vacuum({
        table,
        usedThrough,
        graceMs: options.graceMs ?? dataset.upkeep.graceMs,
        dryRun: options.dryRun,
        nowMs: Date.now,
      })),
    })
  }
  return results
}

/** How often a deletion starts again if another writer changed the same files meanwhile. */
const ATTEMPTS = 10

/**
 * RAW first, then the published rows, so that no batch can bring a row back: a batch that read RAW before
 * finds the deletion mark of Processed moved, and plans again.
 */
function deleteRows(
  tables: Tables,
  options: Parameters<App['deleteRows']>[1],
): Promise<({ table: string } & DeleteResult)[]> {
  const { raw, archive, loaded } = tables
  const { dataset } = loaded
  const keys = doomedKeys(tables, options.keys)
  const hashes = keys.values.map((tuple) => createHash('sha256').update(JSON.stringify(tuple)).digest('hex'))
  const info = { reason: options.reason, columns: keys.columns, keySha256: hashes }
  return withEngine(tables, options, async (engine) => {
    // Check before the first table changes: a key that is deleted from only one of them is worse than none.
    for (const [, table] of zones(tables)) checkRemovable(table.store, table.snapshot)
    if (archive !== undefined && !options.dryRun) await undoUnfinished(raw, archive, Date.now())
    const results: ({ table: string } & DeleteResult)[] = []
    for (const [zone, table] of zones(tables)) {
      const compression = zone === 'processed' ? dataset.processed.compression : dataset.raw.compression
      const request = {
        table,
        engine,
        keys,
        compression,
        usedThrough: zone === 'raw' ? tables.positions.used : Infinity,
        info,
        dryRun: options.dryRun,
        nowMs: Date.now,
      }
      const action = (): Promise<DeleteResult> =>
        deleteKeys({
          ...request,
          ...(zone === 'processed' ? fenceBatches(table) : { marks: {}, expect: {} }),
        })
      const done = await retry(action, {
        mayPass: (error) => hasCode(error, 'marks_moved'),
        attempts: ATTEMPTS,
      })
      results.push({ table: `${dataset.name}/${zone}`, ...done })
    }
    if (archive !== undefined && !options.dryRun) await followArchive(raw, archive, Date.now())
    return results
  })
}

/** Checks keys against the columns of the table: all keys name the same columns. */
function doomedKeys(tables: Tables, keys: Record<string, string>[]): DoomedKeys {
  const known = columnsOf(tables.raw.snapshot.metadata).map((column) => column.name)
  if (keys.length === 0)
    throw failure('usage', {
      reason: 'Name the rows with --key column=value, or with --keys-file (one JSON object per line)',
    })
  const columns = Object.keys(keys[0])
  for (const column of columns)
    if (!known.includes(column))
      throw failure('usage', {
        reason: `${tables.raw.store.root} has no column ${column}; it has ${known.join(', ')}`,
      })
  for (const key of keys)
    if (Object.keys(key).join() !== columns.join())
      throw failure('usage', {
        reason: `All keys must name the same columns: ${columns.join(', ')} and ${Object.keys(key).join(', ')} do not`,
      })
  return { columns, values: keys.map((key) => Object.values(key)) }
}
