/**
 * The queue of executions: entered with a fair-share tag, decided on in one transaction, in the order of the
 * tags.
 */
import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import { timeOrderedId } from './ids.ts'
import { failure } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import { DEDICATED, type Namespace, type OfferedCapacity } from '../core/namespaces.ts'
import { advance, decide, type Booking, type Later, type Queued, type Wait } from '../scheduling/cycle.ts'
import { nextTag, type Priority } from '../scheduling/fair-share.ts'
import {
  allocate,
  gridAt,
  lockCapacity,
  readSlots,
  readTenants,
  spanOf,
  type SlotSettings,
} from './capacity.ts'
import { arrayOf, quotedArrayOf } from './array-literal.ts'
import type { Tx } from './database.ts'
import { assertLots, holdParts, type Hold } from './ledger.ts'

export interface NewExecution {
  jobId: string
  tenantId: string
  namespace: Namespace
  cpuCores: number
  memoryGb: number
  estimatedMinutes: number
  priority: Priority
  preferred: Date
  deadline: Date
  tick?: Date
}

/** Puts an execution into the queue; undefined when the tick of that job has one already. */
export async function enqueue(tx: Tx, one: NewExecution): Promise<string | undefined> {
  const share = await tx
    .selectFrom('tenant_shares')
    .select(['weight', 'last_tag'])
    .where('tenant_id', '=', one.tenantId)
    .forUpdate()
    .executeTakeFirst()
  const { virtual_time } = await tx
    .selectFrom('installation')
    .select('virtual_time')
    .executeTakeFirstOrThrow()
  const { tag, lastTag } = nextTag(
    { weight: share?.weight ?? 1, lastTag: share?.last_tag ?? 0 },
    virtual_time,
    { coreMinutes: one.cpuCores * one.estimatedMinutes, priority: one.priority },
  )
  const row = await tx
    .insertInto('job_executions')
    .values({
      execution_id: timeOrderedId(Date.now()),
      job_id: one.jobId,
      tenant_id: one.tenantId,
      namespace: one.namespace,
      scheduled_time: one.preferred,
      cpu_cores: one.cpuCores,
      memory_gb: one.memoryGb,
      estimated_minutes: one.estimatedMinutes,
      fair_tag: tag,
      deadline: one.deadline,
      tick: one.tick ?? null,
    })
    .onConflict((on) => on.columns(['job_id', 'tick']).where('tick', 'is not', null).doNothing())
    .returning('execution_id')
    .executeTakeFirst()
  if (row === undefined) return undefined
  await queueUp(tx, row.execution_id)
  await tx
    .updateTable('tenant_shares')
    .set({ last_tag: lastTag })
    .where('tenant_id', '=', one.tenantId)
    .execute()
  return row.execution_id
}

/** A warning comes when less than this part of an execution's window is left. */
const LAST_PART = 0.25

/** Lets an execution wait: it is decided on at once, or when its time to try has come. */
export async function queueUp(tx: Tx, executionId: string, tryAfter?: Date): Promise<void> {
  await sql`
    INSERT INTO queued_executions (execution_id, tenant_id, namespace, cpu_cores, memory_gb, estimated_minutes, preferred, deadline, fair_tag, ready, try_after, warn_at)
    SELECT execution_id, tenant_id, namespace, cpu_cores, memory_gb, estimated_minutes, scheduled_time, deadline, fair_tag, ${tryAfter === undefined}, ${tryAfter ?? '-infinity'}::timestamptz,
      deadline - make_interval(mins => estimated_minutes) - (deadline - scheduled_time) * ${LAST_PART}::float8
    FROM job_executions WHERE execution_id = ${executionId}`.execute(tx)
}

/**
 * Executions that a cycle decides on at most: the cost of a lot is shared by more bookings of its tenant the
 * more there are, and the locks are held for 0.3 s then.
 */
export const CYCLE_HEADS = 4_000

export interface CycleReport {
  booked: number
  waiting: number
}

/**
 * One cycle: takes the heads of the queue, reads what is free, decides, and enters all of it: bookings,
 * holds, slots, reasons, events. The locks of this one transaction are the snapshot's truth, so that a second
 * scheduler, or one that slept for an hour, can decide nothing twice.
 */
