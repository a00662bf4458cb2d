/** Tenants and their tokens. */
import { createHash, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { failure } from '../core/errors.ts'
import type { NamedPage, Principal, Role } from '../core/service/nouns.ts'
import type { TenantPolicy } from '../scheduling/terms.ts'
import type { Db, Tx } from './database.ts'
import { record } from './events.ts'
import { isUniqueViolation } from './postgres-errors.ts'

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest()

/** The holder of a token. Undefined if it is unknown, revoked or expired, or if its tenant is deleted. */
export async function principalOf(
  db: Db,
  token: string,
): Promise<(Principal & { tenantStatus: string }) | undefined> {
  const row = await db
    .selectFrom('access_tokens as a')
    .leftJoin('tenants as t', 't.tenant_id', 'a.tenant_id')
    .select(['a.token_name', 'a.role', 'a.tenant_id', 't.status'])
    .where('a.token_hash', '=', hashOf(token))
    .where('a.revoked_at', 'is', null)
    .where((where) => where.or([where('a.expires_at', 'is', null), where('a.expires_at', '>', new Date())]))
    .executeTakeFirst()
  if (row === undefined || row.status === 'deleted') return undefined
  return {
    name: row.token_name,
    role: row.role as Role,
    tenantId: row.tenant_id ?? undefined,
    tenantStatus: row.status ?? 'active',
  }
}

/** Creates a token. It is returned once; only its hash is stored. */
export async function createToken(
  tx: Tx,
  {
    tenantId,
    name,
    role,
    expiresAt,
    actor,
  }: { tenantId: string | undefined; name: string; role: Role; expiresAt?: Date; actor: string },
): Promise<{ token_id: string; token: string }> {
  const token = `hr_${randomBytes(32).toString('base64url')}`
  const { token_id } = await tx
    .insertInto('access_tokens')
    .values({
      tenant_id: tenantId ?? null,
      token_name: name,
      role,
      token_hash: hashOf(token),
      expires_at: expiresAt ?? null,
      revoked_at: null,
    })
    .returning('token_id')
    .executeTakeFirstOrThrow()
  await record(tx, {
    tenantId: tenantId ?? null,
    actor,
    event: 'token.created',
    subject: token_id,
    data: { name, role },
  })
  return { token_id, token }
}

export async function revokeToken(
  tx: Tx,
  { tenantId, tokenId, actor }: { tenantId: string; tokenId: string; actor: string },
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('access_tokens')
    .set({ revoked_at: new Date() })
    .where('token_id', '=', tokenId)
    .where('tenant_id', '=', tenantId)
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  if (numUpdatedRows > 0n) await record(tx, { tenantId, actor, event: 'token.revoked', subject: tokenId })
  return numUpdatedRows > 0n
}

/** The newest tokens of a tenant, oldest first, including revoked ones. */
export async function listTokens(db: Db, tenantId: string, limit: number) {
  const rows = await db
    .selectFrom('access_tokens')
    .select(['token_id', 'token_name', 'role', 'created_at', 'expires_at', 'revoked_at'])
    .where('tenant_id', '=', tenantId)
    .orderBy('created_at', 'desc')
    .limit(limit)
    .execute()
  return rows.toReversed()
}

/** Valid tokens of a tenant. */
export async function countTokens(db: Db, tenantId: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count
    FROM access_tokens
    WHERE tenant_id = ${tenantId}
      AND revoked_at IS NULL
      AND (expires_at IS NULL OR expires_at > now())
  `.execute(db)
  return rows[0].count
}

/** Whether an operator's token was ever created, even if it has been revoked. */
export async function hasOperatorToken(db: Db): Promise<boolean> {
  const token = await db
    .selectFrom('access_tokens')
    .select('token_id')
    .where('role', '=', 'operator')
    .limit(1)
    .executeTakeFirst()
  return token !== undefined
}

export async function createTenant(
  tx: Tx,
  { name, policy, actor }: { name: string; policy: TenantPolicy; actor: string },
): Promise<{ tenant_id: string }> {
  try {
    const { tenant_id } = await tx
      .insertInto('tenants')
      .values({ tenant_name: name, policy: JSON.stringify(policy) })
      .returning('tenant_id')
      .executeTakeFirstOrThrow()
    await tx.insertInto('tenant_shares').values({ tenant_id }).execute()
    await record(tx, {
      tenantId: tenant_id,
      actor,
      event: 'tenant.created',
      subject: tenant_id,
      data: { name },
    })
    return { tenant_id }
  } catch (error) {
    if (isUniqueViolation(error, 'tenants_name')) throw failure('name_taken', { what: 'tenant', name }, error)
    throw error
  }
}

const COLUMNS = ['tenant_id', 'tenant_name', 'created_at', 'status', 'policy', 'version'] as const

export async function findTenant(db: Db, tenantId: string) {
  return db
    .selectFrom('tenants')
    .select(COLUMNS)
    .where('tenant_id', '=', tenantId)
    .where('status', '<>', 'deleted')
    .executeTakeFirst()
}

export async function listTenants(db: Db, { after, limit, name }: NamedPage) {
  let query = db
    .selectFrom('tenants')
    .select(COLUMNS)
    .where('status', '<>', 'deleted')
    .orderBy('tenant_id')
    .limit(limit)
  if (after !== undefined) query = query.where('tenant_id', '>', after)
  if (name !== undefined) query = query.where(sql<boolean>`lower(tenant_name) = lower(${name})`)
  return query.execute()
}

/** Changes the given fields. Throws `version_moved` if `version` is given and the row has another one. */
export async function changeTenant(
  tx: Tx,
  {
    tenantId,
    version,
    change,
    actor,
  }: {
    tenantId: string
    version: number | undefined
    change: { tenant_name?: string; status?: string; policy?: TenantPolicy }
    actor: string
  },
): Promise<void> {
  const now = await lockTenant(tx, tenantId)
  if (version !== undefined && version !== now.version)
    throw failure('version_moved', {
      what: 'The tenant',
      id: tenantId,
      found: now.version,
      expected: version,
    })
  await tx
    .updateTable('tenants')
    .set({
      ...(change.tenant_name === undefined ? {} : { tenant_name: change.tenant_name }),
      ...(change.status === undefined ? {} : { status: change.status }),
      ...(change.policy === undefined ? {} : { policy: JSON.stringify({ ...now.policy, ...change.policy }) }),
      version: now.version + 1,
    })
    .where('tenant_id', '=', tenantId)
    .execute()
    .catch((error: unknown) => {
      throw isUniqueViolation(error, 'tenants_name')
        ? failure('name_taken', { what: 'tenant', name: change.tenant_name }, error)
        : error
    })
  if (change.status === 'deleted') await revokeTokens(tx, tenantId)
  await record(tx, {
    tenantId,
    actor,
    event: change.status === 'deleted' ? 'tenant.deleted' : 'tenant.changed',
    subject: tenantId,
    data: change,
  })
}

/** The tenant, locked until the transaction ends. Throws `not_found`. */
async function lockTenant(tx: Tx, tenantId: string) {
  const row = await tx
    .selectFrom('tenants')
    .select(['version', 'policy'])
    .where('tenant_id', '=', tenantId)
    .where('status', '<>', 'deleted')
    .forUpdate()
    .executeTakeFirst()
  if (row === undefined)
    throw failure('not_found', { what: 'tenant', id: tenantId, list: 'GET /api/v1/tenants' })
  return row
}

async function revokeTokens(tx: Tx, tenantId: string): Promise<void> {
  await tx
    .updateTable('access_tokens')
    .set({ revoked_at: new Date() })
    .where('tenant_id', '=', tenantId)
    .where('revoked_at', 'is', null)
    .execute()
}

/**
 * Locks the counts of a tenant's limits until the transaction ends: jobs, waiting executions, webhooks and
 * tokens. Two transactions that count at once would both find room.
 */
export async function lockCounts(tx: Tx, tenantId: string): Promise<void> {
  await tx
    .selectFrom('tenant_shares')
    .select('tenant_id')
    .where('tenant_id', '=', tenantId)
    .forUpdate()
    .execute()
}
