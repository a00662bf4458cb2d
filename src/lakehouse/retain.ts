/**
 * Retention of RAW: days that have had their time leave it, deleted or moved to the archive table, once every
 * consumer has used them. A move is two commits: the archive takes the files, then RAW lets go of them and
 * marks the archive's version in the same entry. Who reads the archive at the marked version sees each row in
 * one of the two, always.
 */
import { randomUUID } from 'node:crypto'
import { dataPath, isLaidOut } from '../core/data-path.ts'
import { HeadraceError, failure } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import type { RetainResult } from '../core/results.ts'
import { archiveMark, movesMark } from '../core/marks.ts'
import { encodePath } from '../core/table-schema.ts'
import { expiredFiles } from '../planning/upkeep.ts'
import { decodePath, ENGINE, type AddAction, type CommitInfo } from './actions.ts'
import { checkRemovable } from './commit-checks.ts'
import { countRows } from './file-rows.ts'
import type { Table } from './table.ts'
import { throughOf } from './through.ts'
import { filesAfter, versionsAfter, type Version } from './versions.ts'

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
  const unused = await filesAfter(raw.store, request.usedThrough, raw.snapshot)
  const needed = (file: AddAction): boolean =>
    unused.has(file.path) || (throughOf(file) ?? -1) > request.usedThrough
  const { expired, waiting } = expiredFiles([...raw.snapshot.files.values()], request.keepFromDate, needed)
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
  const moved = request.archive === undefined ? undefined : await moveTo(request, request.archive, expired)
  const archived = moved?.version
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
        marks: moved?.marks ?? {},
        expect: moved?.expect ?? {},
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

/**
 * Copies files, and commits them to the archive. Returns the archive's version, and what RAW's commit says of
 * it.
 */
async function moveTo(request: RetainRequest, archive: Table, files: AddAction[]): Promise<Moved> {
  const mark = archiveMark()
  const marked = request.raw.snapshot.marks.get(mark)
  const { marks, ofRaw, ofArchive } = nextMove(request.raw, archive)
  const names: string[] = []
  for (const [i, file] of files.entries()) {
    names.push(await copyObject(request, archive, file))
    request.progress(`archiving file ${i + 1} of ${files.length}`)
  }
  // Their names, too, and those of folders that are new.
  await archive.store.local.sync(names)
  failpoint('archive.copied')
  const adds = files.map((file, i) => ({
    path: encodePath(names[i]),
    size: file.size,
    partitionValues: file.partitionValues,
    stats: file.stats ?? '',
    dataChange: true,
    placed: true as const,
  }))
  const version = await archive.commit(
    { operation: MOVE, adds, removes: [], marks, expect: ofArchive, info: { from: request.raw.store.root } },
    request.nowMs(),
  )
  failpoint('archive.committed')
  return { version, marks: { ...marks, [mark]: version }, expect: { ...ofRaw, [mark]: marked } }
}

