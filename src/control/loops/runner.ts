/**
 * The runner: claims executions whose time has come and runs each in a child process of its own, under a
 * lease. What they use is measured by the operating system; who uses too much memory or time is ended by
 * name. Several runners share one database.
 */
import { readdir, rm } from 'node:fs/promises'
import { cpus, hostname } from 'node:os'
import { join } from 'node:path'
import { ERRORS, HeadraceError, reasonOf, type ErrorCode } from '../../core/errors.ts'
import { failpoint } from '../../core/failpoint.ts'
import type { ServiceReason } from '../../scheduling/reasons.ts'
import { claim, type Claimed } from '../../state/runs/claim.ts'
import { finish, type Ending } from '../../state/runs/ending.ts'
import { heartbeat } from '../../state/runs/heartbeat.ts'
import { endedAmong } from '../../state/executions.ts'
import { executionFolder, leaveAttempt } from '../../executions/attempt-folder.ts'
import { refreshCapacity } from '../capacity.ts'
import type { Context } from '../context.ts'
import { startProcess } from './execution-process.ts'
import { watch, watchDisk } from './execution-watch.ts'
import { demoteIfDecayed } from '../job-promotion.ts'
import { mib, stop, unentered, type Running } from './running-execution.ts'
import { settleRoll } from './stream-slots.ts'
import { startLoop, type Loop } from './scheduler.ts'
import type { Receipt } from '../../executions/work.ts'
import { dropLogsBeyond } from '../execution-logs.ts'
import { dropOldLogs } from '../execution-logs.ts'

const RUNNER = {
  everyMs: 500,
  leaseMs: 15_000,
  heartbeatMs: 3_000,
  measureMs: 500,
  attempts: 3,
  graceMs: 10_000,
  healthyMs: 600_000,
  refreshMs: 30_000,
  diskMs: 2_000,
  sweepMs: 3_600_000,
}

export function startRunner(
  context: Context,
  log: (event: Record<string, unknown>) => void,
  concurrency = Math.max(2, cpus().length),
): Loop {
  const runner = `${hostname()} ${process.pid}`
  const running = new Map<string, Running>()
  const told = (error: unknown): void => {
    context.metrics.failed('runner')
    log({ level: 'warn', event: 'runner.failed', reason: reasonOf(error) })
  }
  let beatMs = 0
  let refreshedMs = -Infinity
  let sweptMs = -Infinity
  const meter = setInterval(() => running.forEach((one) => watch(context, one)), RUNNER.measureMs)
  const disk = setInterval(
    () => running.forEach((one) => void watchDisk(context, one).catch(told)),
    RUNNER.diskMs,
  )
  const loop = startLoop(
    RUNNER.everyMs,
    async () => {
      if (performance.now() - beatMs > RUNNER.heartbeatMs && running.size > 0) {
        beatMs = performance.now()
        await beat(context, runner, running)
      }
      if (performance.now() - refreshedMs > RUNNER.refreshMs) {
        refreshedMs = performance.now()
        await refreshCapacity(context)
        await clearEnded(context)
      }
      if (performance.now() - sweptMs > RUNNER.sweepMs) {
        sweptMs = performance.now()
        // Beside the loop: with many logs it takes longer than a lease may wait for its heartbeat.
        void dropOldLogs(context.home, context.retention, context.now().getTime())
          .then(() => dropLogsBeyond(context))
          .catch(told)
      }
      // Streams run all the time: what they may take is booked capacity, not one of a few places.
      const free = concurrency - [...running.values()].filter((one) => one.rolling === undefined).length
      if (free <= 0) return
      const claimed = await context.gate.transact((tx) =>
        claim(tx, {
          runner,
          now: context.now(),
          leaseMs: RUNNER.leaseMs,
          limit: free,
          capacity: context.capacity,
        }),
      )
      if (claimed.length > 0) failpoint('run.claimed')
      for (const one of claimed) {
        const started = await startProcess(context, one).catch((error: unknown) =>
          endUnstarted(context, runner, one, error),
        )
        if (started === undefined) continue
        running.set(one.execution_id, started)
        failpoint('run.started')
        void started.ended
          .then(() => end(context, runner, started))
          .catch(told)
          .finally(() => {
            running.delete(one.execution_id)
            loop.wake()
          })
      }
    },
    told,
  )
  return {
    wake: loop.wake,
    /** Lets what runs end for a while, then gives the rest back to the queue. */
    async stop() {
      await loop.stop()
      // A stream would go on for ever; it ends after a commit.
      running.forEach((one) => one.rolling !== undefined && stop(one, 'handover'))
      const deadline = performance.now() + RUNNER.graceMs
      while (running.size > 0 && performance.now() < deadline) {
        await beat(context, runner, running).catch(told)
        await new Promise((done) => setTimeout(done, 100))
      }
      running.forEach((one) => stop(one, 'handover'))
      while (running.size > 0) await new Promise((done) => setTimeout(done, 50))
      clearInterval(meter)
      clearInterval(disk)
    },
  }
}

