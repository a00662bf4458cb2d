/**
 * The ledger: append-only, double entry, in whole microseconds of CPU. Each entry moves an amount between two
 * accounts of a lot (one period of one purchase). The sums of a lot change in the same statement, and
 * constraints keep them at or above zero.
 */
import { sql, type RawBuilder } from 'kysely'
import type { CpuMicros } from '../core/service/amounts.ts'
import { failure } from '../core/errors.ts'
import { arrayOf } from './array-literal.ts'
import type { Db, Tx } from './database.ts'

export type Account = 'granted' | 'available' | 'held' | 'consumed' | 'expired'
export type Act = 'grant' | 'hold' | 'settle' | 'release' | 'expire' | 'cancel' | 'repay'

export interface Move {
  tenantId: string
  lotId: string
  act: Act
  debit: Account
  credit: Account
  amount: CpuMicros
  executionId?: string
}

export interface Hold {
  lotId: string
  amount: CpuMicros
}

const ACCOUNTS: Account[] = ['granted', 'available', 'held', 'consumed', 'expired']

/** Enters all moves and changes the sums of their lots in one statement. Moves of nothing are left out. */
export async function enter(tx: Tx, moves: Move[], at: Date): Promise<void> {
  const real = moves.filter((move) => move.amount > 0n)
  if (real.length === 0) return
  const sums = [...sumsOf(real)]
  const column = (name: keyof Move): string => arrayOf(real.map((move) => move[name]))
  const accounts = sql.join(ACCOUNTS.map((account) => sql.ref(account)))
  const grown = sql.join(
    ACCOUNTS.map((account) => sql`${sql.ref(account)} = l.${sql.ref(account)} + s.${sql.ref(account)}`),
  )
  const amounts = sql.join(
    ACCOUNTS.map((account) => sql`${arrayOf(sums.map(([, sum]) => sum[account]))}::bigint[]`),
  )
  const { numAffectedRows } = await sql`
    WITH entered AS (
      INSERT INTO ledger_entries (tenant_id, lot_id, act, debit, credit, amount, execution_id, at)
      SELECT tenant_id, lot_id, act, debit, credit, amount, execution_id, ${at}
      FROM unnest(
        ${column('tenantId')}::uuid[],
        ${column('lotId')}::uuid[],
        ${column('act')}::text[],
        ${column('debit')}::text[],
        ${column('credit')}::text[],
        ${column('amount')}::bigint[],
        ${column('executionId')}::uuid[]
      ) AS m (tenant_id, lot_id, act, debit, credit, amount, execution_id)
    )
    UPDATE ledger_lots l
    SET ${grown}
    FROM unnest(${arrayOf(sums.map(([lotId]) => lotId))}::uuid[], ${amounts}) AS s (lot_id, ${accounts})
    WHERE l.lot_id = s.lot_id
  `.execute(tx)
  assertLots(sums.length, Number(numAffectedRows))
}

/** Checks that every lot with an entry changed: nothing else binds the two. Throws `reconcile_failed`. */
export function assertLots(entered: number, changed: number): void {
  if (entered !== changed)
    throw failure('reconcile_failed', {
      what: 'the ledger',
      left: `${entered} lots of entries`,
      right: `${changed} lots that changed`,
    })
}

/** A hold with its purpose. */
interface HoldOf extends Hold {
  tenantId: string
  executionId: string
}

/**
 * Holds as parts of a statement that writes what they pay for: `held` has one row for each changed lot, and
 * `lots` states how many must change. In a separate statement, they would cost a booking 7 us more, a
 * fifteenth; summed by the server, 3 us.
 */
export function holdParts(holds: HoldOf[], at: Date): { parts: RawBuilder<unknown>; lots: number } {
  const sums = new Map<string, CpuMicros>()
  for (const { lotId, amount } of holds) sums.set(lotId, (sums.get(lotId) ?? 0n) + amount)
  const column = (name: keyof HoldOf): string => arrayOf(holds.map((hold) => hold[name]))
  const parts = sql`
    entered AS (
      INSERT INTO ledger_entries (tenant_id, lot_id, act, debit, credit, amount, execution_id, at)
      SELECT tenant_id, lot_id, 'hold', 'available', 'held', amount, execution_id, ${at}
      FROM unnest(
        ${column('tenantId')}::uuid[],
        ${column('lotId')}::uuid[],
        ${column('amount')}::bigint[],
        ${column('executionId')}::uuid[]
      ) AS h (tenant_id, lot_id, amount, execution_id)
    ),
    held AS (
      UPDATE ledger_lots l
      SET available = l.available - s.amount, held = l.held + s.amount
      FROM unnest(
        ${arrayOf([...sums.keys()])}::uuid[],
        ${arrayOf([...sums.values()])}::bigint[]
      ) AS s (lot_id, amount)
      WHERE l.lot_id = s.lot_id
      RETURNING l.lot_id
    )
  `
  return { parts, lots: sums.size }
}

/** The change of each lot through moves. `granted` is the source of amounts: it grows when it is debited. */
function sumsOf(moves: Move[]): Map<string, Record<Account, CpuMicros>> {
  const sums = new Map<string, Record<Account, CpuMicros>>()
  const signed = (account: Account, amount: CpuMicros): CpuMicros =>
    account === 'granted' ? -amount : amount
  for (const { lotId, debit, credit, amount } of moves) {
    const sum = sums.get(lotId) ?? { granted: 0n, available: 0n, held: 0n, consumed: 0n, expired: 0n }
    sum[debit] -= signed(debit, amount)
    sum[credit] += signed(credit, amount)
    sums.set(lotId, sum)
  }
  return sums
}

export interface Discrepancy {
  lot_id: string
  account: string
  stored: string
  entered: string
}

/** Lots whose sums differ from their entries: none, unless something wrote past this module. */
export async function auditLedger(db: Db): Promise<Discrepancy[]> {
  const { rows } = await sql<Discrepancy>`
    WITH sides AS (
      SELECT
        lot_id,
        credit AS account,
        CASE WHEN credit = 'granted' THEN -amount ELSE amount END AS amount
      FROM ledger_entries
      UNION ALL
      SELECT
        lot_id,
        debit,
        CASE WHEN debit = 'granted' THEN amount ELSE -amount END
      FROM ledger_entries
    ),
    entered AS (
      SELECT lot_id, account, sum(amount) AS amount
      FROM sides
      GROUP BY lot_id, account
    ),
    stored AS (
      SELECT lot_id, account, amount
      FROM ledger_lots,
      LATERAL (
        VALUES
          ('granted', granted),
          ('available', available),
          ('held', held),
          ('consumed', consumed),
          ('expired', expired)
      ) AS v (account, amount)
    )
    SELECT
      lot_id,
      account,
      coalesce(s.amount, 0)::text AS stored,
      coalesce(e.amount, 0)::text AS entered
    FROM stored s
    FULL JOIN entered e USING (lot_id, account)
    WHERE coalesce(s.amount, 0) <> coalesce(e.amount, 0)
  `.execute(db)
  return rows
}
