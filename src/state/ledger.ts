/**
 * The ledger: append-only, double entry, whole microseconds of CPU. Each entry moves an amount between two
 * accounts of a lot (one period of one purchase); the sums of a lot change in the same statement, and
 * constraints keep them from going below zero.
 */
import { sql, type RawBuilder } from 'kysely'
import type { CpuMicros } from '../core/amounts.ts'
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

/** Enters all moves and changes the sums of their lots, in one statement. Moves of nothing are left out. */
export async function enter(tx: Tx, moves: Move[], at: Date): Promise<void> {
  const real = moves.filter((one) => one.amount > 0n)
  if (real.length === 0) return
  const sums = [...sumsOf(real)]
  const column = (name: keyof Move): string => arrayOf(real.map((one) => one[name]))
  const { numAffectedRows } = await sql`
    WITH entered AS (
      INSERT INTO ledger_entries (tenant_id, lot_id, act, debit, credit, amount, execution_id, at)
      SELECT tenant_id, lot_id, act, debit, credit, amount, execution_id, ${at}
      FROM unnest(${column('tenantId')}::uuid[], ${column('lotId')}::uuid[], ${column('act')}::text[], ${column('debit')}::text[], ${column('credit')}::text[], ${column('amount')}::bigint[], ${column('executionId')}::uuid[]) AS m (tenant_id, lot_id, act, debit, credit, amount, execution_id)
    )
    UPDATE ledger_lots l SET ${sql.join(ACCOUNTS.map((account) => sql`${sql.ref(account)} = l.${sql.ref(account)} + s.${sql.ref(account)}`))}
    FROM unnest(${arrayOf(sums.map(([lotId]) => lotId))}::uuid[], ${sql.join(ACCOUNTS.map((account) => sql`${arrayOf(sums.map(([, sum]) => sum[account]))}::bigint[]`))}) AS s (lot_id, ${sql.join(ACCOUNTS.map((account) => sql.ref(account)))})
    WHERE l.lot_id = s.lot_id
  `.execute(tx)
  assertLots(sums.length, Number(numAffectedRows))
}

/** Every lot that has an entry changed: nothing else binds the two. Throws `reconcile_failed`. */
export function assertLots(entered: number, changed: number): void {
  if (entered !== changed)
    throw failure('reconcile_failed', {
      what: 'the ledger',
      left: `${entered} lots of entries`,
      right: `${changed} lots that changed`,
    })
}

/** A hold with what it is for. */
interface HoldOf extends Hold {
  tenantId: string
  executionId: string
}

/**
 * Holds as parts of a statement that writes what they pay for: `held` has one row for each lot that changed,
 * and `lots` says how many must. In a statement of their own they cost a booking 7 us more, a fifteenth;
 * summed up by the server, 3.
 */
export function holdParts(holds: HoldOf[], at: Date): { parts: RawBuilder<unknown>; lots: number } {
  const sums = new Map<string, CpuMicros>()
  for (const { lotId, amount } of holds) sums.set(lotId, (sums.get(lotId) ?? 0n) + amount)
  const column = (name: keyof HoldOf): string => arrayOf(holds.map((one) => one[name]))
  const parts = sql`
    entered AS (
      INSERT INTO ledger_entries (tenant_id, lot_id, act, debit, credit, amount, execution_id, at) SELECT tenant_id, lot_id, 'hold', 'available', 'held', amount, execution_id, ${at}
      FROM unnest(${column('tenantId')}::uuid[], ${column('lotId')}::uuid[], ${column('amount')}::bigint[], ${column('executionId')}::uuid[]) AS h (tenant_id, lot_id, amount, execution_id)
    ), held AS (
      UPDATE ledger_lots l SET available = l.available - s.amount, held = l.held + s.amount FROM unnest(${arrayOf([...sums.keys()])}::uuid[], ${arrayOf([...sums.values()])}::bigint[]) AS s (lot_id, amount) WHERE l.lot_id = s.lot_id RETURNING l.lot_id
    )`
  return { parts, lots: sums.size }
}

/** What moves change in each lot. `granted` is where amounts come from: it grows when it is debited. */
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

/**
 * What an execution used is taken from what it holds; the rest goes back, to `expired` where the lot has
 * ended meanwhile. What it used beyond is taken from what the tenant has left, and what that does not cover
 * becomes a debt. Returns that debt.
 */
