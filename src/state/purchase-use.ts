/** How much tenants use of what they bought, for advice on other purchases. */
import { sql, type RawBuilder } from 'kysely'
import { UNIT } from '../core/service/amounts.ts'
import { DEDICATED, SHARED } from '../core/service/namespaces.ts'
import type { Db } from './database.ts'
import { VCPU_HOURS_PER_DAY } from './tenant-weight.ts'

export interface PurchaseUse {
  tenant_id: string
  tenant_name: string
  /** Bought dedicated units, and the most that were used at once. */
  units: number
  units_peak: number
  /** Bought and used vCPU-hours per day. */
  hours_per_day: number
  used_per_day: number
  /** Waits for lack of balance or units. */
  refused: number
}

interface Span {
  since: Date
  at: Date
}

/**
 * Tenants with an active purchase from before `createdBefore`, with their use since a time: at most 10,000,
 * by name.
 */
export async function readPurchaseUse(
  db: Db,
  { since, at, createdBefore }: Span & { createdBefore: Date },
): Promise<PurchaseUse[]> {
  const { rows } = await sql<PurchaseUse>`
    WITH bought AS (
      ${boughtBy(at)}
    ),
    used AS (
      ${hoursUsed({ since, at })}
    ),
    peaks AS (
      ${unitPeaks({ since, at })}
    ),
    refused AS (
      ${refusals(since)}
    )
    SELECT
      t.tenant_id,
      t.tenant_name,
      b.units,
      coalesce(p.units_peak, 0) AS units_peak,
      b.hours_per_day,
      coalesce(u.used_per_day, 0) AS used_per_day,
      coalesce(r.refused, 0) AS refused
    FROM bought b
    JOIN tenants t USING (tenant_id)
    LEFT JOIN used u USING (tenant_id)
    LEFT JOIN peaks p USING (tenant_id)
    LEFT JOIN refused r USING (tenant_id)
    WHERE t.created_at < ${createdBefore}
    ORDER BY t.tenant_name
    LIMIT 10000
  `.execute(db)
  return rows
}

function boughtBy(at: Date): RawBuilder<unknown> {
  return sql`
    SELECT
      tenant_id,
      coalesce(sum(quantity) FILTER (WHERE resource_type = 'dedicated_units'), 0)::int AS units,
      ${VCPU_HOURS_PER_DAY} AS hours_per_day
    FROM resource_purchases
    WHERE status = 'active'
      AND valid_from <= ${at}
      AND valid_until > ${at}
    GROUP BY 1
  `
}

/** Use per day in the shared pool, over the span, or since the tenant's first use if that is later. */
function hoursUsed({ since, at }: Span): RawBuilder<unknown> {
  return sql`
    SELECT
      tenant_id,
      sum(charged_microseconds)::float8
        / 3.6e9
        / greatest(
          1,
          extract(
            epoch FROM ${at}::timestamptz - greatest(min(start_time), ${since}::timestamptz)
          ) / 86400
        )::float8 AS used_per_day
    FROM resource_consumption
    WHERE namespace = ${SHARED}
      AND start_time > ${since}
    GROUP BY 1
  `
}

function unitPeaks({ since, at }: Span): RawBuilder<unknown> {
  return sql`
    SELECT
      t.tenant_id,
      max(
        ceil(
          greatest(
            t.allocated_cpu / ${UNIT.cpuCores}::float8,
            t.allocated_memory / ${UNIT.memoryGb}::float8
          )
        )
      )::int AS units_peak
    FROM tenant_slots t
    JOIN capacity_slots s USING (slot_id)
    WHERE s.namespace = ${DEDICATED}
      AND s.time_slot > ${since}
      AND s.time_slot <= ${at}
    GROUP BY 1
  `
}

function refusals(since: Date): RawBuilder<unknown> {
  return sql`
    SELECT tenant_id, count(*)::int AS refused
    FROM events
    WHERE event = 'execution.waits'
      AND data->>'code' IN ('no_balance', 'no_entitlement')
      AND at > ${since}
    GROUP BY 1
  `
}
