/** What happened: one row an event, written in the transaction of what it tells. It is the audit log and feeds streams and webhooks. */
import type { Db, Tx } from './database.ts'

export interface NewEvent {
  tenantId: string | null
  /** Who: a token's name, `scheduler`, `runner HOST`. */
  actor: string
  /** Noun and past tense: `purchase.created`. */
  event: string
  subject?: string
  data?: Record<string, unknown>
}

export async function record(tx: Tx, ...events: NewEvent[]): Promise<void> {
  if (events.length === 0) return
  await tx.insertInto('events').values(events.map((one) => ({ tenant_id: one.tenantId, actor: one.actor, event: one.event, subject: one.subject ?? null, data: JSON.stringify(one.data ?? {}) }))).execute()
}

export async function eventsAfter(db: Db, { after, tenantId, limit }: { after: bigint; tenantId?: string; limit: number }): Promise<Record<string, unknown>[]> {
  let query = db.selectFrom('events').select(['event_id', 'tenant_id', 'at', 'actor', 'event', 'subject', 'data']).where('event_id', '>', after).orderBy('event_id').limit(limit)
  if (tenantId !== undefined) query = query.where('tenant_id', '=', tenantId)
  return (await query.execute()).map((row) => ({ ...row, event_id: String(row.event_id) }))
}
