/** Use cases of jobs: their life from draft to production and back. */
import type { Job, JobChange, JobRequest } from './schemas/jobs.ts'
import type { Service } from './service.ts'
import { failure } from '../core/errors.ts'
import { DRAFT } from '../core/service/namespaces.ts'
import { sourceType } from '../learning/rules.ts'
import type { Tx } from '../state/database.ts'
import { record } from '../state/events.ts'
import { answered, once } from '../state/idempotency.ts'
import { openExecutions } from '../state/executions.ts'
import {
  changeJob,
  createJob,
  findJob,
  listJobs,
  lockJobRow,
  type JobFields,
  type JobRow,
} from '../state/jobs.ts'
import { cancel } from '../state/runs/cancellation.ts'
import { checkJob } from './job-check.ts'
import { demote, evaluate, promote } from './job-promotion.ts'
import { enqueueJob } from './job-queueing.ts'
import { found, type Context } from './context.ts'
import { keepJobs, keepQueue } from './tenant-quota.ts'
import { withTier } from './sla-tiers.ts'
import { nextTick } from './ticks.ts'

type Part = Pick<
  Service,
  | 'createJob'
  | 'listJobs'
  | 'getJob'
  | 'changeJob'
  | 'pauseJob'
  | 'resumeJob'
  | 'deleteJob'
  | 'runJob'
  | 'evaluateJob'
  | 'promoteJob'
  | 'demoteJob'
>

export function jobCases(context: Context): Part {
  return { ...settingCases(context), ...stateCases(context), runJob: runCase(context) }
}

const listOf = (tenantId: string): string => `/api/v1/tenants/${tenantId}/jobs`

/** The work of a job: create, show and change it. */
function settingCases(context: Context): Pick<Part, 'createJob' | 'listJobs' | 'getJob' | 'changeJob'> {
  const { gate, now } = context
  const getJob: Part['getJob'] = async (tenantId, jobId) =>
    found(await gate.readAs(tenantId, (db) => findJob(db, tenantId, jobId)), 'job', jobId, listOf(tenantId))
  return {
    async createJob(by, tenantId, key, body) {
      const asked = { tenantId, key, request: { job: body } }
      const before = await gate.readAs(tenantId, (db) => answered<Job>(db, asked))
      if (before !== undefined) return before
      const job = fieldsOf({
        ...body,
        sla_requirements: await withTier(gate.service, body.sla_requirements ?? {}),
      })
      await checkJob(context, tenantId, job)
      return gate.writeAs(tenantId, (tx) =>
        once(tx, asked, async () => {
          const made = await createJob(tx, { tenantId, job, actor: by.name })
          await keepJobs(context, tx, tenantId)
          return { status: 201, body: made }
        }),
      )
    },
    async listJobs(tenantId, page) {
      const { rows, more } = await gate.readAs(tenantId, (db) => listJobs(db, tenantId, page))
      return { items: rows, next: more ? rows.at(-1)?.job_id : undefined }
    },
    getJob,
    async changeJob(by, tenantId, jobId, { version, body }) {
      const before = await getJob(tenantId, jobId)
      const next = fieldsOf({
        ...before,
        ...body,
        ...(body.sla_requirements === undefined
          ? {}
          : { sla_requirements: await withTier(gate.service, body.sla_requirements) }),
      })
      await checkJob(context, tenantId, next)
      const changed = await changeRow(context, tenantId, jobId, async (tx, row) => {
        const change = changeOf(row, next, body, now())
        const after = await changeJob(tx, row, { version, change, event: 'job.changed', actor: by.name })
        await keepJobs(context, tx, tenantId)
        return after
      })
      // A stream continues with its new settings: it ends after a commit and is started again.
      if (before.continuous || changed.continuous) await cancelOpen(context, by.name, tenantId, jobId)
      return changed
    },
  }
}

/** The fields that a request names, and the next run if its schedule is one of them. */
function changeOf(
  { status }: JobRow,
  next: JobFields,
  body: JobChange,
  now: Date,
): Partial<JobFields> & { next_run_at?: Date | null } {
  const given = Object.fromEntries(Object.entries(next).filter(([name]) => Object.hasOwn(body, name)))
  if (body.schedule_cron === undefined || status !== 'active') return given
  return { ...given, next_run_at: nextTick(next.schedule_cron, now) }
}

