/**
 * What runners do with executions: claim what is due, say that they live, and end them. A claim has a
 * generation; whoever comes with an older one (a process that slept) is refused, so that no execution is
 * ended twice and nothing is paid or given back twice.
 */
import { sql } from 'kysely'
import { thousandths, vcpuHours, type CpuMicros } from '../core/amounts.ts'
import { failpoint } from '../core/failpoint.ts'
import { failure } from '../core/errors.ts'
import { SHARED, type Namespace, type OfferedCapacity } from '../core/namespaces.ts'
import { extendRunning, type Outrunning } from '../scheduling/cycle.ts'
import type { ServiceReason } from '../scheduling/reasons.ts'
import { allocate, gridAt, lockCapacity, readSlots, readTenants, type SlotSettings } from './capacity.ts'
import type { Db, Tx } from './database.ts'
import { record } from './events.ts'
import { availableTo, extend, settle, type Hold } from './ledger.ts'
import { holdsOf, holdsText, queueUp } from './queue.ts'

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

/** The mark of what was claimed is moved once in so long. */
const CLAIMED_AHEAD_MS = 60_000

/**
 * Takes executions whose time has come, at most `limit`; of each job one at a time, and only what fits beside
 * what really runs: one that outran its booking keeps its cores, and who was booked after it starts a little
 * later instead of beside it. What runs is found up to where anybody has ever claimed: the clock may have
 * been set back since.
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
  // Nobody else starts anything meanwhile. What others hold of executions is skipped, never waited for: they
  // may wait for this lock.
  await lockCapacity(tx)
  const running = await tx
    .selectFrom('bookings as k')
    .innerJoin('job_executions as x', 'x.execution_id', 'k.execution_id')
    .select(['x.job_id', 'x.namespace', 'x.cpu_cores', 'x.memory_gb'])
    .where('k.booked_from', '<=', sql<Date>`(SELECT greatest(claimed_until, ${now}) FROM installation)`)
    .where('x.status', '=', 'running')
    .execute()
  const due = await tx
    .selectFrom('bookings as k')
    .innerJoin('job_executions as b', 'b.execution_id', 'k.execution_id')
    .select(['b.execution_id', 'b.job_id', 'b.namespace', 'b.cpu_cores', 'b.memory_gb'])
    .where('k.booked_from', '<=', now)
    .where('b.status', '=', 'booked')
    .where('b.cancel_requested', '=', false)
    .where(sql<boolean>`b.job_id <> ALL(${running.map((one) => one.job_id)}::uuid[])`)
    .orderBy('k.booked_from')
    .orderBy('k.execution_id')
    .limit(limit * 4)
    .forUpdate('b')
    .skipLocked()
    .execute()
  if (due.length === 0) return []
  const free = freeBeside(running, capacity)
  const jobs = new Set<string>()
  const chosen: string[] = []
  for (const one of due) {
    const room = free.get(one.namespace)
    if (
      chosen.length === limit ||
      jobs.has(one.job_id) ||
      room === undefined ||
      room.cpuCores < one.cpu_cores ||
      room.memoryGb < one.memory_gb
    )
      continue
    jobs.add(one.job_id)
    chosen.push(one.execution_id)
    room.cpuCores -= one.cpu_cores
    room.memoryGb -= one.memory_gb
  }
  if (chosen.length === 0) return []
  await sql`UPDATE installation SET claimed_until = ${new Date(now.getTime() + CLAIMED_AHEAD_MS)} WHERE claimed_until < ${now}`.execute(
    tx,
  )
  const { rows } = await sql<Claimed>`
    UPDATE job_executions SET status = 'running', runner = ${runner}, generation = generation + 1, lease_until = ${new Date(now.getTime() + leaseMs)}, actual_start_time = ${now}, progress = NULL
    WHERE execution_id = ANY(${chosen}::uuid[]) RETURNING execution_id, job_id, tenant_id, namespace, cpu_cores, memory_gb, attempt, generation, booked_until`.execute(
    tx,
  )
  await record(
    tx,
    ...rows.map((row) => ({
      tenantId: row.tenant_id,
      actor: runner,
      event: 'execution.started',
      subject: row.execution_id,
      data: { attempt: row.attempt },
    })),
  )
  failpoint('run.claiming')
  return rows
}

/** What no running execution uses, whatever was booked. */
function freeBeside(
  running: { namespace: string; cpu_cores: number; memory_gb: number }[],
  capacity: OfferedCapacity,
): Map<string, { cpuCores: number; memoryGb: number }> {
  const free = new Map(Object.entries(capacity).map(([namespace, one]) => [namespace, { ...one }]))
  for (const { namespace, cpu_cores, memory_gb } of running) {
    const room = free.get(namespace)
    if (room !== undefined)
      Object.assign(room, { cpuCores: room.cpuCores - cpu_cores, memoryGb: room.memoryGb - memory_gb })
  }
  return free
}

