/** Which parts of a table this execution has read, kept beside their files: an attempt that breaks is gone on with by the next one. */
import { mkdir, open, readFile, rm } from 'node:fs/promises'
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

/** Of a work folder's entries the one that outlives an attempt. */
export const PARTS_FOLDER = 'parts'

export async function openPartJournal(workFolder: string): Promise<PartJournal> {
  const folder = join(workFolder, PARTS_FOLDER)
  const path = join(folder, 'journal.ndjson')
  await mkdir(folder, { recursive: true })
  const append = async (value: unknown, flags = 'a'): Promise<void> => {
    await using file = await open(path, flags)
    await file.appendFile(`${JSON.stringify(value)}\n`)
    await file.sync()
  }
  const pathOf = (name: string): string => join(folder, `${name.replaceAll(':', '_')}.parquet`)
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

/** A last line that was cut off is none. */
async function readJournal(path: string): Promise<PartJournal['earlier']> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const [moment, ...parts] = text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as unknown)
  return moment === undefined ? undefined : { moment: moment as ReadMoment, parts: parts as DonePart[] }
}
