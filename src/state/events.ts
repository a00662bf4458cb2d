/**
 * Events: one row each, written in the transaction that it reports. They are the audit log, and feed streams
 * and webhooks.
 */
import { sql } from 'kysely'
import type { Db, Tx } from './database.ts'
import { pause } from '../core/waiting.ts'

export interface NewEvent {
  tenantId: string | null
  /** The actor: a token's name, `scheduler`, `runner HOST`. */
  actor: string
  /** Noun and past tense: `purchase.created`. */
  event: string
  subject?: string
  data?: Record<string, unknown>
}

export async function record(tx: Tx, ...events: NewEvent[]): Promise<void> {
  if (events.length === 0) return
  const rows = JSON.stringify(
    events.map(({ tenantId, actor, event, subject, data }) => ({
      tenant_id: tenantId,
      actor,
      event,
      subject,
      data: publicData(data ?? {}),
    })),
  )
  // The transaction gets its number before the event gets one, as createEventHorizon requires: a condition
  // without columns is evaluated before all rows.
  await sql`
    INSERT INTO events (tenant_id, actor, event, subject, data)
    SELECT tenant_id, actor, event, subject, data
    FROM jsonb_to_recordset(${rows}::jsonb)
      AS e (tenant_id uuid, actor text, event text, subject uuid, data jsonb)
    WHERE pg_current_xact_id() IS NOT NULL
  `.execute(tx)
}

/** Limits for an event: settings of jobs may be long, and each change goes to all receivers. */
const [EVENT_CHARS, FIELD_CHARS] = [16_384, 2_048]

/** The data, with the size in place of long values. */
function publicData(data: Record<string, unknown>): Record<string, unknown> {
  const size = (value: unknown): number => JSON.stringify(value)?.length ?? 0
  if (size(data) <= EVENT_CHARS) return data
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [
      name,
      size(value) > FIELD_CHARS ? { left_out_characters: size(value) } : value,
    ]),
  )
}

/** Events above `after` and up to `through`, in order. With `names`, only those events. */
export async function eventsAfter(
  db: Db,
  {
    after,
    through,
    tenantId,
    names,
    limit,
  }: { after: bigint; through: bigint; tenantId?: string; names?: string[]; limit: number },
) {
  let query = db
    .selectFrom('events')
    .select(['event_id', 'tenant_id', 'at', 'actor', 'event', 'subject', 'data'])
    .where('event_id', '>', after)
    .where('event_id', '<=', through)
    .orderBy('event_id')
    .limit(limit)
  if (tenantId !== undefined) query = query.where('tenant_id', '=', tenantId)
  if (names !== undefined) query = query.where('event', 'in', names)
  return (await query.execute()).map((row) => ({ ...row, event_id: String(row.event_id) }))
}

/** The tenants with events above `after` and up to `through`. Null stands for the installation. */
export async function tenantsWithEvents(
  db: Db,
  { after, through }: { after: bigint; through: bigint },
): Promise<(string | null)[]> {
  return (
    await db
      .selectFrom('events')
      .select('tenant_id')
      .distinct()
      .where('event_id', '>', after)
      .where('event_id', '<=', through)
      .execute()
  ).map((row) => row.tenant_id)
}

/** Most events to remove at once: the transaction stays short, and the next one continues. */
const DROPPED_AT_ONCE = 10_000

/** Removes events older than `eventsDays`. It checks only the 10,000 oldest. Returns how many it removed. */
export async function dropOldEvents(
  db: Db,
  { eventsDays }: { eventsDays: number },
  now: Date,
): Promise<number> {
  const before = new Date(now.getTime() - eventsDays * 86_400_000)
  const { numAffectedRows } = await sql`
    DELETE FROM events
    WHERE event_id IN (
      SELECT event_id
      FROM (
        SELECT event_id, at
        FROM events
        ORDER BY event_id
        LIMIT ${DROPPED_AT_ONCE}
      ) oldest
      WHERE at < ${before}
    )
  `.execute(db)
  return Number(numAffectedRows ?? 0)
}

/**
 * None of our transactions is open this long: an older one belongs to somebody else, in another database of
 * the server.
 */
const LONGEST_MS = 300_000
const WAIT = { mostMs: 1_000, stepMs: 20 }

/**
 * Finds the number up to which all events are visible. An event gets its number when it is written, and
 * becomes visible when it is committed. A reader that continued after the highest visible number would miss
 * an event with a lower number whose transaction ends later. A number is safe when every transaction that had
 * started when it was first seen has ended. Each transaction takes its own number before that of its event.
 * To know which transactions had started, we take a transaction number ourselves, afterwards. A snapshot's
 * xmax does not help: it only lies after the newest transaction that has ended.
 */
export function createEventHorizon(
  db: Db,
  nowMs: () => number = () => performance.now(),
): () => Promise<bigint> {
  let settled = 0n
  let seen: { newest: bigint; next: bigint; atMs: number }[] = []
  const look = async (): Promise<bigint> => {
    const { rows } = await sql<{ newest: bigint; oldest: string }>`
      SELECT
        coalesce(max(event_id), 0) AS newest,
        pg_snapshot_xmin(pg_current_snapshot())::text AS oldest
      FROM events
    `.execute(db)
    const [now] = rows
    const over = seen
      .filter((sighting) => sighting.next <= BigInt(now.oldest) || nowMs() - sighting.atMs > LONGEST_MS)
      .at(-1)
    if (over !== undefined) settled = over.newest
    seen = seen.filter((sighting) => sighting.newest > settled)
    const isNew = (): boolean => now.newest > (seen.at(-1)?.newest ?? settled)
    if (isNew()) {
      const {
        rows: [{ next }],
      } = await sql<{ next: string }>`SELECT pg_current_xact_id()::text AS next`.execute(db)
      // Another look may have been faster.
      if (isNew()) seen.push({ newest: now.newest, next: BigInt(next), atMs: nowMs() })
    }
    return now.newest
  }
  return async () => {
    const wanted = await look()
    for (const end = nowMs() + WAIT.mostMs; settled < wanted && nowMs() < end; await look())
      await pause(WAIT.stepMs)
    return settled
  }
}
