/** Queues a job: what one run of it requires. */
import { DRAFT } from '../core/service/namespaces.ts'
import { priorityOf, timingOf } from '../scheduling/requirements.ts'
import type { SlotSettings } from '../state/capacity.ts'
import type { Tx } from '../state/database.ts'
import type { JobRow } from '../state/jobs.ts'
import { enqueue } from '../state/queue.ts'

/** Puts an execution of a job into the queue of its namespace. */
export async function enqueueJob(
  tx: Tx,
  row: JobRow,
  { slots, from, tick }: { slots: SlotSettings; from: Date; tick?: Date },
): Promise<string | undefined> {
  const requirements = row.resource_requirements
  // A stream holds one slot at a time; its draft is a run like any other.
  const minutes =
    row.continuous && row.namespace !== DRAFT ? slots.slotMinutes : requirements.estimated_runtime_minutes
  return enqueue(tx, {
    jobId: row.job_id,
    tenantId: row.tenant_id,
    namespace: row.namespace,
    cpuCores: requirements.cpu_cores,
    memoryGb: requirements.memory_gb,
    estimatedMinutes: minutes,
    priority: priorityOf(row.sla_requirements),
    tick,
    ...timingOf(requirements, from),
  })
}
