/**
 * Writes files into one Parquet file and judges them record by record, as for the zones: with the scanner of
 * their format and the checks of their columns. A second file gets the rejects. One thread reads; DuckDB
 * writes at the same time on the others.
 */
import { rename, rm } from 'node:fs/promises'
import { LIMITS } from '../core/limits.ts'
import { createSlab } from '../core/slab.ts'
import { stagedBytesFor } from '../core/width.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { openRowsFile, type RowsFileColumn } from '../engines/duckdb/rows-file.ts'
import type { DuckSession } from '../engines/duckdb/session.ts'
import { deltaType } from '../planning/table-layout.ts'
import { createDocumentReader, type DocumentWindow } from '../runner/document-windows.ts'
import { createJudge, FILE_REJECT_COLUMNS } from '../runner/judged-rows.ts'
import type { FileColumn } from './declared-columns.ts'
import { openDocument } from './file-bytes.ts'
import { givesBack } from './file-sample.ts'
import { joinFiles } from './parquet-file.ts'

export interface ExactInput {
  /** The shape of a record, and the setting of drift. */
  dataset: Dataset
  columns: FileColumn[]
  /** The path of each file, and its name in rejects. */
  files: { path: string; name: string }[]
  /** At most this many rows, for a draft. */
  limit: number | undefined
  /**
   * Nobody declared types: a value that does not fit its type, or that the type would change, is no reject.
   */
  inferred: boolean
  /** The name of a column in rejects. */
  label(column: Column): string
  /** Called before records are judged. */
  prepare?: (window: DocumentWindow) => void
  onRows(rows: number, bytes: number): void
}

export interface ExactResult {
  rows: number
  rejected: number
  /**
   * Paths that drift turns into columns, and inferred columns with a value that did not fit. If there are
   * any, nothing was written.
   */
  discovered: string[]
  misfits: string[]
}

const REJECT_FILE: RowsFileColumn[] = FILE_REJECT_COLUMNS.map((name) =>
  name === 'line'
    ? { name, kind: 'int64', type: 'long', duckType: 'BIGINT' }
    : { name, kind: 'text', type: 'string', duckType: 'VARCHAR' },
)

/** Share of the session's memory for each of the tables that collect rows. */
const TABLE_SHARE = 0.1

export async function readExactly(
  session: DuckSession,
  input: ExactInput,
  { staged, rejects, memoryBytes }: { staged: string; rejects: string; memoryBytes: number },
): Promise<ExactResult> {
  const columns = input.columns.map((fileColumn) => fileColumn.column)
  const judge = createJudge(input.dataset, columns, {
    bounds: input.columns.map((fileColumn) => fileColumn.narrow),
    givesBack: input.inferred ? givesBack : undefined,
    label: input.label,
  })
  const reader = createDocumentReader(input.dataset, columns)
  const tableBytes = Math.min(stagedBytesFor(columns.length), memoryBytes * TABLE_SHARE)
  const shape = input.columns.map(({ column, duckType }, i): RowsFileColumn => {
    return { name: column.name, kind: judge.kinds[i], type: deltaType(column), duckType }
  })
  const accepted = await openRowsFile(session, shape, { prefix: `${staged}.part`, tableBytes })
  const refused = await openRowsFile(session, REJECT_FILE, { prefix: `${rejects}.part`, tableBytes })
  const ends = createSlab(LIMITS.slabBytes)
  const most = input.limit ?? Infinity
  const [discovered, misfits] = [new Set<string>(), new Set<string>()]
  let bytes = 0
  for (const file of input.files) {
    if (accepted.rows >= most) break
    const document = await openDocument(file.path)
    let mayFail = false
    const take = async (window: DocumentWindow): Promise<boolean> => {
      input.prepare?.(window)
      const judged = await judge.judge(window, file.name, most - accepted.rows)
      for (const path of judge.discovered) discovered.add(path)
      if (input.inferred) for (const path of judged.mistyped) misfits.add(path)
      // Read the whole input before starting again, so that it is read twice, and not once for each such
      // column.
      if (discovered.size > 0 || misfits.size > 0) return true
      await accepted.append(judged.accepted)
      if (judged.rejects !== undefined) await refused.append(judged.rejects)
      input.onRows(accepted.rows, bytes)
      return accepted.rows < most
    }
    const fault = await reader.read(document, take, async () => {
      mayFail = true
      for (const rows of [accepted, refused]) await rows.begin()
    })
    if (fault !== undefined) {
      if (mayFail) for (const rows of [accepted, refused]) await rows.takeBack()
      await refused.append(judge.refuse(ends, file.name, fault))
    }
    input.onRows(accepted.rows, (bytes += document.size))
  }
  const [parts, refusedParts] = [await accepted.finish(), await refused.finish()]
  const again = discovered.size > 0 || misfits.size > 0
  if (again) for (const part of [...parts, ...refusedParts]) await rm(part)
  else {
    await join(parts, staged)
    if (refused.rows > 0) await join(refusedParts, rejects)
  }
  return { rows: accepted.rows, rejected: refused.rows, discovered: [...discovered], misfits: [...misfits] }
}

async function join(parts: string[], output: string): Promise<void> {
  if (parts.length === 1) await rename(parts[0], output)
  else await joinFiles(parts, output)
}