export async function runCycle(
  tx: Tx,
  {
    capacity,
    settings,
    now,
    heads,
    spillover,
  }: { capacity: OfferedCapacity; settings: SlotSettings; now: Date; heads: number; spillover: boolean },
): Promise<CycleReport> {
  await sql`UPDATE queued_executions SET ready = true WHERE execution_id IN (SELECT execution_id FROM queued_executions WHERE NOT ready AND try_after <= ${now} ORDER BY execution_id LIMIT 5000 FOR UPDATE SKIP LOCKED)`.execute(
    tx,
  )
  const rows = await tx
    .selectFrom('queued_executions')
    .select([
      sql<string>`ctid`.as('place'),
      'execution_id',
      'tenant_id',
      'namespace',
      'cpu_cores',
      'memory_gb',
      'estimated_minutes',
      'preferred',
      'deadline',
      'fair_tag',
    ])
    .where('ready', '=', true)
    .orderBy('fair_tag')
    .orderBy('execution_id')
    .limit(heads)
    .forUpdate()
    .skipLocked()
    .execute()
  if (rows.length === 0) return { booked: 0, waiting: 0 }
  const grid = gridAt(now.getTime(), settings)
  const tenants = await readTenants(
    tx,
    grid,
    rows.map((row) => row.tenant_id),
    {
      nowMs: now.getTime(),
      lock: true,
      dedicated: rows.filter((row) => row.namespace === DEDICATED).map((row) => row.tenant_id),
    },
  )
  const queue = rows.map((row): Queued => ({
    executionId: row.execution_id,
    tenantId: row.tenant_id,
    namespace: row.namespace as Namespace,
    cpuCores: row.cpu_cores,
    memoryGb: row.memory_gb,
    estimatedMinutes: row.estimated_minutes,
    preferredMs: row.preferred.getTime(),
    deadlineMs: row.deadline.getTime(),
  }))
  const { bookings, waits } = decide({
    nowMs: now.getTime(),
    grid,
    free: await readSlots(tx, grid),
    total: capacity,
    tenants,
    queue,
    spillover,
  })
  await bookAll(tx, bookings, new Map(rows.map((row) => [row.execution_id, row.place])), now)
  if (bookings.length > 0) await allocate(tx, grid, bookings.map(spanOf), 1)
  await wait(
    tx,
    waits.filter((one) => !one.over),
  )
  await miss(
    tx,
    waits.filter((one) => one.over),
    now,
  )
  const served = new Set(bookings.map((one) => one.executionId))
  const virtual = Math.max(
    0,
    ...rows.filter((row) => served.has(row.execution_id)).map((row) => row.fair_tag),
  )
  if (served.size > 0)
    await sql`UPDATE installation SET virtual_time = greatest(virtual_time, ${virtual}::float8)`.execute(tx)
  if (bookings.length > 0) failpoint('cycle.deciding')
  return { booked: bookings.length, waiting: waits.length }
}

