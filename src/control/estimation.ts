/** Use cases of estimation and metrics. */
import { thousandths } from '../core/service/amounts.ts'
import type { Service } from './service.ts'
import { DEFAULT_VOLUME_GB, recommendUnits, sourceType } from '../learning/rules.ts'
import { currentPrices } from '../state/purchases.ts'
import { readSelfBenchmark } from '../state/installation.ts'
import type { Db } from '../state/database.ts'
import { similarRuns, type SimilarRuns } from '../state/past-runs.ts'
import { cpuUse, runTotals, usageOf } from '../state/usage.ts'
import type { Context } from './context.ts'

export function estimationCases({ gate, now, learner }: Context): Pick<Service, 'estimate' | 'metrics'> {
  return {
    async estimate(tenantId, body) {
      const type = sourceType(body.source_type)
      const volume = body.data_volume_gb ?? DEFAULT_VOLUME_GB
      const tables = body.source_config?.tables
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
          ...shownRuns(similar),
          ...(runtimeInterval === undefined ? {} : { runtime_minutes_80_percent: runtimeInterval }),
        },
      }
    },
    metrics: (tenantId) => gate.readAs(tenantId, (db) => metricsOf(db, tenantId, now())),
  }
}

function shownRuns(similar: SimilarRuns | undefined): {
  similar_runs?: number
  similar_minutes_per_gb?: number | null
  connection_ms?: number
} {
  if (similar === undefined || similar.runs === 0) return {}
  const { runs, minutesPerGb, startupMs } = similar
  return {
    similar_runs: runs,
    similar_minutes_per_gb: minutesPerGb === null ? null : thousandths(minutesPerGb),
    connection_ms: Math.round(startupMs),
  }
}

async function metricsOf(db: Db, tenantId: string, at: Date): ReturnType<Service['metrics']> {
  const since = new Date(at.getTime() - 30 * 86_400_000)
  const usage = await usageOf(db, tenantId, at)
  const runs = await runTotals(db, tenantId, since)
  const used = await cpuUse(db, tenantId, since)
  const { dedicated_units: units, vcpu_hours: hours } = usage.current_period
  const prices = await currentPrices(db)
  const gigabytes = (runs.bytes ?? 0) / 1e9
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
      idle_resource_percentage: percent(hours.remaining + units.available, hours.purchased + units.purchased),
    },
  }
}

const percent = (part: number, whole: number): number | null =>
  whole === 0 ? null : Math.round((part / whole) * 10_000) / 100
