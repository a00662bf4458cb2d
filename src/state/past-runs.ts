/** Runs of before, as the models of how long jobs take learn from them. */
import { sql, type RawBuilder } from 'kysely'
import { DRAFT } from '../core/service/namespaces.ts'
import { MOST_OF_TENANT, MOST_TENANTS, type TenantRun } from '../learning/correction.ts'
import { MOST_RUNS } from '../learning/model.ts'
import type { PastRun } from '../learning/past-run.ts'
import type { SourceType } from '../core/service/source-types.ts'
import type { Db } from './database.ts'

/** Runs `x` of jobs `j` that can be learned from: in production, with success, and with what they read. */
const isLearnable = (source: SourceType): RawBuilder<boolean> => sql<boolean>`
  j.source_type = ${source}
  AND x.status = 'succeeded'
  AND x.namespace <> ${sql.lit(DRAFT)}
  AND x.receipt ? 'bytes_read'`

/** Measures of a run `x`. Minutes and gigabytes are above zero: others are divided by them. */
const SECONDS = sql`extract(epoch FROM x.actual_end_time - x.actual_start_time)::float8`
const MINUTES = sql`greatest(${SECONDS} / 60, 1e-3)`
const GIGABYTES = sql`greatest((x.receipt->>'bytes_read')::float8 / 1e9, 1e-6)`
const STARTUP_MS = sql`coalesce((x.receipt->>'startup_seconds')::float8 * 1000, 0)`

/** Tables that a job `j` reads: one where it names none. */
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

/**
 * Runs `x` of jobs `j` of a tenant. Both are named: from one, a planner without statistics scanned the jobs of
 * all tenants once for each tenant (58 s for 1,000 tenants, instead of 0.6 s).
 */
const isOf = (tenantId: string | RawBuilder<unknown>): RawBuilder<boolean> => sql<boolean>`
  x.tenant_id = ${tenantId}
  AND j.tenant_id = ${tenantId}`

/** Tenants `t`, those alone with runs to learn from. Of a suspended or deleted tenant nothing is learned. */
const learnedTenants = (source: SourceType): RawBuilder<unknown> => sql`
  SELECT t.tenant_id
  FROM tenants t
  WHERE t.status = 'active'
    AND EXISTS (
      SELECT 1
      FROM ingestion_jobs j
      JOIN job_executions x USING (job_id)
      WHERE j.tenant_id = t.tenant_id
        AND ${isLearnable(source)}
    )
  ORDER BY t.tenant_id
  LIMIT ${MOST_TENANTS}`

/** How many runs of a source can be learned from, of a tenant or of all; 1,000 when there are more. */
export async function countPastRuns(
  db: Db,
  source: SourceType,
  tenantId: string | undefined,
): Promise<number> {
  const ofTenant = tenantId === undefined ? sql`` : sql`AND ${isOf(tenantId)}`
  const { rows } = await sql<{ runs: number }>`
    SELECT count(*)::int AS runs
    FROM (
      SELECT 1
      FROM job_executions x
      JOIN ingestion_jobs j USING (job_id)
      WHERE ${isLearnable(source)}
        ${ofTenant}
      LIMIT ${MOST_RUNS}
    ) newest
  `.execute(db)
  return rows[0].runs
}

interface PastRunRow {
  execution_id: string
  tenant_id: string
  job_id: string
  ended: Date
  gb: number
  tables: number
  complexity: PastRun['complexity']
  latency: number
  minutes: number
  booked: number
  cpu: number
  memory: number
}

/** Of a run `x` of a job `j`. */
const PAST_RUN = sql`
  x.execution_id,
  x.tenant_id,
  x.job_id,
  x.actual_end_time AS ended,
  ${GIGABYTES} AS gb,
  ${TABLES} AS tables,
  ${COMPLEXITY} AS complexity,
  ${STARTUP_MS} AS latency,
  ${MINUTES} AS minutes,
  x.estimated_minutes AS booked,
  (x.resource_used->>'cpu_seconds')::float8 / greatest(${SECONDS}, 0.1) AS cpu,
  coalesce((x.receipt->>'peak_memory_mib')::float8 / 1024, 1) AS memory`

