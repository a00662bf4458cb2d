/** Deletes the rows of keys: the files that hold them are written again without, in one commit. */
import { randomUUID } from 'node:crypto'
import { failpoint } from '../core/failpoint.ts'
import type { DeleteResult } from '../core/results.ts'
import type { DoomedKeys, RewriteEngine } from '../core/rewrite-engine.ts'
import type { DataFile } from '../core/table-schema.ts'
import { decodePath } from './actions.ts'
import { columnsOf, localFile } from './snapshot.ts'
import type { Table } from './table.ts'
import { keptThrough } from './through.ts'
import { filesAfter } from './versions.ts'

export interface DeleteRequest {
  table: Table
  engine: RewriteEngine
  keys: DoomedKeys
  compression: string
  /** Version up to which every consumer has used the rows: what is left of files that came after it counts as new, of others it does not. */
  usedThrough: number
  /** What the commit says of why and whom; no key may stand in it. */
  info: Record<string, unknown>
  /** Committed and checked with the deletion; a commit is made for marks alone too. */
  marks: Record<string, number>
  expect: Record<string, number | undefined>
  dryRun: boolean
  nowMs: () => number
}

export async function deleteKeys(request: DeleteRequest): Promise<DeleteResult> {
  const { table, engine } = request
  await table.refresh()
  const { store, snapshot } = table
  const shape = { columns: columnsOf(snapshot.metadata), partitionColumns: snapshot.metadata.partitionColumns, compression: request.compression }
  const byPath = new Map([...snapshot.files.values()].map((file) => [store.localPath(decodePath(file.path)), file]))
  const found = await engine.findKeys(shape, [...snapshot.files.values()].map((file) => localFile(store, file)), request.keys)
  const hit = found.map((one) => ({ rows: one.rows, file: byPath.get(one.localPath) })).filter((one) => one.file !== undefined)
  const result: DeleteResult = { rows: hit.reduce((sum, one) => sum + one.rows, 0), files: hit.length, bytes: hit.reduce((sum, one) => sum + (one.file?.size ?? 0), 0), version: null }
  if (request.dryRun || (hit.length === 0 && Object.keys(request.marks).length === 0)) return result
  const unused = await filesAfter(store, request.usedThrough, snapshot.version)
  const folder = `data/${randomUUID()}`
  await store.makeFolder(folder)
  const adds: DataFile[] = []
  for (const [i, { file }] of hit.entries()) {
    if (file === undefined) continue
    const name = `${folder}/part-${i}.parquet`
    const kept = await engine.without(shape, localFile(store, file), store.localPath(name))
    if (kept !== undefined) adds.push({ ...kept, path: name, dataChange: unused.has(file.path), ...keptThrough(file) })
  }
  await store.sync(adds.map((file) => file.path))
  failpoint('delete.files_written')
  const version = await table.commit({ operation: 'DELETE', adds, removes: hit.map((one) => one.file?.path ?? ''), marks: request.marks, expect: request.expect, info: { ...request.info, rows: result.rows, files: hit.length } }, request.nowMs())
  return { ...result, version }
}
