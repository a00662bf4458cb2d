/** Use cases of jobs: their life from draft to production and back. */
import type { Answer, Service } from '../../control/service.ts'
import { failure } from '../../core/errors.ts'
import { DEDICATED, DRAFT, SHARED, type Namespace } from '../../core/namespaces.ts'
import type { JobRequest, ResourceRequirements, SlaRequirements } from '../../core/service-nouns.ts'
import { thousandths, unitsOf } from '../../core/amounts.ts'
import { sourceType } from '../../learning/rules.ts'
import {
  evaluateDraft,
  performanceRatio,
  LEAST_SAMPLE_SECONDS,
  MOST_RATIO,
  type Evaluation,
} from '../../scheduling/draft.ts'
import { priorityOf, timingOf } from '../../scheduling/requirements.ts'
import type { SlotSettings } from '../../state/capacity.ts'
import type { Db, Tx } from '../../state/database.ts'
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
import { enqueue } from '../../state/queue.ts'
import { cancel } from '../../state/runs/cancellation.ts'
import { checkJob } from './job-check.ts'
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
          const executionId = await enqueueJob(tx, row, slots, now())
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
      change(tenantId, jobId, async (tx, row) => {
        if (row.namespace !== DRAFT)
          throw failure('job_state', {
            job: row.job_name,
            status: row.status,
            action: 'promoted',
            instead: 'It is in production already.',
          })
        const { evaluation, evidence } = await evaluate(tx, row, now())
        if (!evaluation.promotion_eligible)
          throw failure(evaluation.reason ?? 'performance_below_threshold', evidence)
        const requirements = {
          ...(row.resource_requirements as unknown as ResourceRequirements),
          ...evaluation.resource_adjustment,
        }
        const namespace = evaluation.recommended_namespace as Namespace
        await changeJob(tx, row, {
          change: {
            status: 'active',
            namespace,
            resource_requirements: { ...requirements },
            evaluation: { ...evaluation, evidence, at: now().toISOString() },
            next_run_at: nextTick(row.schedule_cron, now()),
            failures_in_a_row: 0,
          },
          event: 'job.promoted',
          actor: by.name,
        })
        return { status: 'promoted', namespace, updated_requirements: requirements }
      }),
    demoteJob: (by, tenantId, jobId, reason) =>
      change(tenantId, jobId, (tx, row) => demote(tx, row, by.name, reason)),
  }
}

/** Back to the drafts, with why; what is queued of it runs no more. */
export async function demote(tx: Tx, row: JobRow, actor: string, reason: string): Promise<Answer> {
  if (row.namespace === DRAFT)
    throw failure('job_state', {
      job: row.job_name,
      status: row.status,
      action: 'demoted',
      instead: 'It is a draft already.',
    })
  await changeJob(tx, row, {
    change: {
      status: 'draft',
      namespace: DRAFT,
      next_run_at: null,
      evaluation: { ...(row.evaluation as object | null), demoted: reason },
    },
    event: 'job.demoted',
    actor,
  })
  return { status: 'demoted', namespace: DRAFT, reason }
}

/**
 * So many runs in a row that took longer than a draft may (draft.ts), and the job is a draft again: what it
 * needs has changed.
 */
const DECAYED_RUNS = 3

