/**
 * Warnings before a promise is missed, with the time that is left. Each comes once per execution and promise.
 */
import { sql, type RawBuilder } from 'kysely'
import type { Tx } from './database.ts'

/** A warning comes when less than this part of the promised time is left. */
const LAST_PART = 0.25

/**
 * Warns of runs that approach `max_runtime_minutes` or `max_freshness_seconds`, and of executions that still
 * wait when their window nears its end. Returns how many.
 */
export async function warn(tx: Tx, now: Date): Promise<number> {
  const { rows } = await sql<{ execution_id: string }>`
    WITH running AS (
      ${promisedEnds(now)}
    ),
    stale AS (
      ${PROMISED_FRESHNESS}
    ),
    late AS (
      SELECT * FROM running WHERE slack < promised * ${LAST_PART}::float8
      UNION ALL
      SELECT * FROM stale WHERE slack < promised * ${LAST_PART}::float8
    ),
    mine AS MATERIALIZED (
      -- In one order, and without what others hold: two schedulers that warn at once must not wait for each
      -- other.
      SELECT execution_id
      FROM job_executions
      WHERE execution_id IN (SELECT execution_id FROM late)
      ORDER BY execution_id
      FOR UPDATE SKIP LOCKED
    ),
    marked AS (
      UPDATE job_executions x
      SET warned = x.warned || l.promise
      FROM late l
      JOIN mine USING (execution_id)
      WHERE x.execution_id = l.execution_id
      RETURNING x.execution_id, x.tenant_id, x.job_id, l.promise, l.promised, l.slack
    )
    INSERT INTO events (tenant_id, actor, event, subject, data)
    SELECT
      tenant_id, 'scheduler', 'execution.sla_warning', execution_id,
      jsonb_build_object(
        'job_id', job_id,
        'promise', promise,
        'promised_minutes', round(promised::numeric, 1),
        'slack_minutes', round(slack::numeric, 1)
      )
    FROM marked
    RETURNING subject AS execution_id
  `.execute(tx)
  return rows.length + (await warnWaiting(tx, now))
}

/** Each once: the time of the warning was stored with it. */
async function warnWaiting(tx: Tx, now: Date): Promise<number> {
  const { rows } = await sql<{ execution_id: string }>`
    WITH late AS (
      UPDATE queued_executions
      SET warn_at = 'infinity'
      WHERE execution_id IN (
        SELECT execution_id
        FROM queued_executions
        WHERE warn_at <= ${now}
        ORDER BY execution_id
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
      )
      RETURNING
        execution_id,
        tenant_id,
        extract(epoch FROM deadline - preferred)::float8 / 60 AS promised,
        extract(epoch FROM deadline - ${now}::timestamptz)::float8 / 60 - estimated_minutes AS slack
    )
    INSERT INTO events (tenant_id, actor, event, subject, data)
    SELECT
      l.tenant_id, 'scheduler', 'execution.sla_warning', l.execution_id,
      jsonb_build_object(
        'job_id', x.job_id,
        'promise', 'window',
        'promised_minutes', round(l.promised::numeric, 1),
        'slack_minutes', round(l.slack::numeric, 1)
      )
    FROM late l
    JOIN job_executions x USING (execution_id)
    RETURNING subject AS execution_id
  `.execute(tx)
  return rows.length
}

/** Runs with a promised end, with the promised minutes and those that are left. */
function promisedEnds(now: Date): RawBuilder<unknown> {
  return sql`
  SELECT
    x.execution_id,
    'runtime' AS promise,
    (j.sla_requirements->>'max_runtime_minutes')::float8 AS promised,
    (j.sla_requirements->>'max_runtime_minutes')::float8
      - extract(epoch FROM ${now}::timestamptz - x.actual_start_time) / 60 AS slack
  FROM bookings
  JOIN job_executions x USING (execution_id)
  JOIN ingestion_jobs j USING (job_id)
  WHERE x.status = 'running'
    AND NOT j.continuous
    AND j.sla_requirements ? 'max_runtime_minutes'
    AND NOT 'runtime' = ANY (x.warned)
  `
}

/** Streams with promised freshness, also in minutes. */
const PROMISED_FRESHNESS = sql`
  SELECT
    x.execution_id,
    'freshness' AS promise,
    (j.sla_requirements->>'max_freshness_seconds')::float8 / 60 AS promised,
    (
      (j.sla_requirements->>'max_freshness_seconds')::float8
      - (x.progress->>'freshness_seconds')::float8
    ) / 60 AS slack
  FROM bookings
  JOIN job_executions x USING (execution_id)
  JOIN ingestion_jobs j USING (job_id)
  WHERE x.status = 'running'
    AND j.sla_requirements ? 'max_freshness_seconds'
    AND x.progress ? 'freshness_seconds'
    AND NOT 'freshness' = ANY (x.warned)
`