/**
 * Bookings of runs that are about to outrun them reach one slot further where that is free, so that nothing
 * else is planned there. Where it is not, the run goes on, and what was booked there waits (see claim).
 * Returns how many were extended.
 */
export async function extendBookings(
  tx: Tx,
  { now, settings }: { now: Date; settings: SlotSettings },
): Promise<number> {
  const rows = await tx
    .selectFrom('bookings as b')
    .innerJoin('job_executions as x', 'x.execution_id', 'b.execution_id')
    .select(['x.execution_id', 'x.namespace', 'x.cpu_cores', 'x.memory_gb', 'x.booked_until', 'x.unit_owner'])
    .where('x.status', '=', 'running')
    .where('x.booked_until', '<=', new Date(now.getTime() + EXTEND_AHEAD_MS))
    .orderBy('x.execution_id')
    .limit(500)
    .forUpdate('x')
    .skipLocked()
    .execute()
  if (rows.length === 0) return 0
  await lockCapacity(tx)
  const grid = gridAt(now.getTime(), settings)
  const free = await readSlots(tx, grid)
  const tenants = await readTenants(
    tx,
    grid,
    rows.flatMap((row) => row.unit_owner ?? []),
    { nowMs: now.getTime(), lock: false },
  )
  const running = rows.map((row): Outrunning => ({
    executionId: row.execution_id,
    namespace: row.namespace as Namespace,
    owner: row.unit_owner ?? undefined,
    cpuCores: row.cpu_cores,
    memoryGb: row.memory_gb,
    untilMs: (row.booked_until as Date).getTime(),
  }))
  const extended = extendRunning({ nowMs: now.getTime(), grid, free, tenants }, running)
  const of = new Map(running.map((one) => [one.executionId, one]))
  await allocate(
    tx,
    grid,
    extended
      .filter((one) => one.fromMs < one.untilMs)
      .map(({ executionId, fromMs, untilMs }) => ({
        ...(of.get(executionId) as Outrunning),
        fromMs,
        untilMs,
      })),
    1,
  )
  for (const { executionId, untilMs } of extended)
    await tx
      .updateTable('job_executions')
      .set({ booked_until: new Date(untilMs) })
      .where('execution_id', '=', executionId)
      .execute()
  return extended.length
}

/** A run's booking is extended this long before it ends: two rounds of a busy scheduler. */
const EXTEND_AHEAD_MS = 60_000

/**
 * Why a runner must end a run: its tenant cancelled it, the owner of its units wants them back, or it is not
 * this runner's any more.
 */
export type StopAsked = 'cancelled' | 'recalled' | 'lost'

/** Renews leases and keeps what was measured; returns those that must stop. */
export async function heartbeat(
  tx: Tx,
  {
    runner,
    now,
    leaseMs,
    alive,
  }: {
    runner: string
    now: Date
    leaseMs: number
    alive: { executionId: string; generation: bigint; progress: object }[]
  },
): Promise<{ execution_id: string; why: StopAsked }[]> {
  const { rows } = await sql<{ execution_id: string; cancel_requested: boolean; recalled: boolean }>`
    UPDATE job_executions x SET lease_until = ${new Date(now.getTime() + leaseMs)}, progress = a.progress
    FROM unnest(${alive.map((one) => one.executionId)}::uuid[], ${alive.map((one) => String(one.generation))}::bigint[], ${alive.map((one) => JSON.stringify(one.progress))}::jsonb[]) a (execution_id, generation, progress)
    WHERE x.execution_id = a.execution_id AND x.generation = a.generation AND x.status = 'running' AND x.runner = ${runner} RETURNING x.execution_id, x.cancel_requested, x.recalled`.execute(
    tx,
  )
  const known = new Map(
    rows.map(
      (row) =>
        [
          row.execution_id,
          row.cancel_requested ? 'cancelled' : row.recalled ? 'recalled' : undefined,
        ] as const,
    ),
  )
  return alive.flatMap(({ executionId }): { execution_id: string; why: StopAsked }[] => {
    const why = known.has(executionId) ? known.get(executionId) : 'lost'
    return why === undefined ? [] : [{ execution_id: executionId, why }]
  })
}

