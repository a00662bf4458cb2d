/**
 * The loop of the scheduler: changes of the clock, ticks of jobs, lost runs, and the cycle that books. One
 * scheduler leads at a time.
 */
import { hostname } from 'node:os'
import { refreshCapacity } from '../capacity.ts'
import { createDiskWatch } from './disk-watch.ts'
import type { Context } from '../context.ts'
import { reasonOf } from '../../core/errors.ts'
import { failpoint } from '../../core/failpoint.ts'
import { correctSlots } from '../../state/allocation.ts'
import { dropSlotsBefore, ensureSlots, gridAt } from '../../state/capacity.ts'
import { forgetAnswers } from '../../state/idempotency.ts'
import { changeJob, dueJobs, reviveContinuousJobs } from '../../state/jobs.ts'
import { recallLoans } from '../../state/loans.ts'
import { holdLease, leaveLease } from '../../state/leases.ts'
import { turnPeriods, wakeTenants } from '../../state/purchases.ts'
import { advanceBookings } from '../../state/bookings.ts'
import { CYCLE_HEADS, runCycle } from '../../state/cycle.ts'
import { dropOldEvents, record } from '../../state/events.ts'
import { extendBookings } from '../../state/bookings.ts'
import { markLateStarts } from '../../state/runs/late-starts.ts'
import { leasesOf, reap } from '../../state/runs/lost.ts'
import { endOfTheGone } from '../gone-tenants.ts'
import { enqueueJob } from '../job-queueing.ts'
import { roomInQueue } from '../tenant-quota.ts'
import { nextTick } from '../ticks.ts'
import { warn } from '../../state/warnings.ts'
import { createDeliveries } from './deliveries.ts'
import { type Sleeper, pause } from '../../core/waiting.ts'

export interface Loop {
  /** Starts the next round now. */
  wake(): void
  stop(): Promise<void>
}

/**
 * How often it looks, how long a lead and a run last without a sign, how long a round may keep the lead, and
 * how often a run is tried. A lead is short: a scheduler that restarts after a crash waits for its own old
 * lead, and a second leader decides nothing twice.
 */
const TURN = { everyMs: 500, leadMs: 3_000, silentMs: 15_000, roundMs: 60_000, attempts: 3, slowMs: 30_000 }

export function startScheduler(context: Context, log: (event: Record<string, unknown>) => void): Loop {
  const holder = `${hostname()} ${process.pid}`
  const lead = (): Promise<bigint | undefined> =>
    holdLease(context.gate.service, { name: 'scheduler', holder, leaseMs: TURN.leadMs })
  const watch = createLeaseWatch()
  const watchDisk = createDiskWatch(context)
  const onError = (error: unknown): void => {
    context.metrics.failed('scheduler')
    log({ level: 'warn', event: 'scheduler.failed', reason: reasonOf(error) })
  }
  const deliveries = createDeliveries(context, onError)
  let slowAt = 0
  return startLoop(
    TURN.everyMs,
    async () => {
      if ((await lead()) === undefined) return
      const begun = performance.now()
      // A round that works through a long queue keeps the lead; one that hangs loses it.
      const renewing = setInterval(
        () => performance.now() - begun < TURN.roundMs && void lead().catch(() => undefined),
        TURN.leadMs / 3,
      )
      try {
        if (context.now().getTime() >= slowAt) {
          await slowRound(context)
          await watchDisk().catch(onError)
          slowAt = context.now().getTime() + TURN.slowMs
        }
        await schedulerRound(context, watch)
      } finally {
        clearInterval(renewing)
      }
      // Runs beside the rounds: a slow receiver must not delay executions that wait for capacity.
      void deliveries.round().catch(onError)
    },
    onError,
    async () => {
      await deliveries.stop()
      await leaveLease(context.gate.service, { name: 'scheduler', holder })
    },
  )
}

/** Changes of the clock: periods, slots, idempotency keys that have expired. */
export async function slowRound(context: Context): Promise<void> {
  const { gate, capacity, slots, now, retention } = context
  await refreshCapacity({ gate, capacity })
  const at = now()
  await wakeTenants(gate.service, await gate.transact((tx) => turnPeriods(tx, at)))
  await gate.transact((tx) => ensureSlots(tx, capacity, gridAt(at.getTime(), slots)))
  await gate.transact(async (tx) => {
    const corrected = await correctSlots(tx, gridAt(at.getTime(), slots))
    await record(
      tx,
      ...corrected.map((slot) => ({
        tenantId: null,
        actor: 'scheduler',
        event: 'capacity.corrected',
        data: { ...slot },
      })),
    )
  })
  await endOfTheGone(context, 'scheduler')
  await forgetAnswers(gate.service, new Date(at.getTime() - 7 * 86_400_000))
  await dropOldEvents(gate.service, retention, at)
  await dropSlotsBefore(gate.service, new Date(at.getTime() - 90 * 86_400_000))
}

