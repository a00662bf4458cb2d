/** Use cases of estimation and metrics. */
import { sql } from 'kysely'
import type { Service } from '../../control/service.ts'
import { DEFAULT_VOLUME_GB, recommendUnits, sourceType } from '../../learning/rules.ts'
import { currentPrices } from '../../state/purchases.ts'
import { usageOf } from '../../state/usage.ts'
import type { Context } from './context.ts'
import type { SelfBenchmark } from './self-benchmark.ts'

export function estimationCases({ gate, now, learner }: Context): Pick<Service, 'estimate' | 'metrics'> {
  return {
    async estimate(body) {
      const type = sourceType(body.source_type)
      const volume = body.data_volume_gb ?? DEFAULT_VOLUME_GB
      const tables = (body.source_config as { tables?: unknown[] } | undefined)?.tables
      const machine = (await gate.service.selectFrom('installation').select('self_benchmark').executeTakeFirstOrThrow()).self_benchmark as SelfBenchmark | null
      const { resources, confidence, by, runtimeInterval } = await learner.estimate(type, { dataVolumeGb: volume, tableCount: Array.isArray(tables) ? tables.length : 1, complexity: body.transformation_complexity ?? 'medium', connectionLatencyMs: 0, similarMinutesPerGb: undefined }, machine?.speed ?? 1)
      const { bare_units, ...units } = recommendUnits(resources)
      return { estimated_resources: resources, recommended_units: units, confidence_level: confidence, explanation: { by, data_volume_gb: volume, bare_dedicated_units: bare_units, machine_speed: machine?.speed ?? null, ...(runtimeInterval === undefined ? {} : { runtime_minutes_80_percent: runtimeInterval }) } }
    },
    metrics: (tenantId) => gate.readAs(tenantId, async (db) => {
      const at = now()
      const since = new Date(at.getTime() - 30 * 86_400_000)
      const usage = await usageOf(db, tenantId, at)
      const { rows: [runs] } = await sql<{ runs: number; minutes: number | null; kept: number; judged: number; failed: number; bytes: number | null }>`
        SELECT count(*)::int AS runs, avg(extract(epoch FROM actual_end_time - actual_start_time) / 60)::float8 AS minutes, count(*) FILTER (WHERE sla_met)::int AS kept, count(*) FILTER (WHERE sla_met IS NOT NULL AND status <> 'cancelled')::int AS judged,
          count(*) FILTER (WHERE status IN ('failed', 'timed_out'))::int AS failed, sum((receipt->>'bytes_read')::float8)::float8 AS bytes
        FROM job_executions WHERE tenant_id = ${tenantId} AND actual_end_time > ${since} AND status NOT IN ('scheduled', 'booked', 'running')`.execute(db)
      const { rows: [used] } = await sql<{ hours: number; peak: number[] | null }>`
        SELECT coalesce(sum(cpu_microseconds), 0)::float8 / 3.6e9 AS hours,
          (SELECT array_agg(hour ORDER BY hour) FROM (SELECT extract(hour FROM start_time AT TIME ZONE 'UTC')::int AS hour FROM resource_consumption WHERE tenant_id = ${tenantId} AND start_time > ${since} GROUP BY 1 ORDER BY sum(cpu_microseconds) DESC LIMIT 3) top) AS peak
        FROM resource_consumption WHERE tenant_id = ${tenantId} AND start_time > ${since}`.execute(db)
      const { dedicated_units: units, vcpu_hours: hours } = usage.current_period
      const prices = await currentPrices(db)
      const gigabytes = (runs.bytes ?? 0) / 1e9
      const percent = (part: number, whole: number): number | null => (whole === 0 ? null : Math.round((part / whole) * 10_000) / 100)
      return {
        resource_utilization: { dedicated_units_usage_percent: percent(units.allocated, units.purchased), vcpu_hours_consumption_rate: Math.round((used.hours / 30) * 1_000) / 1_000, peak_usage_times: (used.peak ?? []).map((hour) => `${String(hour).padStart(2, '0')}:00`) },
        job_performance: { average_runtime: runs.minutes === null ? null : Math.round(runs.minutes * 1_000) / 1_000, sla_compliance_rate: percent(runs.kept, runs.judged), failure_rate: percent(runs.failed, runs.runs) },
        cost_efficiency: { cost_per_gb_processed: gigabytes === 0 ? null : Math.round((used.hours * prices.vcpu_hours.monthly) / gigabytes) / 100, idle_resource_percentage: percent(hours.remaining + units.available, hours.purchased + units.purchased) },
      }
    }),
  }
}