/** A tenant's newest runs of a source, oldest first, each with what was known of its job when it ran. */
export async function readPastRuns(db: Db, source: SourceType, tenantId: string): Promise<PastRun[]> {
  const { rows } = await sql<PastRunRow>`
    SELECT ${PAST_RUN}
    FROM job_executions x
    JOIN ingestion_jobs j USING (job_id)
    WHERE ${isOf(tenantId)}
      AND ${isLearnable(source)}
    ORDER BY x.created_at DESC
    LIMIT ${MOST_RUNS}
  `.execute(db)
  return pastRuns(rows)
}

/** The newest runs of all tenants, an equal number of each, as far as each has them. */
export async function readEvenRuns(db: Db, source: SourceType): Promise<PastRun[]> {
  const { rows } = await sql<PastRunRow>`
    WITH learned AS (${learnedTenants(source)})
    SELECT own.*
    FROM learned,
    LATERAL (
      SELECT ${PAST_RUN}
      FROM job_executions x
      JOIN ingestion_jobs j USING (job_id)
      WHERE ${isOf(sql.ref('learned.tenant_id'))}
        AND ${isLearnable(source)}
      ORDER BY x.created_at DESC
      LIMIT (SELECT greatest(1, ${MOST_RUNS} / count(*)) FROM learned)
    ) own
  `.execute(db)
  return pastRuns(rows)
}

/** A few of the newest runs of each tenant, the oldest first. */
export async function readTenantRuns(db: Db, source: SourceType): Promise<TenantRun[]> {
  const { rows } = await sql<Pick<PastRunRow, 'tenant_id' | 'gb' | 'complexity' | 'minutes'>>`
    WITH learned AS (${learnedTenants(source)})
    SELECT own.*
    FROM learned,
    LATERAL (
      SELECT x.tenant_id, x.created_at, ${GIGABYTES} AS gb, ${COMPLEXITY} AS complexity, ${MINUTES} AS minutes
      FROM job_executions x
      JOIN ingestion_jobs j USING (job_id)
      WHERE ${isOf(sql.ref('learned.tenant_id'))}
        AND ${isLearnable(source)}
      ORDER BY x.created_at DESC
      LIMIT ${MOST_OF_TENANT}
    ) own
    ORDER BY own.created_at
  `.execute(db)
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    dataVolumeGb: row.gb,
    complexity: row.complexity,
    runtimeMinutes: row.minutes,
  }))
}

/** Each with the minutes a GB of the runs of its job that ended before it, as far as they are among these. */
function pastRuns(rows: PastRunRow[]): PastRun[] {
  const seen = new Map<string, { sum: number; count: number }>()
  return rows
    .toSorted((a, b) => a.ended.getTime() - b.ended.getTime())
    .map((row): PastRun => {
      const before = seen.get(row.job_id)
      seen.set(row.job_id, {
        sum: (before?.sum ?? 0) + row.minutes / row.gb,
        count: (before?.count ?? 0) + 1,
      })
      return {
        tenantId: row.tenant_id,
        executionId: row.execution_id,
        endedMs: row.ended.getTime(),
        dataVolumeGb: row.gb,
        tableCount: row.tables,
        complexity: row.complexity,
        connectionLatencyMs: row.latency,
        similarMinutesPerGb: before === undefined ? undefined : before.sum / before.count,
        runtimeMinutes: row.minutes,
        bookedMinutes: row.booked,
        cpuCores: row.cpu,
        memoryGb: row.memory,
      }
    })
}

/**
 * Fields that tell whether two jobs read the same: all of these that a request names. Of a database that is
 * only named by its host, the latency is known.
 */
const SAME_SOURCE = ['host', 'database', 'table', 'bucket', 'path'] as const

export interface SimilarRuns {
  runs: number
  /** Null without runs. */
  minutesPerGb: number | null
  /** Until the first byte, in the middle. */
  startupMs: number
}

/**
 * A tenant's newest runs of the same source, 50 at most. Undefined when the source names nothing that it
 * could be known by.
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
