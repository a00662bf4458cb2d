/** Runners that are alive: who of them takes what, and whether anybody would start a booking at all. */
import type { Db, Tx } from '../database.ts'

/** A runner that was not seen for so long has ended. As long as the lease of a run. */
const GONE_AFTER_MS = 15_000

/** A process that starts executions, and the cores of its machine. */
export interface RunnerMachine {
  runner: string
  cpuCores: number
}

/** Says that a runner lives. Those that are gone are forgotten. */
export async function seeRunner(tx: Tx, machine: RunnerMachine, now: Date): Promise<void> {
  const row = { cpu_cores: machine.cpuCores, seen_at: now }
  await tx
    .insertInto('runners')
    .values({ runner: machine.runner, ...row })
    .onConflict((conflict) => conflict.column('runner').doUpdateSet(row))
    .execute()
  await tx.deleteFrom('runners').where('seen_at', '<', lastSign(now)).execute()
}

/** A runner that ends leaves its share to the others at once. */
export async function forgetRunner(db: Db, runner: string): Promise<void> {
  await db.deleteFrom('runners').where('runner', '=', runner).execute()
}

/** Runners that gave a sign, in no order. */
export async function readRunners(db: Db, now: Date): Promise<RunnerMachine[]> {
  const rows = await db
    .selectFrom('runners')
    .select(['runner', 'cpu_cores'])
    .where('seen_at', '>=', lastSign(now))
    .execute()
  return rows.map((row) => ({ runner: row.runner, cpuCores: row.cpu_cores }))
}

const lastSign = (now: Date): Date => new Date(now.getTime() - GONE_AFTER_MS)
