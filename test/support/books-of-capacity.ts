/**
 * Whether the database's sums are what its rows say: counted by SQL of its own, independent of the code that
 * wrote them.
 */
import pg from 'pg'

export interface Books {
  /** Slots from now on whose allocation is not what open bookings use. */
  slots: number
  /** Lots whose held amount is not what open executions hold. */
  holds: number
  /** Lots whose sums are not those of their entries. */
  lots: number
  /** Executions that stand in the queue or among the bookings and should not, or the other way round. */
  places: number
  open: number
}

export const IN_ORDER = { slots: 0, holds: 0, lots: 0, places: 0 }

export async function booksOf(url: string, now = new Date()): Promise<Books> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const count = async (sql: string, values: unknown[] = []): Promise<number> =>
    Number((await client.query<{ n: string }>(sql, values)).rows[0].n)
  try {
    return {
      slots: await count(
        `SELECT count(*) AS n FROM capacity_slots s LEFT JOIN LATERAL (
           SELECT coalesce(sum(cpu_cores), 0) AS cpu, coalesce(sum(memory_gb), 0) AS memory FROM job_executions x
           WHERE x.status IN ('booked', 'running') AND x.namespace = s.namespace AND x.booked_from < s.time_slot + make_interval(mins => s.slot_duration_minutes) AND x.booked_until > s.time_slot
         ) b ON true WHERE s.time_slot + make_interval(mins => s.slot_duration_minutes) > $1 AND (s.allocated_cpu <> b.cpu OR s.allocated_memory <> b.memory)`,
        [now],
      ),
      holds: await count(
        `SELECT count(*) AS n FROM ledger_lots l LEFT JOIN (
           SELECT (h->>'lot_id')::uuid AS lot_id, sum((h->>'amount')::bigint) AS amount FROM job_executions x, jsonb_array_elements(x.holds) h WHERE x.status IN ('booked', 'running') GROUP BY 1
         ) h USING (lot_id) WHERE l.held <> coalesce(h.amount, 0)`,
      ),
      lots: await count(
        `SELECT count(*) AS n FROM ledger_lots l LEFT JOIN (
           SELECT lot_id, sum(CASE WHEN debit = 'granted' THEN amount WHEN credit = 'granted' THEN -amount ELSE 0 END) AS granted, sum(CASE WHEN credit = 'available' THEN amount WHEN debit = 'available' THEN -amount ELSE 0 END) AS available,
             sum(CASE WHEN credit = 'held' THEN amount WHEN debit = 'held' THEN -amount ELSE 0 END) AS held, sum(CASE WHEN credit = 'consumed' THEN amount WHEN debit = 'consumed' THEN -amount ELSE 0 END) AS consumed FROM ledger_entries GROUP BY lot_id
         ) e USING (lot_id) WHERE (l.granted, l.available, l.held, l.consumed) IS DISTINCT FROM (coalesce(e.granted, 0), coalesce(e.available, 0), coalesce(e.held, 0), coalesce(e.consumed, 0))`,
      ),
      places: await count(
        `SELECT count(*) AS n FROM job_executions x FULL JOIN queued_executions q USING (execution_id) FULL JOIN bookings b USING (execution_id)
         WHERE x.execution_id IS NULL OR (x.status = 'scheduled') <> (q.execution_id IS NOT NULL) OR (x.status IN ('booked', 'running')) <> (b.execution_id IS NOT NULL) OR b.booked_from <> x.booked_from`,
      ),
      open: await count(
        "SELECT count(*) AS n FROM job_executions WHERE status IN ('scheduled', 'booked', 'running')",
      ),
    }
  } finally {
    await client.end()
  }
}
