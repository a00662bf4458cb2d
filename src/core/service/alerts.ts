/** Events that need somebody's attention: a webhook gets these when it names no others. */
export const ALERTS = [
  'execution.failed',
  'execution.timed_out',
  'execution.start_late',
  'execution.sla_warning',
  'execution.balance_low',
  'job.demoted',
  'service.disk_low',
]
