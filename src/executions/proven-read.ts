/**
 * Reads CSV in bulk with DuckDB, for files that need no judgment: each value is proven to be one that our
 * checks accept. If a proof fails, the result is undefined, and the files are read record by record.
 */
import { open } from 'node:fs/promises'
import duckdb from '@duckdb/node-bindings'
import { copyProven, isProvable } from '../engines/duckdb/proof.ts'
import type { DuckSession } from '../engines/duckdb/session.ts'
import { mayHaveBlanksAtQuotes } from '../formats/csv/quotes.ts'
import { foreignKind, packingOf } from '../formats/signature.ts'
import { openDocument } from './file-bytes.ts'
import type { FilePlan, FileSettings } from './file-plan.ts'

/** Number of rows written, or undefined. */
export async function readProven(
  session: DuckSession,
  plan: FilePlan,
  paths: string[],
  output: string,
): Promise<number | undefined> {
  const { delimiter, quote, header } = plan.dataset.record
  const columns = plan.columns.map(({ column, duckType }) => ({ column, duckType, asWritten: plan.inferred }))
  // DuckDB's threads read while this one searches for quotes.
  const copying = copyProven(session, { paths, columns, header, delimiter, quote }, output)
  if (
    quote !== '' &&
    (await anyBlanksAtQuotes(paths, { delimiter: delimiter.charCodeAt(0), quote: quote.charCodeAt(0) }))
  ) {
    duckdb.interrupt(session.raw)
    await copying.catch(() => undefined)
    return undefined
  }
  return copying
}

/** Whether to try a proof: CSV in UTF-8 whose fields have the same positions in all files. */
export async function mayBeProven(plan: FilePlan, settings: FileSettings, paths: string[]): Promise<boolean> {
  const { delimiter, quote, format } = plan.dataset.record
  const isByte = (text: string): boolean => text.length === 1 && text > ' ' && text <= '~'
  // For DuckDB, an empty line is a row of one column.
  if (format !== 'csv' || plan.columns.length < 2 || !plan.sameHeaders || settings.null_text !== undefined)
    return false
  if (
    !/^(utf-?8)?$/i.test(settings.encoding ?? '') ||
    !(isByte(delimiter) || delimiter === '\t') ||
    !(isByte(quote) || quote === '') ||
    delimiter === quote
  )
    return false
  if (!plan.columns.every(({ column }) => isProvable(column))) return false
  for (const path of paths) if (!(await isPlainText(path))) return false
  return true
}

const HEAD_BYTES = 4096

const isUtf16 = (head: Buffer): boolean => /^(\xff\xfe|\xfe\xff)/.test(head.toString('latin1', 0, 2))

/**
 * Whether a file is neither compressed, nor in another encoding, nor of another kind, and starts with a
 * complete line.
 */
async function isPlainText(path: string): Promise<boolean> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
  const head = buffer.subarray(0, bytesRead)
  const first = head[0] === 0xef ? head[3] : head[0]
  const isMarked =
    packingOf(head, 0, head.length) !== undefined || foreignKind(head) !== undefined || isUtf16(head)
  return bytesRead > 0 && !isMarked && !head.includes(0) && first !== 0x0a && first !== 0x0d
}

async function anyBlanksAtQuotes(
  paths: string[],
  dialect: { delimiter: number; quote: number },
): Promise<boolean> {
  for (const path of paths) {
    // The last bytes of a piece come again before the next one: the surroundings of a quote must be
    // available. Only the last one is checked again: a run of quotes may be split there.
    let tail = Buffer.of(0x0a)
    let from = 1
    for await (const piece of (await openDocument(path)).chunks()) {
      const bytes = Buffer.concat([tail, piece])
      if (bytes.includes(dialect.quote) && mayHaveBlanksAtQuotes(bytes, from, bytes.length - 1, dialect))
        return true
      tail = Buffer.from(bytes.subarray(-1024))
      from = Math.max(1, tail.length - 1)
    }
  }
  return false
}