/** One round: ticks, lost runs, then cycles until nothing more can be placed. */
export async function schedulerRound(
  context: Context,
  watch: LeaseWatch = createLeaseWatch(),
): Promise<void> {
  const { gate, capacity, slots, spillover, now, metrics } = context
  await reviveContinuousJobs(gate.service, now())
  await gate.transact((tx) => tick(context, tx, now()))
  const silent = watch(await leasesOf(gate.service), performance.now())
  for (const run of silent)
    await gate.transact((tx) => reap(tx, run, { now: now(), settings: slots, attempts: TURN.attempts }))
  await gate.transact((tx) => warn(tx, now()))
  await gate.transact((tx) => markLateStarts(tx, { now: now(), capacity }))
  await gate.transact((tx) => recallLoans(tx, now()))
  await gate.transact((tx) => extendBookings(tx, { now: now(), settings: slots }))
  await gate.transact((tx) => advanceBookings(tx, { settings: slots, now: now() }))
  for (;;) {
    const begun = performance.now()
    const { booked, waiting } = await gate.transact((tx) =>
      runCycle(tx, { capacity, settings: slots, now: now(), heads: CYCLE_HEADS, spillover }),
    )
    if (booked > 0) failpoint('cycle.booked')
    if (booked + waiting > 0) metrics.cycle((performance.now() - begun) / 1_000, booked)
    if (booked + waiting < CYCLE_HEADS) return
  }
}

/**
 * Finds leases that did not change for longer than they last, by a monotonic clock: a clock that jumps takes
 * no run from its runner.
 */
export type LeaseWatch = (
  leases: { execution_id: string; lease_until: Date }[],
  monotonicMs: number,
) => { execution_id: string; lease_until: Date }[]

export function createLeaseWatch(leaseMs = TURN.silentMs): LeaseWatch {
  let seen = new Map<string, { until: number; sinceMs: number }>()
  return (leases, monotonicMs) => {
    const next = new Map<string, { until: number; sinceMs: number }>()
    for (const { execution_id, lease_until } of leases) {
      const known = seen.get(execution_id)
      next.set(
        execution_id,
        known !== undefined && known.until === lease_until.getTime()
          ? known
          : { until: lease_until.getTime(), sinceMs: monotonicMs },
      )
    }
    seen = next
    return leases.filter(
      (lease) => monotonicMs - (next.get(lease.execution_id)?.sinceMs ?? monotonicMs) > leaseMs,
    )
  }
}

/**
 * A tick of a job queues one execution and moves to the next tick. One execution makes up for all ticks that
 * were missed while no scheduler ran.
 */
async function tick(
  context: Pick<Context, 'slots' | 'limits'>,
  tx: Parameters<typeof dueJobs>[0],
  at: Date,
): Promise<void> {
  const room = new Map<string, number>()
  for (const job of await dueJobs(tx, at, 200)) {
    const due = job.next_run_at as Date
    const left = room.get(job.tenant_id) ?? (await roomInQueue(context, tx, job.tenant_id))
    room.set(job.tenant_id, left - 1)
    // If the queue of the tenant is full, skip the tick: its data comes with the next one.
    if (left > 0) await enqueueJob(tx, job, { slots: context.slots, from: at, tick: due })
    else
      await record(tx, {
        tenantId: job.tenant_id,
        actor: 'scheduler',
        event: 'job.tick_skipped',
        subject: job.job_id,
        data: { reason: 'waiting_executions' },
      })
    await changeJob(tx, job, {
      change: { next_run_at: nextAfterFailures(nextTick(job.schedule_cron, at), job.failures_in_a_row, at) },
      event: 'job.ticked',
      actor: 'scheduler',
    })
  }
}

/**
 * A job that fails repeatedly runs less and less often, down to every six hours: it must not burn what its
 * tenant bought.
 */
function nextAfterFailures(next: Date | null, failures: number, at: Date): Date | null {
  if (next === null || failures < 3) return next
  const pauseMs = Math.min(6 * 3_600_000, 60_000 * 2 ** (failures - 2))
  return new Date(Math.max(next.getTime(), at.getTime() + pauseMs))
}

/** Repeats a round, one at a time. A round that fails is reported and repeated. */
export function startLoop(
  everyMs: number,
  round: () => Promise<void>,
  failed: (error: unknown) => void,
  end: () => Promise<void> = async () => undefined,
): Loop {
  let stopped = false
  const sleeper: Sleeper = { wake: () => undefined }
  const running = (async () => {
    while (!stopped) {
      await round().catch(failed)
      if (!stopped) await pause(everyMs, { sleeper })
    }
    await end().catch(() => undefined)
  })()
  return {
    wake: () => sleeper.wake(),
    async stop() {
      stopped = true
      sleeper.wake()
      await running
    },
  }
}
