/**
 * Watches what runs: the operating system measures it, and it is ended by name when it takes more memory,
 * time, disk or capacity than it may.
 */
import { estimateOf } from '../../core/service/amounts.ts'
import { SHARED } from '../../core/service/namespaces.ts'
import { reachedParams } from '../../core/service/tenant-limits.ts'
import { extendHold } from '../../state/runs/longer-holds.ts'
import type { Context } from '../context.ts'
import { measure } from '../../host/process-meter.ts'
import { mib, stop, unentered, type Running } from './running-execution.ts'
import { rollOn } from './stream-slots.ts'
import { keepStorage } from '../tenant-storage.ts'
import { boundLog } from '../execution-logs.ts'

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
