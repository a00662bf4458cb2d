/** The use of runs, stored for reports and bills: one row for each span of each run. */
import type { CpuMicros } from '../../core/service/amounts.ts'
import type { Tx } from '../database.ts'

export interface Used {
  /** Measured by the operating system. */
  cpuMicros: CpuMicros
  memoryGbSeconds: bigint
}

/** Stores a span of use. If the clock was set back meanwhile, the span is empty. */
export async function consume(
  tx: Tx,
  of: { job_id: string; tenant_id: string; execution_id: string; namespace: string },
  { cpuMicros, memoryGbSeconds }: Used,
  { from, until }: { from: Date; until: Date },
): Promise<void> {
  const { job_id, tenant_id, execution_id, namespace } = of
  await tx
    .insertInto('resource_consumption')
    .values({
      job_id,
      tenant_id,
      execution_id,
      namespace,
      cpu_seconds: (cpuMicros + 999_999n) / 1_000_000n,
      cpu_microseconds: cpuMicros,
      memory_gb_seconds: memoryGbSeconds,
      start_time: from,
      end_time: until < from ? from : until,
    })
    .execute()
}

/** The total use of an execution, including earlier attempts and slots. */
export async function consumedBy(tx: Tx, executionId: string): Promise<Used> {
  const { cpu, memory } = await tx
    .selectFrom('resource_consumption')
    .select(({ fn }) => [
      fn.sum<string>('cpu_microseconds').as('cpu'),
      fn.sum<string>('memory_gb_seconds').as('memory'),
    ])
    .where('execution_id', '=', executionId)
    .executeTakeFirstOrThrow()
  return { cpuMicros: BigInt(cpu), memoryGbSeconds: BigInt(memory) }
}
