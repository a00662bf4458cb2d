/**
 * One execution's process: started with all it needs, measured by the operating system, and ended by name
 * when it takes more than it may.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { getCompileCacheDir } from 'node:module'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { estimateOf, type CpuMicros } from '../../core/amounts.ts'
import { failure } from '../../core/errors.ts'
import { limitsOf, reachedParams, type TenantLimits } from '../../core/tenant-limits.ts'
import { DRAFT, SHARED } from '../../core/namespaces.ts'
import type { SlaRequirements } from '../../core/service-nouns.ts'
import type { ServiceReason } from '../../scheduling/reasons.ts'
import { lastSuccess } from '../../state/executions.ts'
import type { Claimed } from '../../state/runs/claim.ts'
import type { Used } from '../../state/runs/consumption.ts'
import type { StopAsked } from '../../state/runs/heartbeat.ts'
import { extendHold, roll } from '../../state/runs/longer-holds.ts'
import { beginAttempt } from './attempt-folder.ts'
import type { Context } from './context.ts'
import { entryOf } from '../package-root.ts'
import { EXECUTION_MARK } from './dial.ts'
import { logPath } from './executions.ts'
import { measure } from './process-meter.ts'
import { boundLog, keepStorage } from './tenant-storage.ts'
import { allowedPaths, closedPaths } from './tenant-paths.ts'
import type { FromChild, ToExecution, Work } from './work.ts'

export interface Running {
  claimed: Claimed
  child: ChildProcess
  startedMs: number
  /** The most seen: it never goes back when a child of the child ends. */
  cpuMicros: bigint
  memoryByteMs: number
  measuredMs: number
  peakBytes: number
  progress: Extract<FromChild, { type: 'progress' }> | undefined
  result: Exclude<FromChild, { type: 'progress' }> | undefined
  stopFor: ServiceReason | StopAsked | 'handover' | undefined
  held: CpuMicros
  /** Of a stream: when it holds the next slot, and what was entered until the last time. */
  rolling: Rolling | undefined
  worstFreshnessMs: number
  limits: {
    memoryBytes: number
    runtimeMs: number
    freshnessMs: number
    overage: 'stop' | 'debt'
    quota: TenantLimits
  }
  ended: Promise<void>
}

export interface Rolling {
  /** Monotonic. */
  atMs: number
  ahead: CpuMicros
  entered: { cpuMicros: bigint; memoryByteMs: number }
  last: Date | null
  /** What a try entered whose answer was lost: the next one says the same. */
  trying: { used: Used; measured: Rolling['entered'] } | undefined
  busy: boolean
}

/** Each lane of a read holds one for its query; libuv's usual four would be the most that read at once. */
const POOL_THREADS = 20

/**
 * A stream that is told to stop has this long to end with a commit: with the heartbeat that tells it, less
 * than the 30 s that are promised.
 */
const STOP_MS = 25_000

const ENTRY = entryOf('execution-child')

/**
 * What a database sends lies in buffers outside of V8's heap: with a small nursery they go before V8 counts
 * them as old and marks all of it (a tenth of our own CPU).
 */
export const EXECUTION_FLAGS = [
  '--max-old-space-size=512',
  '--max-semi-space-size=1',
  '--disable-warning=ExperimentalWarning',
]

