/** Failpoints of an execution of the service between its booking and its settlement, in their order. */
import type { Failpoint } from '../../src/core/failpoint.ts'

export const SERVICE_FAILPOINTS: Failpoint[] = [
  'cycle.deciding',
  'cycle.booked',
  'run.claiming',
  'run.claimed',
  'run.started',
  'run.ended',
  'run.settling',
  'run.settled',
]
