/**
 * Sources that are not folders or topics, on their way into the zones: what is new is fetched into a folder of its own in the job's inbox,
 * whole or not at all, with the cursor that goes with it; from there it is a folder like any other, each file once. A next attempt finds
 * what was fetched, and reads on; a next execution takes up what one before it left.
 */
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { storageFailure } from '../../core/errors.ts'
import { namedPosition, positionIn, sourceName } from './job-position.ts'
import { isConverted } from './source-kinds.ts'
import { copyFresh } from './file-input.ts'
import { rejectsAsLines, rowsAsLines } from './row-lines.ts'
import { readSource } from './transfer-job.ts'
import { inSession, type Target } from './transfer-read.ts'
import type { Progress, Work } from './work.ts'

/** Where the job's next execution goes on. */
export interface InboxCursor {
  /** The execution that fetched last. */
  fetched: string
  of: unknown
}

export interface Fetched {
  cursor: InboxCursor | undefined
  /** How much of the whole source it is: of a draft. */
  share: number
  bytes: number
}

const CURSOR_FILE = '.cursor.json'

/** Fetches what is new into the inbox. `now` in seconds, monotonic. */
export async function fetchInto(inbox: string, work: Work, { progress, now }: { progress: Progress; now: () => number }): Promise<Fetched> {
  // A draft begins anew each time.
  if (work.draft) await rm(inbox, { recursive: true, force: true })
  await mkdir(inbox, { recursive: true })
  const newest = (await fetchedFolders(inbox)).at(-1)
  const known = work.cursor as InboxCursor | null | undefined
  const source = sourceName(work.sourceType, work.source)
  // What lies there was fetched after the database's cursor: by an attempt before this one, or by an execution that was given up.
  const waiting = newest !== undefined && (known === null || known === undefined || newest.id > known.fetched) ? newest : undefined
  if (waiting !== undefined && waiting.id === work.executionId) return { cursor: { fetched: waiting.id, of: positionIn(source, waiting.note.of) }, share: waiting.note.share, bytes: waiting.note.bytes }
  const staging = join(`${inbox}.fetching`, work.executionId)
  await rm(staging, { recursive: true, force: true })
  await mkdir(staging, { recursive: true })
  const fetched = await fetchRows(staging, { ...work, cursor: waiting === undefined ? (known?.of ?? undefined) : positionIn(source, waiting.note.of) }, { progress, now })
  const note = { ...fetched, of: namedPosition(source, fetched.of) }
  await writeDurably(staging, note)
  await moveWhole(staging, join(inbox, work.executionId))
  return { cursor: work.draft ? undefined : { fetched: work.executionId, of: fetched.of }, share: note.share, bytes: note.bytes }
}

/** What is in RAW is not needed any more; the newest stays, and says where the next one goes on. */
export async function tidyInbox(inbox: string): Promise<void> {
  for (const { id } of (await fetchedFolders(inbox)).slice(0, -1)) await rm(join(inbox, id), { recursive: true, force: true })
  await rm(`${inbox}.fetching`, { recursive: true, force: true })
}

export interface Note {
  /** The source's own cursor. */
  of: unknown
  share: number
  bytes: number
}

/** In the order in which they were fetched: ids of executions grow with time. */
async function fetchedFolders(inbox: string): Promise<{ id: string; note: Note }[]> {
  const found: { id: string; note: Note }[] = []
  for (const id of (await readdir(inbox)).toSorted()) {
    const text = await readFile(join(inbox, id, CURSOR_FILE), 'utf8').catch(() => undefined)
    if (text !== undefined) found.push({ id, note: JSON.parse(text) as Note })
  }
  return found
}

async function fetchRows(folder: string, work: Work, { progress, now }: { progress: Progress; now: () => number }): Promise<Note> {
  if (!isConverted(work.sourceType, work.source)) return copyFresh(work, folder, progress)
  const target: Target = { staged: join(work.workFolder, 'data.parquet'), rejects: join(work.workFolder, 'rejects.parquet'), progress, now }
  const read = await readSource(work, target)
  // Reading a tenant's files closes the doors of a session; this one writes.
  if (read.nothingNew !== true && read.rows > 0) {
    await inSession(work, (session) => rowsAsLines(session, target.staged, join(folder, 'rows.ndjson'), read.numberTexts))
  }
  if (read.rejected > 0) await inSession(work, (session) => rejectsAsLines(session, target.rejects, join(folder, 'rejects.ndjson')))
  return { of: read.cursor, bytes: read.bytes, share: read.totalRows > 0 ? Math.min(1, read.rows / read.totalRows) : 1 }
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

async function moveWhole(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
    await using folder = await open(join(to, '..'))
    await folder.sync()
  } catch (error) {
    throw storageFailure(error, 'write', to)
  }
}
