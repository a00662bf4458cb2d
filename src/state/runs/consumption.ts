/** The use of runs, stored for reports and bills: one row for each span of each run. */
import type { CpuMicros } from '../../core/service/amounts.ts'
import type { Tx } from '../database.ts'
import { isPaid } from '../holds.ts'

export interface Used {
  /** Measured by the operating system. */
  cpuMicros: CpuMicros
  memoryGbSeconds: bigint
  /** Booked cores times the time it ran, whatever it made of them: what is paid for. */
  bookedMicros: CpuMicros
}

/** All that an execution used, and what was taken for it from what its tenant bought by the hour. */
export interface Consumed extends Used {
  chargedMicros: CpuMicros
}

/** Stores a span of use. If the clock was set back meanwhile, the span is empty. */
export async function consume(
  tx: Tx,
  of: { job_id: string; tenant_id: string; execution_id: string; namespace: string; holds: unknown },
  { cpuMicros, memoryGbSeconds, bookedMicros }: Used,
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
      booked_microseconds: bookedMicros,
      charged_microseconds: isPaid(of) ? bookedMicros : 0n,
      memory_gb_seconds: memoryGbSeconds,
      start_time: from,
      end_time: until < from ? from : until,
    })
    .execute()
}

/** The total use of an execution, including earlier attempts and slots. */
export async function consumedBy(tx: Tx, executionId: string): Promise<Consumed> {
  const { cpu, memory, booked, charged } = await tx
    .selectFrom('resource_consumption')
    .select(({ fn }) => [
      fn.sum<string>('cpu_microseconds').as('cpu'),
      fn.sum<string>('memory_gb_seconds').as('memory'),
      fn.sum<string>('booked_microseconds').as('booked'),
      fn.sum<string>('charged_microseconds').as('charged'),
    ])
    .where('execution_id', '=', executionId)
    .executeTakeFirstOrThrow()
  return {
    cpuMicros: BigInt(cpu),
    memoryGbSeconds: BigInt(memory),
    bookedMicros: BigInt(booked),
    chargedMicros: BigInt(charged),
  }
}
