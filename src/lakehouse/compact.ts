/**
 * Compaction: merges many small files into few, and moves files of older layouts, in commits that change no
 * data, beside a running writer and readers. If another writer removes a file meanwhile, only its group
 * fails.
 */
import { randomUUID } from 'node:crypto'
import { dataPath, isLaidOut } from '../core/data-path.ts'
import { failpoint } from '../core/failpoint.ts'
import type { CompactResult } from '../core/results.ts'
import { HeadraceError, failure } from '../core/errors.ts'
import type { RewriteEngine } from '../core/rewrite-engine.ts'
import { LIMITS } from '../core/limits.ts'
import { encodePath, rowsIn, type DataFile } from '../core/table-schema.ts'
import { compactionGroups, moveGroups, type CompactionTarget, type KnownFile } from '../planning/upkeep.ts'
import { decodePath, type AddAction } from './actions.ts'
import { countRows } from './file-rows.ts'
import { loggedValues, makePrivateFolder, placeFiles } from './placement.ts'
import { columnsOf, engineFiles, rowsOf } from './snapshot.ts'
import type { Table } from './table.ts'
import { markedThrough, throughOf } from './through.ts'
import { filesAfter } from './versions.ts'

export interface CompactRequest extends MoveRequest {
  engine: RewriteEngine
  target: CompactionTarget
  /** Sort order of the rows of merged files. None: they keep their order. */
  clusterBy: string[]
  compression: string
}

export interface MoveRequest {
  table: Table
  /**
   * The version up to which every consumer has read. Files that came later stay as they are. Infinity: there
   * are no consumers.
   */
  readThrough: number
  dryRun: boolean
  nowMs: () => number
  progress(text: string): void
}

export async function compact(request: CompactRequest): Promise<CompactResult> {
  const { table } = request
  await table.refresh()
  const { files } = table.snapshot
  const unread = await filesAfter(table.store, request.readThrough, table.snapshot)
  const known = [...files.values()]
    .filter((file) => !unread.has(file.path))
    .map((file): KnownFile => ({ ...file, rows: rowsOf(file) }))
  const groups = compactionGroups(known, request.target)
  const result = nothingDone(files.size)
  for (const [i, group] of groups.entries()) {
    request.progress(`compacting group ${i + 1} of ${groups.length}: ${group.length} files`)
    const sources = group.map((file) => files.get(file.path)).filter((file) => file !== undefined)
    // Other writers were faster.
    if (sources.length < 2) {
      result.conflicts += 1
      continue
    }
    const before = sources.reduce((sum, file) => sum + file.size, 0)
    const made = request.dryRun ? undefined : await mergeGroup(request, sources)
    if (!request.dryRun && made === undefined) result.conflicts += 1
    else {
      result.filesAfter -= sources.length - 1
      result.rows += group.reduce((sum, file) => sum + (file.rows ?? 0), 0)
      result.bytesBefore += before
      result.bytesAfter += made?.size ?? before
    }
    failpoint('compact.group_done')
  }
  const merged = new Set(groups.flat().map((file) => file.path))
  return moveMisplaced(
    request,
    known.filter((file) => !merged.has(file.path)).map((file) => file.path),
    result,
  )
}

function nothingDone(files: number): CompactResult {
  const none = { rows: 0, bytesBefore: 0, bytesAfter: 0, moved: 0, conflicts: 0 }
  return { filesBefore: files, filesAfter: files, ...none }
}

/** Never merges the archive: the log of RAW names its versions, and its days arrive merged. */
export async function moveOnly(request: MoveRequest): Promise<CompactResult> {
  const { files } = await request.table.refresh()
  const result = nothingDone(files.size)
  return moveMisplaced(request, [...files.keys()], result)
}

/** Files that a writer would put elsewhere today. */
export function misplaced({ metadata, files }: Table['snapshot'], among: string[]): AddAction[] {
  return among
    .flatMap((path) => files.get(path) ?? [])
    .filter(
      (file) =>
        !isLaidOut(
          decodePath(file.path),
          metadata.partitionColumns,
          loggedValues(metadata, file.partitionValues),
        ),
    )
}

