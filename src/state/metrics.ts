/** The present state of the service from the database, for Prometheus: numbers with their labels. */
import { sql } from 'kysely'
import { VCPU_HOUR } from '../core/service/amounts.ts'
import type { Db } from './database.ts'

/** A number with the text of each label. */
export type Measured<Label extends string> = Record<Label, string> & { value: number }

/** Waiting executions, by namespace and reason. */
export async function waitingByReason(db: Db): Promise<Measured<'namespace' | 'reason'>[]> {
  const { rows } = await sql<Measured<'namespace' | 'reason'>>`
    SELECT
      q.namespace,
      coalesce(x.reason->>'code', 'waits_in_queue') AS reason,
      count(*)::float8 AS value
    FROM queued_executions q
    JOIN job_executions x USING (execution_id)
    GROUP BY 1, 2
  `.execute(db)
  return rows
}

/** Seconds since the preferred start of the oldest execution that may start. 0 if none waits. */
export async function oldestWait(db: Db, at: Date): Promise<Measured<never>[]> {
  const { rows } = await sql<Measured<never>>`
    SELECT coalesce(extract(epoch FROM ${at}::timestamptz - min(preferred)), 0)::float8 AS value
    FROM queued_executions
    WHERE preferred <= ${at}::timestamptz
  `.execute(db)
  return rows
}

/** Executions that are booked or running. */
export async function openBookings(db: Db): Promise<Measured<'namespace' | 'status'>[]> {
  const { rows } = await sql<Measured<'namespace' | 'status'>>`
    SELECT x.namespace, x.status, count(*)::float8 AS value
    FROM bookings
    JOIN job_executions x USING (execution_id)
    GROUP BY 1, 2
  `.execute(db)
  return rows
}

/** Cores of the slot at a time, total and allocated. */
export async function coresAt(db: Db, at: Date): Promise<Measured<'namespace' | 'kind'>[]> {
  const { rows } = await sql<Measured<'namespace' | 'kind'>>`
    SELECT namespace, kind, sum(value)::float8 AS value
    FROM capacity_slots,
    LATERAL (
      VALUES ('total', total_cpu_capacity), ('allocated', allocated_cpu)
    ) v (kind, value)
    WHERE time_slot <= ${at}::timestamptz
      AND time_slot + make_interval(mins => slot_duration_minutes) > ${at}::timestamptz
    GROUP BY 1, 2
  `.execute(db)
  return rows
}

/** vCPU-hours in lots that are valid at a time, by tenant and account. */
export async function vcpuHoursAt(db: Db, at: Date): Promise<Measured<'tenant' | 'account'>[]> {
  const { rows } = await sql<Measured<'tenant' | 'account'>>`
    SELECT
      t.tenant_name AS tenant,
      v.account,
      sum(v.amount)::float8 / ${String(VCPU_HOUR)}::float8 AS value
    FROM ledger_lots l
    JOIN tenants t USING (tenant_id),
    LATERAL (
      VALUES ('available', l.available), ('held', l.held), ('consumed', l.consumed)
    ) v (account, amount)
    WHERE NOT l.closed
      AND l.valid_from <= ${at}::timestamptz
      AND l.valid_until > ${at}::timestamptz
    GROUP BY 1, 2
  `.execute(db)
  return rows
}