export async function settle(
  tx: Tx,
  {
    tenantId,
    executionId,
    holds,
    used,
    at,
  }: { tenantId: string; executionId: string; holds: Hold[]; used: CpuMicros; at: Date },
): Promise<CpuMicros> {
  const lots = await lockLots(tx, tenantId)
  const moves: Move[] = []
  let left = used
  for (const { lotId, amount } of holds) {
    const taken = left < amount ? left : amount
    left -= taken
    const ended = lots.find((lot) => lot.lot_id === lotId)?.closed ?? true
    moves.push({
      tenantId,
      lotId,
      executionId,
      act: 'settle',
      debit: 'held',
      credit: 'consumed',
      amount: taken,
    })
    moves.push({
      tenantId,
      lotId,
      executionId,
      act: 'release',
      debit: 'held',
      credit: ended ? 'expired' : 'available',
      amount: amount - taken,
    })
  }
  for (const { lotId, amount } of draw(lots, left, at)) {
    left -= amount
    moves.push({
      tenantId,
      lotId,
      executionId,
      act: 'settle',
      debit: 'available',
      credit: 'consumed',
      amount,
    })
  }
  if (left > 0n)
    moves.push({
      tenantId,
      lotId: await debtLot(tx, tenantId, at),
      executionId,
      act: 'settle',
      debit: 'granted',
      credit: 'consumed',
      amount: left,
    })
  await enter(tx, moves, at)
  return left
}

/**
 * Takes more for an execution that outruns its hold, from lots that are valid now. Returns what could be had,
 * perhaps nothing.
 */
export async function extend(
  tx: Tx,
  {
    tenantId,
    executionId,
    amount,
    at,
  }: { tenantId: string; executionId: string; amount: CpuMicros; at: Date },
): Promise<Hold[]> {
  const holds = draw(await lockLots(tx, tenantId), amount, at)
  await enter(
    tx,
    holds.map((hold): Move => ({
      tenantId,
      ...hold,
      executionId,
      act: 'hold',
      debit: 'available',
      credit: 'held',
    })),
    at,
  )
  return holds
}

/** What a tenant could hold now. */
export async function availableTo(db: Db, tenantId: string, at: Date): Promise<CpuMicros> {
  const row = await db
    .selectFrom('ledger_lots')
    .select(({ fn }) => fn.sum<string>('available').as('available'))
    .where('tenant_id', '=', tenantId)
    .where('closed', '=', false)
    .where('purchase_id', 'is not', null)
    .where('valid_from', '<=', at)
    .where('valid_until', '>', at)
    .executeTakeFirstOrThrow()
  return BigInt(row.available ?? 0)
}

/** Up to `amount` of what lots that are valid now have left, the one that ends first at the front. */
function draw(lots: Awaited<ReturnType<typeof lockLots>>, amount: CpuMicros, at: Date): Hold[] {
  let left = amount
  return lots
    .filter((lot) => !lot.closed && lot.valid_from <= at && lot.valid_until > at && lot.purchase_id !== null)
    .flatMap((lot) => {
      const taken = left < lot.available ? left : lot.available
      left -= taken
      return taken > 0n ? [{ lotId: lot.lot_id, amount: taken }] : []
    })
}

/** Lots of a tenant that are open or still held from, locked in one order everywhere. */
async function lockLots(tx: Tx, tenantId: string) {
  return tx
    .selectFrom('ledger_lots')
    .select(['lot_id', 'purchase_id', 'available', 'held', 'closed', 'valid_from', 'valid_until'])
    .where('tenant_id', '=', tenantId)
    .where((where) => where.or([where('closed', '=', false), where('held', '>', 0n)]))
    .orderBy('valid_until')
    .orderBy('lot_id')
    .forUpdate()
    .execute()
}

async function debtLot(tx: Tx, tenantId: string, at: Date): Promise<string> {
  const known = await tx
    .selectFrom('ledger_lots')
    .select('lot_id')
    .where('tenant_id', '=', tenantId)
    .where('purchase_id', 'is', null)
    .executeTakeFirst()
  if (known !== undefined) return known.lot_id
  const zero = { granted: 0n, available: 0n, held: 0n, consumed: 0n, expired: 0n }
  return (
    await tx
      .insertInto('ledger_lots')
      .values({
        tenant_id: tenantId,
        purchase_id: null,
        valid_from: at,
        valid_until: new Date('9999-12-31T00:00:00Z'),
        ...zero,
      })
      .returning('lot_id')
      .executeTakeFirstOrThrow()
  ).lot_id
}

