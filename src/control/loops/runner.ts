/**
 * The runner: claims executions whose time has come and runs each in its own child process, under a lease.
 * The operating system measures what they use. One that uses too much memory or time is ended, with the
 * reason. Several runners share one database.
 */
import { readdir, rm } from 'node:fs/promises'
import { availableParallelism, hostname } from 'node:os'
import { join } from 'node:path'
import { HeadraceError, reasonOf } from '../../core/errors.ts'
import { failpoint } from '../../core/failpoint.ts'
import { hasCode, pause, retry, waitUntil } from '../../core/waiting.ts'
import { executionFolder, leaveAttempt } from '../../executions/attempt-folder.ts'
import type { ServiceReason } from '../../scheduling/reasons.ts'
import { endedAmong } from '../../state/executions.ts'
import { mayPassByWaiting } from '../../state/postgres-errors.ts'
import { claim, type Claimed } from '../../state/runs/claim.ts'
import type { Used } from '../../state/runs/consumption.ts'
import { finish, type Ending } from '../../state/runs/ending.ts'
import { heartbeat } from '../../state/runs/heartbeat.ts'
import { forgetRunner, seeRunner, type RunnerMachine } from '../../state/runs/runners.ts'
import { refreshCapacity } from '../capacity.ts'
import type { Context } from '../context.ts'
import { dropLogsBeyond, dropOldLogs } from '../execution-logs.ts'
import { demoteIfDecayed } from '../job-promotion.ts'
import { outcomeOf } from './execution-outcome.ts'
import { startProcess } from './execution-process.ts'
import { watch, watchDisk } from './execution-watch.ts'
import { isEntering, mib, reportOf, stop, stopCauseOf, unentered, type Running } from './running-execution.ts'
import { startLoop, type Loop } from './scheduler.ts'
import { settleRoll } from './stream-slots.ts'

const RUNNER = {
  everyMs: 500,
  leaseMs: 15_000,
  heartbeatMs: 3_000,
  measureMs: 500,
  graceMs: 10_000,
  refreshMs: 30_000,
  diskMs: 2_000,
  sweepMs: 3_600_000,
  claimedAtOnce: 20,
}

type Log = (event: Record<string, unknown>) => void

/** One runner: its name, its running executions, and where it reports problems. */
interface Runner {
  name: string
  context: Context
  running: Map<string, Running>
  log: Log
}

export function startRunner(context: Context, log: Log): Loop {
  const runner: Runner = { name: `${hostname()} ${process.pid}`, context, running: new Map(), log }
  const { running } = runner
  const onFailure = (error: unknown): void => reportFailure(runner, 'runner.failed', error)
  const meter = setInterval(() => running.forEach((run) => watch(context, run)), RUNNER.measureMs)
  const disk = setInterval(
    () => running.forEach((run) => void watchDisk(context, run).catch(onFailure)),
    RUNNER.diskMs,
  )
  const chores = choresOf(runner)
  const loop = startLoop(
    RUNNER.everyMs,
    async () => {
      await chores()
      // All that is booked and due: what may run at once is what bookings say, not a number of places here.
      await startClaimed(runner, () => loop.wake())
    },
    onFailure,
  )
  return {
    wake: loop.wake,
    async stop() {
      await loop.stop()
      await forgetRunner(context.gate.service, runner.name).catch(onFailure)
      await endAll(runner)
      clearInterval(meter)
      clearInterval(disk)
    },
  }
}

function reportFailure({ context, log }: Runner, event: string, error: unknown, more: object = {}): void {
  context.metrics.failed('runner')
  log({ level: 'warn', event, reason: reasonOf(error), ...more })
}

