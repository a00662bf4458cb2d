/** Counts what a tenant has and compares it with its limits, inside the transaction that adds to it. */
import { keepTo, limitsOf, type TenantLimits } from '../core/service/tenant-limits.ts'
import type { Db, Tx } from '../state/database.ts'
import { countJobs } from '../state/jobs.ts'
import { countWaiting } from '../state/queue.ts'
import { countTokens, findTenant, lockCounts } from '../state/tenants.ts'
import { countWebhooks } from '../state/webhooks.ts'
import type { Context } from './context.ts'

export async function limitsFor(
  { limits }: Pick<Context, 'limits'>,
  db: Db,
  tenantId: string,
): Promise<TenantLimits> {
  return limitsOf(limits, (await findTenant(db, tenantId))?.policy)
}

/** Call it after you create or change a job. Throws `limit_reached` if there are now too many. */
export async function keepJobs(context: Context, tx: Tx, tenantId: string): Promise<void> {
  await lockCounts(tx, tenantId)
  const limits = await limitsFor(context, tx, tenantId)
  const { jobs, settingsBytes } = await countJobs(tx, tenantId)
  keepTo(limits, 'jobs', jobs)
  keepTo(limits, 'job_settings_kb', Math.ceil(settingsBytes / 1024))
}

/** How many more executions of a tenant may be queued. */
export async function roomInQueue(
  context: Pick<Context, 'limits'>,
  tx: Tx,
  tenantId: string,
): Promise<number> {
  await lockCounts(tx, tenantId)
  const limits = await limitsFor(context, tx, tenantId)
  return limits.waiting_executions - (await countWaiting(tx, tenantId))
}

export async function keepQueue(context: Context, tx: Tx, tenantId: string): Promise<void> {
  if ((await roomInQueue(context, tx, tenantId)) > 0) return
  const limits = await limitsFor(context, tx, tenantId)
  keepTo(limits, 'waiting_executions', limits.waiting_executions + 1)
}

/** Call it after you create a webhook. */
export async function keepWebhooks(context: Context, tx: Tx, tenantId: string): Promise<void> {
  await lockCounts(tx, tenantId)
  const count = await countWebhooks(tx, tenantId)
  keepTo(await limitsFor(context, tx, tenantId), 'webhooks', count)
}

/** Call it after you create a token. */
export async function keepTokens(context: Pick<Context, 'limits'>, tx: Tx, tenantId: string): Promise<void> {
  await lockCounts(tx, tenantId)
  const count = await countTokens(tx, tenantId)
  keepTo(await limitsFor(context, tx, tenantId), 'tokens', count)
}

/** Call it before you store a secret. */
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
