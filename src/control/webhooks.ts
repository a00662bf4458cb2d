/** Use cases of webhooks: a tenant's own, and the installation's, which are told of every tenant's events. */
import type { Service } from './service.ts'
import { failure } from '../core/errors.ts'
import type { Db, Tx } from '../state/database.ts'
import { record } from '../state/events.ts'
import type { Context } from './context.ts'
import { needMailer } from '../net/mail.ts'
import { keepWebhooks } from './tenant-quota.ts'

/** Of the installation; those of a tenant: core/service/tenant-limits.ts. */
const WEBHOOKS_MAX = 100

/** After one of the installation was made. */
async function keepOwnWebhooks(tx: Tx): Promise<void> {
  const { count } = await tx
    .selectFrom('webhooks')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('tenant_id', 'is', null)
    .executeTakeFirstOrThrow()
  if (Number(count) > WEBHOOKS_MAX)
    throw failure('limit_reached', {
      count: WEBHOOKS_MAX,
      what: 'webhooks',
      how: 'headrace webhooks delete ID',
    })
}

export function webhookCases(
  context: Context,
): Pick<Service, 'createWebhook' | 'listWebhooks' | 'deleteWebhook'> {
  const { gate } = context
  const write = <T>(tenantId: string | undefined, work: (tx: Tx) => Promise<T>): Promise<T> =>
    tenantId === undefined ? gate.transact(work) : gate.writeAs(tenantId, work)
  const read = <T>(tenantId: string | undefined, work: (db: Db) => Promise<T>): Promise<T> =>
    tenantId === undefined ? work(gate.service) : gate.readAs(tenantId, work)
  return {
    async createWebhook(by, tenantId, body) {
      if (body.url.startsWith('mailto:')) needMailer(context.mail)
      return write(tenantId, async (tx) => {
        const row = await tx
          .insertInto('webhooks')
          .values((value) => ({
            tenant_id: tenantId ?? null,
            url: body.url,
            events: body.events,
            secret_name: body.secret_name ?? null,
            last_error: null,
            next_event_id: value
              .selectFrom('events')
              .select(({ fn }) => fn.coalesce(fn.max('event_id'), value.val(0n)).as('last')) as never,
          }))
          .returning(['webhook_id', 'url', 'events', 'secret_name', 'created_at'])
          .executeTakeFirstOrThrow()
        await (tenantId === undefined ? keepOwnWebhooks(tx) : keepWebhooks(context, tx, tenantId))
        await record(tx, {
          tenantId: tenantId ?? null,
          actor: by.name,
          event: 'webhook.created',
          subject: row.webhook_id,
          data: { url: body.url },
        })
        return row
      })
    },
    async listWebhooks(tenantId) {
      const rows = await read(tenantId, (db) =>
        db
          .selectFrom('webhooks')
          .select(['webhook_id', 'url', 'events', 'secret_name', 'created_at', 'failures', 'last_error'])
          .where('tenant_id', tenantId === undefined ? 'is' : '=', tenantId ?? null)
          .orderBy('created_at')
          .execute(),
      )
      return { items: rows, next: undefined }
    },
    async deleteWebhook(by, tenantId, webhookId) {
      await write(tenantId, async (tx) => {
        const { numDeletedRows } = await tx
          .deleteFrom('webhooks')
          .where('tenant_id', tenantId === undefined ? 'is' : '=', tenantId ?? null)
          .where('webhook_id', '=', webhookId)
          .executeTakeFirst()
        if (numDeletedRows === 0n)
          throw failure('not_found', {
            what: 'webhook',
            id: webhookId,
            list:
              tenantId === undefined ? 'GET /api/v1/webhooks' : `GET /api/v1/tenants/${tenantId}/webhooks`,
          })
        await record(tx, {
          tenantId: tenantId ?? null,
          actor: by.name,
          event: 'webhook.deleted',
          subject: webhookId,
        })
      })
    },
  }
}
