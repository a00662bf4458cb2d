/** The queue of executions: each gets a fair-share tag, which decides its turn (see cycle.ts). */
import { sql } from 'kysely'
import type { Namespace } from '../core/service/namespaces.ts'
import { nextTag, type Priority } from '../scheduling/fair-share.ts'
import type { Db, Tx } from './database.ts'
import { timeOrderedId } from './ids.ts'

export interface NewExecution {
  jobId: string
  tenantId: string
  namespace: Namespace
  cpuCores: number
  memoryGb: number
  estimatedMinutes: number
  priority: Priority
  preferred: Date
  deadline: Date
  tick?: Date
}

/** Queues an execution. Undefined if the tick of that job already has one. */
export async function enqueue(tx: Tx, execution: NewExecution): Promise<string | undefined> {
  const { tag, lastTag } = await tagOf(tx, execution)
  const row = await tx
    .insertInto('job_executions')
    .values({
      execution_id: timeOrderedId(Date.now()),
      job_id: execution.jobId,
      tenant_id: execution.tenantId,
      namespace: execution.namespace,
      scheduled_time: execution.preferred,
      cpu_cores: execution.cpuCores,
      memory_gb: execution.memoryGb,
      estimated_minutes: execution.estimatedMinutes,
      fair_tag: tag,
      deadline: execution.deadline,
      tick: execution.tick ?? null,
    })
    .onConflict((on) => on.columns(['job_id', 'tick']).where('tick', 'is not', null).doNothing())
    .returning('execution_id')
    .executeTakeFirst()
  if (row === undefined) return undefined
  await queueUp(tx, row.execution_id)
  await tx
    .updateTable('tenant_shares')
    .set({ last_tag: lastTag })
    .where('tenant_id', '=', execution.tenantId)
    .execute()
  return row.execution_id
}

/** Its place among all tenants. The tenant's share stays locked until the transaction ends. */
async function tagOf(tx: Tx, execution: NewExecution): Promise<{ tag: number; lastTag: number }> {
  const share = await tx
    .selectFrom('tenant_shares')
    .select(['weight', 'last_tag'])
    .where('tenant_id', '=', execution.tenantId)
    .forUpdate()
    .executeTakeFirst()
  const { virtual_time } = await tx
    .selectFrom('installation')
    .select('virtual_time')
    .executeTakeFirstOrThrow()
  return nextTag({ weight: share?.weight ?? 1, lastTag: share?.last_tag ?? 0 }, virtual_time, {
    coreMinutes: execution.cpuCores * execution.estimatedMinutes,
    priority: execution.priority,
  })
}

/** A warning comes when less than this part of an execution's window is left. */
const LAST_PART = 0.25

/** Lets an execution wait: it is decided at once, or when its time to try again has come. */
export async function queueUp(tx: Tx, executionId: string, tryAfter?: Date): Promise<void> {
  await sql`
    INSERT INTO queued_executions (
      execution_id, tenant_id, namespace, cpu_cores, memory_gb, estimated_minutes,
      preferred, deadline, fair_tag, ready, try_after, warn_at
    )
    SELECT
      execution_id, tenant_id, namespace, cpu_cores, memory_gb, estimated_minutes,
      scheduled_time, deadline, fair_tag,
      ${tryAfter === undefined},
      ${tryAfter ?? '-infinity'}::timestamptz,
      deadline
        - make_interval(mins => estimated_minutes)
        - (deadline - scheduled_time) * ${LAST_PART}::float8
    FROM job_executions
    WHERE execution_id = ${executionId}
  `.execute(tx)
}

/** Waiting executions of a tenant. */
export async function countWaiting(db: Db, tenantId: string): Promise<number> {
  const { rows } = await sql<{ waiting: number }>`
    SELECT count(*)::int AS waiting
    FROM queued_executions
    WHERE tenant_id = ${tenantId}
  `.execute(db)
  return rows[0].waiting
}

/** Executions of all tenants that the scheduler decides before this one, which must be waiting, too. */
export async function countAhead(db: Db, executionId: string): Promise<number> {
  const { count } = await db
    .selectFrom('queued_executions as x')
    .innerJoin('queued_executions as me', (join) => join.on('me.execution_id', '=', executionId))
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .where('x.ready', '=', true)
    .whereRef('x.fair_tag', '<', 'me.fair_tag')
    .executeTakeFirstOrThrow()
  return Number(count)
}
