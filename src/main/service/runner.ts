/**
 * The runner: claims executions whose time has come and runs each in a child process of its own, under a lease. What they use is
 * measured by the operating system; who uses too much memory or time is ended by name. Several runners share one database.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { cpus, hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { estimateOf, type CpuMicros } from '../../core/amounts.ts'
import { ERRORS, HeadraceError, reasonOf, type ErrorCode } from '../../core/errors.ts'
import { DRAFT, SHARED } from '../../core/namespaces.ts'
import type { SlaRequirements } from '../../core/service-nouns.ts'
import type { ServiceReason } from '../../scheduling/reasons.ts'
import { claim, extendHold, finish, heartbeat, type Claimed, type Ending } from '../../state/runs.ts'
import type { Context } from './context.ts'
import { logPath } from './executions.ts'
import { measure } from './process-meter.ts'
import { startLoop, type Loop } from './scheduler.ts'
import { allowedPaths } from './tenant-paths.ts'
import type { FromChild, Receipt, Work } from './work.ts'

const RUNNER = { everyMs: 500, leaseMs: 15_000, heartbeatMs: 3_000, measureMs: 500, attempts: 3, graceMs: 10_000 }

interface Running {
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
  stopFor: ServiceReason | 'cancelled' | 'lost' | 'handover' | undefined
  held: CpuMicros
  limits: { memoryBytes: number; runtimeMs: number; overage: 'stop' | 'debt' }
  ended: Promise<void>
}

export function startRunner(context: Context, log: (event: Record<string, unknown>) => void, concurrency = Math.max(2, cpus().length)): Loop {
  const runner = `${hostname()} ${process.pid}`
  const running = new Map<string, Running>()
  const told = (error: unknown): void => log({ level: 'warn', event: 'runner.failed', reason: reasonOf(error) })
  let beatMs = 0
  const meter = setInterval(() => running.forEach((one) => watch(context, one)), RUNNER.measureMs)
  const loop = startLoop(RUNNER.everyMs, async () => {
    if (performance.now() - beatMs > RUNNER.heartbeatMs && running.size > 0) {
      beatMs = performance.now()
      await beat(context, runner, running)
    }
    const free = concurrency - running.size
    if (free <= 0) return
    const claimed = await context.gate.transact((tx) => claim(tx, { runner, now: context.now(), leaseMs: RUNNER.leaseMs, limit: free, capacity: context.capacity }))
    for (const one of claimed) {
      const started = await start(context, one).catch((error: unknown) => endUnstarted(context, runner, one, error))
      if (started === undefined) continue
      running.set(one.execution_id, started)
      void started.ended.then(() => end(context, runner, started)).catch(told).finally(() => {
        running.delete(one.execution_id)
        loop.wake()
      })
    }
  }, told)
  return {
    wake: loop.wake,
    /** Lets what runs end for a while, then gives the rest back to the queue. */
    async stop() {
      await loop.stop()
      const deadline = performance.now() + RUNNER.graceMs
      while (running.size > 0 && performance.now() < deadline) {
        await beat(context, runner, running).catch(told)
        await new Promise((done) => setTimeout(done, 100))
      }
      running.forEach((one) => stop(one, 'handover'))
      while (running.size > 0) await new Promise((done) => setTimeout(done, 50))
      clearInterval(meter)
    },
  }
}