async function moveMisplaced(
  request: MoveRequest,
  among: string[],
  result: CompactResult,
): Promise<CompactResult> {
  const files = misplaced(request.table.snapshot, among).map((file) => ({ ...file, rows: rowsOf(file) }))
  const groups = moveGroups(files, { files: LIMITS.movedFiles, bytes: LIMITS.movedBytes })
  for (const [i, group] of groups.entries()) {
    request.progress(`moving group ${i + 1} of ${groups.length}: ${group.length} files`)
    if (request.dryRun || (await moveGroup(request, group))) result.moved += group.length
    else result.conflicts += 1
    failpoint('compact.group_done')
  }
  return result
}

/**
 * Copies files to their places and commits that. False if another writer was faster. The bytes stay the same:
 * partition values are not in the files. The originals stay until vacuum, for readers of older versions.
 */
async function moveGroup(request: MoveRequest, sources: AddAction[]): Promise<boolean> {
  const { store, snapshot } = request.table
  const id = randomUUID()
  const adds: DataFile[] = []
  const names: string[] = []
  for (const [i, file] of sources.entries()) {
    const partitionValues = loggedValues(snapshot.metadata, file.partitionValues)
    names.push(dataPath(snapshot.metadata.partitionColumns, partitionValues, `${id}-${i}.parquet`))
    await store.copy(decodePath(file.path), names[i])
    const { tags } = markedThrough(goesThrough(request, [file]))
    adds.push({
      path: encodePath(names[i]),
      size: file.size,
      partitionValues,
      stats: file.stats ?? '',
      tags: { ...file.tags, ...tags },
      placed: true,
    })
  }
  await store.local.sync(names)
  failpoint('compact.files_written')
  return replaced(request, sources, adds, { filesMoved: sources.length })
}

/** The highest version of RAW that the rows of these files can belong to. */
function goesThrough({ table, readThrough }: MoveRequest, sources: AddAction[]): number {
  return Math.max(
    Math.min(readThrough, table.snapshot.version),
    ...sources.map((file) => throughOf(file) ?? -1),
  )
}

/** Commits files that replace others. If another writer was faster, removes them and returns false. */
async function replaced(
  { table, nowMs }: MoveRequest,
  sources: AddAction[],
  adds: DataFile[],
  info: Record<string, unknown>,
): Promise<boolean> {
  try {
    await table.commit(
      {
        operation: 'OPTIMIZE',
        adds,
        removes: sources.map((file) => file.path),
        marks: {},
        expect: {},
        dataChange: false,
        info,
      },
      nowMs(),
    )
    return true
  } catch (error) {
    if (!(error instanceof HeadraceError) || error.code !== 'marks_moved') throw error
    // Only this error proves that no version names them; after others, the commit may stand.
    for (const file of adds) await table.store.delete(decodePath(file.path))
    return false
  }
}

/** Merges and commits one group. Undefined if another writer was faster. */
async function mergeGroup(request: CompactRequest, sources: AddAction[]): Promise<DataFile | undefined> {
  const { table, engine } = request
  const { store, snapshot } = table
  const folder = await makePrivateFolder(store)
  const shape = {
    columns: columnsOf(snapshot.metadata),
    partitionColumns: snapshot.metadata.partitionColumns,
    compression: request.compression,
  }
  const merged = await engine.merge(
    shape,
    await engineFiles(engine.access, store, sources),
    engine.access.path(store, folder),
    request.clusterBy,
  )
  await checkRows(table, sources, merged)
  const [file] = await placeFiles(table, folder, [merged])
  failpoint('compact.files_written')
  const add: DataFile = { ...file, ...markedThrough(goesThrough(request, sources)) }
  const stands = await replaced(request, sources, [add], {
    filesMerged: sources.length,
    rows: rowsIn(merged),
  })
  return stands ? add : undefined
}

/**
 * The last check before files are replaced: the new files must have as many rows as the log states for the
 * old ones.
 */
async function checkRows(table: Table, sources: AddAction[], merged: DataFile): Promise<void> {
  const wanted = (await countRows(table.store, sources)).reduce((sum, rows) => sum + rows, 0)
  if (rowsIn(merged) !== wanted)
    throw failure('reconcile_failed', {
      what: `compaction of ${table.store.root}`,
      left: `${wanted} rows in ${sources.length} files`,
      right: `${rowsIn(merged)} rows merged`,
    })
}