/** Opens a lot and grants its amount; a debt is paid from it first. Does nothing when the lot is there. */
export async function grant(
  tx: Tx,
  {
    tenantId,
    purchaseId,
    from,
    until,
    amount,
    at,
  }: { tenantId: string; purchaseId: string; from: Date; until: Date; amount: CpuMicros; at: Date },
): Promise<void> {
  const zero = { granted: 0n, available: 0n, held: 0n, consumed: 0n, expired: 0n }
  const made = await tx
    .insertInto('ledger_lots')
    .values({ tenant_id: tenantId, purchase_id: purchaseId, valid_from: from, valid_until: until, ...zero })
    .onConflict((on) => on.columns(['purchase_id', 'valid_from']).doNothing())
    .returning('lot_id')
    .executeTakeFirst()
  if (made === undefined) return
  await enter(
    tx,
    [{ tenantId, lotId: made.lot_id, act: 'grant', debit: 'granted', credit: 'available', amount }],
    at,
  )
  const debt = await tx
    .selectFrom('ledger_lots')
    .select(['lot_id', 'consumed'])
    .where('tenant_id', '=', tenantId)
    .where('purchase_id', 'is', null)
    .where('consumed', '>', 0n)
    .forUpdate()
    .executeTakeFirst()
  if (debt === undefined) return
  const paid = debt.consumed < amount ? debt.consumed : amount
  await enter(
    tx,
    [
      { tenantId, lotId: made.lot_id, act: 'repay', debit: 'available', credit: 'consumed', amount: paid },
      { tenantId, lotId: debt.lot_id, act: 'repay', debit: 'consumed', credit: 'granted', amount: paid },
    ],
    at,
  )
}

/**
 * Ends lots whose time is over (or that are named): what is left of them expires. Holds stay until they are
 * settled.
 */
export async function closeLots(
  tx: Tx,
  which: { endedBefore: Date } | { purchaseId: string },
  at: Date,
): Promise<number> {
  let query = tx
    .selectFrom('ledger_lots')
    .select(['lot_id', 'tenant_id', 'available'])
    .where('closed', '=', false)
    .where('purchase_id', 'is not', null)
  query =
    'endedBefore' in which
      ? query.where('valid_until', '<=', which.endedBefore)
      : query.where('purchase_id', '=', which.purchaseId)
  const lots = await query.orderBy('valid_until').orderBy('lot_id').limit(1_000).forUpdate().execute()
  if (lots.length === 0) return 0
  const act: Act = 'endedBefore' in which ? 'expire' : 'cancel'
  await enter(
    tx,
    lots.map((lot): Move => ({
      tenantId: lot.tenant_id,
      lotId: lot.lot_id,
      act,
      debit: 'available',
      credit: 'expired',
      amount: lot.available,
    })),
    at,
  )
  await tx
    .updateTable('ledger_lots')
    .set({ closed: true })
    .where(
      'lot_id',
      'in',
      lots.map((lot) => lot.lot_id),
    )
    .execute()
  return lots.length
}

/** Lots whose sums differ from their entries: none, unless somebody wrote past this module. */
export async function auditLedger(
  db: Db,
): Promise<{ lot_id: string; account: string; stored: string; entered: string }[]> {
  const { rows } = await sql<{ lot_id: string; account: string; stored: string; entered: string }>`
    WITH entered AS (
      SELECT lot_id, account, sum(amount) AS amount FROM (
        SELECT lot_id, credit AS account, CASE WHEN credit = 'granted' THEN -amount ELSE amount END AS amount FROM ledger_entries
        UNION ALL SELECT lot_id, debit, CASE WHEN debit = 'granted' THEN amount ELSE -amount END FROM ledger_entries
      ) sides GROUP BY lot_id, account
    ), stored AS (
      SELECT lot_id, account, amount FROM ledger_lots, LATERAL (VALUES ('granted', granted), ('available', available), ('held', held), ('consumed', consumed), ('expired', expired)) v (account, amount)
    )
    SELECT lot_id, account, coalesce(s.amount, 0)::text AS stored, coalesce(e.amount, 0)::text AS entered FROM stored s FULL JOIN entered e USING (lot_id, account) WHERE coalesce(s.amount, 0) <> coalesce(e.amount, 0)
  `.execute(db)
  return rows
}