export interface Ending {
  executionId: string
  generation: bigint
  outcome: 'succeeded' | 'failed' | 'cancelled' | 'timed_out' | 'requeued'
  /** Since the last time it was entered. */
  used: Used
  reason?: ServiceReason
  errorMessage?: string
  receipt: Record<string, unknown>
  /** Where the job goes on: entered with the success or not at all. */
  cursor?: unknown
  /** When a requeued one may be tried again. */
  tryAfter?: Date
  /** Whether it kept its promise, where that is not its run time. */
  slaMet?: boolean
}

/**
 * Ends a run: settles what it used, gives back capacity, and enters the outcome, in one transaction. Throws
 * `lease_lost` when it is not this run any more.
 */
export async function finish(
  tx: Tx,
  ending: Ending,
  { actor, now, settings }: { actor: string; now: Date; settings: SlotSettings },
): Promise<void> {
  const row = await tx
    .selectFrom('job_executions as x')
    .innerJoin('ingestion_jobs as j', 'j.job_id', 'x.job_id')
    .select([
      'x.execution_id',
      'x.job_id',
      'x.tenant_id',
      'x.namespace',
      'x.status',
      'x.generation',
      'x.runner',
      'x.holds',
      'x.actual_start_time',
      'x.rolled_at',
      'x.booked_from',
      'x.booked_until',
      'x.cpu_cores',
      'x.memory_gb',
      'x.unit_owner',
      'x.attempt',
      'x.cancel_requested',
      'j.sla_requirements',
      'j.namespace as home',
    ])
    .where('x.execution_id', '=', ending.executionId)
    .forUpdate('x')
    .executeTakeFirst()
  if (row === undefined || row.generation !== ending.generation || row.status !== 'running')
    throw failure('lease_lost', {
      what: `execution ${ending.executionId}`,
      holder: row?.runner ?? 'nobody',
      found: String(row?.generation ?? 'none'),
      expected: String(ending.generation),
    })
  const started = row.actual_start_time ?? now
  const paid = row.namespace === SHARED || holdsOf(row.holds).length > 0
  const debt = paid
    ? await settle(tx, {
        tenantId: row.tenant_id,
        executionId: row.execution_id,
        holds: holdsOf(row.holds),
        used: ending.used.cpuMicros,
        at: now,
      })
    : 0n
  await lockCapacity(tx)
  await giveBack(tx, row, now, settings)
  const ended = now < started ? started : now
  await consume(tx, row, ending.used, { from: row.rolled_at ?? started, until: ended })
  const total = await consumedBy(tx, row.execution_id)
  const minutes = (ended.getTime() - started.getTime()) / 60_000
  const most = (row.sla_requirements as { max_runtime_minutes?: number }).max_runtime_minutes
  // Who asked it to end while it failed for a moment is not asked again by another attempt.
  const cancelled = ending.outcome === 'requeued' && row.cancel_requested
  const outcome = cancelled ? 'cancelled' : ending.outcome
  const reason: ServiceReason | undefined = cancelled
    ? { code: 'cancelled', params: { actor: 'request', job: row.job_id } }
    : ending.reason
  const requeued = outcome === 'requeued'
  await tx
    .updateTable('job_executions')
    .set({
      status: requeued ? 'scheduled' : outcome,
      // Its window begins anew: what was lost was not its fault.
      ...(requeued
        ? {
            deadline: sql<Date>`greatest(deadline, ${now}::timestamptz + interval '24 hours')`,
            attempt: row.attempt + 1,
            namespace: row.home,
            actual_start_time: null,
            rolled_at: null,
            booked_from: null,
            booked_until: null,
            lender: null,
            unit_owner: null,
          }
        : {
            actual_end_time: ended,
            sla_met: ending.slaMet ?? (outcome === 'succeeded' && (most === undefined || minutes <= most)),
          }),
      holds: JSON.stringify([]),
      lease_until: null,
      progress: null,
      cancel_requested: false,
      recalled: false,
      reason: reason === undefined ? null : JSON.stringify(reason),
      error_message: ending.errorMessage ?? null,
      resource_used: JSON.stringify({
        cpu_seconds: Number(total.cpuMicros) / 1e6,
        memory_gb_seconds: Number(total.memoryGbSeconds),
        vcpu_hours: vcpuHours(total.cpuMicros),
      }),
      receipt: JSON.stringify({
        ...ending.receipt,
        runtime_minutes: thousandths(minutes),
        ...(debt > 0n ? { debt_vcpu_hours: vcpuHours(debt) } : {}),
      }),
    })
    .where('execution_id', '=', row.execution_id)
    .execute()
  await unbook(tx, row)
  if (requeued) await queueUp(tx, row.execution_id, ending.tryAfter ?? now)
  await afterEnd(tx, row.job_id, ending)
  await record(tx, {
    tenantId: row.tenant_id,
    actor,
    event: `execution.${outcome}`,
    subject: row.execution_id,
    data: { job_id: row.job_id, ...(reason === undefined ? {} : { reason }) },
  })
  failpoint('run.settling')
}

