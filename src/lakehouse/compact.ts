/**
 * Compaction: many small files become few, in commits that change no data, beside a running writer and readers. A file that
 * somebody else removes meanwhile makes its group void; the others stand.
 */
import { failpoint } from '../core/failpoint.ts'
import type { CompactResult } from '../core/results.ts'
import { HeadraceError, failure } from '../core/errors.ts'
import type { RewriteEngine } from '../core/rewrite-engine.ts'
import { rowsIn, type DataFile } from '../core/table-schema.ts'
import { compactionGroups, type CompactionTarget, type KnownFile } from '../planning/upkeep.ts'
import { decodePath, type AddAction } from './actions.ts'
import { makePrivateFolder, placed } from './placement.ts'
import { columnsOf, engineFiles, rowsOf } from './snapshot.ts'
import type { Table } from './table.ts'
import { markedThrough, throughOf } from './through.ts'
import { filesAfter } from './versions.ts'

export interface CompactRequest {
  table: Table
  engine: RewriteEngine
  target: CompactionTarget
  /** Rows of merged files are ordered by these; none: they stay in their order. */
  clusterBy: string[]
  compression: string
  /** Version up to which every consumer has read; files that came after it stay as they are. Infinity: there are none. */
  readThrough: number
  dryRun: boolean
  nowMs: () => number
  progress(text: string): void
}

export async function compact(request: CompactRequest): Promise<CompactResult> {
  const { table } = request
  await table.refresh()
  const { files, version } = table.snapshot
  const unread = await filesAfter(table.store, request.readThrough, version)
  const known = [...files.values()].filter((file) => !unread.has(file.path)).map((file): KnownFile => ({ ...file, rows: rowsOf(file) }))
  const groups = compactionGroups(known, request.target)
  const result: CompactResult = { filesBefore: files.size, filesAfter: files.size, rows: 0, bytesBefore: 0, bytesAfter: 0, conflicts: 0 }
  for (const [i, group] of groups.entries()) {
    request.progress(`compacting group ${i + 1} of ${groups.length}: ${group.length} files`)
    const sources = group.map((file) => files.get(file.path)).filter((file) => file !== undefined)
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
  return result
}

/** Merges and commits one group; undefined when another writer was there first. */
async function mergeGroup(request: CompactRequest, sources: AddAction[]): Promise<DataFile | undefined> {
  const { table, engine } = request
  const { store, snapshot } = table
  const folder = await makePrivateFolder(store)
  const shape = { columns: columnsOf(snapshot.metadata), partitionColumns: snapshot.metadata.partitionColumns, compression: request.compression }
  const merged = await engine.merge(shape, await engineFiles(engine.access, store, sources), engine.access.path(store, folder), request.clusterBy)
  checkRows(table, sources, merged)
  const [file] = await placed(store, shape.partitionColumns, folder, [merged])
  failpoint('compact.files_written')
  const through = Math.max(Math.min(request.readThrough, snapshot.version), ...sources.map((file) => throughOf(file) ?? -1))
  const add: DataFile = { ...file, ...markedThrough(through) }
  try {
    const info = { filesMerged: sources.length, rows: rowsIn(merged) }
    await table.commit({ operation: 'OPTIMIZE', adds: [add], removes: sources.map((file) => file.path), marks: {}, expect: {}, dataChange: false, info }, request.nowMs())
    return add
  } catch (error) {
    await store.delete(decodePath(add.path))
    if (error instanceof HeadraceError && error.code === 'marks_moved') return undefined
    throw error
  }
}

/** The last word before files are replaced: what was written must have as many rows as what the log says goes. */
function checkRows(table: Table, sources: AddAction[], merged: DataFile): void {
  const stated = sources.map((file) => rowsOf(file))
  if (stated.includes(undefined)) return
  const wanted = stated.reduce((sum: number, rows) => sum + (rows ?? 0), 0)
  if (rowsIn(merged) !== wanted) throw failure('reconcile_failed', { what: `compaction of ${table.store.root}`, left: `${wanted} rows in ${sources.length} files`, right: `${rowsIn(merged)} rows merged` })
}
