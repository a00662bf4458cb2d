/** Deletes the rows of keys: one commit replaces the files that hold them with files without these rows. */
import { HeadraceError, failure } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import type { DeleteResult } from '../core/results.ts'
import type { DoomedKeys, RewriteEngine } from '../core/rewrite-engine.ts'
import type { DataFile } from '../core/table-schema.ts'
import { makePrivateFolder, placeFiles } from './placement.ts'
import { columnsOf, engineFiles } from './snapshot.ts'
import type { Table } from './table.ts'
import { keptThrough } from './through.ts'
import { filesAfter } from './versions.ts'

export interface DeleteRequest {
  table: Table
  engine: RewriteEngine
  keys: DoomedKeys
  compression: string
  /**
   * The version up to which every consumer has used the rows. The remaining rows of later files count as new,
   * those of other files do not.
   */
  usedThrough: number
  /** The reason and the requester for the log of the commit. It must not contain a key. */
  info: Record<string, unknown>
  /** Committed and checked with the deletion. Marks alone are committed too. */
  marks: Record<string, number>
  expect: Record<string, number | undefined>
  dryRun: boolean
  nowMs: () => number
}

export async function deleteKeys(request: DeleteRequest): Promise<DeleteResult> {
  const { table, engine } = request
  await table.refresh()
  const { store, snapshot } = table
  const shape = {
    columns: columnsOf(snapshot.metadata),
    partitionColumns: snapshot.metadata.partitionColumns,
    compression: request.compression,
  }
  const all = [...snapshot.files.values()]
  const published = await engineFiles(engine.access, store, all)
  const byPath = new Map(
    published.map((engineFile, i) => [engineFile.path, { published: engineFile, file: all[i] }]),
  )
  const hit = (await engine.findKeys(shape, published, request.keys)).flatMap(({ path, rows }) => {
    const found = byPath.get(path)
    if (found === undefined)
      throw failure('internal', { reason: `the engine found rows in ${path}, which it was not asked for` })
    return [{ rows, ...found }]
  })
  const result: DeleteResult = {
    rows: hit.reduce((sum, target) => sum + target.rows, 0),
    files: hit.length,
    bytes: hit.reduce((sum, target) => sum + target.file.size, 0),
    version: null,
  }
  if (request.dryRun || (hit.length === 0 && Object.keys(request.marks).length === 0)) return result
  const unused = await filesAfter(store, request.usedThrough, snapshot).catch(
    (error: unknown): ReadonlySet<string> => {
      // Nobody knows what was read. The rows are deleted all the same; consumers read the rest of these files
      // twice rather than never.
      if (error instanceof HeadraceError && error.code === 'versions_cleaned')
        return new Set(snapshot.files.keys())
      throw error
    },
  )
  const adds: DataFile[] = []
  for (const target of hit) {
    const folder = await makePrivateFolder(store)
    const kept = await engine.without(shape, target.published, engine.access.path(store, folder))
    const files = await placeFiles(table, folder, kept === undefined ? [] : [kept])
    for (const file of files)
      adds.push({ ...file, dataChange: unused.has(target.file.path), ...keptThrough(target.file) })
  }
  failpoint('delete.files_written')
  const version = await table.commit(
    {
      operation: 'DELETE',
      adds,
      removes: hit.map((target) => target.file.path),
      marks: request.marks,
      expect: request.expect,
      info: { ...request.info, rows: result.rows, files: hit.length },
    },
    request.nowMs(),
  )
  return { ...result, version }
}
