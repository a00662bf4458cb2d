/** What a tenant has and used: computed from the ledger and the bookings, never from a separate counter. */
import { sql } from 'kysely'
import { unitsOf, vcpuHours } from '../core/service/amounts.ts'
import type { ResourceType } from '../scheduling/terms.ts'
import type { Db } from './database.ts'

/**
 * What became of the hours that were bought: purchased = consumed + held + remaining + expired, in these very
 * figures. What was used beyond them is a debt, which the next purchase pays.
 */
export interface HourAccount {
  purchased: number
  consumed: number
  held: number
  remaining: number
  expired: number
  debt: number
}

export interface Usage {
  tenant_id: string
  current_period: {
    dedicated_units: { purchased: number; allocated: number; available: number }
    vcpu_hours: HourAccount
  }
}

export async function usageOf(db: Db, tenantId: string, now: Date): Promise<Usage> {
  const { rows } = await sql<{
    units: number
    cpu: number
    memory: number
    granted: bigint
    available: bigint
    held: bigint
    expired: bigint
    debt: bigint
  }>`
    SELECT
      (
        SELECT coalesce(sum(quantity), 0)::int
        FROM resource_purchases
        WHERE tenant_id = ${tenantId}
          AND resource_type = 'dedicated_units'
          AND status IN ('active', 'scheduled')
          AND valid_from <= ${now}
          AND valid_until > ${now}
      ) AS units,
      coalesce(b.cpu, 0)::int AS cpu,
      coalesce(b.memory, 0)::int AS memory,
      coalesce(l.granted, 0)::bigint AS granted,
      coalesce(l.available, 0)::bigint AS available,
      coalesce(l.held, 0)::bigint AS held,
      coalesce(l.expired, 0)::bigint AS expired,
      coalesce(l.debt, 0)::bigint AS debt
    FROM (
      SELECT sum(x.cpu_cores) AS cpu, sum(x.memory_gb) AS memory
      FROM bookings k
      JOIN job_executions x USING (execution_id)
      WHERE k.tenant_id = ${tenantId}
        AND k.booked_from <= ${now}
        AND x.unit_owner = ${tenantId}
    ) b,
    (
      SELECT
        sum(granted) FILTER (WHERE purchase_id IS NOT NULL) AS granted,
        sum(available) FILTER (WHERE purchase_id IS NOT NULL) AS available,
        sum(held) FILTER (WHERE purchase_id IS NOT NULL) AS held,
        sum(expired) FILTER (WHERE purchase_id IS NOT NULL) AS expired,
        sum(consumed) FILTER (WHERE purchase_id IS NULL) AS debt
      FROM ledger_lots
      WHERE tenant_id = ${tenantId}
        AND NOT closed
        AND valid_from <= ${now}
        AND valid_until > ${now}
    ) l
  `.execute(db)
  const [row] = rows
  const allocated = Math.ceil(unitsOf(row.cpu, row.memory))
  return {
    tenant_id: tenantId,
    current_period: {
      dedicated_units: { purchased: row.units, allocated, available: Math.max(0, row.units - allocated) },
      vcpu_hours: hourAccount(row),
    },
  }
}

/** Consumed is what is not accounted for otherwise: figures that are rounded each by itself would not add up. */
function hourAccount(row: {
  granted: bigint
  available: bigint
  held: bigint
  expired: bigint
  debt: bigint
}): HourAccount {
  const [purchased, remaining, held, expired] = [row.granted, row.available, row.held, row.expired].map(
    vcpuHours,
  )
  const consumed = Math.round((purchased - remaining - held - expired) * 1e6) / 1e6
  return { purchased, consumed, held, remaining, expired, debt: vcpuHours(row.debt) }
}

