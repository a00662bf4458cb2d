/**
 * From draft to production and back: the verdict on a job's last draft run, the namespace that its tenant's
 * purchases allow, and demotion when it has become slow.
 */
import type { Demotion, Promotion } from './schemas/jobs.ts'
import { thousandths, unitsOf } from '../core/service/amounts.ts'
import { failure } from '../core/errors.ts'
import { DEDICATED, DRAFT, SHARED, type Namespace } from '../core/service/namespaces.ts'
import {
  evaluateDraft,
  performanceRatio,
  LEAST_SAMPLE_SECONDS,
  MOST_RATIO,
  type Evaluation,
} from '../scheduling/draft.ts'
import type { Db, Tx } from '../state/database.ts'
import { lastDraftRun, newestRuns } from '../state/executions.ts'
import { changeJob, findJob, lockJobRow, type JobRow } from '../state/jobs.ts'
import { boughtAt } from '../state/usage.ts'
import type { Context } from './context.ts'
import { nextTick } from './ticks.ts'

/** The last draft run against its estimate, and the namespace that the tenant's purchases allow. */
export async function evaluate(
  db: Db,
  row: JobRow,
  now: Date,
): Promise<{ evaluation: Evaluation; evidence: Record<string, string | number> }> {
  const run = await lastDraftRun(db, row.job_id)
  if (run === undefined) throw failure('draft_missing', { job: row.job_name })
  const receipt = run.receipt as { work_seconds: number; estimated_seconds: number }
  const measured = { actualSeconds: receipt.work_seconds, estimatedSeconds: receipt.estimated_seconds }
  const evaluation = evaluateDraft({
    ...measured,
    cpuCores: row.resource_requirements.cpu_cores,
    memoryGb: row.resource_requirements.memory_gb,
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
 * Dedicated units if the tenant has enough of them for the job, else the pool of vCPU-hours. Throws
 * `no_purchase` if the tenant has neither.
 */
export async function targetOf(
  db: Db,
  row: Pick<JobRow, 'tenant_id' | 'resource_requirements'>,
  now: Date,
): Promise<Namespace> {
  const { cpu_cores, memory_gb } = row.resource_requirements
  const bought = await boughtAt(db, row.tenant_id, now)
  if (bought.dedicated_units >= unitsOf(cpu_cores, memory_gb)) return DEDICATED
  if (bought.vcpu_hours > 0) return SHARED
  throw failure('no_purchase', { at: now.toISOString(), cores: cpu_cores, memory: memory_gb })
}

/**
 * Promotes a job, with the requirements that its draft run showed. Throws the reason if it may not be
 * promoted.
 */
export async function promote(tx: Tx, row: JobRow, actor: string, now: Date): Promise<Promotion> {
  if (row.namespace !== DRAFT)
    throw failure('job_state', {
      job: row.job_name,
      status: row.status,
      action: 'promoted',
      instead: 'It is in production already.',
    })
  const { evaluation, evidence } = await evaluate(tx, row, now)
  if (!evaluation.promotion_eligible) throw failure(evaluation.reason, evidence)
  const requirements = { ...row.resource_requirements, ...evaluation.resource_adjustment }
  const namespace = evaluation.recommended_namespace
  await changeJob(tx, row, {
    change: {
      status: 'active',
      namespace,
      resource_requirements: requirements,
      evaluation: { ...evaluation, evidence, at: now.toISOString() },
      next_run_at: nextTick(row.schedule_cron, now),
      failures_in_a_row: 0,
    },
    event: 'job.promoted',
    actor,
  })
  return { status: 'promoted', namespace, updated_requirements: requirements }
}

/** Makes a job a draft again, with the reason, and cancels its queued executions. */
export async function demote(tx: Tx, row: JobRow, actor: string, reason: string): Promise<Demotion> {
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
      evaluation: { ...row.evaluation, demoted: reason },
    },
    event: 'job.demoted',
    actor,
  })
  return { status: 'demoted', namespace: DRAFT, reason }
}

/**
 * Demote a job after this many consecutive runs exceed the draft limit (draft.ts): its needs have changed.
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
    const since = row.evaluation?.at ?? row.created_at
    const runs = await newestRuns(tx, jobId, { since: new Date(since), limit: DECAYED_RUNS })
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
