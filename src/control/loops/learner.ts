/**
 * Models of how long jobs take, in a thread of their own. A model is learned when its tenant asks (up to 1,000
 * runs, most of a second of a core), and again when it has a tenth more runs. The thread keeps the 32 that
 * were asked last, so thousands of tenants cost what those cost that ask.
 */
import type { Estimate } from '../../learning/estimate.ts'
import { LEAST_RUNS, MOST_RUNS, learnable } from '../../learning/model.ts'
import type { RunFeatures } from '../../learning/past-run.ts'
import type { SourceType } from '../../core/service/source-types.ts'
import type { TrackRecord } from '../../learning/track-record.ts'
import type { Db } from '../../state/database.ts'
import { countPastRuns, readEvenRuns, readPastRuns, readTenantRuns } from '../../state/past-runs.ts'
import { MISSING, openLearningThread, type LearningThread, type ToLearner } from './learning-thread.ts'

/** Who asks for what. */
export interface Asker {
  /** Undefined: an operator, who learns from the runs of all tenants. */
  tenantId: string | undefined
  source: SourceType
  /** Of this machine against the one that the rules were measured on. */
  speed: number
}

export interface Learner {
  estimate(asker: Asker, features: RunFeatures): Promise<Estimate>
  /** How right the asker's model is, undefined while it has none; and how many runs it has, or could have. */
  trackRecord(asker: Asker): Promise<{ runs: number; record: TrackRecord | undefined }>
  close(): Promise<void>
}

/** A tenth more runs than at the last time, and it learns again. */
const RENEW_AT = 1.1
/** What others ran, and runs beyond those that are counted: learned again after so long. */
const RENEW_MS = 600_000

/** A model that was learned, or is being read for. */
interface Known {
  counted: number
  atMs: number
  /** How many runs it learns from; below the least, it has none. */
  runs: Promise<number>
}

export function createLearner(db: Db): Learner {
  const known = new Map<string, Known>()
  const corrections = new Map<SourceType, { atMs: number; learned: Promise<unknown> }>()
  const thread = openLearningThread(() => {
    known.clear()
    corrections.clear()
  })
  /** Returns how many runs the asker's model has learned from, or how many there are when it has none. */
  const refresh = async (asker: Asker): Promise<number> => {
    const key = keyOf(asker)
    const counted = await countPastRuns(db, asker.source, asker.tenantId)
    if (counted < LEAST_RUNS) return counted
    const before = known.get(key)
    if (before !== undefined && !isStale(before, counted)) return before.runs
    const runs = learn(db, thread, asker)
    known.set(key, { counted, atMs: performance.now(), runs })
    runs.catch(() => known.delete(key))
    // The first time it is waited for; later the model of before answers until the new one is there.
    return before?.runs ?? runs
  }
  return {
    async estimate(asker, features) {
      const runs = await refresh(asker)
      if (runs < LEAST_RUNS) await correct(db, thread, { asker, corrections })
      const { tenantId = '', source, speed } = asker
      const key = keyOf(asker)
      const question = { kind: 'estimate', key, source, tenantId, features, speed, runs } as const
      return (await askModel<Estimate>(db, thread, asker, question)) as Estimate
    },
    async trackRecord(asker) {
      const runs = await refresh(asker)
      const record = { kind: 'record', key: keyOf(asker) } as const
      return {
        runs,
        record: runs < LEAST_RUNS ? undefined : await askModel<TrackRecord>(db, thread, asker, record),
      }
    },
    close: () => thread.close(),
  }
}

const keyOf = ({ source, tenantId }: Asker): string => `${source} ${tenantId ?? ''}`

function isStale({ counted, atMs }: Known, now: number): boolean {
  return now >= counted * RENEW_AT || (now === MOST_RUNS && performance.now() - atMs > RENEW_MS)
}

/** Reads the runs and has them learned before the next question. Returns how many there were. */
async function learn(db: Db, thread: LearningThread, asker: Asker): Promise<number> {
  const { tenantId, source, speed } = asker
  const runs = await (tenantId === undefined ? readEvenRuns(db, source) : readPastRuns(db, source, tenantId))
  // Who waits for an answer is told of a failure by that.
  thread.ask({ kind: 'learn', key: keyOf(asker), source, runs, speed }).catch(() => undefined)
  return learnable(runs).length
}

/** Asks a model that the thread may have let go of; then it learns again first. Undefined: there is none. */
async function askModel<T>(
  db: Db,
  thread: LearningThread,
  asker: Asker,
  question: Extract<ToLearner, { kind: 'estimate' | 'record' }>,
): Promise<T | undefined> {
  const answer = await thread.ask<T | typeof MISSING>(question)
  if (answer !== MISSING) return answer
  const runs = await learn(db, thread, asker)
  const again = await thread.ask<T | typeof MISSING>({ ...question, runs } as typeof question)
  return again === MISSING ? undefined : again
}

/** Learns what tenants' runs correct in the rule, when that is not known or old. */
async function correct(
  db: Db,
  thread: LearningThread,
  {
    asker: { source, speed },
    corrections,
  }: { asker: Asker; corrections: Map<SourceType, { atMs: number; learned: Promise<unknown> }> },
): Promise<void> {
  const before = corrections.get(source)
  if (before !== undefined && performance.now() - before.atMs <= RENEW_MS) return void (await before.learned)
  const learned = readTenantRuns(db, source).then((runs) =>
    thread.ask({ kind: 'correct', source, runs, speed }),
  )
  corrections.set(source, { atMs: performance.now(), learned })
  learned.catch(() => corrections.delete(source))
  await (before?.learned ?? learned)
}
