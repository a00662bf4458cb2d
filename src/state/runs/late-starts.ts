/**
 * Bookings that nobody started in time: told once, as a reason with its numbers and as an alert, and held
 * against the promise of the execution.
 */
import { sql } from 'kysely'
import type { OfferedCapacity } from '../../core/service/namespaces.ts'
import type { ServiceReason } from '../../scheduling/reasons.ts'
import type { Tx } from '../database.ts'
import { record } from '../events.ts'
import { readRunners } from './runners.ts'

/** A start is late after this time: two looks of a runner, and room for a busy database (R3.5). */
const LATE_START_MS = 5_000

/** The start of a booking that began before this is late. */
export const lateBefore = (now: Date): Date => new Date(now.getTime() - LATE_START_MS)

/** The mark of an execution (`warned`) that started late. */
export const LATE_MARK = 'start'

interface Late {
  execution_id: string
  tenant_id: string
  job_id: string
  namespace: string
  cpu_cores: number
  memory_gb: number
  seconds: number
}

/** Marks bookings whose start is late now, with the reason and an event each. Returns how many. */
export async function markLateStarts(
  tx: Tx,
  { now, capacity }: { now: Date; capacity: OfferedCapacity },
): Promise<number> {
  const late = await lockLate(tx, now)
  if (late.length === 0) return 0
  const runners = (await readRunners(tx, now)).length
  const used = await runningUse(tx)
  const reasons = late.map((row) => reasonOf(row, { runners, used, capacity }))
  await sql`
    UPDATE job_executions x
    SET warned = array_append(x.warned, ${LATE_MARK}::text), reason = l.reason
    FROM unnest(
      ${late.map((row) => row.execution_id)}::uuid[],
      ${reasons.map((reason) => JSON.stringify(reason))}::jsonb[]
    ) AS l (execution_id, reason)
    WHERE x.execution_id = l.execution_id
  `.execute(tx)
  await record(
    tx,
    ...late.map((row, i) => ({
      tenantId: row.tenant_id,
      actor: 'scheduler',
      event: 'execution.start_late',
      subject: row.execution_id,
      data: { job_id: row.job_id, reason: reasons[i] },
    })),
  )
  return late.length
}

/**
 * Bookings whose start is late and nobody has told so yet. One that waits for a run of its own job is not late:
 * the runs of a job take turns. Rows that others hold are left to the next round: they may be starting right now.
 */
async function lockLate(tx: Tx, now: Date): Promise<Late[]> {
  const { rows } = await sql<Late>`
    SELECT
      x.execution_id, x.tenant_id, x.job_id, x.namespace, x.cpu_cores, x.memory_gb,
      extract(epoch FROM ${now}::timestamptz - x.booked_from)::float8 AS seconds
    FROM bookings k
    JOIN job_executions x USING (execution_id)
    WHERE k.booked_from < ${lateBefore(now)}
      AND x.status = 'booked'
      AND NOT x.cancel_requested
      AND NOT ${LATE_MARK} = ANY (x.warned)
      AND NOT EXISTS (
        SELECT 1
        FROM job_executions o
        WHERE o.job_id = x.job_id
          AND o.execution_id <> x.execution_id
          AND (o.status = 'running' OR o.actual_end_time > x.booked_from)
      )
    LIMIT 1000
    FOR UPDATE OF x SKIP LOCKED
  `.execute(tx)
  return rows
}

type Use = Map<string, { cpuCores: number; memoryGb: number }>

async function runningUse(tx: Tx): Promise<Use> {
  const rows = await tx
    .selectFrom('bookings as k')
    .innerJoin('job_executions as x', 'x.execution_id', 'k.execution_id')
    .select(({ fn }) => [
      'x.namespace',
      fn.sum<string>('x.cpu_cores').as('cpu'),
      fn.sum<string>('x.memory_gb').as('memory'),
    ])
    .where('x.status', '=', 'running')
    .groupBy('x.namespace')
    .execute()
  return new Map(
    rows.map((row) => [row.namespace, { cpuCores: Number(row.cpu), memoryGb: Number(row.memory) }]),
  )
}

function reasonOf(
  row: Late,
  { runners, used, capacity }: { runners: number; used: Use; capacity: OfferedCapacity },
): ServiceReason {
  const total = capacity[row.namespace as keyof OfferedCapacity]
  const busy = used.get(row.namespace) ?? { cpuCores: 0, memoryGb: 0 }
  return {
    code: 'no_runner',
    params: {
      seconds: Math.round(row.seconds),
      cores: row.cpu_cores,
      memory: row.memory_gb,
      namespace: row.namespace,
      runners,
      busyCores: busy.cpuCores,
      totalCores: total.cpuCores,
      busyMemory: busy.memoryGb,
      totalMemory: total.memoryGb,
    },
  }
}
