/**
 * Webhooks, as their owners see them. The owner is a tenant, or the installation if `tenantId` is undefined:
 * its webhooks get the events of every tenant.
 */
import type { Db, Tx } from './database.ts'

export interface NewWebhook {
  tenantId: string | undefined
  url: string
  /** Names of events, or `*` for all. */
  events: string[]
  secretName: string | undefined
}

/** Creates a webhook. It gets events from now on. */
export async function createWebhook(tx: Tx, { tenantId, url, events, secretName }: NewWebhook) {
  return tx
    .insertInto('webhooks')
    .values((value) => ({
      tenant_id: tenantId ?? null,
      url,
      events,
      secret_name: secretName ?? null,
      last_error: null,
      next_event_id: value
        .selectFrom('events')
        .select(({ fn }) => fn.coalesce(fn.max('event_id'), value.val(0n)).as('last')) as never,
    }))
    .returning(['webhook_id', 'url', 'events', 'secret_name', 'created_at'])
    .executeTakeFirstOrThrow()
}

export async function listWebhooks(db: Db, tenantId: string | undefined) {
  return db
    .selectFrom('webhooks')
    .select(['webhook_id', 'url', 'events', 'secret_name', 'created_at', 'failures', 'last_error'])
    .where('tenant_id', tenantId === undefined ? 'is' : '=', tenantId ?? null)
    .orderBy('created_at')
    .execute()
}

export async function countWebhooks(db: Db, tenantId: string | undefined): Promise<number> {
  const { count } = await db
    .selectFrom('webhooks')
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .where('tenant_id', tenantId === undefined ? 'is' : '=', tenantId ?? null)
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** Deletes a webhook. Returns whether the owner had it. */
export async function deleteWebhook(
  tx: Tx,
  tenantId: string | undefined,
  webhookId: string,
): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('webhooks')
    .where('tenant_id', tenantId === undefined ? 'is' : '=', tenantId ?? null)
    .where('webhook_id', '=', webhookId)
    .executeTakeFirst()
  return numDeletedRows > 0n
}
