/**
 * The parts of a table that this execution has read, kept next to their files: if an attempt breaks, the next
 * one continues with them.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReadMoment } from '../connectors/table-source.ts'

export interface DonePart {
  name: string
  rows: number
  rejected: number
  bytes: number
  note: string
}

export interface PartJournal {
  /** What an earlier attempt has kept. */
  earlier: { moment: ReadMoment; parts: DonePart[] } | undefined
  pathOf(name: string): string
  /** Path of the part's file of rejects. */
  rejectsOf(name: string): string
  /** Forgets everything except the given parts, and starts again with them. */
  begin(moment: ReadMoment, kept: DonePart[]): Promise<void>
  /** Call it when the part's file is durable. */
  done(part: DonePart): Promise<void>
  drop(): Promise<void>
}

/** The only entry of an attempt's folder that outlives it. */
export const PARTS_FOLDER = 'parts'

export async function openPartJournal(workFolder: string): Promise<PartJournal> {
  const folder = join(workFolder, PARTS_FOLDER)
  const path = join(folder, JOURNAL)
  await mkdir(folder, { recursive: true })
  const append = (value: unknown, flags = 'a'): Promise<void> => appendLine(path, value, flags)
  const pathOf = (name: string): string => join(folder, fileOf(name))
  const rejectsOf = (name: string): string => rejectsBeside(pathOf(name))
  return {
    earlier: await readJournal(path),
    pathOf,
    rejectsOf,
    async begin(moment, kept) {
      await append(moment, 'w')
      for (const part of kept) await append(part)
    },
    async done(part) {
      for (const path of [pathOf(part.name), ...(part.rejected > 0 ? [rejectsOf(part.name)] : [])]) {
        await using file = await open(path)
        await file.sync()
      }
      await append(part)
    },
    drop: () => rm(folder, { recursive: true, force: true }),
  }
}

/**
 * Moves the kept parts of one attempt to the folder of the next, each finished part separately. Half-written
 * files stay behind: their writer may still be writing.
 */
export async function adoptParts(from: string, to: string): Promise<void> {
  const [old, own] = [join(from, PARTS_FOLDER), join(to, PARTS_FOLDER)]
  const earlier = await readJournal(join(old, JOURNAL))
  if (earlier === undefined) return
  await mkdir(own, { recursive: true })
  await appendLine(join(own, JOURNAL), earlier.moment, 'w')
  for (const part of earlier.parts) {
    const file = fileOf(part.name)
    const files = [...(part.rejected > 0 ? [rejectsBeside(file)] : []), file]
    // A part that cannot be moved is read again.
    const had = await moveAll(files, old, own)
    if (had) await appendLine(join(own, JOURNAL), part)
  }
}

async function moveAll(files: string[], from: string, to: string): Promise<boolean> {
  try {
    for (const file of files) await rename(join(from, file), join(to, file))
    return true
  } catch {
    return false
  }
}

const JOURNAL = 'journal.ndjson'

const rejectsBeside = (path: string): string => `${path}.rejects.ndjson`

const fileOf = (part: string): string => `${part.replaceAll(':', '_')}.parquet`

async function appendLine(path: string, value: unknown, flags = 'a'): Promise<void> {
  await using file = await open(path, flags)
  await file.appendFile(`${JSON.stringify(value)}\n`)
  await file.sync()
}

/** An incomplete last line does not count. */
async function readJournal(path: string): Promise<PartJournal['earlier']> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const [moment, ...parts] = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown)
  return moment === undefined ? undefined : { moment: moment as ReadMoment, parts: parts as DonePart[] }
}
