/** Use cases of estimation and metrics. */
import { sql } from 'kysely'
import { thousandths } from '../core/service/amounts.ts'
import type { Service } from './service.ts'
import { DEFAULT_VOLUME_GB, recommendUnits, sourceType } from '../learning/rules.ts'
import { currentPrices } from '../state/purchases.ts'
import type { Db } from '../state/database.ts'
import { readSelfBenchmark } from '../state/installation.ts'
import { cpuUse, runTotals, usageOf } from '../state/usage.ts'
import type { Context } from './context.ts'

/**
 * What says that two jobs read the same: all of it that a request names. Of a database that is only named by
 * its host, the latency is known.
 */
const SAME_SOURCE = ['host', 'database', 'table', 'bucket', 'path'] as const

interface SimilarRuns {
  runs: number
  minutesPerGb: number | null
  startupMs: number
}

/**
 * A tenant's newest runs of the same source, as the model knows them: minutes a GB, and how long it took
 * until the first byte.
 */
async function similarRuns(
  db: Db,
  tenantId: string,
  type: string,
  source: Record<string, unknown>,
): Promise<SimilarRuns | undefined> {
  const named = SAME_SOURCE.filter((key) => typeof source[key] === 'string')
  if (named.length === 0) return undefined
  const same = sql.join(
    named.map((key) => sql`j.source_config->>${sql.lit(key)} = ${String(source[key])}`),
    sql` AND `,
  )
  const { rows } = await sql<{ runs: number; minutes_per_gb: number | null; startup_ms: number }>`
    SELECT count(*)::int AS runs, avg(minutes / gb)::float8 AS minutes_per_gb, coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY startup_ms), 0)::float8 AS startup_ms FROM (
      SELECT greatest(extract(epoch FROM x.actual_end_time - x.actual_start_time)::float8 / 60, 1e-3) AS minutes, greatest((x.receipt->>'bytes_read')::float8 / 1e9, 1e-6) AS gb, coalesce((x.receipt->>'startup_seconds')::float8 * 1000, 0) AS startup_ms
      FROM job_executions x JOIN ingestion_jobs j USING (job_id) WHERE x.tenant_id = ${tenantId} AND j.source_type = ${type} AND ${same} AND x.status = 'succeeded' AND x.namespace <> 'draft-ingestion-ns' AND x.receipt ? 'bytes_read'
      ORDER BY x.created_at DESC LIMIT 50
    ) newest`.execute(db)
  const [{ runs, minutes_per_gb: minutesPerGb, startup_ms: startupMs }] = rows
  return { runs, minutesPerGb, startupMs }
}

export function estimationCases({ gate, now, learner }: Context): Pick<Service, 'estimate' | 'metrics'> {
  return {
    async estimate(tenantId, body) {
      const type = sourceType(body.source_type)
      const volume = body.data_volume_gb ?? DEFAULT_VOLUME_GB
      const tables = (body.source_config as { tables?: unknown[] } | undefined)?.tables
      const machine = await readSelfBenchmark(gate.service)
      const similar =
        tenantId === ''
          ? undefined
          : await gate.readAs(tenantId, (db) => similarRuns(db, tenantId, type, body.source_config ?? {}))
      const { resources, confidence, by, runtimeInterval } = await learner.estimate(
        type,
        {
          dataVolumeGb: volume,
          tableCount: Array.isArray(tables) ? tables.length : 1,
          complexity: body.transformation_complexity ?? 'medium',
          connectionLatencyMs: similar?.startupMs ?? 0,
          similarMinutesPerGb: similar?.minutesPerGb ?? undefined,
        },
        machine?.speed ?? 1,
      )
      const { bare_units, ...units } = recommendUnits(resources)
      return {
        estimated_resources: resources,
        recommended_units: units,
        confidence_level: confidence,
        explanation: {
          by,
          data_volume_gb: volume,
          bare_dedicated_units: bare_units,
          machine_speed: machine?.speed ?? null,
          ...(similar === undefined || similar.runs === 0
            ? {}
            : {
                similar_runs: similar.runs,
                similar_minutes_per_gb:
                  similar.minutesPerGb === null ? null : thousandths(similar.minutesPerGb),
                connection_ms: Math.round(similar.startupMs),
              }),
          ...(runtimeInterval === undefined ? {} : { runtime_minutes_80_percent: runtimeInterval }),
        },
      }
    },
    metrics: (tenantId) =>
      gate.readAs(tenantId, async (db) => {
        const at = now()
        const since = new Date(at.getTime() - 30 * 86_400_000)
        const usage = await usageOf(db, tenantId, at)
        const runs = await runTotals(db, tenantId, since)
        const used = await cpuUse(db, tenantId, since)
        const { dedicated_units: units, vcpu_hours: hours } = usage.current_period
        const prices = await currentPrices(db)
        const gigabytes = (runs.bytes ?? 0) / 1e9
        const percent = (part: number, whole: number): number | null =>
          whole === 0 ? null : Math.round((part / whole) * 10_000) / 100
        return {
          resource_utilization: {
            dedicated_units_usage_percent: percent(units.allocated, units.purchased),
            vcpu_hours_consumption_rate: thousandths(used.hours / 30),
            peak_usage_times: (used.peak ?? []).map((hour) => `${String(hour).padStart(2, '0')}:00`),
          },
          job_performance: {
            average_runtime: runs.minutes === null ? null : thousandths(runs.minutes),
            sla_compliance_rate: percent(runs.kept, runs.judged),
            failure_rate: percent(runs.failed, runs.runs),
          },
          cost_efficiency: {
            cost_per_gb_processed:
              gigabytes === 0 ? null : Math.round((used.hours * prices.vcpu_hours.monthly) / gigabytes) / 100,
            idle_resource_percentage: percent(
              hours.remaining + units.available,
              hours.purchased + units.purchased,
            ),
          },
        }
      }),
  }
}