/** Demotes a job that has become slow since its promotion. Returns whether it did. */
export async function demoteIfDecayed(
  { gate }: Pick<Context, 'gate'>,
  tenantId: string,
  jobId: string,
): Promise<boolean> {
  return gate.transact(async (tx) => {
    const row = await findJob(tx, tenantId, jobId)
    if (row === undefined || row.status !== 'active' || row.namespace === DRAFT || row.continuous)
      return false
    const since = (row.evaluation as { at?: string } | null)?.at ?? row.created_at
    const runs = await tx
      .selectFrom('job_executions')
      .select(['estimated_minutes', 'actual_start_time', 'actual_end_time'])
      .where('job_id', '=', jobId)
      .where('status', '=', 'succeeded')
      .where('namespace', '<>', DRAFT)
      .where('created_at', '>', new Date(since))
      .orderBy('created_at', 'desc')
      .limit(DECAYED_RUNS)
      .execute()
    const ratios = runs.map(
      (run) =>
        ((run.actual_end_time?.getTime() ?? 0) - (run.actual_start_time?.getTime() ?? 0)) /
        60_000 /
        run.estimated_minutes,
    )
    if (ratios.length < DECAYED_RUNS || ratios.some((ratio) => ratio <= MOST_RATIO)) return false
    await demote(
      tx,
      await lockJobRow(tx, tenantId, jobId),
      'scheduler',
      `its last ${DECAYED_RUNS} runs took ${ratios.map((ratio) => ratio.toFixed(1)).join(', ')} times what is estimated`,
    )
    return true
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

/** Puts an execution of a job into the queue of its namespace. */
export async function enqueueJob(
  tx: Tx,
  row: JobRow,
  { slotMinutes }: SlotSettings,
  from: Date,
  tick?: Date,
): Promise<string | undefined> {
  const requirements = row.resource_requirements as unknown as ResourceRequirements
  // A stream holds a slot at a time; its draft is a run like any other.
  const minutes =
    row.continuous && row.namespace !== DRAFT ? slotMinutes : requirements.estimated_runtime_minutes
  return enqueue(tx, {
    jobId: row.job_id,
    tenantId: row.tenant_id,
    namespace: row.namespace as Namespace,
    cpuCores: requirements.cpu_cores,
    memoryGb: requirements.memory_gb,
    estimatedMinutes: minutes,
    priority: priorityOf(row.sla_requirements as SlaRequirements),
    tick,
    ...timingOf(requirements, from),
  })
}

/** The last draft run against its estimate, and the namespace that the tenant's purchases allow. */
async function evaluate(
  db: Db,
  row: JobRow,
  now: Date,
): Promise<{ evaluation: Evaluation; evidence: Record<string, string | number> }> {
  const run = await db
    .selectFrom('job_executions')
    .select(['execution_id', 'receipt'])
    .where('job_id', '=', row.job_id)
    .where('namespace', '=', DRAFT)
    .where('status', '=', 'succeeded')
    .orderBy('actual_end_time', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (run === undefined) throw failure('draft_missing', { job: row.job_name })
  const receipt = run.receipt as { work_seconds: number; estimated_seconds: number }
  const requirements = row.resource_requirements as unknown as ResourceRequirements
  const measured = { actualSeconds: receipt.work_seconds, estimatedSeconds: receipt.estimated_seconds }
  const evaluation = evaluateDraft({
    ...measured,
    cpuCores: requirements.cpu_cores,
    memoryGb: requirements.memory_gb,
    target: await targetOf(db, row, now),
  })
  const evidence = {
    job: row.job_name,
    execution_id: run.execution_id,
    actual: measured.actualSeconds,
    estimated: measured.estimatedSeconds,
    ratio: thousandths(performanceRatio(measured)),
    least: LEAST_SAMPLE_SECONDS,
  }
  return { evaluation, evidence }
}

/**
 * Dedicated units when the tenant has enough of them for the job, else the pool of vCPU-hours. Throws
 * `no_purchase` when it has neither.
 */
export async function targetOf(
  db: Db,
  row: { tenant_id: string; resource_requirements: unknown },
  now: Date,
): Promise<Namespace> {
  const { cpu_cores, memory_gb } = row.resource_requirements as ResourceRequirements
  const bought = await db
    .selectFrom('resource_purchases')
    .select(['resource_type', ({ fn }) => fn.sum<bigint>('quantity').as('quantity')])
    .where('tenant_id', '=', row.tenant_id)
    .where('status', 'in', ['active', 'scheduled'])
    .where('valid_from', '<=', now)
    .where('valid_until', '>', now)
    .groupBy('resource_type')
    .execute()
  const units = Number(bought.find((one) => one.resource_type === 'dedicated_units')?.quantity ?? 0)
  if (units >= unitsOf(cpu_cores, memory_gb)) return DEDICATED
  if (bought.some((one) => one.resource_type === 'vcpu_hours')) return SHARED
  throw failure('no_purchase', { at: now.toISOString(), cores: cpu_cores, memory: memory_gb })
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

/** As JSON will show it: times as text. */
const plain = (row: object): Answer => JSON.parse(JSON.stringify(row)) as Answer
