/**
 * XML and JSON documents as input of a transfer, by a declaration: decoded and judged as for the zones.
 * Accepted records go to the file; records that would be quarantined are the rejects.
 */
import { dirname } from 'node:path'
import { RESERVED_COLUMNS, type Column, type Dataset } from '../dataset/declaration.ts'
import { lockDown } from '../engines/duckdb/session.ts'
import { duckType } from '../engines/duckdb/sql.ts'
import { deltaType, evolve } from '../planning/table-layout.ts'
import { declaredDataset } from './declared-dataset.ts'
import { readExactly } from './exact-read.ts'
import { bringFresh } from './file-input.ts'
import { inSession, nothingNew, sessionBytes, type Read, type Target } from './transfer-read.ts'
import type { Work } from './work.ts'

/** Reads new documents, each once. */
export async function readDocuments(work: Work, { staged, rejects, progress, now }: Target): Promise<Read> {
  const begun = now()
  const declared = declaredDataset(work.sourceType, work.source, true)
  const { files, bytes, cursor, share } = await bringFresh(work)
  if (files.length === 0) return nothingNew(cursor, now() - begun)
  const startupSeconds = now() - begun
  return inSession(work, async (session) => {
    await lockDown(session, [
      ...new Set([...files.map((file) => file.path), staged, rejects].map((path) => dirname(path))),
      work.workFolder,
    ])
    let dataset: Dataset = declared
    let columns = declared.columns
    for (;;) {
      const plan = {
        dataset,
        columns: columns.map((column) => ({ column, duckType: duckType(deltaType(column)) })),
        inferred: false,
        files,
        limit: undefined,
        label: (column: Column) => column.path,
      }
      const read = await readExactly(
        session,
        { ...plan, onRows: (rows, done) => progress(rows, done, 'reading') },
        { staged, rejects, memoryBytes: sessionBytes(work) },
      )
      const { rows, rejected, discovered } = read
      if (discovered.length === 0)
        return {
          rows,
          rejected,
          bytes: work.draft ? 0 : bytes,
          totalRows: Math.round(rows / Math.max(share, Number.EPSILON)),
          cursor,
          startupSeconds,
        }
      const added = evolve(dataset, columns, discovered, RESERVED_COLUMNS)
      columns = [...columns, ...added]
      // Without room for more columns, such records are rejected, as in a stream.
      if (added.length === 0) dataset = { ...dataset, drift: 'freeze' }
    }
  })
}
