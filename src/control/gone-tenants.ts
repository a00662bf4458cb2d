/** Ends what still waits or runs for jobs that are deleted and tenants that are suspended or deleted. */
import { openOfTheGone } from '../state/executions.ts'
import { cancel } from '../state/runs/cancellation.ts'
import type { Context } from './context.ts'

/** All there is, of one tenant or of all; what cannot be cancelled now is left to the next round. */
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
      // Each in a transaction of its own: one that holds the capacity must not go on to another's lots.
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
