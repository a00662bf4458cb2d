/**
 * Transfers for tests: an execution with usual settings, what its files hold, and writers that commit late
 * beside incremental reads.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSession } from '../../src/engines/duckdb/session.ts'
import { runTransfer } from '../../src/executions/transfer-job.ts'
import type { Outcome, Work } from '../../src/executions/work.ts'

let executions = 0

/**
 * An execution of its own below `home`, with files as source and a folder as destination unless said
 * otherwise.
 */
export function workOf(home: string, more: Partial<Work>): Work {
  executions += 1
  return {
    executionId: `e${executions}`,
    jobId: 'j',
    knownUntil: 'e0',
    tenantId: 't',
    sourceType: 'files',
    source: {},
    destination: { type: 'local', path: 'out' },
    sourceSecret: undefined,
    destinationSecret: undefined,
    cursor: undefined,
    draft: false,
    continuous: false,
    estimatedMinutes: 5,
    memoryBytes: 1 << 30,
    threads: 2,
    workFolder: join(home, 'work', `e${executions}`),
    tenantFolder: home,
    scratchFolder: join(home, 'scratch'),
    allowedPaths: [],
    closedPaths: [],
    ...more,
  }
}

export function runWork(work: Work): Promise<Outcome> {
  return runTransfer(
    work,
    () => undefined,
    () => performance.now() / 1000,
  )
}

/** Rows of Parquet files, by a query over T. */
export async function rowsOf(files: string[], query = 'SELECT * FROM T'): Promise<Record<string, unknown>[]> {
  const session = await openSession({
    memoryBytes: 256 << 20,
    threads: 1,
    spillFolder: join(tmpdir(), `headrace-rows-${process.pid}`),
  })
  const rows = await session.objects(
    query.replace(/\bT\b/, `read_parquet([${files.map((file) => `'${file}'`).join(', ')}])`),
  )
  await session.close()
  return rows
}

export interface LateWriter {
  /** In a transaction that is open then; returns the ids. */
  insert(): Promise<number[]>
  end(how: 'COMMIT' | 'ROLLBACK'): Promise<void>
  close(): Promise<void>
}

/** How long, and how late a tenth of the commits are: the long suite `late` sets the first. */
const SECONDS = Number(process.env.HEADRACE_TEST_LATE_S ?? 7)
const LATE_MS = SECONDS >= 60 ? 30_000 : 2_500
export const LATE_TIMEOUT_MS = SECONDS * 1_000 + LATE_MS + 60_000

/**
 * Reads again and again while 20 writers insert and commit late, and once when all have ended. Returns what
 * was committed.
 */
export async function readBesideLateWriters({
  chance,
  writer,
  read,
}: {
  chance: () => number
  writer(): Promise<LateWriter>
  read(): Promise<void>
}): Promise<Set<number>> {
  const committed = new Set<number>()
  let writing = true
  const writers = Array.from({ length: 20 }, async () => {
    const own = await writer()
    while (writing) {
      const ids = await own.insert()
      await new Promise((done) =>
        setTimeout(done, chance() < 0.1 ? LATE_MS * (0.5 + chance() / 2) : chance() * 150),
      )
      const how = chance() < 0.1 ? 'ROLLBACK' : 'COMMIT'
      await own.end(how)
      if (how === 'COMMIT') for (const id of ids) committed.add(id)
    }
    await own.close()
  })
  for (
    const end = Date.now() + SECONDS * 1_000;
    Date.now() < end;
    await new Promise((done) => setTimeout(done, SECONDS >= 60 ? 5_000 : 300))
  )
    await read()
  writing = false
  await Promise.all(writers)
  await read()
  return committed
}
