/**
 * Compaction: many small files become few, and files that lie where older versions put them are moved, in
 * commits that change no data, beside a running writer and readers. A file that somebody else removes
 * meanwhile makes its group void; the others stand.
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
  /** Rows of merged files are ordered by these; none: they stay in their order. */
  clusterBy: string[]
  compression: string
}

export interface MoveRequest {
  table: Table
  /**
   * Version up to which every consumer has read; files that came after it stay as they are. Infinity: there
   * are none.
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
    // Others were there first.
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

/** The archive is not merged: RAW's log names its versions, and days come to it merged. */
export async function moveOnly(request: MoveRequest): Promise<CompactResult> {
  const { files } = await request.table.refresh()
  const result = nothingDone(files.size)
  return moveMisplaced(request, [...files.keys()], result)
}

/** Files that are not where a writer of today puts them. */
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
 * Copies files to their places and commits that; false when another writer was there first. The bytes are the
 * same: partition values stand in no file. Those that they come from stay until vacuum, for readers of older
 * versions.
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

/** Up to which version of RAW the rows of these files go, at most. */
function goesThrough({ table, readThrough }: MoveRequest, sources: AddAction[]): number {
  return Math.max(
    Math.min(readThrough, table.snapshot.version),
    ...sources.map((file) => throughOf(file) ?? -1),
  )
}

/**
 * Commits files that take the place of others; false, and they are gone, when another writer was there first.
 */
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
    // Only now it is sure that no version names them: after other errors the commit may stand.
    for (const file of adds) await table.store.delete(decodePath(file.path))
    return false
  }
}

/** Merges and commits one group; undefined when another writer was there first. */
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
 * The last word before files are replaced: what was written must have as many rows as what the log says goes.
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
