/** The weight of a tenant in the queue, which follows its purchases. */
import { sql } from 'kysely'
import { weightOf } from '../scheduling/fair-share.ts'
import type { Tx } from './database.ts'

/** Purchased vCPU-hours per day: a column for a statement that sums up purchases. */
export const VCPU_HOURS_PER_DAY = sql<number>`
  coalesce(
    sum(
      quantity * CASE time_period
        WHEN 'hourly' THEN 24.0
        WHEN 'daily' THEN 1.0
        WHEN 'monthly' THEN 1 / 30.0
        ELSE 1 / 365.0
      END
    ) FILTER (WHERE resource_type = 'vcpu_hours'),
    0
  )::float8`

/** Sets the weight of the tenant in the queue by its purchases. */
export async function updateWeight(tx: Tx, tenantId: string, now: Date): Promise<void> {
  const { rows } = await sql<{ units: number; per_day: number }>`
    SELECT
      coalesce(sum(quantity) FILTER (WHERE resource_type = 'dedicated_units'), 0)::float8 AS units,
      ${VCPU_HOURS_PER_DAY} AS per_day
    FROM resource_purchases
    WHERE tenant_id = ${tenantId}
      AND status IN ('active', 'scheduled')
      AND valid_from <= ${now}
      AND valid_until > ${now}
  `.execute(tx)
  const weight = weightOf({ dedicatedUnits: rows[0].units, vcpuHoursPerDay: rows[0].per_day })
  await tx
    .insertInto('tenant_shares')
    .values({ tenant_id: tenantId, weight })
    .onConflict((on) => on.column('tenant_id').doUpdateSet({ weight }))
    .execute()
}
