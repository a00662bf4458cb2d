/**
 * Use case of growth: when capacity will be short, by its own history, and what tenants could buy instead of
 * what they have.
 */
import { sql } from 'kysely'
import type { Answer, Service } from './service.ts'
import { UNIT } from '../core/service/amounts.ts'
import { DEDICATED, NAMESPACES, SHARED } from '../core/service/namespaces.ts'
import { LEAST_DAYS, forecast } from '../learning/forecast.ts'
import { currentPrices } from '../state/purchases.ts'
import type { Context } from './context.ts'

/** What a purchase should leave free, so that a busy day fits. */
const HEADROOM = 1.2

export function planCases(context: Context): Pick<Service, 'capacityPlan'> {
  return {
    async capacityPlan(horizonDays) {
      return {
        horizon_days: horizonDays,
        namespaces: await namespacePlans(context, horizonDays),
        advice: await tenantAdvice(context),
      }
    },
  }
}

async function namespacePlans({ gate, capacity, now }: Context, horizonDays: number): Promise<Answer[]> {
  const { rows } = await sql<{ namespace: string; day: string; peak: number }>`
    SELECT namespace, to_char(time_slot AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, max(allocated_cpu)::int AS peak FROM capacity_slots
    WHERE time_slot >= ${new Date(now().getTime() - 90 * 86_400_000)} AND time_slot < ${now()} GROUP BY 1, 2 ORDER BY 2`.execute(
    gate.service,
  )
  return NAMESPACES.map((namespace): Answer => {
    const peaks = rows.filter((row) => row.namespace === namespace).map((row) => row.peak)
    const total = capacity[namespace].cpuCores
    const found = forecast(peaks, total, horizonDays)
    if (found === undefined)
      return {
        namespace,
        total_cpu_cores: total,
        days_of_history: peaks.length,
        reason: `A trend needs ${LEAST_DAYS} days.`,
      }
    const missing = Math.ceil(found.atHorizon - total)
    return {
      namespace,
      total_cpu_cores: total,
      days_of_history: found.days,
      peak_now: found.now,
      growth_per_day: found.perDay,
      peak_at_horizon: found.atHorizon,
      ...(found.daysUntilFull === undefined
        ? {}
        : {
            full_on: new Date(now().getTime() + found.daysUntilFull * 86_400_000).toISOString().slice(0, 10),
            add_cpu_cores: Math.max(1, missing),
          }),
    }
  })
}

interface TenantRow {
  tenant_id: string
  tenant_name: string
  units: number
  units_peak: number
  hours_per_day: number
  used_per_day: number
  refused: number
}

/**
 * What thirty days say of each tenant's purchases; only where another one would be cheaper, or more is
 * needed.
 */
async function tenantAdvice({ gate, now }: Context): Promise<Answer[]> {
  const [since, at] = [new Date(now().getTime() - 30 * 86_400_000), now()]
  const { rows } = await sql<TenantRow>`
    WITH bought AS (
      SELECT tenant_id, coalesce(sum(quantity) FILTER (WHERE resource_type = 'dedicated_units'), 0)::int AS units,
        coalesce(sum(quantity * CASE time_period WHEN 'hourly' THEN 24.0 WHEN 'daily' THEN 1.0 WHEN 'monthly' THEN 1 / 30.0 ELSE 1 / 365.0 END) FILTER (WHERE resource_type = 'vcpu_hours'), 0)::float8 AS hours_per_day
      FROM resource_purchases WHERE status = 'active' AND valid_from <= ${at} AND valid_until > ${at} GROUP BY 1
    ), used AS (
      SELECT tenant_id, sum(cpu_microseconds)::float8 / 3.6e9 / greatest(1, extract(epoch FROM ${at}::timestamptz - greatest(min(start_time), ${since}::timestamptz)) / 86400)::float8 AS used_per_day FROM resource_consumption WHERE namespace = ${SHARED} AND start_time > ${since} GROUP BY 1
    ), peaks AS (
      SELECT t.tenant_id, max(ceil(greatest(t.allocated_cpu / ${UNIT.cpuCores}::float8, t.allocated_memory / ${UNIT.memoryGb}::float8)))::int AS units_peak FROM tenant_slots t JOIN capacity_slots s USING (slot_id) WHERE s.namespace = ${DEDICATED} AND s.time_slot > ${since} AND s.time_slot <= ${at} GROUP BY 1
    ), refused AS (
      SELECT tenant_id, count(*)::int AS refused FROM events WHERE event = 'execution.waits' AND data->>'code' IN ('no_balance', 'no_entitlement') AND at > ${since} GROUP BY 1
    )
    SELECT t.tenant_id, t.tenant_name, b.units, coalesce(p.units_peak, 0) AS units_peak, b.hours_per_day, coalesce(u.used_per_day, 0) AS used_per_day, coalesce(r.refused, 0) AS refused
    FROM bought b JOIN tenants t USING (tenant_id) LEFT JOIN used u USING (tenant_id) LEFT JOIN peaks p USING (tenant_id) LEFT JOIN refused r USING (tenant_id) WHERE t.created_at < ${new Date(at.getTime() - 7 * 86_400_000)} ORDER BY t.tenant_name LIMIT 10000`.execute(
    gate.service,
  )
  const prices = await currentPrices(gate.service)
  return rows.flatMap((row): Answer[] => {
    const about = { tenant_id: row.tenant_id, tenant_name: row.tenant_name }
    const advice: Answer[] = []
    const unitsNeeded = Math.ceil(row.units_peak * HEADROOM)
    if (row.units > unitsNeeded)
      advice.push({
        ...about,
        what: 'dedicated_units',
        has: row.units,
        needs: unitsNeeded,
        why: `its busiest quarter of an hour in 30 days used ${row.units_peak}`,
        saves_cents_a_month: (row.units - unitsNeeded) * prices.dedicated_units.monthly,
      })
    const hoursNeeded = Math.ceil(row.used_per_day * HEADROOM)
    if (row.refused > 0)
      advice.push({
        ...about,
        what: row.hours_per_day > 0 ? 'vcpu_hours' : 'dedicated_units',
        has: row.hours_per_day > 0 ? round(row.hours_per_day) : row.units,
        needs:
          row.hours_per_day > 0
            ? Math.max(hoursNeeded, Math.ceil(row.hours_per_day * HEADROOM))
            : row.units + 1,
        why: `${row.refused} execution(s) waited for balance or units in 30 days`,
      })
    else if (row.hours_per_day > hoursNeeded * 1.5 && row.hours_per_day - hoursNeeded >= 1)
      advice.push({
        ...about,
        what: 'vcpu_hours',
        has: round(row.hours_per_day),
        needs: hoursNeeded,
        why: `it used ${round(row.used_per_day)} a day`,
        saves_cents_a_month: Math.round((row.hours_per_day - hoursNeeded) * 30 * prices.vcpu_hours.monthly),
      })
    return advice
  })
}

const round = (value: number): number => Math.round(value * 100) / 100
