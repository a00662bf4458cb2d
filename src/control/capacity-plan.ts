/**
 * Use case of growth: when capacity will be short, by its own history, and what tenants could buy instead of
 * their present purchases.
 */
import type { CapacityPlan } from './schemas/capacity.ts'
import type { Service } from './service.ts'
import { NAMESPACES } from '../core/service/namespaces.ts'
import { LEAST_DAYS, forecast } from '../learning/forecast.ts'
import { dailyPeaks } from '../state/capacity.ts'
import { readPurchaseUse } from '../state/purchase-use.ts'
import { currentPrices } from '../state/purchases.ts'
import type { Context } from './context.ts'

/** A purchase should leave this much free, so that a busy day fits. */
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

async function namespacePlans(
  { gate, capacity, now }: Context,
  horizonDays: number,
): Promise<CapacityPlan['namespaces']> {
  const from = new Date(now().getTime() - 90 * 86_400_000)
  const rows = await dailyPeaks(gate.service, from, now())
  return NAMESPACES.map((namespace) => {
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

/**
 * Advice from thirty days of each tenant's purchases, only where another purchase is cheaper or the tenant
 * needs more.
 */
async function tenantAdvice({ gate, now }: Context): Promise<CapacityPlan['advice']> {
  const [since, at] = [new Date(now().getTime() - 30 * 86_400_000), now()]
  const createdBefore = new Date(at.getTime() - 7 * 86_400_000)
  const rows = await readPurchaseUse(gate.service, { since, at, createdBefore })
  const prices = await currentPrices(gate.service)
  return rows.flatMap((row) => {
    const about = { tenant_id: row.tenant_id, tenant_name: row.tenant_name }
    const advice: CapacityPlan['advice'] = []
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
