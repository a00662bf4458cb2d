/** What an execution holds of its tenant's lots, as stored in its row. */
import type { CpuMicros } from '../core/service/amounts.ts'
import { SHARED } from '../core/service/namespaces.ts'
import type { Hold } from './ledger.ts'

/** Holds for a row of executions: amounts as text, because JSON's numbers could not hold them. */
export function holdsText(holds: Hold[]): string {
  return JSON.stringify(holds.map(({ lotId, amount }) => ({ lot_id: lotId, amount: String(amount) })))
}

/** Parses the holds of a row of executions. */
export function holdsOf(column: unknown): Hold[] {
  return (column as { lot_id: string; amount: string }[]).map((hold) => ({
    lotId: hold.lot_id,
    amount: BigInt(hold.amount),
  }))
}

export function sumOf(holds: Hold[]): CpuMicros {
  return holds.reduce((total, hold) => total + hold.amount, 0n)
}

/** Whether the use of an execution is paid by the hour: in the pool, and on a loan of units. */
export function isPaid(row: { namespace: string; holds: unknown }): boolean {
  return row.namespace === SHARED || holdsOf(row.holds).length > 0
}
