/**
 * Use cases of webhooks: those of a tenant, and those of the installation, which get the events of every
 * tenant.
 */
import type { Service } from './service.ts'
import { failure } from '../core/errors.ts'
import type { Db, Tx } from '../state/database.ts'
import { record } from '../state/events.ts'
import { countWebhooks, createWebhook, deleteWebhook, listWebhooks } from '../state/webhooks.ts'
import type { Context } from './context.ts'
import { needMailer } from '../net/mail.ts'
import { keepWebhooks } from './tenant-quota.ts'

/** Limit of the installation. For those of a tenant, see core/service/tenant-limits.ts. */
const WEBHOOKS_MAX = 100

/** Call it after you create a webhook of the installation. */
async function keepOwnWebhooks(tx: Tx): Promise<void> {
  if ((await countWebhooks(tx, undefined)) > WEBHOOKS_MAX)
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
        const { url, events, secret_name: secretName } = body
        const row = await createWebhook(tx, { tenantId, url, events, secretName })
        await (tenantId === undefined ? keepOwnWebhooks(tx) : keepWebhooks(context, tx, tenantId))
        await record(tx, {
          tenantId: tenantId ?? null,
          actor: by.name,
          event: 'webhook.created',
          subject: row.webhook_id,
          data: { url },
        })
        return row
      })
    },
    async listWebhooks(tenantId) {
      return { items: await read(tenantId, (db) => listWebhooks(db, tenantId)), next: undefined }
    },
    async deleteWebhook(by, tenantId, webhookId) {
      await write(tenantId, async (tx) => {
        if (!(await deleteWebhook(tx, tenantId, webhookId)))
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
