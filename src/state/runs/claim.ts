/**
 * How a runner takes executions whose time has come. A claim has a generation; a process that slept and comes
 * with an older one is refused. So no execution ends twice, and nothing is paid or given back twice.
 */
import { sql } from 'kysely'
import { failpoint } from '../../core/failpoint.ts'
import { NAMESPACES, type OfferedCapacity } from '../../core/service/namespaces.ts'
import { chooseStarts, type Taken } from '../../scheduling/starts.ts'
import { lockCapacity } from '../capacity.ts'
import type { Tx } from '../database.ts'
import { record } from '../events.ts'
import { lateBefore, markLateStarts } from './late-starts.ts'
import { readRunners, type RunnerMachine } from './runners.ts'

export interface Claimed {
  execution_id: string
  job_id: string
  tenant_id: string
  namespace: string
  cpu_cores: number
  memory_gb: number
  attempt: number
  generation: bigint
  booked_until: Date
}

/** The mark of claimed executions moves at most once in this time. */
const CLAIMED_AHEAD_MS = 60_000

interface Claim {
  runner: string
  now: Date
  leaseMs: number
  /** At most so many at once. */
  limit: number
  capacity: OfferedCapacity
}

/**
 * Takes executions whose time has come, at most `limit`: one at a time per job, and only what fits beside the
 * running ones. Production comes before drafts.
 */
export async function claim(tx: Tx, { runner, now, leaseMs, limit, capacity }: Claim): Promise<Claimed[]> {
  // No one else starts anything meanwhile. Executions locked by others are skipped, never waited for: their
  // holders may wait for this lock.
  await lockCapacity(tx)
  const running = await readRunning(tx, now)
  const due = await lockDue(tx, { now, beside: running.map((run) => run.job_id), limit })
  if (due.length === 0) return []
  // The scheduler tells of late starts in its rounds; one that it has not told of yet is told before it starts.
  if (due.some((row) => row.booked_from < lateBefore(now))) await markLateStarts(tx, { now, capacity })
  const chosen = chooseStarts({
    nowMs: now.getTime(),
    running: running.map((run) => ({ ...takenBy(run), isOwn: run.runner === runner })),
    due: due.map((row) => ({
      ...takenBy(row),
      executionId: row.execution_id,
      jobId: row.job_id,
      bookedFromMs: row.booked_from.getTime(),
    })),
    capacity,
    share: shareOf(await readRunners(tx, now), runner),
    limit,
  })
  if (chosen.length === 0) return []
  await markClaimed(tx, now)
  const claimed = await start(tx, chosen, { runner, now, leaseMs })
  await record(
    tx,
    ...claimed.map((row) => ({
      tenantId: row.tenant_id,
      actor: runner,
      event: 'execution.started',
      subject: row.execution_id,
      data: { attempt: row.attempt },
    })),
  )
  failpoint('run.claiming')
  return claimed
}

const takenBy = (row: { namespace: string; cpu_cores: number; memory_gb: number }): Taken => ({
  namespace: row.namespace,
  cpuCores: row.cpu_cores,
  memoryGb: row.memory_gb,
})

/** A runner that nobody has seen yet is alone. */
function shareOf(runners: RunnerMachine[], runner: string): number {
  const own = runners.find((machine) => machine.runner === runner)
  if (own === undefined) return 1
  return own.cpuCores / runners.reduce((sum, machine) => sum + machine.cpuCores, 0)
}

/** Running executions, found up to the latest time of any claim: the clock may have been set back since. */
async function readRunning(tx: Tx, now: Date) {
  return tx
    .selectFrom('bookings as k')
    .innerJoin('job_executions as x', 'x.execution_id', 'k.execution_id')
    .select(['x.job_id', 'x.namespace', 'x.cpu_cores', 'x.memory_gb', 'x.runner'])
    .where('k.booked_from', '<=', sql<Date>`(SELECT greatest(claimed_until, ${now}) FROM installation)`)
    .where('x.status', '=', 'running')
    .execute()
}

interface Due {
  execution_id: string
  job_id: string
  namespace: string
  cpu_cores: number
  memory_gb: number
  booked_from: Date
}

/**
 * Executions that may start by their booking, locked; none of jobs `beside`. Production at the front, then the
 * longest due. Of each namespace more than can be taken: some will not fit, or are of one job, and those of
 * one namespace must not hide those of another.
 */
async function lockDue(
  tx: Tx,
  { now, beside, limit }: { now: Date; beside: string[]; limit: number },
): Promise<Due[]> {
  const due: Due[] = []
  for (const namespace of NAMESPACES) {
    const rows = await tx
      .selectFrom('bookings as k')
      .innerJoin('job_executions as x', 'x.execution_id', 'k.execution_id')
      .select(['x.execution_id', 'x.job_id', 'x.namespace', 'x.cpu_cores', 'x.memory_gb', 'k.booked_from'])
      .where('k.booked_from', '<=', now)
      .where('x.status', '=', 'booked')
      .where('x.namespace', '=', namespace)
      .where('x.cancel_requested', '=', false)
      .where(sql<boolean>`x.job_id <> ALL(${beside}::uuid[])`)
      .orderBy('k.booked_from')
      .orderBy('k.execution_id')
      .limit(limit * 4)
      .forUpdate('x')
      .skipLocked()
      .execute()
    due.push(...rows)
  }
  return due
}

async function markClaimed(tx: Tx, now: Date): Promise<void> {
  await sql`
    UPDATE installation
    SET claimed_until = ${new Date(now.getTime() + CLAIMED_AHEAD_MS)}
    WHERE claimed_until < ${now}
  `.execute(tx)
}

async function start(
  tx: Tx,
  executionIds: string[],
  { runner, now, leaseMs }: { runner: string; now: Date; leaseMs: number },
): Promise<Claimed[]> {
  const { rows } = await sql<Claimed>`
    UPDATE job_executions
    SET
      status = 'running',
      runner = ${runner},
      generation = generation + 1,
      lease_until = ${new Date(now.getTime() + leaseMs)},
      actual_start_time = ${now},
      progress = NULL,
      reason = NULL
    WHERE execution_id = ANY(${executionIds}::uuid[])
    RETURNING
      execution_id, job_id, tenant_id, namespace, cpu_cores, memory_gb, attempt, generation, booked_until
  `.execute(tx)
  return rows
}
