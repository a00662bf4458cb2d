/**
 * The speed of this machine, measured once at the first start: a few seconds of the work that executions do
 * (parse text, hash, sort, write Parquet) on one core, compared with the machine behind the measured rules
 * (learning/rules.ts).
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { thousandths } from '../core/service/amounts.ts'
import type { Db } from '../state/database.ts'
import { readSelfBenchmark, writeSelfBenchmark, type SelfBenchmark } from '../state/installation.ts'
import { entryOf } from '../host/package-root.ts'

/** The same work took this long on the reference: one of two virtual cores of 2025, the median of five. */
const REFERENCE_SECONDS = 0.9
/** A machine that is too busy to finish a round in this time counts as needing this time. */
const MOST_SECONDS = 55

/**
 * Measured once per installation; later starts read the result. The best round counts: other programs on the
 * machine can only slow it down. Rejects if the signal ends it.
 */
export async function ensureSelfBenchmark(db: Db, home: string, signal: AbortSignal): Promise<SelfBenchmark> {
  const known = await readSelfBenchmark(db)
  if (known !== null) return known
  const seconds = await measured(home, signal)
  const found: SelfBenchmark = {
    seconds: thousandths(seconds),
    speed: Math.round((REFERENCE_SECONDS / seconds) * 100) / 100,
    at: new Date().toISOString(),
  }
  await writeSelfBenchmark(db, found)
  return found
}

/** Runs in its own process: its end returns the memory of DuckDB, and it can be ended at any moment. */
async function measured(home: string, signal: AbortSignal): Promise<number> {
  const folder = await mkdtemp(join(home, 'self-benchmark-'))
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', entryOf('benchmark-child'), folder],
      { timeout: MOST_SECONDS * 1_000, killSignal: 'SIGKILL', signal },
    )
    return Number(stdout)
  } catch (error) {
    if ((error as { killed?: boolean }).killed === true && !signal.aborted) return MOST_SECONDS
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
