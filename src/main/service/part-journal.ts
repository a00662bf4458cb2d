/** Which parts of a table this execution has read, kept beside their files: an attempt that breaks is gone on with by the next one. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReadMoment } from '../../connectors/table-source.ts'

export interface DonePart {
  name: string
  rows: number
  bytes: number
  note: string
}

export interface PartJournal {
  /** What an earlier attempt kept. */
  earlier: { moment: ReadMoment; parts: DonePart[] } | undefined
  pathOf(name: string): string
  /** Forgets everything but the parts given, and begins anew with them. */
  begin(moment: ReadMoment, kept: DonePart[]): Promise<void>
  /** The part's file is durable before it is noted. */
  done(part: DonePart): Promise<void>
  drop(): Promise<void>
}

/** Of an attempt's folder the one entry that outlives it. */
export const PARTS_FOLDER = 'parts'

export async function openPartJournal(workFolder: string): Promise<PartJournal> {
  const folder = join(workFolder, PARTS_FOLDER)
  const path = join(folder, JOURNAL)
  await mkdir(folder, { recursive: true })
  const append = (value: unknown, flags = 'a'): Promise<void> => appendLine(path, value, flags)
  const pathOf = (name: string): string => join(folder, fileOf(name))
  return {
    earlier: await readJournal(path),
    pathOf,
    async begin(moment, kept) {
      await append(moment, 'w')
      for (const part of kept) await append(part)
    },
    async done(part) {
      await using file = await open(pathOf(part.name))
      await file.sync()
      await append(part)
    },
    drop: () => rm(folder, { recursive: true, force: true }),
  }
}

/**
 * Moves what one attempt has kept to the folder of the next, each finished part by itself: what is half written stays behind, for whoever
 * wrote it may still do so.
 */
export async function adoptParts(from: string, to: string): Promise<void> {
  const [old, own] = [join(from, PARTS_FOLDER), join(to, PARTS_FOLDER)]
  const earlier = await readJournal(join(old, JOURNAL))
  if (earlier === undefined) return
  await mkdir(own, { recursive: true })
  await appendLine(join(own, JOURNAL), earlier.moment, 'w')
  for (const part of earlier.parts) {
    // One that cannot be had is read again.
    if (await rename(join(old, fileOf(part.name)), join(own, fileOf(part.name))).then(() => true, () => false)) await appendLine(join(own, JOURNAL), part)
  }
}

const JOURNAL = 'journal.ndjson'

const fileOf = (part: string): string => `${part.replaceAll(':', '_')}.parquet`

async function appendLine(path: string, value: unknown, flags = 'a'): Promise<void> {
  await using file = await open(path, flags)
  await file.appendFile(`${JSON.stringify(value)}\n`)
  await file.sync()
}

/** A last line that was cut off is none. */
async function readJournal(path: string): Promise<PartJournal['earlier']> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const [moment, ...parts] = text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as unknown)
  return moment === undefined ? undefined : { moment: moment as ReadMoment, parts: parts as DonePart[] }
}
