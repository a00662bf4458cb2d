/**
 * What is kept how long of what would else grow for ever: logs of executions and events. What a bill rests on
 * is kept: executions, the ledger, use.
 */
import { sql } from 'kysely'
import type { Db } from '../../state/database.ts'
import type { Retention } from '../retention.ts'
import { DAY_MS } from '../execution-logs.ts'

/** Events a round removes at most: a short transaction, and the next round goes on. */
const EVENTS_A_ROUND = 10_000

/**
 * Removes events that are older than so many days, from the oldest 10,000 on, which a round reads. Returns
 * how many.
 */
export async function dropOldEvents(db: Db, { eventsDays }: Retention, now: Date): Promise<number> {
  const { numAffectedRows } =
    await sql`DELETE FROM events WHERE event_id IN (SELECT event_id FROM (SELECT event_id, at FROM events ORDER BY event_id LIMIT ${EVENTS_A_ROUND}) oldest WHERE at < ${new Date(now.getTime() - eventsDays * DAY_MS)})`.execute(
      db,
    )
  return Number(numAffectedRows ?? 0)
}