export interface Used {
  /** Measured by the operating system. */
  cpuMicros: CpuMicros
  memoryGbSeconds: bigint
}

/** Enters a span of use; a clock that was set back meanwhile makes it an empty one. */
async function consume(
  tx: Tx,
  of: { job_id: string; tenant_id: string; execution_id: string; namespace: string },
  { cpuMicros, memoryGbSeconds }: Used,
  { from, until }: { from: Date; until: Date },
): Promise<void> {
  const { job_id, tenant_id, execution_id, namespace } = of
  await tx
    .insertInto('resource_consumption')
    .values({
      job_id,
      tenant_id,
      execution_id,
      namespace,
      cpu_seconds: (cpuMicros + 999_999n) / 1_000_000n,
      cpu_microseconds: cpuMicros,
      memory_gb_seconds: memoryGbSeconds,
      start_time: from,
      end_time: until < from ? from : until,
    })
    .execute()
}

/** All that it used: in earlier attempts and slots too. */
async function consumedBy(tx: Tx, executionId: string): Promise<Used> {
  const { cpu, memory } = await tx
    .selectFrom('resource_consumption')
    .select(({ fn }) => [
      fn.sum<string>('cpu_microseconds').as('cpu'),
      fn.sum<string>('memory_gb_seconds').as('memory'),
    ])
    .where('execution_id', '=', executionId)
    .executeTakeFirstOrThrow()
  return { cpuMicros: BigInt(cpu), memoryGbSeconds: BigInt(memory) }
}

export interface Rolled {
  /** Held for what comes; less than asked for when no more is left. */
  held: CpuMicros
  /** What could be held for yet another time. */
  left: CpuMicros
  /** Give it the next time as `last`. */
  at: Date
}

/**
 * A stream's hold moves on: what it used since the last time is settled and entered, the rest of that hold
 * goes back, and the next slot is held. Undefined when the run is not this one any more. Where nothing is
 * paid by the hour, only use is entered. A second try of the same roll, whose first answer was lost, is known
 * by `last`: nothing is entered again.
 */
export async function roll(
  tx: Tx,
  {
    executionId,
    generation,
    used,
    ahead,
    last,
    now,
  }: { executionId: string; generation: bigint; used: Used; ahead: CpuMicros; last: Date | null; now: Date },
): Promise<Rolled | undefined> {
  const row = await tx
    .selectFrom('job_executions')
    .select([
      'execution_id',
      'job_id',
      'tenant_id',
      'namespace',
      'holds',
      'status',
      'generation',
      'actual_start_time',
      'rolled_at',
    ])
    .where('execution_id', '=', executionId)
    .forUpdate()
    .executeTakeFirst()
  if (row === undefined || row.generation !== generation || row.status !== 'running') return undefined
  const holds = holdsOf(row.holds)
  const paid = row.namespace === SHARED || holds.length > 0
  const sum = (of: Hold[]): CpuMicros => of.reduce((total, one) => total + one.amount, 0n)
  if (row.rolled_at !== null && row.rolled_at.getTime() !== last?.getTime())
    return {
      held: paid ? sum(holds) : ahead,
      left: paid ? await availableTo(tx, row.tenant_id, now) : ahead,
      at: row.rolled_at,
    }
  if (paid) await settle(tx, { tenantId: row.tenant_id, executionId, holds, used: used.cpuMicros, at: now })
  const next = paid ? await extend(tx, { tenantId: row.tenant_id, executionId, amount: ahead, at: now }) : []
  await consume(tx, row, used, { from: row.rolled_at ?? row.actual_start_time ?? now, until: now })
  // What was measured until now is entered: a runner that dies before its next heartbeat must not be charged
  // for it again.
  await tx
    .updateTable('job_executions')
    .set({ holds: holdsText(next), rolled_at: now, progress: null })
    .where('execution_id', '=', executionId)
    .execute()
  await tx
    .updateTable('ingestion_jobs')
    .set({ failures_in_a_row: 0 })
    .where('job_id', '=', row.job_id)
    .where('failures_in_a_row', '>', 0)
    .execute()
  const held = sum(next)
  const left = paid ? await availableTo(tx, row.tenant_id, now) : ahead
  if (paid && left < ahead)
    await record(tx, {
      tenantId: row.tenant_id,
      actor: 'runner',
      event: 'execution.balance_low',
      subject: executionId,
      data: {
        job_id: row.job_id,
        needed_vcpu_hours: vcpuHours(ahead),
        held_vcpu_hours: vcpuHours(held),
        left_vcpu_hours: vcpuHours(left),
      },
    })
  return { held: paid ? held : ahead, left, at: now }
}

