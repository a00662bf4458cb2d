/** Jobs of a tenant, as requests read and change them, and jobs whose time has come. */
import { sql, type Selectable } from 'kysely'
import { failure } from '../core/errors.ts'
import { DRAFT, type Namespace } from '../core/service/namespaces.ts'
import type { NamedPage } from '../core/service/nouns.ts'
import type { JobEvaluation } from '../scheduling/draft.ts'
import type { Db, Tx } from './database.ts'
import { record } from './events.ts'
import { isUniqueViolation } from './postgres-errors.ts'
import type { Database } from './tables.ts'

/** The fields of a job in a request. */
export type JobFields = Pick<
  Selectable<Database['ingestion_jobs']>,
  | 'job_name'
  | 'source_type'
  | 'source_config'
  | 'destination_config'
  | 'schedule_cron'
  | 'resource_requirements'
  | 'sla_requirements'
>

const JOB = [
  'job_id',
  'tenant_id',
  'job_name',
  'source_type',
  'source_config',
  'destination_config',
  'schedule_cron',
  'resource_requirements',
  'sla_requirements',
  'status',
  'namespace',
  'created_at',
  'version',
  'next_run_at',
  'failures_in_a_row',
  'evaluation',
  'continuous',
] as const
const json = (fields: Partial<JobFields>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      value !== null && typeof value === 'object' ? JSON.stringify(value) : value,
    ]),
  )

export async function createJob(
  tx: Tx,
  { tenantId, job, actor }: { tenantId: string; job: JobFields; actor: string },
) {
  try {
    const row = await tx
      .insertInto('ingestion_jobs')
      .values({
        ...(json(job) as never as JobFields &
          Record<
            'source_config' | 'destination_config' | 'resource_requirements' | 'sla_requirements',
            string
          >),
        tenant_id: tenantId,
        status: 'draft',
        namespace: DRAFT,
        next_run_at: null,
        cursor: null,
        evaluation: null,
      })
      .returning(JOB)
      .executeTakeFirstOrThrow()
    await record(tx, {
      tenantId,
      actor,
      event: 'job.created',
      subject: row.job_id,
      data: { job_name: job.job_name },
    })
    return row
  } catch (error) {
    if (isUniqueViolation(error, 'ingestion_jobs_name'))
      throw failure('name_taken', { what: 'job', name: job.job_name }, error)
    throw error
  }
}

export async function findJob(db: Db, tenantId: string, jobId: string) {
  return db
    .selectFrom('ingestion_jobs')
    .select(JOB)
    .where('tenant_id', '=', tenantId)
    .where('job_id', '=', jobId)
    .where('status', '<>', 'deleted')
    .executeTakeFirst()
}

export type JobRow = Awaited<ReturnType<typeof findJob>> & object

/** The job, locked until the transaction ends. Throws `not_found`. */
export async function lockJobRow(tx: Tx, tenantId: string, jobId: string): Promise<JobRow> {
  const row = await tx
    .selectFrom('ingestion_jobs')
    .select(JOB)
    .where('tenant_id', '=', tenantId)
    .where('job_id', '=', jobId)
    .where('status', '<>', 'deleted')
    .forUpdate()
    .executeTakeFirst()
  if (row === undefined)
    throw failure('not_found', { what: 'job', id: jobId, list: `GET /api/v1/tenants/${tenantId}/jobs` })
  return row
}

/**
 * Limit of settings of jobs in one page: an answer with hundreds of large declarations would make everybody
 * wait.
 */
const PAGE_BYTES = 4 * 1024 * 1024

/** A page of jobs. It ends before their settings exceed the limit, but has at least one. */
export async function listJobs(db: Db, tenantId: string, { after, limit, name }: NamedPage) {
  const size = sql<number>`octet_length(source_config::text) + octet_length(destination_config::text)`
  let page = db
    .selectFrom('ingestion_jobs')
    .select([...JOB, size.as('size')])
    .where('tenant_id', '=', tenantId)
    .where('status', '<>', 'deleted')
    .orderBy('job_id')
    .limit(limit)
  if (after !== undefined) page = page.where('job_id', '>', after)
  if (name !== undefined) page = page.where(sql<boolean>`lower(job_name) = lower(${name})`)
  const summed = db
    .selectFrom(page.as('p'))
    .selectAll()
    .select([
      sql<number>`sum(size) OVER (ORDER BY job_id) - size`.as('before'),
      sql<number>`(count(*) OVER ())::int`.as('found'),
    ])
  const found = await db
    .selectFrom(summed.as('s'))
    .select([...JOB, 'found'])
    .where('before', '<', PAGE_BYTES)
    .orderBy('job_id')
    .execute()
  const rows = found.map(
    (row) => Object.fromEntries(JOB.map((field) => [field, row[field]])) as Omit<typeof row, 'found'>,
  )
  return { rows, more: rows.length > 0 && (rows.length === limit || rows.length < found[0].found) }
}