/** Moves bookings for later to the room that is free now. Returns how many. */
export async function advanceBookings(
  tx: Tx,
  { settings, now }: { settings: SlotSettings; now: Date },
): Promise<number> {
  const rows = await tx
    .selectFrom('bookings as b')
    .innerJoin('job_executions as x', 'x.execution_id', 'b.execution_id')
    .select([
      'x.execution_id',
      'x.tenant_id',
      'x.namespace',
      'x.cpu_cores',
      'x.memory_gb',
      'x.scheduled_time',
      'x.booked_from',
      'x.booked_until',
      'x.unit_owner',
      'x.holds',
    ])
    .where('b.booked_from', '>', now)
    .where('x.status', '=', 'booked')
    .where('x.scheduled_time', '<=', now)
    // Whose units they are comes before who borrows them: what was called back must not go to the next loan.
    .orderBy(sql`x.unit_owner IS NOT NULL AND x.unit_owner <> x.tenant_id`)
    .orderBy('x.fair_tag')
    .orderBy('x.execution_id')
    .limit(ADVANCED_AT_ONCE)
    .forUpdate('x')
    .skipLocked()
    .execute()
  if (rows.length === 0) return 0
  const grid = gridAt(now.getTime(), settings)
  const lotIds = [...new Set(rows.flatMap((row) => holdsOf(row.holds).map((hold) => hold.lotId)))]
  const starts = new Map(
    (lotIds.length === 0
      ? []
      : await tx
          .selectFrom('ledger_lots')
          .select(['lot_id', 'valid_from'])
          .where('lot_id', 'in', lotIds)
          .execute()
    ).map((lot) => [lot.lot_id, lot.valid_from.getTime()]),
  )
  const owners = rows.flatMap((row) => (row.unit_owner === null ? [] : [row.unit_owner]))
  await lockCapacity(tx)
  const tenants = await readTenants(tx, grid, owners, { nowMs: now.getTime(), lock: false })
  const later = rows.map((row): Later => ({
    executionId: row.execution_id,
    namespace: row.namespace as Namespace,
    owner: row.unit_owner ?? undefined,
    cpuCores: row.cpu_cores,
    memoryGb: row.memory_gb,
    preferredMs: row.scheduled_time.getTime(),
    fromMs: (row.booked_from as Date).getTime(),
    untilMs: (row.booked_until as Date).getTime(),
    paidFromMs: Math.max(0, ...holdsOf(row.holds).map((hold) => starts.get(hold.lotId) ?? 0)),
  }))
  const moves = advance({ nowMs: now.getTime(), grid, free: await readSlots(tx, grid), tenants }, later)
  if (moves.length === 0) return 0
  const before = moves.map((move) => later.find((one) => one.executionId === move.executionId) as Later)
  await allocate(tx, grid, before, -1)
  await allocate(
    tx,
    grid,
    before.map((one, i) => ({ ...one, fromMs: moves[i].fromMs, untilMs: moves[i].untilMs })),
    1,
  )
  await sql`
    WITH m AS (SELECT * FROM unnest(${moves.map((one) => one.executionId)}::uuid[], ${moves.map((one) => new Date(one.fromMs))}::timestamptz[], ${moves.map((one) => new Date(one.untilMs))}::timestamptz[], ${before.map((one) => new Date(one.fromMs))}::timestamptz[]) AS m (execution_id, booked_from, booked_until, was_from)),
    moved AS (UPDATE bookings b SET booked_from = m.booked_from FROM m WHERE b.booked_from = m.was_from AND b.execution_id = m.execution_id)
    UPDATE job_executions x SET booked_from = m.booked_from, booked_until = m.booked_until FROM m WHERE x.execution_id = m.execution_id`.execute(
    tx,
  )
  return moves.length
}

/** A round looks at so many of them: enough to fill a machine, few enough to take milliseconds. */
const ADVANCED_AT_ONCE = 200

/** Bookings of one statement. */
const BOOKED_AT_ONCE = 1_000

/**
 * Enters what was decided. In the order of tenants: it touches the pages of three indexes one after the other
 * then, a twentieth of a booking's time. In parts: the server enters one while the next is written down,
 * another twelfth.
 */
async function bookAll(tx: Tx, decided: Booking[], places: Map<string, string>, now: Date): Promise<void> {
  const bookings = decided.toSorted((a, b) => (a.tenantId < b.tenantId ? -1 : 1))
  // A part that fails makes the server refuse those behind it. None may be under way when its error ends the
  // transaction.
  const failures: Promise<unknown>[] = []
  for (let at = 0; at < bookings.length; at += BOOKED_AT_ONCE) {
    failures.push(
      book(tx, bookings.slice(at, at + BOOKED_AT_ONCE), places, now).then(
        () => undefined,
        (error: unknown) => error,
      ),
    )
    // A turn in which the part is sent.
    await setImmediate()
  }
  const first = (await Promise.all(failures)).find((one) => one !== undefined)
  if (first !== undefined) throw first
}

/**
 * Enters bookings and their holds; `places`: where their rows of the queue lie, which the lock on them keeps
 * there.
 */
