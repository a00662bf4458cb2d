/** Starts the process of one execution with everything that it needs and nothing else. */
import { fork, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { getCompileCacheDir } from 'node:module'
import { constants, setPriority } from 'node:os'
import { dirname } from 'node:path'
import { DRAFT } from '../../core/service/namespaces.ts'
import { variableOf } from '../../core/setting-row.ts'
import { limitsOf, type TenantLimits } from '../../core/service/tenant-limits.ts'
import type { Claimed } from '../../state/runs/claim.ts'
import { entryOf } from '../../host/package-root.ts'
import { foreignVariable, variablesFor } from '../../host/settings.ts'
import type { Context } from '../context.ts'
import { memoryBytesOf, orderOf, workOf, type Order } from './execution-work.ts'
import { hear, type Running } from './running-execution.ts'
import { rollingOf } from './stream-slots.ts'
import { keepStorage } from '../tenant-storage.ts'
import type { FromChild, ToExecution } from '../../executions/work.ts'
import { logPath } from '../execution-logs.ts'

/**
 * Each lane of a read needs one thread for its query; with libuv's usual four, only four could read at once.
 */
const POOL_THREADS = 20

const ENTRY = entryOf('execution-child')

/**
 * Data from a database lies in buffers outside V8's heap. With a small nursery, V8 frees them before it
 * counts them as old and marks all of them (a tenth of our CPU time).
 */
export const EXECUTION_FLAGS = [
  '--max-old-space-size=512',
  '--max-semi-space-size=1',
  '--disable-warning=ExperimentalWarning',
]

export async function startProcess(context: Context, claimed: Claimed): Promise<Running> {
  const order = await orderOf(context, claimed)
  const quota = limitsOf(context.limits, order.policy)
  await keepStorage(context.storage, quota, claimed.tenant_id)
  const work = await workOf(context, claimed, order)
  const child = forkChild(context.home, claimed.execution_id)
  if (claimed.namespace === DRAFT) giveWay(child)
  const run: Running = {
    claimed,
    child,
    state: { name: 'running' },
    startedMs: performance.now(),
    cpuMicros: 0n,
    memoryByteMs: 0,
    measuredMs: performance.now(),
    peakBytes: 0,
    progress: undefined,
    held: order.holds.reduce((sum, { amount }) => sum + BigInt(amount), 0n),
    rolling: order.streams ? rollingOf(context, claimed) : undefined,
    worstFreshnessMs: 0,
    limits: runLimits(claimed, order, quota),
    ended: new Promise((done) => (child.once('exit', () => done()), child.once('error', () => done()))),
  }
  child.on('message', (message: FromChild) => hear(run, message))
  child.send({ type: 'run', work } satisfies ToExecution, () => undefined)
  return run
}

/**
 * Of our environment, only what is needed to find programs and names: a tenant's job must not read the rest.
 */
const HANDED_ON = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'NODE_EXTRA_CA_CERTS'] as const

/** The output of the child goes into the log of the execution. */
function forkChild(home: string, executionId: string): ChildProcess {
  const path = logPath(home, executionId)
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'a', 0o600)
  const child = fork(ENTRY, [], {
    execArgv: EXECUTION_FLAGS,
    stdio: ['ignore', file, file, 'ipc'],
    serialization: 'advanced',
    env: {
      ...Object.fromEntries(HANDED_ON.map((name) => [name, foreignVariable(name)])),
      ...variablesFor('execution'),
      [variableOf('execution')]: executionId,
      NODE_COMPILE_CACHE: getCompileCacheDir() ?? '',
      UV_THREADPOOL_SIZE: String(POOL_THREADS),
    },
  })
  closeSync(file)
  return child
}

/** Where cores are offered more often than there are, a draft gets what production leaves. */
function giveWay({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_LOW)
  } catch {
    // It has ended already, or the system does not let us.
  }
}

/** The limits of a run, by its job's SLA, its tenant's policy and its capacity. */
function runLimits(claimed: Claimed, order: Order, quota: TenantLimits): Running['limits'] {
  const { max_runtime_minutes: most, max_freshness_seconds: freshness } = order.sla_requirements
  return {
    memoryBytes: memoryBytesOf(claimed),
    runtimeMs: most === undefined || order.streams ? Infinity : most * 60_000,
    freshnessMs: freshness === undefined ? Infinity : freshness * 1_000,
    overage: order.policy.overage ?? 'stop',
    quota,
  }
}