export async function startProcess(context: Context, claimed: Claimed): Promise<Running> {
  const { gate, home, secrets } = context
  const job = await gate.service
    .selectFrom('ingestion_jobs as j')
    .innerJoin('tenants as t', 't.tenant_id', 'j.tenant_id')
    .select([
      'j.source_type',
      'j.source_config',
      'j.destination_config',
      'j.cursor',
      'j.sla_requirements',
      'j.continuous',
      't.policy',
    ])
    .where('j.job_id', '=', claimed.job_id)
    .executeTakeFirstOrThrow()
  const row = await gate.service
    .selectFrom('job_executions')
    .select(['holds', 'estimated_minutes'])
    .where('execution_id', '=', claimed.execution_id)
    .executeTakeFirstOrThrow()
  const quota = limitsOf(context.limits, job.policy)
  await keepStorage(context.storage, quota, claimed.tenant_id)
  const [source, destination] = [
    job.source_config as Record<string, unknown>,
    job.destination_config as Record<string, unknown>,
  ]
  const secretOf = async (config: Record<string, unknown>): Promise<Record<string, string> | undefined> =>
    config.credentials_secret === undefined
      ? undefined
      : secrets.get(claimed.tenant_id, String(config.credentials_secret))
  const tenantFolder = join(home, 'tenants', claimed.tenant_id)
  mkdirSync(tenantFolder, { recursive: true })
  const continuous = job.continuous && claimed.namespace !== DRAFT
  const memoryBytes = claimed.memory_gb * 1024 ** 3
  const work: Work = {
    executionId: claimed.execution_id,
    jobId: claimed.job_id,
    knownUntil: await lastSuccess(gate.service, claimed.job_id),
    tenantId: claimed.tenant_id,
    sourceType: job.source_type,
    source,
    destination,
    sourceSecret: await secretOf(source),
    destinationSecret: await secretOf(destination),
    cursor: job.cursor,
    draft: claimed.namespace === DRAFT,
    continuous,
    estimatedMinutes: row.estimated_minutes,
    memoryBytes,
    threads: Math.min(claimed.cpu_cores, cpus().length),
    workFolder: await beginAttempt(home, claimed),
    tenantFolder,
    scratchFolder: join(home, 'drafts', claimed.tenant_id, claimed.job_id),
    allowedPaths: allowedPaths(),
    closedPaths: closedPaths(home),
  }
  const path = logPath(home, claimed.execution_id)
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'a', 0o600)
  // Nothing of our own environment but what finding programs and names needs: a tenant's job must not read
  // it.
  const inherited = Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'LANG', 'HEADRACE_ALLOW_HOSTS', 'NODE_EXTRA_CA_CERTS'].flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name]]],
    ),
  )
  const child = fork(ENTRY, [], {
    execArgv: EXECUTION_FLAGS,
    stdio: ['ignore', file, file, 'ipc'],
    serialization: 'advanced',
    env: {
      ...inherited,
      [EXECUTION_MARK]: claimed.execution_id,
      NODE_COMPILE_CACHE: getCompileCacheDir() ?? '',
      UV_THREADPOOL_SIZE: String(POOL_THREADS),
    },
  })
  closeSync(file)
  const { max_runtime_minutes: most, max_freshness_seconds: freshness } =
    job.sla_requirements as SlaRequirements
  const holds = (row.holds as { amount: string }[]).reduce((sum, one) => sum + BigInt(one.amount), 0n)
  const running: Running = {
    claimed,
    child,
    startedMs: performance.now(),
    cpuMicros: 0n,
    memoryByteMs: 0,
    measuredMs: performance.now(),
    peakBytes: 0,
    progress: undefined,
    result: undefined,
    stopFor: undefined,
    held: holds,
    rolling: continuous ? rollingOf(context, claimed) : undefined,
    worstFreshnessMs: 0,
    limits: {
      memoryBytes,
      runtimeMs: most === undefined || continuous ? Infinity : most * 60_000,
      freshnessMs: freshness === undefined ? Infinity : freshness * 1_000,
      overage: (job.policy as { overage?: 'stop' | 'debt' }).overage ?? 'stop',
      quota,
    },
    ended: new Promise((done) => (child.once('exit', () => done()), child.once('error', () => done()))),
  }
  child.on('message', (message: FromChild) => {
    if (message.type === 'progress') running.progress = message
    else running.result = message
    if (message.type === 'progress')
      running.worstFreshnessMs = Math.max(running.worstFreshnessMs, message.freshnessMs ?? 0)
  })
  child.send({ type: 'run', work } satisfies ToExecution, () => undefined)
  return running
}

function rollingOf({ now, slots }: Context, claimed: Claimed): Rolling {
  return {
    atMs:
      performance.now() + Math.max(0, claimed.booked_until.getTime() - now().getTime() - slots.rollAheadMs),
    ahead: estimateOf(claimed.cpu_cores, slots.slotMinutes),
    entered: { cpuMicros: 0n, memoryByteMs: 0 },
    last: null,
    trying: undefined,
    busy: false,
  }
}

/** Measures, and ends what takes more than it may. */
export function watch(context: Context, one: Running): void {
  const measured = one.child.pid === undefined ? undefined : measure(one.child.pid)
  const at = performance.now()
  if (measured !== undefined) {
    if (measured.cpuMicros > one.cpuMicros) one.cpuMicros = measured.cpuMicros
    one.memoryByteMs += measured.memoryBytes * (at - one.measuredMs)
    one.peakBytes = Math.max(one.peakBytes, measured.memoryBytes)
    if (measured.memoryBytes > one.limits.memoryBytes)
      stop(one, {
        code: 'execution_memory_exceeded',
        params: { used: mib(measured.memoryBytes), limit: mib(one.limits.memoryBytes) },
      })
  }
  one.measuredMs = at
  if (at - one.startedMs > one.limits.runtimeMs)
    stop(one, { code: 'runtime_exceeded', params: { minutes: Math.round(one.limits.runtimeMs / 60_000) } })
  if (one.rolling !== undefined && at >= one.rolling.atMs && one.stopFor === undefined)
    void rollOn(context, one, one.rolling)
  else if (
    one.claimed.namespace === SHARED &&
    unentered(one).cpuMicros > one.held &&
    one.stopFor === undefined &&
    one.rolling?.busy !== true
  )
    void outran(context, one)
}

