/**
 * What a tenant has and used: answered from the ledger and the bookings, never from a counter kept beside
 * them.
 */
import { sql } from 'kysely'
import { unitsOf, vcpuHours } from '../core/service/amounts.ts'
import type { Db } from './database.ts'

export interface Usage {
  tenant_id: string
  current_period: {
    dedicated_units: { purchased: number; allocated: number; available: number }
    vcpu_hours: { purchased: number; consumed: number; remaining: number }
  }
}

export async function usageOf(db: Db, tenantId: string, now: Date): Promise<Usage> {
  const { rows } = await sql<{
    units: number
    cpu: number
    memory: number
    granted: bigint
    consumed: bigint
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
      coalesce(l.consumed, 0)::bigint AS consumed
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
        sum(consumed) AS consumed
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
      vcpu_hours: {
        purchased: vcpuHours(row.granted),
        consumed: vcpuHours(row.consumed),
        remaining: vcpuHours(row.granted - row.consumed),
      },
    },
  }
}

/** Entries of the ledger, the newest first, each with the execution that it opens onto. */
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