/** Number of jobs of a tenant, and the total size of their settings. */
export async function countJobs(db: Db, tenantId: string): Promise<{ jobs: number; settingsBytes: number }> {
  const { rows } = await sql<{ jobs: number; bytes: number }>`
    SELECT
      count(*)::int AS jobs,
      coalesce(
        sum(octet_length(source_config::text) + octet_length(destination_config::text)),
        0
      )::float8 AS bytes
    FROM ingestion_jobs
    WHERE tenant_id = ${tenantId}
      AND status <> 'deleted'
  `.execute(db)
  const [{ jobs, bytes }] = rows
  return { jobs, settingsBytes: bytes }
}

/**
 * Changes the given fields and increments the version. Throws `version_moved` if the caller saw an older one.
 */
export async function changeJob(
  tx: Tx,
  row: JobRow,
  {
    version,
    change,
    event,
    actor,
  }: {
    version?: number
    change: Partial<JobFields> & {
      status?: string
      namespace?: Namespace
      next_run_at?: Date | null
      evaluation?: JobEvaluation
      failures_in_a_row?: number
    }
    event: string
    actor: string
  },
) {
  if (version !== undefined && version !== row.version)
    throw failure('version_moved', { what: 'The job', id: row.job_id, found: row.version, expected: version })
  const { next_run_at: next, evaluation, status, namespace, failures_in_a_row: failures, ...fields } = change
  try {
    const changed = await tx
      .updateTable('ingestion_jobs')
      .set({
        ...json(fields),
        ...(status === undefined ? {} : { status }),
        ...(namespace === undefined ? {} : { namespace }),
        ...(next === undefined ? {} : { next_run_at: next }),
        ...(failures === undefined ? {} : { failures_in_a_row: failures }),
        ...(evaluation === undefined ? {} : { evaluation: JSON.stringify(evaluation) }),
        version: row.version + 1,
      })
      .where('job_id', '=', row.job_id)
      .returning(JOB)
      .executeTakeFirstOrThrow()
    await record(tx, {
      tenantId: row.tenant_id,
      actor,
      event,
      subject: row.job_id,
      data: {
        ...fields,
        ...(status === undefined ? {} : { status }),
        ...(namespace === undefined ? {} : { namespace }),
      },
    })
    return changed
  } catch (error) {
    if (isUniqueViolation(error, 'ingestion_jobs_name'))
      throw failure('name_taken', { what: 'job', name: fields.job_name ?? '' }, error)
    throw error
  }
}

/** The jobs of a suspended tenant wait, and continue when it is active again. */
const hasActiveTenant = sql<boolean>`
  EXISTS (
    SELECT
    FROM tenants t
    WHERE t.tenant_id = ingestion_jobs.tenant_id
      AND t.status = 'active'
  )`

/** Jobs whose tick has come, locked. Those that another scheduler holds are left to it. */
export async function dueJobs(tx: Tx, now: Date, limit: number): Promise<JobRow[]> {
  return tx
    .selectFrom('ingestion_jobs')
    .select(JOB)
    .where('next_run_at', '<=', now)
    .where('status', '=', 'active')
    .where(hasActiveTenant)
    .orderBy('next_run_at')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .execute()
}

/**
 * Gives continuous jobs that neither run nor wait a next start. Each failure in a row doubles the pause
 * before it, up to an hour.
 */
export async function reviveContinuousJobs(db: Db, now: Date): Promise<void> {
  await sql`
    UPDATE ingestion_jobs j
    SET next_run_at = ${now}::timestamptz + make_interval(
      secs => CASE failures_in_a_row
        WHEN 0 THEN 0
        ELSE least(3600, power(2, least(failures_in_a_row, 12)))
      END
    )
    WHERE continuous
      AND status = 'active'
      AND next_run_at IS NULL
      AND EXISTS (
        SELECT
        FROM tenants t
        WHERE t.tenant_id = j.tenant_id
          AND t.status = 'active'
      )
      AND NOT EXISTS (
        SELECT
        FROM job_executions x
        WHERE x.job_id = j.job_id
          AND x.status IN ('scheduled', 'booked', 'running')
      )
  `.execute(db)
}
