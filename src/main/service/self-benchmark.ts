/**
 * How quick this machine is, measured once at the first start: a few seconds of the work that executions do (parse text, hash, sort,
 * write Parquet) on one core, against the machine that the measured rows of the rules come from (learning/rules.ts).
 */
import { Worker } from 'node:worker_threads'
import { thousandths } from '../../core/amounts.ts'
import type { Db } from '../../state/database.ts'
import { entryOf } from '../package-root.ts'

export interface SelfBenchmark {
  seconds: number
  /** 2: twice as quick as the reference. */
  speed: number
  at: string
}

/** The same work took so long on the reference: one of two virtual cores of 2025, the median of five. */
const REFERENCE_SECONDS = 0.9
/** A machine that is too busy to end a round until then counts as one that needed so long. */
const MOST_SECONDS = 55

/** Measured once per installation; later starts read it. The best round counts: others on the machine can only make it slower. */
export async function ensureSelfBenchmark(db: Db, home: string): Promise<SelfBenchmark> {
  const known = (await db.selectFrom('installation').select('self_benchmark').executeTakeFirstOrThrow()).self_benchmark as SelfBenchmark | null
  if (known !== null) return known
  const seconds = await measured(home)
  const found: SelfBenchmark = { seconds: thousandths(seconds), speed: Math.round((REFERENCE_SECONDS / seconds) * 100) / 100, at: new Date().toISOString() }
  await db.updateTable('installation').set({ self_benchmark: JSON.stringify(found) }).execute()
  return found
}


/** In a thread of its own: what DuckDB took is given back when it ends. */
async function measured(home: string): Promise<number> {
  const worker = new Worker(entryOf('benchmark-worker'), { workerData: { home } })
  worker.unref()
  const timer = setTimeout(() => void worker.terminate(), MOST_SECONDS * 1_000)
  try {
    return await new Promise<number>((done, failed) => {
      worker.once('message', done)
      worker.once('error', failed)
      worker.once('exit', () => done(MOST_SECONDS))
    })
  } finally {
    clearTimeout(timer)
    await worker.terminate()
  }
}
