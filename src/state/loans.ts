/**
 * Loans of units: recalls them when their owner has work for them. Runners end recalled executions, which
 * then wait again.
 */
import { sql } from 'kysely'
import { DEDICATED } from '../core/service/namespaces.ts'
import { loansToRecall, type Owner } from '../scheduling/loans.ts'
import type { Tx } from './database.ts'
import { record } from './events.ts'

interface LoanRow {
  owner: string
  execution_id: string
  cpu_cores: number
  memory_gb: number
  started: Date
  units: number
  used_cpu: number
  used_memory: number
}

/** Recalls what owners need now. Returns how many loans. */
export async function recallLoans(tx: Tx, now: Date): Promise<number> {
  const { rows } = await sql<LoanRow>`
    SELECT
      x.unit_owner AS owner,
      x.execution_id,
      x.cpu_cores,
      x.memory_gb,
      coalesce(x.actual_start_time, k.booked_from) AS started,
      (
        SELECT coalesce(sum(quantity), 0)::int
        FROM resource_purchases p
        WHERE p.tenant_id = x.unit_owner
          AND p.resource_type = 'dedicated_units'
          AND p.status = 'active'
          AND p.valid_from <= ${now}
          AND p.valid_until > ${now}
      ) AS units,
      (
        SELECT coalesce(sum(y.cpu_cores), 0)::int
        FROM bookings b
        JOIN job_executions y USING (execution_id)
        WHERE y.unit_owner = x.unit_owner
          AND b.booked_from <= ${now}
      ) AS used_cpu,
      (
        SELECT coalesce(sum(y.memory_gb), 0)::int
        FROM bookings b
        JOIN job_executions y USING (execution_id)
        WHERE y.unit_owner = x.unit_owner
          AND b.booked_from <= ${now}
      ) AS used_memory
    FROM bookings k
    JOIN job_executions x USING (execution_id)
    WHERE k.booked_from <= ${now}
      AND x.status = 'running'
      AND x.unit_owner IS NOT NULL
      AND x.unit_owner <> x.tenant_id
      AND NOT x.recalled
  `.execute(tx)
  let count = 0
  for (const [owner, loans] of Map.groupBy(rows, (row) => row.owner))
    count += await recallFrom(tx, owner, loans, now)
  return count
}

/** Cores and memory of the work that an owner wants to run in its units now, in the order of its queue. */
async function readWants(
  tx: Tx,
  owner: string,
  now: Date,
): Promise<{ cpu_cores: number; memory_gb: number }[]> {
  const { rows } = await sql<{ cpu_cores: number; memory_gb: number }>`
    WITH own AS (
      SELECT cpu_cores, memory_gb, fair_tag
      FROM queued_executions
      WHERE tenant_id = ${owner}
        AND namespace = ${DEDICATED}
        AND preferred <= ${now}
      UNION ALL
      SELECT x.cpu_cores, x.memory_gb, x.fair_tag
      FROM bookings k
      JOIN job_executions x USING (execution_id)
      WHERE k.tenant_id = ${owner}
        AND k.booked_from > ${now}
        AND x.status = 'booked'
        AND x.scheduled_time <= ${now}
        AND x.unit_owner = ${owner}
    )
    SELECT cpu_cores, memory_gb
    FROM own
    ORDER BY fair_tag
    LIMIT 100
  `.execute(tx)
  return rows
}

async function recallFrom(tx: Tx, owner: string, loans: LoanRow[], now: Date): Promise<number> {
  const wants = await readWants(tx, owner, now)
  if (wants.length === 0) return 0
  const [first] = loans
  const size = (row: { cpu_cores: number; memory_gb: number }): Owner['used'] => ({
    cpuCores: row.cpu_cores,
    memoryGb: row.memory_gb,
  })
  const ids = loansToRecall({
    units: first.units,
    used: { cpuCores: first.used_cpu, memoryGb: first.used_memory },
    loans: loans.map((row) => ({
      ...size(row),
      executionId: row.execution_id,
      startedMs: row.started.getTime(),
    })),
    wants: wants.map(size),
  })
  if (ids.length === 0) return 0
  const recalled = await tx
    .updateTable('job_executions')
    .set({ recalled: true })
    .where('execution_id', 'in', ids)
    .where('status', '=', 'running')
    .returning(['execution_id', 'tenant_id'])
    .execute()
  await record(
    tx,
    ...recalled.map((row) => ({
      tenantId: row.tenant_id,
      actor: 'scheduler',
      event: 'execution.recalled',
      subject: row.execution_id,
      data: { lender: owner },
    })),
  )
  // Executions that sleep for lack of room are tried again at once.
  await tx
    .updateTable('queued_executions')
    .set({ ready: true })
    .where('tenant_id', '=', owner)
    .where('ready', '=', false)
    .execute()
  return recalled.length
}