/** A success moves the cursor and forgets failures; a failure counts. */
async function afterEnd(tx: Tx, jobId: string, ending: Ending): Promise<void> {
  if (ending.outcome === 'succeeded')
    await tx
      .updateTable('ingestion_jobs')
      .set({
        failures_in_a_row: 0,
        ...(ending.cursor === undefined ? {} : { cursor: JSON.stringify(ending.cursor) }),
      })
      .where('job_id', '=', jobId)
      .execute()
  else if (ending.outcome === 'failed' || ending.outcome === 'timed_out')
    await tx
      .updateTable('ingestion_jobs')
      .set((row) => ({ failures_in_a_row: row('failures_in_a_row', '+', 1) }))
      .where('job_id', '=', jobId)
      .execute()
}

interface Booked {
  namespace: string
  cpu_cores: number
  memory_gb: number
  booked_from: Date | null
  booked_until: Date | null
  unit_owner: string | null
}

/** Gives back what a booking has of slots that are not over. What is over stays as it was: history. */
export async function giveBack(tx: Tx, row: Booked, now: Date, settings: SlotSettings): Promise<void> {
  if (row.booked_from === null || row.booked_until === null) return
  const grid = gridAt(now.getTime(), settings)
  const fromMs = Math.max(row.booked_from.getTime(), grid.originMs)
  if (fromMs >= row.booked_until.getTime()) return
  await allocate(
    tx,
    grid,
    [
      {
        namespace: row.namespace,
        cpuCores: row.cpu_cores,
        memoryGb: row.memory_gb,
        fromMs,
        untilMs: row.booked_until.getTime(),
        owner: row.unit_owner ?? undefined,
      },
    ],
    -1,
  )
}

/** Cancels: at once when it waits, by the runner when it runs. Throws `execution_state` when it has ended. */
export async function cancel(
  tx: Tx,
  {
    tenantId,
    executionId,
    actor,
    now,
    settings,
  }: { tenantId: string; executionId: string; actor: string; now: Date; settings: SlotSettings },
): Promise<void> {
  const reason = JSON.stringify({ code: 'cancelled', params: { actor, job: '' } })
  const waited = await tx
    .deleteFrom('queued_executions')
    .where('tenant_id', '=', tenantId)
    .where('execution_id', '=', executionId)
    .returning('execution_id')
    .executeTakeFirst()
  if (waited !== undefined) {
    await tx
      .updateTable('job_executions')
      .set({ status: 'cancelled', actual_end_time: now, reason })
      .where('execution_id', '=', executionId)
      .execute()
    await record(tx, { tenantId, actor, event: 'execution.cancelled', subject: executionId })
    return
  }
  const row = await tx
    .selectFrom('job_executions')
    .select([
      'execution_id',
      'tenant_id',
      'status',
      'namespace',
      'cpu_cores',
      'memory_gb',
      'booked_from',
      'booked_until',
      'unit_owner',
      'holds',
    ])
    .where('tenant_id', '=', tenantId)
    .where('execution_id', '=', executionId)
    .forUpdate()
    .executeTakeFirst()
  if (row === undefined)
    throw failure('not_found', {
      what: 'execution',
      id: executionId,
      list: `GET /api/v1/tenants/${tenantId}/executions`,
    })
  if (row.status === 'running') {
    await tx
      .updateTable('job_executions')
      .set({ cancel_requested: true, reason })
      .where('execution_id', '=', executionId)
      .execute()
    await record(tx, { tenantId, actor, event: 'execution.cancel_requested', subject: executionId })
    return
  }
  if (row.status !== 'booked')
    throw failure('execution_state', { status: row.status, action: 'cancelled', id: executionId })
  await release(tx, row, now)
  await lockCapacity(tx)
  await giveBack(tx, row, now, settings)
  await unbook(tx, row)
  await tx
    .updateTable('job_executions')
    .set({ status: 'cancelled', holds: JSON.stringify([]), actual_end_time: now, reason })
    .where('execution_id', '=', executionId)
    .execute()
  await record(tx, { tenantId, actor, event: 'execution.cancelled', subject: executionId })
}

