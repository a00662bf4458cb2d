/**
 * Retention of RAW: expired days leave it once every consumer has used them; they are deleted or moved to the
 * archive table. A move is two commits: the archive adds the files, then RAW removes them and marks the
 * archive's version in the same entry. A reader of the archive at the marked version always sees each row in
 * exactly one of the two.
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
  /** The first ingest date that stays. */
  keepFromDate: string
  /** The RAW version up to which every consumer has used the rows, held partitions included. */
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
  // Check before the archive gets a copy.
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
    // Another writer rewrote one of the files meanwhile. The archive removes its copies again, and the next
    // run takes the present files.
    if (error instanceof HeadraceError && error.code === 'marks_moved' && request.archive !== undefined)
      await undoUnfinished(raw, request.archive, request.nowMs())
    throw error
  }
}

/**
 * Copies files and commits them to the archive. Returns the archive's version, and the information for RAW's
 * commit.
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
  // Also makes their names durable, and those of new folders.
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

/** The file's name in RAW, unless RAW has it in an older layout. */
function archivedName(archive: Table, file: AddAction): string {
  const { partitionColumns } = archive.snapshot.metadata
  const name = decodePath(file.path)
  return isLaidOut(name, partitionColumns, file.partitionValues)
    ? name
    : dataPath(partitionColumns, file.partitionValues, name.split('/').slice(-2).join('-'))
}

/**
 * No vacuum takes a file this young. An older file that no version names may be about to go: a vacuum may
 * have listed it before we name it again, while RAW removes the rows.
 */
const SPARED_MS = 1_800_000

/**
 * Copies a file of any size, whole or not at all: a file that differs from the log would be lost with RAW's
 * entry. Returns its name in the archive.
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
  // Copied earlier, by a move that did not finish: a data file never changes under its name.
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

/** The operation name of both commits of a move. */
const MOVE = 'ARCHIVE'
const isOurMove = (commit: CommitInfo | undefined): boolean =>
  commit?.engineInfo === ENGINE && commit.operation === MOVE

const movesOf = ({ snapshot }: Table): number | undefined => snapshot.marks.get(movesMark())

/** The marks of a step: a new number for both tables, if no other step happened meanwhile. */
const nextMove = (raw: Table, archive: Table): Step => ({
  marks: { [movesMark()]: Math.max(movesOf(raw) ?? 0, movesOf(archive) ?? 0) + 1 },
  ofRaw: { [movesMark()]: movesOf(raw) },
  ofArchive: { [movesMark()]: movesOf(archive) },
})

interface Step {
  marks: Record<string, number>
  /** What each table must have before the step. */
  ofRaw: Record<string, number | undefined>
  ofArchive: Record<string, number | undefined>
}

/**
 * Takes back a move that ended between its two commits: RAW still has these rows, under these names or
 * others. It removes only what our own move brought: others may append to the archive, and a deletion
 * rewrites files. If both tables have the same number of moves, none is unfinished, whatever is left of the
 * logs. RAW's number goes first: a move that only slept, on another machine, can then no longer make its
 * second commit.
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
 * Rows that another writer merged with others can no longer be separated. If they were treated as gone, RAW
 * would move them a second time.
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
 * Makes RAW name the archive's newest version, which must hold no unfinished move. Rows deleted there are
 * then gone for all readers.
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