/** The totals of a tenant's purchases that are valid at a time, by kind. */
export async function boughtAt(db: Db, tenantId: string, at: Date): Promise<Record<ResourceType, number>> {
  const rows = await db
    .selectFrom('resource_purchases')
    .select(['resource_type', ({ fn }) => fn.sum<bigint>('quantity').as('quantity')])
    .where('tenant_id', '=', tenantId)
    .where('status', 'in', ['active', 'scheduled'])
    .where('valid_from', '<=', at)
    .where('valid_until', '>', at)
    .groupBy('resource_type')
    .execute()
  const bought = { dedicated_units: 0, vcpu_hours: 0 }
  for (const row of rows) bought[row.resource_type] = Number(row.quantity)
  return bought
}

export interface RunTotals {
  runs: number
  /** Average per run. Null without runs. */
  minutes: number | null
  /** Runs that kept their promise, among the `judged` ones. */
  kept: number
  judged: number
  failed: number
  /** Bytes read from sources. Null if no run states them. */
  bytes: number | null
}

/** A tenant's runs that ended after a time. */
export async function runTotals(db: Db, tenantId: string, since: Date): Promise<RunTotals> {
  const { rows } = await sql<RunTotals>`
    SELECT
      count(*)::int AS runs,
      avg(extract(epoch FROM actual_end_time - actual_start_time) / 60)::float8 AS minutes,
      count(*) FILTER (WHERE sla_met)::int AS kept,
      count(*) FILTER (WHERE sla_met IS NOT NULL AND status <> 'cancelled')::int AS judged,
      count(*) FILTER (WHERE status IN ('failed', 'timed_out'))::int AS failed,
      sum((receipt->>'bytes_read')::float8)::float8 AS bytes
    FROM job_executions
    WHERE tenant_id = ${tenantId}
      AND actual_end_time > ${since}
      AND status NOT IN ('scheduled', 'booked', 'running')
  `.execute(db)
  return rows[0]
}

export interface CpuUse {
  /** vCPU-hours that were charged. */
  hours: number
  /** Up to three hours of the day (UTC) with the most use, in order. Null without use. */
  peak: number[] | null
}

/** The use of a tenant's runs after a time. */
export async function cpuUse(db: Db, tenantId: string, since: Date): Promise<CpuUse> {
  const { rows } = await sql<CpuUse>`
    SELECT
      coalesce(sum(charged_microseconds), 0)::float8 / 3.6e9 AS hours,
      (
        SELECT array_agg(hour ORDER BY hour)
        FROM (
          SELECT extract(hour FROM start_time AT TIME ZONE 'UTC')::int AS hour
          FROM resource_consumption
          WHERE tenant_id = ${tenantId}
            AND start_time > ${since}
          GROUP BY 1
          ORDER BY sum(cpu_microseconds) DESC
          LIMIT 3
        ) top
      ) AS peak
    FROM resource_consumption
    WHERE tenant_id = ${tenantId}
      AND start_time > ${since}
  `.execute(db)
  return rows[0]
}

/** Entries of the ledger, the newest first, each with its execution. */
export async function ledgerOf(
  db: Db,
  tenantId: string,
  {
    before,
    executionId,
    limit,
  }: { before: bigint | undefined; executionId: string | undefined; limit: number },
) {
  let query = db
    .selectFrom('ledger_entries as e')
    .innerJoin('ledger_lots as l', 'l.lot_id', 'e.lot_id')
    .select([
      'e.entry_id',
      'e.at',
      'e.act',
      'e.debit',
      'e.credit',
      'e.amount',
      'e.execution_id',
      'l.purchase_id',
      'l.valid_from',
      'l.valid_until',
    ])
    .where('e.tenant_id', '=', tenantId)
    .orderBy('e.entry_id', 'desc')
    .limit(limit)
  if (before !== undefined) query = query.where('e.entry_id', '<', before)
  if (executionId !== undefined) query = query.where('e.execution_id', '=', executionId)
  return (await query.execute()).map(({ amount, entry_id, ...rest }) => ({
    entry_id: String(entry_id),
    ...rest,
    cpu_microseconds: String(amount),
    vcpu_hours: vcpuHours(amount),
  }))
}
