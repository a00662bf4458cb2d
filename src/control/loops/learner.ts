/**
 * Models of how long jobs take, learned from this installation's executions, kept in a thread of their own
 * and renewed as it runs more.
 */
import { Worker } from 'node:worker_threads'
import { sql } from 'kysely'
import {
  LEAST_RUNS,
  MOST_RUNS,
  type PastRun,
  type RunFeatures,
  type estimate,
} from '../../learning/estimate.ts'
import type { SourceType } from '../../learning/rules.ts'
import type { Db } from '../../state/database.ts'
import { entryOf } from '../../host/package-root.ts'

/** What the thread that learns (main/learn-worker.ts) is asked. */
export type ToLearner = { id: number; source: SourceType } & (
  | { kind: 'learn'; runs: PastRun[] }
  | { kind: 'estimate'; features: RunFeatures; speed: number }
)

export type Estimated = ReturnType<typeof estimate>

export interface Learner {
  /** `speed`: of this machine against the one that the rules were measured on. */
  estimate(source: SourceType, features: RunFeatures, speed: number): Promise<Estimated>
  close(): Promise<void>
}

/** A tenth more runs than at the last time, and it learns again. */
const RENEW_AT = 1.1

export function createLearner(db: Db): Learner {
  let worker: Worker | undefined
  let asked = 0
  const waiting = new Map<number, (answer: unknown) => void>()
  const learned = new Map<SourceType, { runs: number; at: Promise<unknown> }>()
  const ask = <T>(
    message:
      | Omit<Extract<ToLearner, { kind: 'learn' }>, 'id'>
      | Omit<Extract<ToLearner, { kind: 'estimate' }>, 'id'>,
  ): Promise<T> => {
    if (worker === undefined) {
      worker = new Worker(entryOf('learn-worker'))
      worker.unref()
      worker.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
        waiting.get(id)?.(answer)
        waiting.delete(id)
      })
    }
    asked += 1
    const id = asked
    worker.postMessage({ ...message, id })
    return new Promise<unknown>((done) => waiting.set(id, done)) as Promise<T>
  }
  return {
    async estimate(source, features, speed) {
      const {
        rows: [{ runs }],
      } = await sql<{
        runs: number
      }>`SELECT count(*)::int AS runs FROM (SELECT 1 FROM job_executions x JOIN ingestion_jobs j USING (job_id) WHERE ${learnable(source)} LIMIT ${MOST_RUNS}) newest`.execute(
        db,
      )
      const before = learned.get(source)
      if (runs >= LEAST_RUNS && (before === undefined || runs >= before.runs * RENEW_AT)) {
        learned.set(source, {
          runs,
          at: pastRuns(db, source).then((past) => ask({ kind: 'learn', source, runs: past })),
        })
        // The first time it is waited for; later the model of before answers meanwhile.
        if (before === undefined) await learned.get(source)?.at
      } else await before?.at
      return ask<Estimated>({ kind: 'estimate', source, features, speed })
    },
    close: async () => void (await worker?.terminate()),
  }
}

const learnable = (source: SourceType) =>
  sql`j.source_type = ${source} AND x.status = 'succeeded' AND x.namespace <> 'draft-ingestion-ns' AND x.receipt ? 'bytes_read'`

/** Runs from the oldest to the newest, each with what was known of its job when it ran. */
async function pastRuns(db: Db, source: SourceType): Promise<PastRun[]> {
  const { rows } = await sql<{
    job_id: string
    gb: number
    tables: number
    complexity: PastRun['complexity']
    latency: number
    minutes: number
    cpu: number
    memory: number
  }>`
    SELECT * FROM (
      SELECT x.job_id, x.actual_end_time, greatest((x.receipt->>'bytes_read')::float8 / 1e9, 1e-6) AS gb, coalesce(jsonb_array_length(CASE jsonb_typeof(j.source_config->'tables') WHEN 'array' THEN j.source_config->'tables' END), 1) AS tables,
        CASE WHEN j.source_config->>'transformation_complexity' IN ('low', 'medium', 'high') THEN j.source_config->>'transformation_complexity' ELSE 'medium' END AS complexity, coalesce((x.receipt->>'startup_seconds')::float8 * 1000, 0) AS latency,
        greatest(extract(epoch FROM x.actual_end_time - x.actual_start_time)::float8 / 60, 1e-3) AS minutes, (x.resource_used->>'cpu_seconds')::float8 / greatest(extract(epoch FROM x.actual_end_time - x.actual_start_time)::float8, 0.1) AS cpu,
        coalesce((x.receipt->>'peak_memory_mib')::float8 / 1024, 1) AS memory
      FROM job_executions x JOIN ingestion_jobs j USING (job_id) WHERE ${learnable(source)} ORDER BY x.actual_end_time DESC LIMIT ${MOST_RUNS}
    ) newest ORDER BY actual_end_time`.execute(db)
  const seen = new Map<string, { sum: number; count: number }>()
  return rows.map((row): PastRun => {
    const before = seen.get(row.job_id)
    seen.set(row.job_id, { sum: (before?.sum ?? 0) + row.minutes / row.gb, count: (before?.count ?? 0) + 1 })
    return {
      dataVolumeGb: row.gb,
      tableCount: row.tables,
      complexity: row.complexity,
      connectionLatencyMs: row.latency,
      similarMinutesPerGb: before === undefined ? undefined : before.sum / before.count,
      runtimeMinutes: row.minutes,
      cpuCores: row.cpu,
      memoryGb: row.memory,
    }
  })
}
