/** Use cases of estimation and metrics. */
import { thousandths } from '../core/service/amounts.ts'
import type { Service } from './service.ts'
import type { Estimate } from '../learning/estimate.ts'
import { SOURCE_TYPES } from '../core/service/source-types.ts'
import { DEFAULT_VOLUME_GB, recommendUnits, sourceType } from '../learning/rules.ts'
import { currentPrices } from '../state/purchases.ts'
import { readSelfBenchmark } from '../state/installation.ts'
import type { Db } from '../state/database.ts'
import { similarRuns, type SimilarRuns } from '../state/past-runs.ts'
import { cpuUse, runTotals, usageOf } from '../state/usage.ts'
import type { Context } from './context.ts'
import type { Estimation, EstimationRequest } from './schemas/estimation.ts'
import { digits, reasonOf, scoreOf, trackRecordOf } from './track-record.ts'

type Part = Pick<Service, 'estimate' | 'trackRecords' | 'metrics'>

export function estimationCases(context: Context): Part {
  const { gate, now, learner } = context
  return {
    estimate: (tenantId, body) => estimateFor(context, tenantId, body),
    async trackRecords(tenantId, named) {
      const types = named === undefined ? SOURCE_TYPES : [sourceType(named)]
      const speed = (await readSelfBenchmark(gate.service))?.speed ?? 1
      const records = await Promise.all(
        types.map((source) => trackRecordOf(learner, { source, speed, tenantId: tenantId || undefined })),
      )
      return records.filter(
        (record) => named !== undefined || record.runs > 0 || record.installation !== null,
      )
    },
    metrics: (tenantId) => gate.readAs(tenantId, (db) => metricsOf(db, tenantId, now())),
  }
}

async function estimateFor(
  { gate, learner, metrics }: Context,
  tenantId: string,
  body: EstimationRequest,
): Promise<Estimation> {
  const source = sourceType(body.source_type)
  const volume = body.data_volume_gb ?? DEFAULT_VOLUME_GB
  const tables = body.source_config?.tables
  const machine = await readSelfBenchmark(gate.service)
  const similar =
    tenantId === ''
      ? undefined
      : await gate.readAs(tenantId, (db) => similarRuns(db, tenantId, source, body.source_config ?? {}))
  const asker = { tenantId: tenantId || undefined, source, speed: machine?.speed ?? 1 }
  const found = await learner.estimate(asker, {
    dataVolumeGb: volume,
    tableCount: Array.isArray(tables) ? tables.length : 1,
    complexity: body.transformation_complexity ?? 'medium',
    connectionLatencyMs: similar?.startupMs ?? 0,
    similarMinutesPerGb: similar?.minutesPerGb ?? undefined,
  })
  metrics.estimated(source, found.by, found.reason?.code)
  const { bare_units, ...units } = recommendUnits(found.resources)
  return {
    estimated_resources: found.resources,
    recommended_units: units,
    confidence_level: found.confidence,
    explanation: {
      ...shownEstimate(found),
      data_volume_gb: volume,
      bare_dedicated_units: bare_units,
      machine_speed: machine?.speed ?? null,
      ...shownRuns(similar),
    },
  }
}

type Explanation = Estimation['explanation']

function shownEstimate(
  found: Estimate,
): Omit<Explanation, 'data_volume_gb' | 'bare_dedicated_units' | 'machine_speed'> {
  const { by, reason, heldByModel, correction, expectedMinutes, runtimeInterval, record } = found
  return {
    by,
    expected_runtime_minutes: digits(expectedMinutes),
    ...(reason === undefined ? {} : { reason: reasonOf(reason) }),
    ...(heldByModel === undefined ? {} : { held_by_model: heldByModel }),
    ...(correction === undefined
      ? {}
      : { rule_correction: { factor: digits(correction.factor), other_tenants: correction.tenants } }),
    ...(runtimeInterval === undefined
      ? {}
      : {
          runtime_minutes_80_percent: {
            low: digits(runtimeInterval.low),
            high: digits(runtimeInterval.high),
          },
        }),
    ...(record === undefined
      ? {}
      : { track_record: { ...scoreOf(record), since: new Date(record.sinceMs).toISOString() } }),
  }
}

function shownRuns(
  similar: SimilarRuns | undefined,
): Pick<Explanation, 'similar_runs' | 'similar_minutes_per_gb' | 'connection_ms'> {
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
