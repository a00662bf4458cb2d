/**
 * Values of the whole installation, in the only row of its table: tiers of service and the speed of the
 * machine.
 */
import type { SlaTier } from '../scheduling/terms.ts'
import type { Db, Tx } from './database.ts'

/** The operator's tiers of service by name. */
export async function readSlaTiers(db: Db): Promise<Record<string, SlaTier>> {
  const { sla_tiers: tiers } = await db
    .selectFrom('installation')
    .select('sla_tiers')
    .executeTakeFirstOrThrow()
  return tiers
}

/** Replaces all tiers. */
export async function writeSlaTiers(tx: Tx, tiers: Record<string, SlaTier>): Promise<void> {
  await tx
    .updateTable('installation')
    .set({ sla_tiers: JSON.stringify(tiers) })
    .execute()
}

/** The speed of the machine, as measured by control/self-benchmark.ts. */
export interface SelfBenchmark {
  seconds: number
  /** 2: twice as fast as the reference. */
  speed: number
  at: string
}

/** Null until the machine has been measured. */
export async function readSelfBenchmark(db: Db): Promise<SelfBenchmark | null> {
  const { self_benchmark: benchmark } = await db
    .selectFrom('installation')
    .select('self_benchmark')
    .executeTakeFirstOrThrow()
  return benchmark as SelfBenchmark | null
}

export async function writeSelfBenchmark(db: Db, benchmark: SelfBenchmark): Promise<void> {
  await db
    .updateTable('installation')
    .set({ self_benchmark: JSON.stringify(benchmark) })
    .execute()
}
