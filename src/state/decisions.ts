/** Stores the decisions of a cycle: bookings with their holds, reasons to wait, and missed windows. */
import { setImmediate } from 'node:timers/promises'
import { sql, type RawBuilder } from 'kysely'
import { failure } from '../core/errors.ts'
import type { Wait } from '../scheduling/cycle.ts'
import type { Booking } from '../scheduling/snapshot.ts'
import { arrayOf, quotedArrayOf } from './array-literal.ts'
import type { Tx } from './database.ts'
import { holdsText } from './holds.ts'
import { assertLots, holdParts } from './ledger.ts'

/** Bookings per statement. */
const BOOKED_AT_ONCE = 1_000

/**
 * Stores bookings. `places`: the places of their rows in the queue, which the lock keeps. In the order of
 * tenants, so the pages of three indexes are touched one after the other: this saves a twentieth of a
 * booking's time. In parts, so the server stores one while the next is prepared: this saves another twelfth.
 */
export async function bookAll(
  tx: Tx,
  decided: Booking[],
  places: Map<string, string>,
  now: Date,
): Promise<void> {
  const bookings = decided.toSorted((a, b) => (a.tenantId < b.tenantId ? -1 : 1))
  // If a part fails, the server refuses those after it. None may be under way when the error ends the
  // transaction.
  const failures: Promise<unknown>[] = []
  for (let at = 0; at < bookings.length; at += BOOKED_AT_ONCE) {
    failures.push(
      book(tx, bookings.slice(at, at + BOOKED_AT_ONCE), places, now).then(
        () => undefined,
        (error: unknown) => error,
      ),
    )
    // A turn of the event loop, in which the part is sent.
    await setImmediate()
  }
  const first = (await Promise.all(failures)).find((error) => error !== undefined)
  if (first !== undefined) throw first
}

/** One part: everything in one statement, because a round trip costs more than the work. */
async function book(tx: Tx, bookings: Booking[], places: Map<string, string>, now: Date): Promise<void> {
  const holds = holdParts(
    bookings.flatMap(({ tenantId, executionId, holds: its }) =>
      its.map((hold) => ({ ...hold, tenantId, executionId })),
    ),
    now,
  )
  const { rows } = await sql<{ lots: number; taken: number }>`
    WITH b AS MATERIALIZED (
      ${asRows(bookings, places)}
    ),
    told AS (
      INSERT INTO events (tenant_id, actor, event, subject, data)
      SELECT
        tenant_id, 'scheduler', 'execution.booked', execution_id,
        jsonb_build_object('from', booked_from, 'namespace', namespace, 'lender', lender)
      FROM b
    ),
    taken AS (
      DELETE FROM queued_executions q
      USING b
      WHERE q.ctid = b.place
        AND q.execution_id = b.execution_id
      RETURNING 1
    ),
    placed AS (
      INSERT INTO bookings (booked_from, execution_id, tenant_id)
      SELECT booked_from, execution_id, tenant_id
      FROM b
    ),
    booked AS (
      UPDATE job_executions x
      SET
        status = 'booked',
        namespace = b.namespace,
        booked_from = b.booked_from,
        booked_until = b.booked_until,
        lender = b.lender,
        unit_owner = b.unit_owner,
        holds = b.holds,
        reason = NULL
      FROM b
      WHERE x.execution_id = b.execution_id
    ),
    ${holds.parts}
    SELECT
      (SELECT count(*)::int FROM held) AS lots,
      (SELECT count(*)::int FROM taken) AS taken
  `.execute(tx)
  const [{ lots, taken }] = rows
  assertLots(holds.lots, lots)
  if (taken !== bookings.length)
    throw failure('reconcile_failed', {
      what: 'the queue',
      left: `${bookings.length} bookings`,
      right: `${taken} rows of the queue`,
    })
}

/** Bookings as a query: one row each, with the columns of the table of executions. */
function asRows(bookings: Booking[], places: Map<string, string>): RawBuilder<unknown> {
  const column = (
    name: 'executionId' | 'tenantId' | 'namespace' | 'fromMs' | 'untilMs' | 'lender' | 'owner',
  ): string => arrayOf(bookings.map((booking) => booking[name]))
  return sql`
    SELECT
      place, execution_id, tenant_id, namespace,
      to_timestamp(from_ms / 1000.0::float8) AS booked_from,
      to_timestamp(until_ms / 1000.0::float8) AS booked_until,
      lender, unit_owner, holds
    FROM unnest(
      ${quotedArrayOf(bookings.map((booking) => places.get(booking.executionId)))}::tid[],
      ${column('executionId')}::uuid[],
      ${column('tenantId')}::uuid[],
      ${column('namespace')}::text[],
      ${column('fromMs')}::bigint[],
      ${column('untilMs')}::bigint[],
      ${column('lender')}::text[],
      ${column('owner')}::uuid[],
      ${quotedArrayOf(bookings.map((booking) => holdsText(booking.holds)))}::jsonb[]
    ) AS b (place, execution_id, tenant_id, namespace, from_ms, until_ms, lender, unit_owner, holds)
  `
}

/** Puts executions that cannot be placed to sleep, with the reason. A new reason is an event. */
export async function letWait(tx: Tx, waits: Wait[]): Promise<void> {
  if (waits.length === 0) return
  await sql`
    WITH w AS (
      SELECT *
      FROM unnest(
        ${waits.map((wait) => wait.executionId)}::uuid[],
        ${waits.map((wait) => JSON.stringify(wait.reason))}::jsonb[],
        ${waits.map((wait) => new Date(wait.tryAfterMs))}::timestamptz[]
      ) AS w (execution_id, reason, try_after)
    ),
    told AS (
      INSERT INTO events (tenant_id, actor, event, subject, data)
      SELECT x.tenant_id, 'scheduler', 'execution.waits', x.execution_id, w.reason
      FROM w
      JOIN job_executions x USING (execution_id)
      WHERE x.reason->>'code' IS DISTINCT FROM w.reason->>'code'
    ),
    asleep AS (
      UPDATE queued_executions q
      SET try_after = w.try_after, ready = false
      FROM w
      WHERE q.execution_id = w.execution_id
    )
    UPDATE job_executions x
    SET reason = w.reason
    FROM w
    WHERE x.execution_id = w.execution_id
      AND x.reason IS DISTINCT FROM w.reason
  `.execute(tx)
}

/**
 * Ends executions that can no longer run within their window: they held nothing, and their tenant must know.
 */
export async function endMissed(tx: Tx, waits: Wait[], now: Date): Promise<void> {
  if (waits.length === 0) return
  await sql`
    WITH w AS (
      SELECT *
      FROM unnest(
        ${waits.map((wait) => wait.executionId)}::uuid[],
        ${waits.map((wait) => JSON.stringify(wait.reason))}::jsonb[]
      ) AS w (execution_id, reason)
    ),
    taken AS (
      DELETE FROM queued_executions q
      USING w
      WHERE q.execution_id = w.execution_id
    ),
    ended AS (
      UPDATE job_executions x
      SET status = 'failed', sla_met = false, actual_end_time = ${now}, reason = w.reason
      FROM w
      WHERE x.execution_id = w.execution_id
      RETURNING x.execution_id, x.tenant_id, x.job_id, x.reason
    )
    INSERT INTO events (tenant_id, actor, event, subject, data)
    SELECT
      tenant_id, 'scheduler', 'execution.failed', execution_id,
      jsonb_build_object('job_id', job_id, 'reason', reason)
    FROM ended
  `.execute(tx)
}
