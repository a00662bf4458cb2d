/**
 * Watches running executions: the operating system measures them. One that takes more memory, time, disk or
 * capacity than its limit is ended, with the reason.
 */
import { chargeOf, estimateOf } from '../../core/service/amounts.ts'
import { SHARED } from '../../core/service/namespaces.ts'
import { reachedParams } from '../../core/service/tenant-limits.ts'
import { extendHold } from '../../state/runs/longer-holds.ts'
import type { Context } from '../context.ts'
import { measure } from '../../host/process-meter.ts'
import { isEntering, mib, stop, stopCauseOf, unentered, type Running } from './running-execution.ts'
import { rollOn } from './stream-slots.ts'
import { keepStorage } from '../tenant-storage.ts'
import { boundLog } from '../execution-logs.ts'

/** Measures a run, and ends it if it exceeds a limit. */
export function watch(context: Context, run: Running): void {
  const measured = run.child.pid === undefined ? undefined : measure(run.child.pid)
  const at = performance.now()
  if (measured !== undefined) {
    if (measured.cpuMicros > run.cpuMicros) run.cpuMicros = measured.cpuMicros
    run.memoryByteMs += measured.memoryBytes * (at - run.measuredMs)
    run.peakBytes = Math.max(run.peakBytes, measured.memoryBytes)
    if (measured.memoryBytes > run.limits.memoryBytes)
      stop(run, {
        code: 'execution_memory_exceeded',
        params: { used: mib(measured.memoryBytes), limit: mib(run.limits.memoryBytes) },
      })
  }
  run.measuredMs = at
  if (at - run.startedMs > run.limits.runtimeMs)
    stop(run, { code: 'runtime_exceeded', params: { minutes: Math.round(run.limits.runtimeMs / 60_000) } })
  if (stopCauseOf(run) !== undefined) return
  if (run.rolling !== undefined && at >= run.rolling.atMs) void rollOn(context, run, run.rolling)
  else if (run.claimed.namespace === SHARED && outrunsHold(run) && !isEntering(run))
    void holdMore(context, run)
}

/** More is held before the hold is used up: what is found out after it would be a debt. */
const AHEAD_OF_HOLD_MS = 5_000

const outrunsHold = (run: Running): boolean =>
  unentered(run).bookedMicros + chargeOf(run.claimed.cpu_cores, AHEAD_OF_HOLD_MS) > run.held

/** Limits what a run writes: its log, and the folder of its tenant. */
export async function watchDisk({ home, storage }: Context, run: Running): Promise<void> {
  const { execution_id: id, tenant_id: tenantId } = run.claimed
  const { quota } = run.limits
  await boundLog(home, id, quota)
  await keepStorage(storage, quota, tenantId).catch(() =>
    stop(run, { code: 'limit_reached', params: reachedParams(quota, 'storage_gb') }),
  )
}

/**
 * Holds a tenth of the estimate more (at least ten core-minutes). If nothing is left, the run stops or goes
 * into debt, by the tenant's policy.
 */
async function holdMore(context: Context, run: Running): Promise<void> {
  const step = [estimateOf(1, 10), run.held / 10n].reduce((most, amount) => (amount > most ? amount : most))
  const before = run.held
  // Count it at once, so that the next measurement does not hold it again.
  run.held += step
  const { execution_id: executionId, generation } = run.claimed
  const more = await context.gate
    .transact((tx) => extendHold(tx, { executionId, generation, amount: step, now: context.now() }))
    .catch(() => true)
  if (!more && run.limits.overage === 'stop')
    stop(run, { code: 'hold_exhausted', params: { held: Number(before / 3_600_000n) / 1_000 } })
}
