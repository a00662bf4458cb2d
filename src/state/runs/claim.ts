/**
 * How a runner takes executions whose time has come. A claim has a generation; a process that slept and comes
 * with an older one is refused. So no execution ends twice, and nothing is paid or given back twice.
 */
import { sql } from 'kysely'
import { failpoint } from '../../core/failpoint.ts'
import type { OfferedCapacity } from '../../core/service/namespaces.ts'
import { lockCapacity } from '../capacity.ts'
import type { Tx } from '../database.ts'
import { record } from '../events.ts'

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

/** An execution with its use of its namespace. */
interface Candidate {
  execution_id: string
  job_id: string
  namespace: string
  cpu_cores: number
  memory_gb: number
}

/** The mark of claimed executions moves at most once in this time. */
const CLAIMED_AHEAD_MS = 60_000

/**
 * Takes executions whose time has come, at most `limit`: one at a time per job, and only what fits beside the
 * running ones. A run that exceeds its booking keeps its cores, and executions booked after it start a little
 * later instead of beside it.
 */
export async function claim(
  tx: Tx,
  {
    runner,
    now,
    leaseMs,
    limit,
    capacity,
  }: { runner: string; now: Date; leaseMs: number; limit: number; capacity: OfferedCapacity },
): Promise<Claimed[]> {
  // No one else starts anything meanwhile. Executions locked by others are skipped, never waited for: their
  // holders may wait for this lock.
  await lockCapacity(tx)
  const running = await readRunning(tx, now)
  // More than can be taken: some of them will not fit, or belong to one job.
  const due = await lockDue(tx, { now, beside: running.map((run) => run.job_id), limit: limit * 4 })
  const chosen = chooseFitting(due, freeBeside(running, capacity), limit)
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

/** Running executions, found up to the latest time of any claim: the clock may have been set back since. */
async function readRunning(tx: Tx, now: Date): Promise<Omit<Candidate, 'execution_id'>[]> {
  return tx
    .selectFrom('bookings as k')
    .innerJoin('job_executions as x', 'x.execution_id', 'k.execution_id')
    .select(['x.job_id', 'x.namespace', 'x.cpu_cores', 'x.memory_gb'])
    .where('k.booked_from', '<=', sql<Date>`(SELECT greatest(claimed_until, ${now}) FROM installation)`)
    .where('x.status', '=', 'running')
    .execute()
}

/**
 * Executions that may start by their booking, locked, the longest due at the front. None of the jobs
 * `beside`.
 */
async function lockDue(
  tx: Tx,
  { now, beside, limit }: { now: Date; beside: string[]; limit: number },
): Promise<Candidate[]> {
  return tx
    .selectFrom('bookings as k')
    .innerJoin('job_executions as b', 'b.execution_id', 'k.execution_id')
    .select(['b.execution_id', 'b.job_id', 'b.namespace', 'b.cpu_cores', 'b.memory_gb'])
    .where('k.booked_from', '<=', now)
    .where('b.status', '=', 'booked')
    .where('b.cancel_requested', '=', false)
    .where(sql<boolean>`b.job_id <> ALL(${beside}::uuid[])`)
    .orderBy('k.booked_from')
    .orderBy('k.execution_id')
    .limit(limit)
    .forUpdate('b')
    .skipLocked()
    .execute()
}

/** Cores and memory by namespace. */
type Free = Map<string, { cpuCores: number; memoryGb: number }>

/** Capacity that no running execution uses, whatever was booked. */
function freeBeside(running: Omit<Candidate, 'execution_id'>[], capacity: OfferedCapacity): Free {
  const free: Free = new Map(Object.entries(capacity).map(([namespace, offer]) => [namespace, { ...offer }]))
  for (const { namespace, cpu_cores, memory_gb } of running) {
    const room = free.get(namespace)
    if (room === undefined) continue
    room.cpuCores -= cpu_cores
    room.memoryGb -= memory_gb
  }
  return free
}

/** IDs of at most `limit` executions that fit into `free`, one per job. Subtracts their use from it. */
function chooseFitting(due: Candidate[], free: Free, limit: number): string[] {
  const jobs = new Set<string>()
  const chosen: string[] = []
  for (const candidate of due) {
    if (chosen.length === limit) break
    const room = free.get(candidate.namespace)
    if (jobs.has(candidate.job_id) || room === undefined) continue
    if (room.cpuCores < candidate.cpu_cores || room.memoryGb < candidate.memory_gb) continue
    jobs.add(candidate.job_id)
    chosen.push(candidate.execution_id)
    room.cpuCores -= candidate.cpu_cores
    room.memoryGb -= candidate.memory_gb
  }
  return chosen
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
      progress = NULL
    WHERE execution_id = ANY(${executionIds}::uuid[])
    RETURNING
      execution_id, job_id, tenant_id, namespace, cpu_cores, memory_gb, attempt, generation, booked_until
  `.execute(tx)
  return rows
}