/** The entry has the extension of this file: .ts in the clone, .js in an installed package. */
const ENTRY = fileURLToPath(new URL(`../execution-child${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url))

async function start(context: Context, claimed: Claimed): Promise<Running> {
  const { gate, home, secrets } = context
  const job = await gate.service.selectFrom('ingestion_jobs as j').innerJoin('tenants as t', 't.tenant_id', 'j.tenant_id').select(['j.source_type', 'j.source_config', 'j.destination_config', 'j.cursor', 'j.sla_requirements', 't.policy']).where('j.job_id', '=', claimed.job_id).executeTakeFirstOrThrow()
  const row = await gate.service.selectFrom('job_executions').select(['holds', 'estimated_minutes']).where('execution_id', '=', claimed.execution_id).executeTakeFirstOrThrow()
  const [source, destination] = [job.source_config as Record<string, unknown>, job.destination_config as Record<string, unknown>]
  const secretOf = async (config: Record<string, unknown>): Promise<Record<string, string> | undefined> => (config.credentials_secret === undefined ? undefined : secrets.get(claimed.tenant_id, String(config.credentials_secret)))
  const tenantFolder = join(home, 'tenants', claimed.tenant_id)
  mkdirSync(tenantFolder, { recursive: true })
  const memoryBytes = claimed.memory_gb * 1024 ** 3
  const work: Work = {
    executionId: claimed.execution_id, tenantId: claimed.tenant_id, sourceType: job.source_type, source, destination, sourceSecret: await secretOf(source), destinationSecret: await secretOf(destination), cursor: job.cursor, draft: claimed.namespace === DRAFT,
    estimatedMinutes: row.estimated_minutes, memoryBytes, threads: Math.min(claimed.cpu_cores, cpus().length), workFolder: join(home, 'work', claimed.execution_id), tenantFolder, scratchFolder: join(home, 'drafts', claimed.tenant_id, claimed.job_id), allowedPaths: allowedPaths(),
  }
  const path = logPath(home, claimed.execution_id)
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'a', 0o600)
  // Nothing of our own environment but what finding programs and names needs: a tenant's job must not read it.
  const env = Object.fromEntries(['PATH', 'HOME', 'TMPDIR', 'LANG', 'HEADRACE_ALLOW_HOSTS', 'NODE_EXTRA_CA_CERTS'].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])))
  const child = fork(ENTRY, [], { execArgv: ['--max-old-space-size=512', '--disable-warning=ExperimentalWarning'], stdio: ['ignore', file, file, 'ipc'], serialization: 'advanced', env })
  closeSync(file)
  const most = (job.sla_requirements as SlaRequirements).max_runtime_minutes
  const holds = (row.holds as { amount: string }[]).reduce((sum, one) => sum + BigInt(one.amount), 0n)
  const running: Running = {
    claimed, child, startedMs: performance.now(), cpuMicros: 0n, memoryByteMs: 0, measuredMs: performance.now(), peakBytes: 0, progress: undefined, result: undefined, stopFor: undefined, held: holds,
    limits: { memoryBytes, runtimeMs: most === undefined ? Infinity : most * 60_000, overage: (job.policy as { overage?: 'stop' | 'debt' }).overage ?? 'stop' },
    ended: new Promise((done) => (child.once('exit', () => done()), child.once('error', () => done()))),
  }
  child.on('message', (message: FromChild) => {
    if (message.type === 'progress') running.progress = message
    else running.result = message
  })
  child.send({ type: 'run', work }, () => undefined)
  return running
}

/** Measures, and ends what takes more than it may. */
function watch(context: Context, one: Running): void {
  const measured = one.child.pid === undefined ? undefined : measure(one.child.pid)
  const at = performance.now()
  if (measured !== undefined) {
    if (measured.cpuMicros > one.cpuMicros) one.cpuMicros = measured.cpuMicros
    one.memoryByteMs += measured.memoryBytes * (at - one.measuredMs)
    one.peakBytes = Math.max(one.peakBytes, measured.memoryBytes)
    if (measured.memoryBytes > one.limits.memoryBytes) stop(one, { code: 'execution_memory_exceeded', params: { used: mib(measured.memoryBytes), limit: mib(one.limits.memoryBytes) } })
  }
  one.measuredMs = at
  if (at - one.startedMs > one.limits.runtimeMs) stop(one, { code: 'runtime_exceeded', params: { minutes: Math.round(one.limits.runtimeMs / 60_000) } })
  if (one.claimed.namespace === SHARED && one.cpuMicros > one.held && one.stopFor === undefined) void outran(context, one)
}

const mib = (bytes: number): number => Math.round(bytes / 1024 / 1024)

/** Holds a tenth of the estimate more (ten core-minutes at least); when nothing is left, it stops or runs into debt, as the tenant chose. */
async function outran(context: Context, one: Running): Promise<void> {
  const step = [estimateOf(1, 10), one.held / 10n].reduce((most, amount) => (amount > most ? amount : most))
  const before = one.held
  // Counted at once, so that the next measure does not ask a second time.
  one.held += step
  const { execution_id: executionId, generation } = one.claimed
  const more = await context.gate.transact((tx) => extendHold(tx, { executionId, generation, amount: step, now: context.now() })).catch(() => true)
  if (!more && one.limits.overage === 'stop') stop(one, { code: 'hold_exhausted', params: { held: Number(before / 3_600_000n) / 1_000 } })
}

function stop(one: Running, why: Running['stopFor']): void {
  if (one.stopFor !== undefined || one.result !== undefined) return
  one.stopFor = why
  one.child.kill('SIGKILL')
}

async function beat(context: Context, runner: string, running: Map<string, Running>): Promise<void> {
  const alive = [...running.values()].map((one) => ({ executionId: one.claimed.execution_id, generation: one.claimed.generation, progress: { cpu_us: String(one.cpuMicros), memory_gb_s: String(gbSeconds(one)), peak_mib: mib(one.peakBytes), rows: one.progress?.rows ?? 0, bytes: one.progress?.bytes ?? 0, phase: one.progress?.phase ?? 'starting' } }))
  const asked = await context.gate.transact((tx) => heartbeat(tx, { runner, now: context.now(), leaseMs: RUNNER.leaseMs, alive }))
  for (const { execution_id, why } of asked) {
    const one = running.get(execution_id)
    if (one !== undefined) stop(one, why)
  }
}

const gbSeconds = (one: Running): bigint => BigInt(Math.ceil(one.memoryByteMs / 1_000 / 1024 ** 3))

/** Enters how it ended. Tried again while the database is away: what was used must not be forgotten. */
async function end(context: Context, runner: string, one: Running): Promise<void> {
  const { execution_id: executionId, generation } = one.claimed
  await rm(join(context.home, 'work', executionId), { recursive: true, force: true })
  if (one.stopFor === 'lost') return
  const reported = BigInt(one.result?.cpuMicros ?? 0)
  const ending: Ending = { executionId, generation, ...outcomeOf(context, one), used: { cpuMicros: reported > one.cpuMicros ? reported : one.cpuMicros, memoryGbSeconds: gbSeconds(one) } }
  for (let wait = 200; ; wait = Math.min(wait * 2, 5_000)) {
    try {
      await context.gate.transact((tx) => finish(tx, ending, { actor: `runner ${runner}`, now: context.now(), settings: context.slots }))
      return
    } catch (error) {
      if (error instanceof HeadraceError && error.code === 'lease_lost') return
      if (wait > 60_000) throw error
      await new Promise((done) => setTimeout(done, wait))
    }
  }
}

function outcomeOf(context: Context, one: Running): Omit<Ending, 'executionId' | 'generation' | 'used'> {
  const { claimed, result, stopFor } = one
  const receipt = { runner: hostname(), peak_memory_mib: mib(one.peakBytes), attempt: claimed.attempt, held_vcpu_hours: Number(one.held / 3_600_000n) / 1_000 }
  const again = (reason: ServiceReason, pauseMs: number): Omit<Ending, 'executionId' | 'generation' | 'used'> => ({ outcome: 'requeued', reason, receipt, tryAfter: new Date(context.now().getTime() + pauseMs) })
  if (stopFor === 'cancelled') return { outcome: 'cancelled', reason: { code: 'cancelled', params: { actor: 'request', job: claimed.job_id } }, receipt }
  if (stopFor === 'handover') return again({ code: 'runner_lost', params: { runner: hostname(), attempt: claimed.attempt } }, 0)
  if (typeof stopFor === 'object') return { outcome: stopFor.code === 'runtime_exceeded' ? 'timed_out' : 'failed', reason: stopFor, receipt }
  if (result?.type === 'done') return { outcome: 'succeeded', receipt: { ...receipt, ...(result.receipt satisfies Receipt) }, cursor: result.cursor }
  if (result?.type === 'failed') {
    const code = result.code as ErrorCode
    const reason = { code, params: result.params } as unknown as ServiceReason
    if (ERRORS[code]?.class === 'transient' && claimed.attempt < RUNNER.attempts) return again(reason, 2_000 * 2 ** claimed.attempt)
    return { outcome: 'failed', reason, errorMessage: result.message.slice(0, 2_000), receipt }
  }
  const died: ServiceReason = { code: 'runner_lost', params: { runner: `child (${one.child.signalCode ?? one.child.exitCode ?? 'not started'})`, attempt: claimed.attempt } }
  return claimed.attempt < RUNNER.attempts ? again(died, 1_000 * 2 ** claimed.attempt) : { outcome: 'failed', reason: died, receipt }
}

/** One that could not even be started: a secret that is gone, a sealed file that cannot be opened. */
async function endUnstarted(context: Context, runner: string, claimed: Claimed, error: unknown): Promise<undefined> {
  const reason = (error instanceof HeadraceError ? { code: error.code, params: error.params } : { code: 'internal', params: { reason: reasonOf(error) } }) as unknown as ServiceReason
  await context.gate.transact((tx) => finish(tx, { executionId: claimed.execution_id, generation: claimed.generation, outcome: 'failed', used: { cpuMicros: 0n, memoryGbSeconds: 0n }, reason, errorMessage: reasonOf(error), receipt: {} }, { actor: `runner ${runner}`, now: context.now(), settings: context.slots }))
  return undefined
}
