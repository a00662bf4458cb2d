/** Ends what still waits or runs for deleted jobs, and for suspended or deleted tenants. */
import { openOfTheGone } from '../state/executions.ts'
import { cancel } from '../state/runs/cancellation.ts'
import type { Context } from './context.ts'

/**
 * Cancels all such executions, of one tenant or of all. What cannot be cancelled now is left to the next
 * round.
 */
export async function endOfTheGone(
  { gate, now, slots }: Pick<Context, 'gate' | 'now' | 'slots'>,
  actor: string,
  tenantOnly?: string,
): Promise<void> {
  for (let ended = 1; ended > 0;) {
    ended = 0
    for (const { tenant_id: tenantId, execution_id: executionId } of await openOfTheGone(
      gate.service,
      tenantOnly,
    )) {
      // Each in its own transaction: one that locks the capacity must not then lock another tenant's lots.
      const cancelled = gate.transact((tx) =>
        cancel(tx, { tenantId, executionId, actor, now: now(), settings: slots }),
      )
      ended += await cancelled.then(
        () => 1,
        () => 0,
      )
    }
  }
}
