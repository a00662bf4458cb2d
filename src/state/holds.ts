/** What an execution holds of its tenant's lots, as it stands in the execution's row. */
import type { CpuMicros } from '../core/service/amounts.ts'
import { SHARED } from '../core/service/namespaces.ts'
import type { Hold } from './ledger.ts'

/** Holds for a row of executions: amounts as text, which JSON's numbers could not hold. */
export function holdsText(holds: Hold[]): string {
  return JSON.stringify(holds.map(({ lotId, amount }) => ({ lot_id: lotId, amount: String(amount) })))
}

/** Holds as they stand in a row of executions. */
export function holdsOf(column: unknown): Hold[] {
  return (column as { lot_id: string; amount: string }[]).map((hold) => ({
    lotId: hold.lot_id,
    amount: BigInt(hold.amount),
  }))
}

export function sumOf(holds: Hold[]): CpuMicros {
  return holds.reduce((total, hold) => total + hold.amount, 0n)
}

/** Whether what an execution uses is paid by the hour: in the pool, and on a loan of somebody's units. */
export function isPaid(row: { namespace: string; holds: unknown }): boolean {
  return row.namespace === SHARED || holdsOf(row.holds).length > 0
}