async function book(tx: Tx, bookings: Booking[], places: Map<string, string>, now: Date): Promise<void> {
  const column = (
    name: 'executionId' | 'tenantId' | 'namespace' | 'fromMs' | 'untilMs' | 'lender' | 'owner',
  ): string => arrayOf(bookings.map((one) => one[name]))
  const holds = holdParts(
    bookings.flatMap(({ tenantId, executionId, holds: its }) =>
      its.map((hold) => ({ ...hold, tenantId, executionId })),
    ),
    now,
  )
  const {
    rows: [{ lots, taken }],
  } = await sql<{ lots: number; taken: number }>`
    WITH b AS MATERIALIZED (
      SELECT place, execution_id, tenant_id, namespace, to_timestamp(from_ms / 1000.0::float8) AS booked_from, to_timestamp(until_ms / 1000.0::float8) AS booked_until, lender, unit_owner, holds
      FROM unnest(${quotedArrayOf(bookings.map((one) => places.get(one.executionId)))}::tid[], ${column('executionId')}::uuid[], ${column('tenantId')}::uuid[], ${column('namespace')}::text[], ${column('fromMs')}::bigint[], ${column('untilMs')}::bigint[],
        ${column('lender')}::text[], ${column('owner')}::uuid[], ${quotedArrayOf(bookings.map((one) => holdsText(one.holds)))}::jsonb[])
        AS b (place, execution_id, tenant_id, namespace, from_ms, until_ms, lender, unit_owner, holds)
    ), told AS (
      INSERT INTO events (tenant_id, actor, event, subject, data) SELECT tenant_id, 'scheduler', 'execution.booked', execution_id, jsonb_build_object('from', booked_from, 'namespace', namespace, 'lender', lender) FROM b
    ), taken AS (
      DELETE FROM queued_executions q USING b WHERE q.ctid = b.place AND q.execution_id = b.execution_id RETURNING 1
    ), placed AS (
      INSERT INTO bookings (booked_from, execution_id, tenant_id) SELECT booked_from, execution_id, tenant_id FROM b
    ), booked AS (
      UPDATE job_executions x SET status = 'booked', namespace = b.namespace, booked_from = b.booked_from, booked_until = b.booked_until, lender = b.lender, unit_owner = b.unit_owner, holds = b.holds, reason = NULL
      FROM b WHERE x.execution_id = b.execution_id
    ), ${holds.parts}
    SELECT (SELECT count(*)::int FROM held) AS lots, (SELECT count(*)::int FROM taken) AS taken`.execute(tx)
  assertLots(holds.lots, lots)
  if (taken !== bookings.length)
    throw failure('reconcile_failed', {
      what: 'the queue',
      left: `${bookings.length} bookings`,
      right: `${taken} rows of the queue`,
    })
}

/** Puts to sleep what cannot be placed, with the reason; a reason that is new is an event. */
async function wait(tx: Tx, waits: Wait[]): Promise<void> {
  if (waits.length === 0) return
  await sql`
    WITH w AS (SELECT * FROM unnest(${waits.map((one) => one.executionId)}::uuid[], ${waits.map((one) => JSON.stringify(one.reason))}::jsonb[], ${waits.map((one) => new Date(one.tryAfterMs))}::timestamptz[]) AS w (execution_id, reason, try_after)),
    told AS (
      INSERT INTO events (tenant_id, actor, event, subject, data) SELECT x.tenant_id, 'scheduler', 'execution.waits', x.execution_id, w.reason FROM w JOIN job_executions x USING (execution_id) WHERE x.reason->>'code' IS DISTINCT FROM w.reason->>'code'
    ), asleep AS (
      UPDATE queued_executions q SET try_after = w.try_after, ready = false FROM w WHERE q.execution_id = w.execution_id
    )
    UPDATE job_executions x SET reason = w.reason FROM w WHERE x.execution_id = w.execution_id AND x.reason IS DISTINCT FROM w.reason`.execute(
    tx,
  )
}

/** Ends what cannot run inside its window any more: it held nothing, and its tenant must know. */
async function miss(tx: Tx, waits: Wait[], now: Date): Promise<void> {
  if (waits.length === 0) return
  await sql`
    WITH w AS (SELECT * FROM unnest(${waits.map((one) => one.executionId)}::uuid[], ${waits.map((one) => JSON.stringify(one.reason))}::jsonb[]) AS w (execution_id, reason)),
    taken AS (DELETE FROM queued_executions q USING w WHERE q.execution_id = w.execution_id),
    ended AS (UPDATE job_executions x SET status = 'failed', sla_met = false, actual_end_time = ${now}, reason = w.reason FROM w WHERE x.execution_id = w.execution_id RETURNING x.execution_id, x.tenant_id, x.job_id, x.reason)
    INSERT INTO events (tenant_id, actor, event, subject, data) SELECT tenant_id, 'scheduler', 'execution.failed', execution_id, jsonb_build_object('job_id', job_id, 'reason', reason) FROM ended`.execute(
    tx,
  )
}

/** Holds for a row of executions: amounts as text, which JSON's numbers could not hold. */
export function holdsText(holds: Hold[]): string {
  return JSON.stringify(holds.map(({ lotId, amount }) => ({ lot_id: lotId, amount: String(amount) })))
}

/** Holds as they stand in a row of executions. */
export function holdsOf(column: unknown): Hold[] {
  return (column as { lot_id: string; amount: string }[]).map((one) => ({
    lotId: one.lot_id,
    amount: BigInt(one.amount),
  }))
}
