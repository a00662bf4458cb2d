/** Webhooks with events to deliver, and how far each has come. */
import { sql, type RawBuilder } from 'kysely'
import type { Db } from './database.ts'

export interface DueWebhook {
  webhook_id: string
  /** Null: a webhook of the installation. */
  tenant_id: string | null
  url: string
  events: string[]
  secret_name: string | null
  /** The last event that is done: delivered, or not wanted. */
  next_event_id: bigint
  failures: number
}

/**
 * Moves webhooks that want no event up to `through`, and that are more than `behind` events back, to
 * `through`: a webhook for a rare event does not check the same events again and again.
 */
export async function passOverEvents(
  db: Db,
  { through, behind }: { through: bigint; behind: bigint },
): Promise<void> {
  await sql`
    UPDATE webhooks w
    SET next_event_id = ${through}
    WHERE w.failures = 0
      AND w.next_event_id < ${through - behind}
      AND NOT (${isPending(through)})
  `.execute(db)
}

/**
 * Webhooks that may be tried now and have events up to `through`, those furthest behind first. `busy`
 * webhooks are left out, but count towards `ofTenant`, the limit of each tenant.
 */
export async function dueWebhooks(
  db: Db,
  {
    through,
    now,
    busy,
    ofTenant,
    limit,
  }: { through: bigint; now: Date; busy: string[]; ofTenant: number; limit: number },
): Promise<DueWebhook[]> {
  const isBusy = sql<boolean>`w.webhook_id = ANY(${busy}::uuid[])`
  const { rows } = await sql<DueWebhook>`
    SELECT webhook_id, tenant_id, url, events, secret_name, next_event_id, failures
    FROM (
      SELECT
        w.*,
        ${isBusy} AS busy,
        row_number() OVER (
          PARTITION BY w.tenant_id
          ORDER BY ${isBusy} DESC, w.next_event_id, w.webhook_id
        ) AS place
      FROM webhooks w
      LEFT JOIN tenants t USING (tenant_id)
      WHERE ${isBusy}
        OR (
          w.try_after <= ${now}
          AND (w.tenant_id IS NULL OR t.status = 'active')
          AND ${isPending(through)}
        )
    ) due
    WHERE NOT busy
      AND place <= ${ofTenant}
    ORDER BY next_event_id, webhook_id
    LIMIT ${limit}
  `.execute(db)
  return rows
}

/** Whether there are events for a webhook `w`. Those of a tenant are found through its own index. */
const isPending = (through: bigint): RawBuilder<boolean> => sql<boolean>`
  CASE
    WHEN w.tenant_id IS NULL THEN EXISTS (
      SELECT 1
      FROM events e
      WHERE e.event_id > w.next_event_id
        AND e.event_id <= ${through}
        AND w.events && ARRAY['*', e.event::text]
    )
    ELSE EXISTS (
      SELECT 1
      FROM events e
      WHERE e.tenant_id = w.tenant_id
        AND e.event_id > w.next_event_id
        AND e.event_id <= ${through}
        AND w.events && ARRAY['*', e.event::text]
    )
  END`

/** What a turn changed. Missing fields stay as they are. */
export interface DeliveryOutcome {
  next_event_id: bigint
  failures?: number
  last_error?: string | null
  try_after?: Date
}

export async function noteDelivery(db: Db, webhookId: string, outcome: DeliveryOutcome): Promise<void> {
  await db.updateTable('webhooks').set(outcome).where('webhook_id', '=', webhookId).execute()
}