/** The state of a job: pause, resume, delete, promote and demote it. */
function stateCases(
  context: Context,
): Pick<Part, 'pauseJob' | 'resumeJob' | 'deleteJob' | 'evaluateJob' | 'promoteJob' | 'demoteJob'> {
  const { gate, now } = context
  return {
    async pauseJob(by, tenantId, jobId) {
      const paused = await changeRow(context, tenantId, jobId, (tx, row) => {
        allow(row, ['active', 'draft'], 'paused')
        return changeJob(tx, row, {
          change: { status: 'paused', next_run_at: null },
          event: 'job.paused',
          actor: by.name,
        })
      })
      if (paused.continuous) await cancelOpen(context, by.name, tenantId, jobId)
      return paused
    },
    resumeJob: (by, tenantId, jobId) =>
      changeRow(context, tenantId, jobId, (tx, row) => {
        allow(row, ['paused'], 'resumed')
        const active = row.namespace !== DRAFT
        return changeJob(tx, row, {
          change: {
            status: active ? 'active' : 'draft',
            next_run_at: active ? nextTick(row.schedule_cron, now()) : null,
            failures_in_a_row: 0,
          },
          event: 'job.resumed',
          actor: by.name,
        })
      }),
    async deleteJob(by, tenantId, jobId) {
      await changeRow(context, tenantId, jobId, (tx, row) =>
        changeJob(tx, row, {
          change: { status: 'deleted', next_run_at: null },
          event: 'job.deleted',
          actor: by.name,
        }),
      )
      // The scheduler ends what is left.
      await cancelOpen(context, by.name, tenantId, jobId)
    },
    evaluateJob: (tenantId, jobId) =>
      gate.readAs(tenantId, async (db) => {
        const row = found(await findJob(db, tenantId, jobId), 'job', jobId, listOf(tenantId))
        return (await evaluate(db, row, now())).evaluation
      }),
    promoteJob: (by, tenantId, jobId) =>
      changeRow(context, tenantId, jobId, (tx, row) => promote(tx, row, by.name, now())),
    demoteJob: (by, tenantId, jobId, reason) =>
      changeRow(context, tenantId, jobId, (tx, row) => demote(tx, row, by.name, reason)),
  }
}

const changeRow = <T>(
  { gate }: Context,
  tenantId: string,
  jobId: string,
  work: (tx: Tx, row: JobRow) => Promise<T>,
): Promise<T> => gate.writeAs(tenantId, async (tx) => work(tx, await lockJobRow(tx, tenantId, jobId)))

/** Each in its own transaction: one that locks the capacity must not then lock another tenant's lots. */
async function cancelOpen(
  { gate, now, slots }: Context,
  actor: string,
  tenantId: string,
  jobId: string,
): Promise<void> {
  for (const execution of await openExecutions(gate.service, jobId))
    await gate.transact((tx) =>
      cancel(tx, { tenantId, executionId: execution.execution_id, actor, now: now(), settings: slots }),
    )
}

const runCase =
  (context: Context): Part['runJob'] =>
  (by, tenantId, jobId, key) =>
    context.gate.writeAs(tenantId, (tx) =>
      once(tx, { tenantId, key, request: { run: jobId } }, async () => {
        const row = await lockJobRow(tx, tenantId, jobId)
        checkRunnable(row)
        await keepQueue(context, tx, tenantId)
        const executionId = await enqueueJob(tx, row, { slots: context.slots, from: context.now() })
        await record(tx, {
          tenantId,
          actor: by.name,
          event: 'execution.queued',
          subject: executionId,
          data: { job_id: jobId },
        })
        return {
          status: 202,
          body: {
            execution_id: executionId as string,
            job_id: jobId,
            namespace: row.namespace,
            status: 'scheduled',
          },
        }
      }),
    )

function checkRunnable(row: JobRow): void {
  if (row.status === 'paused')
    throw failure('job_state', {
      job: row.job_name,
      status: 'paused',
      action: 'run',
      instead: `Resume it first: headrace jobs resume ${row.job_name}`,
    })
  if (row.continuous && row.status === 'active')
    throw failure('job_state', {
      job: row.job_name,
      status: 'running continuously',
      action: 'run',
      instead: `It reads new data as it arrives. To see its execution: headrace executions list --job ${row.job_name}`,
    })
}

function allow(row: JobRow, states: string[], action: string): void {
  if (!states.includes(row.status))
    throw failure('job_state', {
      job: row.job_name,
      status: row.status,
      action,
      instead: `Only ${states.join(' or ')} jobs can be ${action}.`,
    })
}

function fieldsOf(body: JobRequest): JobFields {
  return {
    job_name: body.job_name,
    source_type: sourceType(body.source_type),
    source_config: body.source_config,
    destination_config: body.destination_config,
    schedule_cron: body.schedule_cron ?? null,
    resource_requirements: { ...body.resource_requirements },
    sla_requirements: { ...body.sla_requirements },
  }
}
