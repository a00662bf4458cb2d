/** Use cases of jobs: their life from draft to production and back. */
import type { Answer, Service } from '../../control/service.ts'
import { failure } from '../../core/errors.ts'
import { DRAFT } from '../../core/namespaces.ts'
import type { JobRequest } from '../../core/service-nouns.ts'
import { sourceType } from '../../learning/rules.ts'
import type { Tx } from '../../state/database.ts'
import { record } from '../../state/events.ts'
import { answered, once } from '../../state/idempotency.ts'
import { openExecutions } from '../../state/executions.ts'
import {
  changeJob,
  createJob,
  findJob,
  listJobs,
  lockJobRow,
  type JobFields,
  type JobRow,
} from '../../state/jobs.ts'
import { cancel } from '../../state/runs/cancellation.ts'
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
  const { gate, now, slots } = context
  const list = (tenantId: string): string => `/api/v1/tenants/${tenantId}/jobs`
  const change = (
    tenantId: string,
    jobId: string,
    work: (tx: Tx, row: JobRow) => Promise<Answer>,
  ): Promise<Answer> => gate.writeAs(tenantId, async (tx) => work(tx, await lockJobRow(tx, tenantId, jobId)))
  // Each in a transaction of its own: one that holds the capacity must not go on to another's lots.
  const cancelOpen = async (actor: string, tenantId: string, jobId: string): Promise<void> => {
    for (const one of await openExecutions(gate.service, jobId))
      await gate.transact((tx) =>
        cancel(tx, { tenantId, executionId: one.execution_id, actor, now: now(), settings: slots }),
      )
  }
  return {
    async createJob(by, tenantId, key, body) {
      const asked = { tenantId, key, request: { job: body } }
      const before = await gate.readAs(tenantId, (db) => answered(db, asked))
      if (before !== undefined) return before as { status: number; body: Answer }
      const job = fieldsOf({
        ...body,
        sla_requirements: await withTier(gate.service, body.sla_requirements ?? {}),
      })
      await checkJob(context, tenantId, job)
      return gate.writeAs(tenantId, (tx) =>
        once(tx, asked, async () => {
          const made = await createJob(tx, { tenantId, job, actor: by.name })
          await keepJobs(context, tx, tenantId)
          return { status: 201, body: plain(made) }
        }),
      ) as Promise<{ status: number; body: Answer }>
    },
    async listJobs(tenantId, page) {
      const { rows, more } = await gate.readAs(tenantId, (db) => listJobs(db, tenantId, page))
      return { items: rows, next: more ? rows.at(-1)?.job_id : undefined }
    },
    async getJob(tenantId, jobId) {
      return found(
        await gate.readAs(tenantId, (db) => findJob(db, tenantId, jobId)),
        'job',
        jobId,
        list(tenantId),
      )
    },
    async changeJob(by, tenantId, jobId, version, body) {
      const before = found(
        await gate.readAs(tenantId, (db) => findJob(db, tenantId, jobId)),
        'job',
        jobId,
        list(tenantId),
      )
      const next = fieldsOf({
        ...(before as unknown as JobRequest),
        ...body,
        ...(body.sla_requirements === undefined
          ? {}
          : { sla_requirements: await withTier(gate.service, body.sla_requirements) }),
      })
      await checkJob(context, tenantId, next)
      const changed = await change(tenantId, jobId, async (tx, row) => {
        const given = Object.fromEntries(
          Object.keys(body).map((name) => [name, next[name as keyof JobFields]]),
        )
        const reschedule =
          body.schedule_cron === undefined || row.status !== 'active'
            ? {}
            : { next_run_at: nextTick(next.schedule_cron, now()) }
        const after = await changeJob(tx, row, {
          version,
          change: { ...given, ...reschedule },
          event: 'job.changed',
          actor: by.name,
        })
        await keepJobs(context, tx, tenantId)
        return after
      })
      // A stream goes on as it is now: it ends after a commit and is started again.
      if (before.continuous || changed.continuous === true) await cancelOpen(by.name, tenantId, jobId)
      return changed
    },
    async pauseJob(by, tenantId, jobId) {
      const paused = await change(tenantId, jobId, (tx, row) => {
        allow(row, ['active', 'draft'], 'paused')
        return changeJob(tx, row, {
          change: { status: 'paused', next_run_at: null },
          event: 'job.paused',
          actor: by.name,
        })
      })
      if (paused.continuous === true) await cancelOpen(by.name, tenantId, jobId)
      return paused
    },
    resumeJob: (by, tenantId, jobId) =>
      change(tenantId, jobId, (tx, row) => {
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
      await change(tenantId, jobId, (tx, row) =>
        changeJob(tx, row, {
          change: { status: 'deleted', next_run_at: null },
          event: 'job.deleted',
          actor: by.name,
        }),
      )
      // The scheduler ends what is left over.
      await cancelOpen(by.name, tenantId, jobId)
    },
    async runJob(by, tenantId, jobId, key) {
      return gate.writeAs(tenantId, (tx) =>
        once(tx, { tenantId, key, request: { run: jobId } }, async () => {
          const row = await lockJobRow(tx, tenantId, jobId)
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
              status: 'running all the time',
              action: 'run',
              instead: `It reads what comes as it comes; headrace executions list --job ${row.job_name} shows it.`,
            })
          await keepQueue(context, tx, tenantId)
          const executionId = await enqueueJob(tx, row, { slots, from: now() })
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
      ) as Promise<{ status: number; body: Answer }>
    },
    evaluateJob: (tenantId, jobId) =>
      gate.readAs(tenantId, async (db) => {
        const row = found(await findJob(db, tenantId, jobId), 'job', jobId, list(tenantId))
        return { ...(await evaluate(db, row, now())).evaluation }
      }),
    promoteJob: (by, tenantId, jobId) =>
      change(tenantId, jobId, (tx, row) => promote(tx, row, by.name, now())),
    demoteJob: (by, tenantId, jobId, reason) =>
      change(tenantId, jobId, (tx, row) => demote(tx, row, by.name, reason)),
  }
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

/** As JSON will show it: times as text. Its settings came as JSON. */
const plain = (row: object): Answer =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value instanceof Date ? value.toISOString() : value]),
  )
