/** What an execution holds of its tenant's lots before it may run. */
import { estimateOf, vcpuHours, vcpuHoursUp, type CpuMicros } from '../core/service/amounts.ts'
import type { ServiceReason } from './reasons.ts'
import type { Placement } from './slots.ts'
import type { Lot, Queued } from './snapshot.ts'

/**
 * Takes the estimate from lots that are valid at the start, the one that ends first at the front. All or
 * nothing.
 */
export function pay(
  lots: Lot[],
  queued: Queued,
  placement: Placement,
): { lot: Lot; amount: CpuMicros }[] | ServiceReason {
  const needed = estimateOf(queued.cpuCores, queued.estimatedMinutes)
  const usable = lots.filter(
    (lot) => lot.fromMs <= placement.fromMs && placement.fromMs < lot.untilMs && lot.available > 0n,
  )
  const holds: { lot: Lot; amount: CpuMicros }[] = []
  let left = needed
  for (const lot of usable) {
    const amount = lot.available < left ? lot.available : left
    holds.push({ lot, amount })
    left -= amount
    if (left === 0n) return holds
  }
  const last = usable.at(-1)
  return {
    code: 'no_balance',
    params: {
      needed: vcpuHoursUp(needed),
      available: vcpuHours(needed - left),
      missing: vcpuHoursUp(left),
      until: new Date(last?.untilMs ?? placement.fromMs).toISOString(),
    },
  }
}