async function beat(context: Context, runner: string, running: Map<string, Running>): Promise<void> {
  const alive = [...running.values()].map((one) => {
    // While use is being entered nothing stands beside it: a lost runner's use is what its last heartbeat
    // says.
    const used = one.rolling?.busy === true ? { cpuMicros: 0n, memoryGbSeconds: 0n } : unentered(one)
    const progress = {
      cpu_us: String(used.cpuMicros),
      memory_gb_s: String(used.memoryGbSeconds),
      peak_mib: mib(one.peakBytes),
      rows: one.progress?.rows ?? 0,
      bytes: one.progress?.bytes ?? 0,
      phase: one.progress?.phase ?? 'starting',
      ...(one.progress?.freshnessMs === undefined
        ? {}
        : { freshness_seconds: one.progress.freshnessMs / 1_000 }),
    }
    return { executionId: one.claimed.execution_id, generation: one.claimed.generation, progress }
  })
  const asked = await context.gate.transact((tx) =>
    heartbeat(tx, { runner, now: context.now(), leaseMs: RUNNER.leaseMs, alive }),
  )
  for (const { execution_id, why } of asked) {
    const one = running.get(execution_id)
    if (one !== undefined) stop(one, why)
  }
}

/** Enters how it ended. Tried again while the database is away: what was used must not be forgotten. */
async function end(context: Context, runner: string, one: Running): Promise<void> {
  const { execution_id: executionId, generation } = one.claimed
  failpoint('run.ended')
  await leaveAttempt(context.home, one.claimed)
  // Who lost its lease leaves the end to the one that has it now.
  if (one.stopFor === 'lost') return
  const reported = BigInt(one.result?.cpuMicros ?? 0)
  if (reported > one.cpuMicros) one.cpuMicros = reported
  while (one.rolling?.busy === true) await new Promise((done) => setTimeout(done, 50))
  const ending = await untilEntered(async () => {
    if (one.rolling !== undefined) await settleRoll(context, one, one.rolling)
    const how: Ending = {
      executionId,
      generation,
      ...outcomeOf(context, one),
      used: unentered(one),
      ...(one.limits.freshnessMs === Infinity
        ? {}
        : { slaMet: one.worstFreshnessMs <= one.limits.freshnessMs }),
    }
    await context.gate.transact((tx) =>
      finish(tx, how, { actor: `runner ${runner}`, now: context.now(), settings: context.slots }),
    )
    return how
  })
  failpoint('run.settled')
  if (ending === undefined) return
  if (ending.outcome !== 'requeued')
    await rm(executionFolder(context.home, executionId), { recursive: true, force: true })
  context.metrics.ended(ending.outcome, ending.reason?.code)
  if (ending.outcome === 'succeeded')
    await demoteIfDecayed(context, one.claimed.tenant_id, one.claimed.job_id)
}

