/** One execution of a transfer: from its source into one Parquet file, published whole under the execution's name or not at all. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../../core/errors.ts'
import { openSession, type DuckSession } from '../../engines/duckdb/session.ts'
import { isDocuments } from './declared-dataset.ts'
import { readDocuments } from './document-input.ts'
import { readFiles } from './file-input.ts'
import { readTable } from './table-input.ts'
import { publish, publishedBefore, unknownOutput } from './transfer-output.ts'
import type { Read, Target } from './transfer-read.ts'
import type { Outcome, Progress, Receipt, Work } from './work.ts'

/** Runs it. `now` in seconds, monotonic. */
export async function runTransfer(asked: Work, progress: Progress, now: () => number): Promise<Outcome> {
  const started = now()
  const before = asked.draft ? undefined : await publishedBefore(asked)
  if (before !== undefined) return before
  const unknown = asked.draft ? undefined : await unknownOutput(asked)
  const work: Work = unknown?.cursor === undefined ? asked : { ...asked, cursor: unknown.cursor }
  if (work !== asked) process.stdout.write(`reads on from ${unknown?.receipt.output[0]}, which the service did not know of\n`)
  const staged = join(work.workFolder, 'data.parquet')
  const rejects = join(work.workFolder, 'rejects.parquet')
  await mkdir(work.workFolder, { recursive: true })
  const session = await openSession({ memoryBytes: Math.floor(work.memoryBytes * 0.6), threads: work.threads, spillFolder: join(work.workFolder, 'spill') })
  let read: Read
  try {
    read = await readSource(work, session, { staged, rejects, progress, now })
  } finally {
    await session.close()
  }
  const share = read.totalRows > 0 ? Math.min(1, read.rows / read.totalRows) : 1
  const seconds = (): Pick<Receipt, 'work_seconds' | 'startup_seconds'> => ({ work_seconds: round(now() - started - read.startupSeconds), startup_seconds: round(read.startupSeconds) })
  const receipt: Receipt = {
    rows: read.rows, rejected: read.rejected, bytes_read: read.bytes, bytes_written: 0, output: [], ...seconds(),
    ...(read.partsKept === undefined || read.partsKept === 0 ? {} : { parts_kept: read.partsKept }),
    ...(work.draft ? { sample_share: share, estimated_seconds: Math.max(1, round(work.estimatedMinutes * 60 * share)) } : {}),
  }
  const outcome: Outcome = { receipt, cursor: work.draft ? undefined : read.cursor }
  if (read.nothingNew === true) return outcome
  const published = await publish(work, { staged, rejects: read.rejected > 0 ? rejects : undefined, outcome })
  return { ...published, receipt: { ...published.receipt, ...seconds() } }
}

const round = (value: number): number => Math.round(value * 1_000) / 1_000

async function readSource(work: Work, session: DuckSession, target: Target): Promise<Read> {
  if (work.sourceType === 'postgres' || work.sourceType === 'mysql') return readTable(work, session, target)
  if (isDocuments(work.source)) return readDocuments(work, target)
  if (work.sourceType === 'files' || work.sourceType === 's3') return readFiles(work, session, target)
  throw failure('not_supported', { feature: `${work.sourceType} as source of an execution`, instead: 'Use postgres, mysql, s3 or files; kafka goes into the zones.' })
}
