/** Executions, as requests and other parts of the service read them. queue.ts and runs/ change them. */
import { sql } from 'kysely'
import { DRAFT } from '../core/service/namespaces.ts'
import type { TenantPolicy } from '../scheduling/terms.ts'
import type { Db } from './database.ts'
import { timeOrderedId } from './ids.ts'

const EXECUTION = [
  'execution_id',
  'job_id',
  'tenant_id',
  'scheduled_time',
  'actual_start_time',
  'actual_end_time',
  'status',
  'resource_used',
  'sla_met',
  'error_message',
  'namespace',
  'created_at',
  'cpu_cores',
  'memory_gb',
  'estimated_minutes',
  'deadline',
  'reason',
  'attempt',
  'booked_from',
  'booked_until',
  'lender',
  'progress',
  'receipt',
] as const

export async function findExecution(db: Db, tenantId: string, executionId: string) {
  return db
    .selectFrom('job_executions')
    .select(EXECUTION)
    .where('tenant_id', '=', tenantId)
    .where('execution_id', '=', executionId)
    .executeTakeFirst()
}

export type ExecutionRow = Awaited<ReturnType<typeof findExecution>> & object

export async function listExecutions(
  db: Db,
  tenantId: string,
  {
    jobId,
    status,
    after,
    limit,
  }: { jobId?: string; status?: string; after: { at: Date; id: string } | undefined; limit: number },
) {
  let query = db
    .selectFrom('job_executions')
    .select(EXECUTION)
    .where('tenant_id', '=', tenantId)
    .orderBy('created_at', 'desc')
    .orderBy('execution_id')
    .limit(limit)
  if (jobId !== undefined) query = query.where('job_id', '=', jobId)
  if (status !== undefined) query = query.where('status', '=', status)
  if (after !== undefined)
    query = query.where(
      sql<boolean>`
        (created_at < ${after.at} OR (created_at = ${after.at} AND execution_id > ${after.id}))`,
    )
  return query.execute()
}

/** Statuses of executions that have not ended. */
const OPEN = ['scheduled', 'booked', 'running']

/** Executions of a job that have not ended. */
export async function openExecutions(
  db: Db,
  jobId: string,
): Promise<{ execution_id: string; status: string }[]> {
  return db
    .selectFrom('job_executions')
    .select(['execution_id', 'status'])
    .where('job_id', '=', jobId)
    .where('status', 'in', OPEN)
    .execute()
}

/**
 * The ID of the last successful production execution of a job. Without one, the start of an ID as old as the
 * job.
 */
export async function lastSuccess(db: Db, jobId: string): Promise<string> {
  const last = await db
    .selectFrom('job_executions')
    .select('execution_id')
    .where('job_id', '=', jobId)
    .where('status', '=', 'succeeded')
    .where('namespace', '<>', DRAFT)
    .orderBy('created_at', 'desc')
    .orderBy('execution_id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (last !== undefined) return last.execution_id
  const job = await db
    .selectFrom('ingestion_jobs')
    .select('created_at')
    .where('job_id', '=', jobId)
    .executeTakeFirstOrThrow()
  return timeOrderedId(job.created_at.getTime()).slice(0, 13)
}

/** The newest successful draft run of a job, with its measurements. */
export async function lastDraftRun(db: Db, jobId: string) {
  return db
    .selectFrom('job_executions')
    .select(['execution_id', 'receipt'])
    .where('job_id', '=', jobId)
    .where('namespace', '=', DRAFT)
    .where('status', '=', 'succeeded')
    .orderBy('actual_end_time', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** Successful production runs of a job that were queued after a time, the newest first. */
export async function newestRuns(db: Db, jobId: string, { since, limit }: { since: Date; limit: number }) {
  return db
    .selectFrom('job_executions')
    .select(['estimated_minutes', 'actual_start_time', 'actual_end_time'])
    .where('job_id', '=', jobId)
    .where('status', '=', 'succeeded')
    .where('namespace', '<>', DRAFT)
    .where('created_at', '>', since)
    .orderBy('created_at', 'desc')
    .limit(limit)
    .execute()
}

/** Executions per query. */
const ASKED = 1_000

export interface ExecutionOwner {
  tenantId: string
  policy: TenantPolicy
  /** Whether the execution has ended. */
  ended: boolean
}

/** The tenants of these executions, with their policies. Unknown IDs are left out. */
export async function ownersOf(db: Db, ids: string[]): Promise<Map<string, ExecutionOwner>> {
  const owners = new Map<string, ExecutionOwner>()
  for (let at = 0; at < ids.length; at += ASKED) {
    const rows = await db
      .selectFrom('job_executions as x')
      .innerJoin('tenants as t', 't.tenant_id', 'x.tenant_id')
      .select(['x.execution_id', 'x.tenant_id', 'x.status', 't.policy'])
      .where('x.execution_id', 'in', ids.slice(at, at + ASKED))
      .execute()
    for (const row of rows)
      owners.set(row.execution_id, {
        tenantId: row.tenant_id,
        policy: row.policy,
        ended: !OPEN.includes(row.status),
      })
  }
  return owners
}

/** The IDs among these without an execution that still waits or runs. */
export async function endedAmong(db: Db, ids: string[]): Promise<string[]> {
  if (ids.length === 0) return []
  const open = await db
    .selectFrom('job_executions')
    .select('execution_id')
    .where(sql<string>`execution_id::text`, 'in', ids)
    .where('status', 'in', OPEN)
    .execute()
  const still = new Set(open.map((execution) => execution.execution_id))
  return ids.filter((id) => !still.has(id))
}

/**
 * Executions that wait or run for a deleted job, or for a suspended or deleted tenant; of one tenant, or of
 * all.
 */
export async function openOfTheGone(
  db: Db,
  tenantId?: string,
): Promise<{ execution_id: string; tenant_id: string }[]> {
  const open = db
    .selectFrom('queued_executions')
    .select('execution_id')
    .unionAll(db.selectFrom('bookings').select('execution_id'))
  let query = db
    .selectFrom(open.as('o'))
    .innerJoin('job_executions as x', 'x.execution_id', 'o.execution_id')
    .innerJoin('ingestion_jobs as j', 'j.job_id', 'x.job_id')
    .innerJoin('tenants as t', 't.tenant_id', 'x.tenant_id')
    .select(['x.execution_id', 'x.tenant_id'])
    .where((of) => of.or([of('j.status', '=', 'deleted'), of('t.status', '<>', 'active')]))
    .where('x.cancel_requested', '=', false)
    .limit(100)
  if (tenantId !== undefined) query = query.where('x.tenant_id', '=', tenantId)
  return query.execute()
}
