/**
 * Brings sources that are neither folders nor topics into the zones. New data are fetched into a separate
 * folder in the job's inbox, completely or not at all, with their cursor. From there, the folder is like any
 * other, and each file is read once. A next attempt finds the fetched data and continues; a next execution
 * takes up what an earlier one left.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { storageFailure } from '../core/errors.ts'
import {
  positionNamed,
  newestIn,
  positionIn,
  reachedBy,
  sourceName,
  type JobPosition,
} from './job-position.ts'
import { isConverted } from './source-kinds.ts'
import { copyFresh } from './file-input.ts'
import { rejectsAsLines, rowsAsLines } from './row-lines.ts'
import { readSource } from './transfer-job.ts'
import { inSession, type Target } from './transfer-read.ts'
import type { Progress, Work } from './work.ts'

export interface Fetched {
  /** Where the job's next execution continues. Undefined for a draft. */
  cursor: JobPosition | undefined
  /** For a draft: its share of the whole source. */
  share: number
  bytes: number
}

const CURSOR_FILE = '.cursor.json'

/** Fetches new data into the inbox. `now` in seconds, monotonic. */
export async function fetchInto(
  inbox: string,
  work: Work,
  { progress, now }: { progress: Progress; now: () => number },
): Promise<Fetched> {
  // A draft starts again each time.
  if (work.draft) await rm(inbox, { recursive: true, force: true })
  await mkdir(inbox, { recursive: true })
  const source = sourceName(work.sourceType, work.source)
  const waiting = await leftBehind(inbox, work)
  const { id, note } = waiting ?? {}
  if (id === work.executionId && note !== undefined) return fetchedAs(work, note)
  // A separate folder: an attempt that counts as dead may continue next to the one that replaced it.
  const staging = join(`${inbox}.fetching`, randomUUID())
  await clearStaging(inbox)
  await mkdir(staging, { recursive: true })
  const since = positionIn(source, newestIn(source, [note?.of, work.cursor]))
  const fetched = await fetchRows(staging, { ...work, cursor: since }, { progress, now })
  const of: JobPosition = { source, at: fetched.of, by: work.executionId }
  await writeDurably(staging, { ...fetched, of })
  const place = join(inbox, work.executionId)
  const won = await moveWhole(staging, place)
  return fetchedAs(work, won ? { ...fetched, of } : await noteIn(place))
}

function fetchedAs({ draft, sourceType, source, executionId }: Work, { of, share, bytes }: Note): Fetched {
  const cursor = positionNamed(of, { source: sourceName(sourceType, source), by: executionId })
  return { cursor: draft ? undefined : cursor, share, bytes }
}

/**
 * Data that were fetched after the position that the service knows: by an earlier attempt, or by an abandoned
 * execution. Older data are in RAW, and are removed. If the job fills another dataset now, its RAW does not
 * have them.
 */
async function leftBehind(inbox: string, work: Work): Promise<FetchedFolder | undefined> {
  const folders = await fetchedFolders(inbox)
  const known = reachedBy(work.cursor)
  if (known === undefined) return folders.at(-1)
  for (const { id } of folders) if (id <= known) await rm(join(inbox, id), { recursive: true, force: true })
  return folders.findLast(({ id }) => id > known)
}

/** Removes data that are in RAW. The newest folder stays: it states where the next execution continues. */
export async function tidyInbox(inbox: string): Promise<void> {
  for (const { id } of (await fetchedFolders(inbox)).slice(0, -1))
    await rm(join(inbox, id), { recursive: true, force: true })
  await clearStaging(inbox)
}

/**
 * Removes half-fetched folders. A folder is renamed first, so an attempt that still fetches cannot move a
 * half-removed one into the inbox. If this fails, the next execution removes it.
 */
async function clearStaging(inbox: string): Promise<void> {
  const all = `${inbox}.fetching`
  for (const name of await readdir(all).catch(() => [])) {
    const gone = join(all, name.startsWith(GONE) ? name : `${GONE}${randomUUID()}`)
    await rename(join(all, name), gone)
      .then(() => rm(gone, { recursive: true, force: true }))
      .catch(() => undefined)
  }
}

const GONE = 'gone-'

interface FetchedFolder {
  id: string
  note: Note
}

export interface Note {
  /** The source's own cursor; in the inbox, the position of the job. */
  of: unknown
  share: number
  bytes: number
}

/** In the order of fetching: IDs of executions grow with time. */
async function fetchedFolders(inbox: string): Promise<FetchedFolder[]> {
  const found: FetchedFolder[] = []
  for (const id of (await readdir(inbox)).toSorted()) {
    const text = await readFile(join(inbox, id, CURSOR_FILE), 'utf8').catch(() => undefined)
    if (text !== undefined) found.push({ id, note: JSON.parse(text) as Note })
  }
  return found
}

const noteIn = async (folder: string): Promise<Note> =>
  JSON.parse(await readFile(join(folder, CURSOR_FILE), 'utf8')) as Note

async function fetchRows(
  folder: string,
  work: Work,
  { progress, now }: { progress: Progress; now: () => number },
): Promise<Note> {
  if (!isConverted(work.sourceType, work.source)) return copyFresh(work, folder, progress)
  const target: Target = {
    staged: join(work.workFolder, 'data.parquet'),
    rejects: join(work.workFolder, 'rejects.parquet'),
    progress,
    now,
  }
  const read = await readSource(work, target)
  // Reading a tenant's files locks a session down; this one must write.
  if (read.nothingNew !== true && read.rows > 0) {
    await inSession(work, (session) =>
      rowsAsLines(session, target.staged, join(folder, 'rows.ndjson'), read.numberTexts),
    )
  }
  if (read.rejected > 0)
    await inSession(work, (session) =>
      rejectsAsLines(session, target.rejects, join(folder, 'rejects.ndjson')),
    )
  return {
    of: read.cursor,
    bytes: read.bytes,
    share: read.totalRows > 0 ? Math.min(1, read.rows / read.totalRows) : 1,
  }
}

async function writeDurably(folder: string, note: Note): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    await using file = await open(join(entry.parentPath, entry.name))
    await file.sync()
  }
  await using file = await open(join(folder, CURSOR_FILE), 'w')
  await file.appendFile(JSON.stringify(note))
  await file.sync()
}

/** False if another attempt's folder is there: it is complete, and counts. */
async function moveWhole(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    await using folder = await open(join(to, '..'))
    await folder.sync()
    return true
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST'].includes(String((error as NodeJS.ErrnoException).code))) return false
    throw storageFailure(error, 'write', to)
  }
}
