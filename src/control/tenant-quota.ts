/** Counts what a tenant has against what it may have, inside the transaction that adds to it. */
import { sql } from 'kysely'
import { keepTo, limitsOf, type TenantLimits } from '../core/service/tenant-limits.ts'
import type { Db, Tx } from '../state/database.ts'
import { findTenant } from '../state/tenants.ts'
import { countWebhooks } from '../state/webhooks.ts'
import type { Context } from './context.ts'

export async function limitsFor(
  { limits }: Pick<Context, 'limits'>,
  db: Db,
  tenantId: string,
): Promise<TenantLimits> {
  return limitsOf(limits, (await findTenant(db, tenantId))?.policy)
}

/** One at a time for a tenant: two that count at once would both find room. */
async function inTurn(tx: Tx, tenantId: string): Promise<void> {
  await tx
    .selectFrom('tenant_shares')
    .select('tenant_id')
    .where('tenant_id', '=', tenantId)
    .forUpdate()
    .execute()
}

/** After a job was made or changed: with it there are not too many. Throws `limit_reached`. */
export async function keepJobs(context: Context, tx: Tx, tenantId: string): Promise<void> {
  await inTurn(tx, tenantId)
  const limits = await limitsFor(context, tx, tenantId)
  const counted = sql<{ jobs: number; bytes: number }>`
    SELECT
      count(*)::int AS jobs,
      coalesce(sum(octet_length(source_config::text) + octet_length(destination_config::text)), 0)::float8 AS bytes
    FROM ingestion_jobs
    WHERE tenant_id = ${tenantId} AND status <> 'deleted'`
  const [found] = (await counted.execute(tx)).rows
  keepTo(limits, 'jobs', found.jobs)
  keepTo(limits, 'job_settings_kb', Math.ceil(found.bytes / 1024))
}

/** How many executions of a tenant may be queued now. */
export async function roomInQueue(
  context: Pick<Context, 'limits'>,
  tx: Tx,
  tenantId: string,
): Promise<number> {
  await inTurn(tx, tenantId)
  const limits = await limitsFor(context, tx, tenantId)
  const {
    rows: [{ waiting }],
  } = await sql<{
    waiting: number
  }>`SELECT count(*)::int AS waiting FROM queued_executions WHERE tenant_id = ${tenantId}`.execute(tx)
  return limits.waiting_executions - waiting
}

export async function keepQueue(context: Context, tx: Tx, tenantId: string): Promise<void> {
  if ((await roomInQueue(context, tx, tenantId)) > 0) return
  const limits = await limitsFor(context, tx, tenantId)
  keepTo(limits, 'waiting_executions', limits.waiting_executions + 1)
}

/** After a webhook was made. */
export async function keepWebhooks(context: Context, tx: Tx, tenantId: string): Promise<void> {
  await inTurn(tx, tenantId)
  const count = await countWebhooks(tx, tenantId)
  keepTo(await limitsFor(context, tx, tenantId), 'webhooks', count)
}

/** After a token was made. */
export async function keepTokens(context: Pick<Context, 'limits'>, tx: Tx, tenantId: string): Promise<void> {
  await inTurn(tx, tenantId)
  const counted = sql<{ count: number }>`
    SELECT count(*)::int AS count
    FROM access_tokens
    WHERE tenant_id = ${tenantId} AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`
  const [{ count }] = (await counted.execute(tx)).rows
  keepTo(await limitsFor(context, tx, tenantId), 'tokens', count)
}

/** Before a secret is stored. */
export async function keepSecrets(
  context: Context,
  tenantId: string,
  name: string,
  value: Record<string, string>,
): Promise<void> {
  const [limits, names] = await Promise.all([
    context.gate.readAs(tenantId, (db) => limitsFor(context, db, tenantId)),
    context.secrets.names(tenantId),
  ])
  keepTo(limits, 'secret_kb', Math.ceil(Buffer.byteLength(JSON.stringify(value)) / 1024))
  if (!names.includes(name)) keepTo(limits, 'secrets', names.length + 1)
}
