/** Past runs, from which the models of run times learn. */
import { sql, type RawBuilder } from 'kysely'
import { DRAFT } from '../core/service/namespaces.ts'
import { MOST_RUNS, type PastRun } from '../learning/estimate.ts'
import type { SourceType } from '../learning/rules.ts'
import type { Db } from './database.ts'

/** Runs `x` of jobs `j` to learn from: successful production runs that state what they read. */
const isLearnable = (source: SourceType): RawBuilder<boolean> => sql<boolean>`
  j.source_type = ${source}
  AND x.status = 'succeeded'
  AND x.namespace <> ${sql.lit(DRAFT)}
  AND x.receipt ? 'bytes_read'`

/** Measures of a run `x`. Minutes and gigabytes are above zero, because others are divided by them. */
const SECONDS = sql`extract(epoch FROM x.actual_end_time - x.actual_start_time)::float8`
const MINUTES = sql`greatest(${SECONDS} / 60, 1e-3)`
const GIGABYTES = sql`greatest((x.receipt->>'bytes_read')::float8 / 1e9, 1e-6)`
const STARTUP_MS = sql`coalesce((x.receipt->>'startup_seconds')::float8 * 1000, 0)`

/** Number of tables that a job `j` reads: one if it names none. */
const TABLES = sql`
  coalesce(
    jsonb_array_length(
      CASE jsonb_typeof(j.source_config->'tables')
        WHEN 'array' THEN j.source_config->'tables'
      END
    ),
    1
  )`

const COMPLEXITY = sql`
  CASE
    WHEN j.source_config->>'transformation_complexity' IN ('low', 'medium', 'high')
      THEN j.source_config->>'transformation_complexity'
    ELSE 'medium'
  END`

/** Number of runs of a source to learn from; 1,000 if there are more. */
export async function countPastRuns(db: Db, source: SourceType): Promise<number> {
  const { rows } = await sql<{ runs: number }>`
    SELECT count(*)::int AS runs
    FROM (
      SELECT 1
      FROM job_executions x
      JOIN ingestion_jobs j USING (job_id)
      WHERE ${isLearnable(source)}
      LIMIT ${MOST_RUNS}
    ) newest
  `.execute(db)
  return rows[0].runs
}

interface PastRunRow {
  job_id: string
  gb: number
  tables: number
  complexity: PastRun['complexity']
  latency: number
  minutes: number
  cpu: number
  memory: number
}

/** The newest runs of a source, oldest first, each with what was known of its job at that time. */
export async function readPastRuns(db: Db, source: SourceType): Promise<PastRun[]> {
  const { rows } = await sql<PastRunRow>`
    SELECT *
    FROM (
      SELECT
        x.job_id,
        x.actual_end_time,
        ${GIGABYTES} AS gb,
        ${TABLES} AS tables,
        ${COMPLEXITY} AS complexity,
        ${STARTUP_MS} AS latency,
        ${MINUTES} AS minutes,
        (x.resource_used->>'cpu_seconds')::float8 / greatest(${SECONDS}, 0.1) AS cpu,
        coalesce((x.receipt->>'peak_memory_mib')::float8 / 1024, 1) AS memory
      FROM job_executions x
      JOIN ingestion_jobs j USING (job_id)
      WHERE ${isLearnable(source)}
      ORDER BY x.actual_end_time DESC
      LIMIT ${MOST_RUNS}
    ) newest
    ORDER BY actual_end_time
  `.execute(db)
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

/**
 * Two jobs read the same source if they agree in all of these fields that a request names. If only the host
 * of a database is named, its latency is known.
 */
const SAME_SOURCE = ['host', 'database', 'table', 'bucket', 'path'] as const

export interface SimilarRuns {
  runs: number
  /** Null without runs. */
  minutesPerGb: number | null
  /** Median time until the first byte. */
  startupMs: number
}

/**
 * The newest runs of a tenant with the same source, at most 50. Undefined if the source names nothing that
 * identifies it.
 */
export async function similarRuns(
  db: Db,
  tenantId: string,
  type: SourceType,
  source: Record<string, unknown>,
): Promise<SimilarRuns | undefined> {
  const named = SAME_SOURCE.filter((key) => typeof source[key] === 'string')
  if (named.length === 0) return undefined
  const isSame = sql.join(
    named.map((key) => sql`j.source_config->>${sql.lit(key)} = ${String(source[key])}`),
    sql` AND `,
  )
  const { rows } = await sql<{ runs: number; minutes_per_gb: number | null; startup_ms: number }>`
    SELECT
      count(*)::int AS runs,
      avg(minutes / gb)::float8 AS minutes_per_gb,
      coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY startup_ms), 0)::float8 AS startup_ms
    FROM (
      SELECT ${MINUTES} AS minutes, ${GIGABYTES} AS gb, ${STARTUP_MS} AS startup_ms
      FROM job_executions x
      JOIN ingestion_jobs j USING (job_id)
      WHERE x.tenant_id = ${tenantId}
        AND ${isLearnable(type)}
        AND ${isSame}
      ORDER BY x.created_at DESC
      LIMIT 50
    ) newest
  `.execute(db)
  const [{ runs, minutes_per_gb: minutesPerGb, startup_ms: startupMs }] = rows
  return { runs, minutesPerGb, startupMs }
}
