/**
 * Sources that are not folders or topics, on their way into the zones: what is new is fetched into a folder
 * of its own in the job's inbox, whole or not at all, with the cursor that goes with it; from there it is a
 * folder like any other, each file once. A next attempt finds what was fetched, and reads on; a next
 * execution takes up what one before it left.
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
  /** Where the job's next execution goes on; none of a draft. */
  cursor: JobPosition | undefined
  /** How much of the whole source it is: of a draft. */
  share: number
  bytes: number
}

const CURSOR_FILE = '.cursor.json'

/** Fetches what is new into the inbox. `now` in seconds, monotonic. */
export async function fetchInto(
  inbox: string,
  work: Work,
  { progress, now }: { progress: Progress; now: () => number },
): Promise<Fetched> {
  // A draft begins anew each time.
  if (work.draft) await rm(inbox, { recursive: true, force: true })
  await mkdir(inbox, { recursive: true })
  const source = sourceName(work.sourceType, work.source)
  const waiting = await leftBehind(inbox, work)
  const { id, note } = waiting ?? {}
  if (id === work.executionId && note !== undefined) return fetchedAs(work, note)
  // A folder of its own: an attempt that was taken for dead may go on beside the one that took its place.
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
 * What was fetched after the position that the service knows: by an attempt before this one, or by an
 * execution that was given up. What lies there from before is in RAW, and goes: of a dataset that the job
 * fills now, and did not then, RAW does not know it.
 */
async function leftBehind(inbox: string, work: Work): Promise<FetchedFolder | undefined> {
  const folders = await fetchedFolders(inbox)
  const known = reachedBy(work.cursor)
  if (known === undefined) return folders.at(-1)
  for (const { id } of folders) if (id <= known) await rm(join(inbox, id), { recursive: true, force: true })
  return folders.findLast(({ id }) => id > known)
}

/** What is in RAW is not needed any more; the newest stays, and says where the next one goes on. */
export async function tidyInbox(inbox: string): Promise<void> {
  for (const { id } of (await fetchedFolders(inbox)).slice(0, -1))
    await rm(join(inbox, id), { recursive: true, force: true })
  await clearStaging(inbox)
}

/**
 * Whoever still fetches must not move what is half removed into the inbox: a folder loses its name first.
 * What is in the way now, the next execution removes.
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
  /** The source's own cursor; in the inbox the job's position. */
  of: unknown
  share: number
  bytes: number
}

/** In the order in which they were fetched: ids of executions grow with time. */
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
  // Reading a tenant's files closes the doors of a session; this one writes.
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

/** False when another attempt's is there: it is whole, and counts. */
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
