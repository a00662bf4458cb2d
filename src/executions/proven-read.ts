/**
 * Bulk reading of CSV by DuckDB, for files that need no judgement: each value is proven to be one that our
 * checks accept. Whatever is not proven makes this answer undefined, and the files are read record by record.
 */
import { open } from 'node:fs/promises'
import duckdb from '@duckdb/node-bindings'
import { copyProven, isProvable } from '../engines/duckdb/proof.ts'
import type { DuckSession } from '../engines/duckdb/session.ts'
import { mayHaveBlanksAtQuotes } from '../formats/csv/quotes.ts'
import { foreignKind, packingOf } from '../formats/signature.ts'
import { openDocument } from './file-bytes.ts'
import type { FilePlan, FileSettings } from './file-plan.ts'

/** Rows written, or undefined. */
export async function readProven(
  session: DuckSession,
  plan: FilePlan,
  paths: string[],
  output: string,
): Promise<number | undefined> {
  const { delimiter, quote, header } = plan.dataset.record
  const columns = plan.columns.map(({ column, duckType }) => ({ column, duckType, asWritten: plan.inferred }))
  // DuckDB's threads read while this one looks at quotes.
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

/** Whether a proof is worth a try: CSV in UTF-8 whose fields have the same places in all files. */
export async function mayBeProven(plan: FilePlan, settings: FileSettings, paths: string[]): Promise<boolean> {
  const { delimiter, quote, format } = plan.dataset.record
  const isByte = (text: string): boolean => text.length === 1 && text > ' ' && text <= '~'
  // An empty line is a row of one column for DuckDB.
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

/** Not compressed, in another encoding, nor another kind of file; and a first line that is one. */
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
    // The last bytes of a piece come again before the next: what a quote stands between must be there. They
    // are not looked at again, but for the last one: a run of quotes may be cut where they begin.
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