async function unbook(tx: Tx, row: { execution_id: string; booked_from: Date | null }): Promise<void> {
  if (row.booked_from !== null)
    await tx
      .deleteFrom('bookings')
      .where('booked_from', '=', row.booked_from)
      .where('execution_id', '=', row.execution_id)
      .execute()
}

async function release(
  tx: Tx,
  row: { tenant_id: string; execution_id: string; holds: unknown },
  now: Date,
): Promise<void> {
  const holds = holdsOf(row.holds)
  if (holds.length === 0) return
  await settle(tx, { tenantId: row.tenant_id, executionId: row.execution_id, holds, used: 0n, at: now })
}

/** Holds more for a run that outruns its estimate. Returns whether anything could be had. */
export async function extendHold(
  tx: Tx,
  {
    executionId,
    generation,
    amount,
    now,
  }: { executionId: string; generation: bigint; amount: CpuMicros; now: Date },
): Promise<boolean> {
  const row = await tx
    .selectFrom('job_executions')
    .select(['tenant_id', 'holds', 'status', 'generation'])
    .where('execution_id', '=', executionId)
    .forUpdate()
    .executeTakeFirst()
  if (row === undefined || row.generation !== generation || row.status !== 'running') return false
  const more = await extend(tx, { tenantId: row.tenant_id, executionId, amount, at: now })
  if (more.length === 0) return false
  await tx
    .updateTable('job_executions')
    .set({ holds: holdsText([...holdsOf(row.holds), ...more]) })
    .where('execution_id', '=', executionId)
    .execute()
  return true
}

/** What is running and the end of its lease, as it stands now. */
export async function leasesOf(
  db: Db,
): Promise<{ execution_id: string; generation: bigint; lease_until: Date }[]> {
  return (
    await db
      .selectFrom('bookings as b')
      .innerJoin('job_executions as x', 'x.execution_id', 'b.execution_id')
      .select(['x.execution_id', 'x.generation', 'x.lease_until'])
      .where('x.status', '=', 'running')
      .execute()
  ).map((row) => ({ ...row, lease_until: row.lease_until as Date }))
}

/**
 * Ends a run that its runner lost, told by its lease: what it held goes back, and it is tried again, three
 * times at most. False for one that was renewed meanwhile. One a transaction: an end takes lots before the
 * capacity, and a second end would take lots after it.
 */
export async function reap(
  tx: Tx,
  silent: { execution_id: string; lease_until: Date },
  { now, settings, attempts }: { now: Date; settings: SlotSettings; attempts: number },
): Promise<boolean> {
  const row = await tx
    .selectFrom('job_executions')
    .select([
      'execution_id',
      'generation',
      'runner',
      'attempt',
      'progress',
      'cancel_requested',
      'lease_until',
    ])
    .where('status', '=', 'running')
    .where('execution_id', '=', silent.execution_id)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst()
  if (row === undefined || row.lease_until?.getTime() !== silent.lease_until.getTime()) return false
  const progress = (row.progress ?? {}) as { cpu_us?: string; memory_gb_s?: string }
  const reason: ServiceReason = {
    code: 'runner_lost',
    params: { runner: row.runner ?? 'unknown', attempt: row.attempt },
  }
  const outcome = row.cancel_requested ? 'cancelled' : row.attempt < attempts ? 'requeued' : 'failed'
  await finish(
    tx,
    {
      executionId: row.execution_id,
      generation: row.generation,
      outcome,
      used: {
        cpuMicros: BigInt(progress.cpu_us ?? '0'),
        memoryGbSeconds: BigInt(progress.memory_gb_s ?? '0'),
      },
      reason,
      receipt: {},
      tryAfter: new Date(now.getTime() + 1_000 * 2 ** row.attempt),
    },
    { actor: 'scheduler', now, settings },
  )
  return true
}
