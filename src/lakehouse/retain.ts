/**
 * Retention of RAW: days that have had their time leave it, deleted or moved to the archive table, once every
 * consumer has used them. A move is two commits: the archive takes the files, then RAW lets go of them and
 * marks the archive's version in the same entry. Who reads the archive at the marked version sees each row in
 * one of the two, always.
 */
import { dataPath, isLaidOut } from '../core/data-path.ts'
import { HeadraceError, failure } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import type { ObjectStore } from '../core/object-store.ts'
import type { RetainResult } from '../core/results.ts'
import { archiveMark } from '../core/marks.ts'
import { encodePath } from '../core/table-schema.ts'
import { expiredFiles } from '../planning/upkeep.ts'
import { decodePath, ENGINE, type AddAction, type CommitInfo } from './actions.ts'
import { countRows } from './file-rows.ts'
import { rowsOf } from './snapshot.ts'
import { checkRemovable, type Table } from './table.ts'
import { throughOf } from './through.ts'
import { filesAfter, versionsAfter } from './versions.ts'

export interface RetainRequest {
  raw: Table
  /** Undefined: expired rows are deleted. */
  archive: Table | undefined
  /** First ingest date that stays. */
  keepFromDate: string
  /** RAW version up to which every consumer has used the rows, held partitions included. */
  usedThrough: number
  dryRun: boolean
  nowMs: () => number
  progress(text: string): void
}

export async function retain(request: RetainRequest): Promise<RetainResult> {
  const { raw } = request
  await raw.refresh()
  if (request.archive !== undefined && !request.dryRun)
    await undoUnfinished(raw, request.archive, request.nowMs())
  const unused = await filesAfter(raw.store, request.usedThrough, raw.snapshot.version)
  const needed = (file: AddAction): boolean =>
    unused.has(file.path) || (throughOf(file) ?? -1) > request.usedThrough
  const known = [...raw.snapshot.files.values()].map((file) => ({ ...file, rows: rowsOf(file) }))
  const { expired, waiting } = expiredFiles(known, request.keepFromDate, needed)
  const result: RetainResult = {
    keepFrom: request.keepFromDate,
    files: expired.length,
    rows: (await countRows(raw.store, expired)).reduce((sum, rows) => sum + rows, 0),
    bytes: expired.reduce((sum, file) => sum + file.size, 0),
    waitingFiles: waiting.length,
    version: null,
  }
  if (expired.length === 0 || request.dryRun) return result
  // Before the archive has a copy.
  checkRemovable(raw.store, raw.snapshot)
  const archived = request.archive === undefined ? undefined : await moveTo(request, request.archive, expired)
  const mark = archiveMark()
  const marks = archived === undefined ? {} : { [mark]: archived }
  const expect = archived === undefined ? {} : { [mark]: raw.snapshot.marks.get(mark) }
  const info = {
    keepFrom: request.keepFromDate,
    files: expired.length,
    rows: result.rows,
    archivedAs: archived,
  }
  try {
    const version = await raw.commit(
      {
        operation: archived === undefined ? 'DELETE EXPIRED' : MOVE,
        adds: [],
        removes: expired.map((file) => file.path),
        marks,
        expect,
        info,
      },
      request.nowMs(),
    )
    return { ...result, version }
  } catch (error) {
    // Somebody rewrote one of the files meanwhile: the archive lets go of them again, and the next run takes
    // what is there then.
    if (error instanceof HeadraceError && error.code === 'marks_moved' && request.archive !== undefined)
      await undoUnfinished(raw, request.archive, request.nowMs())
    throw error
  }
}

/** Copies files, and commits them to the archive. Returns the archive's version. */
async function moveTo(request: RetainRequest, archive: Table, files: AddAction[]): Promise<number> {
  const names = files.map((file) => archivedName(archive, file))
  for (const [i, file] of files.entries()) {
    await copyObject(request.raw.store, archive.store, file, names[i])
    request.progress(`archiving file ${i + 1} of ${files.length}`)
  }
  // Their names, too, and those of folders that are new.
  await archive.store.sync(names)
  failpoint('archive.copied')
  const adds = files.map((file, i) => ({
    path: encodePath(names[i]),
    size: file.size,
    partitionValues: file.partitionValues,
    stats: file.stats ?? '',
    dataChange: true,
  }))
  const version = await archive.commit(
    { operation: MOVE, adds, removes: [], marks: {}, expect: {}, info: { from: request.raw.store.root } },
    request.nowMs(),
  )
  failpoint('archive.committed')
  return version
}

/** The name that the file has in RAW, unless it lies there where older versions put it. */
function archivedName(archive: Table, file: AddAction): string {
  const { partitionColumns } = archive.snapshot.metadata
  const name = decodePath(file.path)
  return isLaidOut(name, partitionColumns, file.partitionValues)
    ? name
    : dataPath(partitionColumns, file.partitionValues, name.split('/').slice(-2).join('-'))
}

/**
 * Copies a file as it is, of any size, or not at all: one that is not there as the log says would be lost
 * with RAW's entry.
 */
async function copyObject(from: ObjectStore, to: ObjectStore, file: AddAction, name: string): Promise<void> {
  const source = decodePath(file.path)
  const path = `${from.root}/${source}`
  const found = await from.stat(source)
  if (found === undefined) throw failure('path_not_found', { path, base: 'the table, whose log names it' })
  if (found.size !== file.size)
    throw failure('storage_failed', {
      action: 'archive',
      path,
      reason: `${found.size} bytes are there, and the log says ${file.size}`,
    })
  await from.stage([source])
  if (await to.createFrom(from.localPath(source), name)) return
  // Copied before, by a move that came to no end: a data file never changes under its name.
  const there = (await to.stat(name))?.size
  if (there !== file.size)
    throw failure('storage_failed', {
      action: 'archive',
      path: `${to.root}/${name}`,
      reason: `${there ?? 'no'} bytes are there of ${file.size}`,
    })
}

/** What both commits of a move are called in their logs. */
const MOVE = 'ARCHIVE'
const isOurMove = (commit: CommitInfo | undefined): boolean =>
  commit?.engineInfo === ENGINE && commit.operation === MOVE

/**
 * A move that ended between its two commits is taken back: RAW still has these rows, under these names or
 * others by now. Only what a move of ours brought: others may append to the archive, and a deletion writes
 * files anew.
 */
export async function undoUnfinished(raw: Table, archive: Table, nowMs: number): Promise<void> {
  await archive.refresh()
  const marked = raw.snapshot.marks.get(archiveMark()) ?? 0
  if (archive.snapshot.version <= marked) return
  const later = await versionsAfter(archive.store, marked, archive.snapshot.version)
  const files = later
    .filter((one) => isOurMove(one.commit))
    .flatMap((one) => one.added)
    .map((file) => file.path)
    .filter((path) => archive.snapshot.files.has(path))
  if (files.length > 0)
    await archive.commit(
      { operation: 'UNDO ARCHIVE', adds: [], removes: files, marks: {}, expect: {} },
      nowMs,
    )
}

/**
 * RAW names the archive's newest version, which must hold no unfinished move: what was deleted there is then
 * gone for all readers.
 */
export async function followArchive(raw: Table, archive: Table, nowMs: number): Promise<void> {
  const mark = archiveMark()
  await raw.refresh()
  const { version } = await archive.refresh()
  const marked = raw.snapshot.marks.get(mark)
  if (version > (marked ?? 0))
    await raw.commit(
      {
        operation: 'FOLLOW ARCHIVE',
        adds: [],
        removes: [],
        marks: { [mark]: version },
        expect: { [mark]: marked },
      },
      nowMs,
    )
}