interface Moved {
  version: number
  marks: Record<string, number>
  expect: Record<string, number | undefined>
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
 * So young no vacuum takes a file, whoever runs it. An older one that no version names may be about to go:
 * whoever vacuums listed it before we name it again, and RAW lets go of the rows.
 */
const SPARED_MS = 1_800_000

/**
 * Copies a file as it is, of any size, or not at all: one that is not there as the log says would be lost
 * with RAW's entry. Returns its name in the archive.
 */
async function copyObject({ raw, nowMs }: RetainRequest, archive: Table, file: AddAction): Promise<string> {
  const [from, to] = [raw.store, archive.store]
  const source = decodePath(file.path)
  const path = `${from.root}/${source}`
  const found = await from.stat(source)
  if (found === undefined)
    throw failure('path_not_found', { path, base: 'the folder of the table, whose log lists this file' })
  if (found.size !== file.size)
    throw failure('storage_failed', {
      action: 'archive',
      path,
      reason: `it has ${found.size} bytes, but the log says ${file.size}`,
    })
  await from.local.stage([source])
  const name = archivedName(archive, file)
  if (await to.createFrom(from.local.path(source), name)) return name
  // Copied before, by a move that came to no end: a data file never changes under its name.
  const there = await to.stat(name)
  const isKnown = archive.snapshot.files.has(encodePath(name))
  if (!isKnown && there?.size === file.size && there.modifiedMs > nowMs() - SPARED_MS) return name
  const other = dataPath(
    archive.snapshot.metadata.partitionColumns,
    file.partitionValues,
    `${randomUUID()}.parquet`,
  )
  if (await to.createFrom(from.local.path(source), other)) return other
  throw failure('storage_failed', {
    action: 'archive',
    path: `${to.root}/${other}`,
    reason: 'another file has this name',
  })
}

/** What both commits of a move are called in their logs. */
const MOVE = 'ARCHIVE'
const isOurMove = (commit: CommitInfo | undefined): boolean =>
  commit?.engineInfo === ENGINE && commit.operation === MOVE

const movesOf = ({ snapshot }: Table): number | undefined => snapshot.marks.get(movesMark())

/** The marks of a step: a number that neither table had, if nobody else took a step meanwhile. */
const nextMove = (raw: Table, archive: Table): Step => ({
  marks: { [movesMark()]: Math.max(movesOf(raw) ?? 0, movesOf(archive) ?? 0) + 1 },
  ofRaw: { [movesMark()]: movesOf(raw) },
  ofArchive: { [movesMark()]: movesOf(archive) },
})

interface Step {
  marks: Record<string, number>
  /** What each table must have had. */
  ofRaw: Record<string, number | undefined>
  ofArchive: Record<string, number | undefined>
}

/**
 * A move that ended between its two commits is taken back: RAW still has these rows, under these names or
 * others by now. Only what a move of ours brought: others may append to the archive, and a deletion writes
 * files anew. Where both tables have the same number of moves none is unfinished, whatever is left of the
 * logs. RAW's number goes first: a move that only slept, on another machine, cannot make its second commit
 * any more.
 */
export async function undoUnfinished(raw: Table, archive: Table, nowMs: number): Promise<void> {
  await raw.refresh()
  const { files, version } = await archive.refresh()
  const marked = raw.snapshot.marks.get(archiveMark()) ?? 0
  // Tables of older versions have no number before their next move.
  const isCounted = movesOf(archive) !== undefined
  if (version <= marked || (isCounted && movesOf(archive) === movesOf(raw))) return
  const later = await versionsAfter(archive.store, marked, version)
  const brought = later
    .filter((entry) => isOurMove(entry.commit))
    .flatMap((entry) => entry.added)
    .map((file) => file.path)
  checkApart(archive, later, brought)
  const removes = brought.filter((path) => files.has(path))
  if (removes.length === 0 && !isCounted) return
  const { marks, ofRaw, ofArchive } = nextMove(raw, archive)
  const undo = { operation: 'UNDO ARCHIVE', adds: [], marks }
  await raw.commit({ ...undo, removes: [], expect: ofRaw }, nowMs)
  await archive.commit({ ...undo, removes, expect: ofArchive }, nowMs)
}

/**
 * What another writer merged with other rows cannot be told from them any more: taken for gone, RAW would
 * bring it twice.
 */
function checkApart({ store, snapshot }: Table, later: Version[], brought: string[]): void {
  const merged = new Set(later.flatMap((entry) => entry.rearranged.removed))
  const path = brought.find((candidate) => !snapshot.files.has(candidate) && merged.has(candidate))
  if (path === undefined) return
  const { version } = later[0]
  const feature = `files of an unfinished move that another writer merged (${path}); with Spark, RESTORE takes the archive back to version ${version - 1}`
  throw failure('table_unsupported', { path: store.root, feature })
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
