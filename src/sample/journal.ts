/**
 * The producer's journal: one line per acknowledged message, written after the acknowledgment. It is the
 * independent witness of the tests (what was acknowledged must be in RAW, once), and a stopped producer
 * continues from it.
 */
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import type { Shares } from './library.ts'

export interface JournalHeader {
  seed: number
  shares: Shares
}

export interface JournalLine {
  index: number
  kind: string
  messageId: string
  partition: number
  offset: number
}

export interface Journal {
  readonly header: JournalHeader
  /** First message not yet acknowledged. */
  readonly next: number
  append(lines: JournalLine[]): Promise<void>
}

/**
 * Opens a journal, or starts one. The seed and shares of an existing journal win: they define the sequence.
 */
export async function openJournal(path: string, wanted: JournalHeader): Promise<Journal> {
  const known = existsSync(path) ? await readJournal(path) : undefined
  if (known === undefined) await writeFile(path, `${JSON.stringify(wanted)}\n`)
  let next = (known?.lines.at(-1)?.index ?? -1) + 1
  return {
    header: known?.header ?? wanted,
    get next() {
      return next
    },
    async append(lines) {
      if (lines.length === 0) return
      next = lines[lines.length - 1].index + 1
      await appendFile(
        path,
        lines
          .map(
            (line) => `${line.index}\t${line.kind}\t${line.messageId}\t${line.partition}\t${line.offset}\n`,
          )
          .join(''),
      )
    },
  }
}

export async function readJournal(path: string): Promise<{ header: JournalHeader; lines: JournalLine[] }> {
  const [first, ...rest] = (await readFile(path, 'utf8')).split('\n')
  const lines = rest
    .filter((line) => line.split('\t').length === 5)
    .map((line): JournalLine => {
      const [index, kind, messageId, partition, offset] = line.split('\t')
      return { index: Number(index), kind, messageId, partition: Number(partition), offset: Number(offset) }
    })
  return { header: JSON.parse(first) as JournalHeader, lines }
}