/** Bounds what one writes: its log, and its tenant's folder. */
export async function watchDisk({ home, storage }: Context, one: Running): Promise<void> {
  const { execution_id: id, tenant_id: tenantId } = one.claimed
  const { quota } = one.limits
  await boundLog(home, id, quota)
  await keepStorage(storage, quota, tenantId).catch(() =>
    stop(one, { code: 'limit_reached', params: reachedParams(quota, 'storage_gb') }),
  )
}

export const mib = (bytes: number): number => Math.round(bytes / 1024 / 1024)

/**
 * Holds a tenth of the estimate more (ten core-minutes at least); when nothing is left, it stops or runs into
 * debt, as the tenant chose.
 */
async function outran(context: Context, one: Running): Promise<void> {
  const step = [estimateOf(1, 10), one.held / 10n].reduce((most, amount) => (amount > most ? amount : most))
  const before = one.held
  // Counted at once, so that the next measure does not ask a second time.
  one.held += step
  const { execution_id: executionId, generation } = one.claimed
  const more = await context.gate
    .transact((tx) => extendHold(tx, { executionId, generation, amount: step, now: context.now() }))
    .catch(() => true)
  if (!more && one.limits.overage === 'stop')
    stop(one, { code: 'hold_exhausted', params: { held: Number(before / 3_600_000n) / 1_000 } })
}

/** What it used since use was last entered: all of it, unless it is a stream. */
export function unentered(one: Running): Used {
  const entered = one.rolling?.entered ?? { cpuMicros: 0n, memoryByteMs: 0 }
  return {
    cpuMicros: one.cpuMicros - entered.cpuMicros,
    memoryGbSeconds: BigInt(Math.ceil((one.memoryByteMs - entered.memoryByteMs) / 1_000 / 1024 ** 3)),
  }
}

/**
 * A stream settles the last slot and holds the next. With nothing left to hold it stops after a commit, or
 * runs into debt, as the tenant chose.
 */
async function rollOn(context: Context, one: Running, rolling: Rolling): Promise<void> {
  if (rolling.busy) return
  rolling.busy = true
  const { execution_id: executionId, generation } = one.claimed
  const trying = (rolling.trying ??= {
    used: unentered(one),
    measured: { cpuMicros: one.cpuMicros, memoryByteMs: one.memoryByteMs },
  })
  try {
    const rolled = await context.gate.transact((tx) =>
      roll(tx, {
        executionId,
        generation,
        used: trying.used,
        ahead: rolling.ahead,
        last: rolling.last,
        now: context.now(),
      }),
    )
    if (rolled === undefined) return stop(one, 'lost')
    const before = one.held
    Object.assign(rolling, { entered: trying.measured, last: rolled.at, trying: undefined })
    rolling.atMs += context.slots.slotMinutes * 60_000
    one.held = rolled.held
    if (rolled.held === 0n && one.limits.overage === 'stop')
      stop(one, { code: 'hold_exhausted', params: { held: Number(before / 3_600_000n) / 1_000 } })
  } catch {
    // The database is away: what was used is entered when it is back; the lease says whether that is in time.
    rolling.atMs = performance.now() + 1_000
  } finally {
    rolling.busy = false
  }
}

/**
 * What a roll entered whose answer was lost is known before anything else is entered: it would be counted
 * twice. Throws while the database is away.
 */
export async function settleRoll(context: Context, one: Running, rolling: Rolling): Promise<void> {
  if (rolling.trying !== undefined) await rollOn(context, one, rolling)
  if (rolling.trying !== undefined && one.stopFor !== 'lost')
    throw failure('database_unreachable', { address: 'its address', reason: 'a slot could not be settled' })
}

/** Ends it: a stream after a commit, anything else, and a stream that takes too much, at once. */
export function stop(one: Running, why: Running['stopFor']): void {
  if (one.stopFor !== undefined || one.result !== undefined) return
  one.stopFor = why
  if (
    one.rolling === undefined ||
    why === 'lost' ||
    (typeof why === 'object' && why.code === 'execution_memory_exceeded')
  ) {
    one.child.kill('SIGKILL')
    return
  }
  one.child.send({ type: 'stop' } satisfies ToExecution, () => undefined)
  setTimeout(() => one.child.kill('SIGKILL'), STOP_MS).unref()
}