/** Tries again while the database is away; undefined when another has the lease. */
async function untilEntered(enter: () => Promise<Ending>): Promise<Ending | undefined> {
  for (let wait = 200; ; wait = Math.min(wait * 2, 5_000)) {
    try {
      return await enter()
    } catch (error) {
      if (error instanceof HeadraceError && error.code === 'lease_lost') return undefined
      await new Promise((done) => setTimeout(done, wait))
    }
  }
}

/** Work folders of executions that ended elsewhere, or with a runner that was killed. */
async function clearEnded({ gate, home }: Context): Promise<void> {
  const folders = await readdir(join(home, 'work')).catch(() => [])
  const ended = await endedAmong(gate.service, folders)
  for (const folder of ended) await rm(executionFolder(home, folder), { recursive: true, force: true })
}

function outcomeOf(context: Context, one: Running): Omit<Ending, 'executionId' | 'generation' | 'used'> {
  const { claimed, result, stopFor } = one
  // A stream is never tried too often: it is restarted, with growing pauses unless it ran well for a while.
  const restarts =
    one.rolling === undefined
      ? claimed.attempt
      : performance.now() - one.startedMs > RUNNER.healthyMs
        ? 0
        : Math.min(claimed.attempt, 7)
  const mayRetry = one.rolling !== undefined || claimed.attempt < RUNNER.attempts
  const done = one.result?.type === 'done' ? (one.result.receipt satisfies Receipt) : {}
  const receipt = {
    ...done,
    runner: hostname(),
    peak_memory_mib: mib(one.peakBytes),
    attempt: claimed.attempt,
    held_vcpu_hours: Number(one.held / 3_600_000n) / 1_000,
  }
  const again = (
    reason: ServiceReason,
    pauseMs: number,
  ): Omit<Ending, 'executionId' | 'generation' | 'used'> => ({
    outcome: 'requeued',
    reason,
    receipt,
    tryAfter: new Date(context.now().getTime() + pauseMs),
  })
  if (stopFor === 'cancelled')
    return {
      outcome: 'cancelled',
      reason: { code: 'cancelled', params: { actor: 'request', job: claimed.job_id } },
      receipt,
    }
  if (stopFor === 'recalled') return again({ code: 'lender_called', params: { lender: 'their owner' } }, 0)
  if (stopFor === 'handover')
    return again({ code: 'runner_lost', params: { runner: hostname(), attempt: claimed.attempt } }, 0)
  if (typeof stopFor === 'object')
    return { outcome: stopFor.code === 'runtime_exceeded' ? 'timed_out' : 'failed', reason: stopFor, receipt }
  if (result?.type === 'done') return { outcome: 'succeeded', receipt, cursor: result.cursor }
  if (result?.type === 'failed') {
    const code = result.code as ErrorCode
    const reason = { code, params: result.params } as unknown as ServiceReason
    if (ERRORS[code]?.class === 'transient' && mayRetry) return again(reason, 2_000 * 2 ** restarts)
    return { outcome: 'failed', reason, errorMessage: result.message.slice(0, 2_000), receipt }
  }
  const died: ServiceReason = {
    code: 'runner_lost',
    params: {
      runner: `child (${one.child.signalCode ?? one.child.exitCode ?? 'not started'})`,
      attempt: claimed.attempt,
    },
  }
  return mayRetry ? again(died, 1_000 * 2 ** restarts) : { outcome: 'failed', reason: died, receipt }
}

/** One that could not even be started: a secret that is gone, a sealed file that cannot be opened. */
async function endUnstarted(
  context: Context,
  runner: string,
  claimed: Claimed,
  error: unknown,
): Promise<undefined> {
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
        used: { cpuMicros: 0n, memoryGbSeconds: 0n },
        reason,
        errorMessage: reasonOf(error),
        receipt: {},
      },
      { actor: `runner ${runner}`, now: context.now(), settings: context.slots },
    ),
  )
  return undefined
}