/** The periodic chores of a runner, each at its own pace. */
function choresOf(runner: Runner): () => Promise<void> {
  const { context, running } = runner
  const heartbeatDue = everyMs(RUNNER.heartbeatMs)
  const refreshDue = everyMs(RUNNER.refreshMs)
  const sweepDue = everyMs(RUNNER.sweepMs)
  return async () => {
    if (heartbeatDue()) {
      await context.gate.transact((tx) => seeRunner(tx, machineOf(runner), context.now()))
      if (running.size > 0) await beat(runner)
    }
    if (refreshDue()) {
      await refreshCapacity(context)
      await clearEnded(context)
    }
    // Runs beside the loop: with many logs, it takes longer than the heartbeat of a lease may be late.
    if (sweepDue())
      void dropOldLogs(context.home, context.retention, context.now().getTime())
        .then(() => dropLogsBeyond(context))
        .catch((error: unknown) => reportFailure(runner, 'runner.failed', error))
  }
}

const machineOf = ({ name }: Runner): RunnerMachine => ({
  runner: name,
  cpuCores: availableParallelism(),
})

/** True the first time, and whenever this much time has passed since the last time. */
function everyMs(ms: number): () => boolean {
  let last = -Infinity
  return () => {
    const isDue = performance.now() - last > ms
    if (isDue) last = performance.now()
    return isDue
  }
}

async function startClaimed(runner: Runner, wake: () => void): Promise<void> {
  const { context, running, name } = runner
  const claimed = await context.gate.transact((tx) =>
    claim(tx, {
      runner: name,
      now: context.now(),
      leaseMs: RUNNER.leaseMs,
      limit: RUNNER.claimedAtOnce,
      capacity: context.capacity,
    }),
  )
  if (claimed.length > 0) failpoint('run.claimed')
  // There may be more: the next round comes at once.
  if (claimed.length === RUNNER.claimedAtOnce) wake()
  for (const execution of claimed) {
    const run = await startProcess(context, execution).catch((error: unknown) =>
      endUnstarted(runner, execution, error),
    )
    if (run === undefined) continue
    running.set(execution.execution_id, run)
    failpoint('run.started')
    void run.ended
      .then(() => end(runner, run))
      .catch((error: unknown) => reportFailure(runner, 'runner.failed', error))
      .finally(() => {
        running.delete(execution.execution_id)
        wake()
      })
  }
}

/** Gives running executions some time to end, then returns the rest to the queue. */
async function endAll(runner: Runner): Promise<void> {
  const { running } = runner
  // A stream would not end: it stops after a commit.
  running.forEach((run) => run.rolling !== undefined && stop(run, 'handover'))
  const deadline = performance.now() + RUNNER.graceMs
  while (running.size > 0 && performance.now() < deadline) {
    await beat(runner).catch((error: unknown) => reportFailure(runner, 'runner.failed', error))
    await pause(100)
  }
  running.forEach((run) => stop(run, 'handover'))
  await waitUntil(() => running.size === 0, { everyMs: 50 })
}

async function beat({ context, name, running }: Runner): Promise<void> {
  const alive = [...running.values()].map((run) => ({
    executionId: run.claimed.execution_id,
    generation: run.claimed.generation,
    progress: progressOf(run),
  }))
  const asked = await context.gate.transact((tx) =>
    heartbeat(tx, { runner: name, now: context.now(), leaseMs: RUNNER.leaseMs, alive }),
  )
  for (const { execution_id, why } of asked) {
    const run = running.get(execution_id)
    if (run !== undefined) stop(run, why)
  }
}

const NOTHING_USED: Used = { cpuMicros: 0n, memoryGbSeconds: 0n, bookedMicros: 0n }

function progressOf(run: Running): Record<string, unknown> {
  // While use is being entered nothing stands beside it: a lost runner's use is what its last heartbeat says.
  // While use is being recorded, send none with the heartbeat: the use of a lost runner is that of its last
  // heartbeat.
  const used = isEntering(run) ? NOTHING_USED : unentered(run)
  const freshnessMs = run.progress?.freshnessMs
  return {
    cpu_us: String(used.cpuMicros),
    memory_gb_s: String(used.memoryGbSeconds),
    booked_us: String(used.bookedMicros),
    peak_mib: mib(run.peakBytes),
    rows: run.progress?.rows ?? 0,
    bytes: run.progress?.bytes ?? 0,
    phase: run.progress?.phase ?? 'starting',
    ...(freshnessMs === undefined ? {} : { freshness_seconds: freshnessMs / 1_000 }),
  }
}

