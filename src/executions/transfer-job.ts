/**
 * One execution of a transfer: reads its source into one Parquet file, which is published completely under
 * the execution's name, or not at all.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { thousandths } from '../core/service/amounts.ts'
import { failure } from '../core/errors.ts'
import { readFiles } from './file-input.ts'
import { newestIn, positionIn, sourceName, type JobPosition } from './job-position.ts'
import { isDocuments } from './source-kinds.ts'
import { outputPlace, publish, publishedBefore, unknownOutput } from './transfer-output.ts'
import { inSession, type Read, type Target } from './transfer-read.ts'
import type { Outcome, Progress, Receipt, Work } from './work.ts'

/** Runs the transfer. `now` in seconds, monotonic. */
export async function runTransfer(asked: Work, progress: Progress, now: () => number): Promise<Outcome> {
  const started = now()
  const place = await outputPlace(asked)
  const before = asked.draft ? undefined : await publishedBefore(place, asked)
  if (before !== undefined) return before
  const unknown = asked.draft ? undefined : await unknownOutput(place, asked)
  const source = sourceName(asked.sourceType, asked.source)
  const work: Work = {
    ...asked,
    cursor: positionIn(source, newestIn(source, [unknown?.cursor, asked.cursor])),
  }
  if (unknown?.cursor !== undefined)
    process.stdout.write(`reads on from ${unknown.receipt.output[0]}, which the service did not know of\n`)
  const staged = join(work.workFolder, 'data.parquet')
  const rejects = join(work.workFolder, 'rejects.parquet')
  await mkdir(work.workFolder, { recursive: true })
  const read = await readSource(work, { staged, rejects, progress, now })
  const share = read.totalRows > 0 ? Math.min(1, read.rows / read.totalRows) : 1
  const seconds = (): Pick<Receipt, 'work_seconds' | 'startup_seconds'> => ({
    work_seconds: thousandths(now() - started - read.startupSeconds),
    startup_seconds: thousandths(read.startupSeconds),
  })
  const receipt: Receipt = {
    rows: read.rows,
    rejected: read.rejected,
    bytes_read: read.bytes,
    bytes_written: 0,
    output: [],
    ...seconds(),
    ...(read.partsKept === undefined || read.partsKept === 0 ? {} : { parts_kept: read.partsKept }),
    ...(work.draft
      ? {
          sample_share: share,
          estimated_seconds: Math.max(1, thousandths(work.estimatedMinutes * 60 * share)),
        }
      : {}),
  }
  const cursor: JobPosition | undefined =
    work.draft || read.cursor === undefined ? undefined : { source, at: read.cursor, by: work.executionId }
  const outcome: Outcome = { receipt, cursor }
  if (read.nothingNew === true) return outcome
  const published = await publish(place, work, {
    staged,
    rejects: read.rejected > 0 ? rejects : undefined,
    outcome,
  })
  return { ...published, receipt: { ...published.receipt, ...seconds() } }
}

/** Reads a source of any kind into the target's file. */
export async function readSource(work: Work, target: Target): Promise<Read> {
  if (work.sourceType === 'postgres' || work.sourceType === 'mysql') {
    const { readTable } = await import('./table-input.ts')
    return inSession(work, (session) => readTable(work, session, target))
  }
  if (isDocuments(work.source)) {
    const { readDocuments } = await import('./document-input.ts')
    return readDocuments(work, target)
  }
  if (work.sourceType === 'files' || work.sourceType === 's3')
    return inSession(work, (session) => readFiles(work, session, target))
  throw failure('not_supported', {
    feature: `${work.sourceType} as the source of an execution`,
    instead: 'Use postgres, mysql, s3 or files. Kafka is read into the zones.',
  })
}