/** Records how a run ended, and does what follows. */
async function end(runner: Runner, run: Running): Promise<void> {
  const { context } = runner
  const { execution_id: executionId } = run.claimed
  run.endedMs = performance.now()
  failpoint('run.ended')
  await leaveAttempt(context.home, run.claimed)
  // A runner that lost its lease leaves the end to the present holder.
  if (stopCauseOf(run) === 'lost') return
  const reported = BigInt(reportOf(run)?.cpuMicros ?? 0)
  if (reported > run.cpuMicros) run.cpuMicros = reported
  await waitUntil(() => !isEntering(run), { everyMs: 50 })
  const ending = await enterEnd(runner, run)
  failpoint('run.settled')
  if (ending === undefined) return
  if (ending.outcome !== 'requeued')
    await rm(executionFolder(context.home, executionId), { recursive: true, force: true })
  context.metrics.ended(ending.outcome, ending.reason?.code)
  if (ending.outcome === 'succeeded')
    await demoteIfDecayed(context, run.claimed.tenant_id, run.claimed.job_id)
}

/**
 * Retries while the database is away: the use must not be lost. Undefined if another runner has the lease.
 */
async function enterEnd(runner: Runner, run: Running): Promise<Ending | undefined> {
  const { context, name } = runner
  const { execution_id: executionId, generation } = run.claimed
  const enter = async (): Promise<Ending> => {
    if (run.rolling !== undefined) await settleRoll(context, run, run.rolling)
    const slaMet = run.worstFreshnessMs <= run.limits.freshnessMs
    const ending: Ending = {
      executionId,
      generation,
      ...outcomeOf(run, context.now()),
      used: unentered(run),
      ...(run.limits.freshnessMs === Infinity ? {} : { slaMet }),
    }
    await context.gate.transact((tx) =>
      finish(tx, ending, { actor: `runner ${name}`, now: context.now(), settings: context.slots }),
    )
    return ending
  }
  try {
    return await retry(enter, {
      mayPass: mayPassByWaiting,
      firstPauseMs: 200,
      longestPauseMs: 5_000,
      onFailure: (error) =>
        reportFailure(runner, 'runner.end_not_entered', error, { execution: executionId }),
    })
  } catch (error) {
    if (hasCode(error, 'lease_lost')) return undefined
    throw error
  }
}

/** Removes work folders of executions that ended elsewhere, or with a runner that was killed. */
async function clearEnded({ gate, home }: Context): Promise<void> {
  const folders = await readdir(join(home, 'work')).catch(() => [])
  const ended = await endedAmong(gate.service, folders)
  for (const folder of ended) await rm(executionFolder(home, folder), { recursive: true, force: true })
}

/** Ends an execution that could not start: its secret is gone, or the sealed file cannot be opened. */
async function endUnstarted({ context, name }: Runner, claimed: Claimed, error: unknown): Promise<undefined> {
  const reason = (error instanceof HeadraceError
    ? { code: error.code, params: error.params }
    : { code: 'internal', params: { reason: reasonOf(error) } }) as unknown as ServiceReason
  await context.gate.transact((tx) =>
    finish(
      tx,
      {
        executionId: claimed.execution_id,
        generation: claimed.generation,
        outcome: 'failed',
        used: NOTHING_USED,
        reason,
        errorMessage: reasonOf(error),
        receipt: {},
      },
      { actor: `runner ${name}`, now: context.now(), settings: context.slots },
    ),
  )
  return undefined
}
