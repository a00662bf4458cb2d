/** Use cases of tenants, their tokens and webhooks. */
import type { Tenant } from './schemas/tenants.ts'
import type { Service } from './service.ts'
import { failure } from '../core/errors.ts'
import type { Principal } from '../core/service/nouns.ts'
import type { Db } from '../state/database.ts'
import { eventsAfter, tenantsWithEvents } from '../state/events.ts'
import {
  changeTenant,
  createTenant,
  createToken,
  findTenant,
  listTenants,
  listTokens,
  principalOf,
  revokeToken,
} from '../state/tenants.ts'
import { found, listed, timeOf, type Context } from './context.ts'
import { endOfTheGone } from './gone-tenants.ts'
import { isJwt } from '../net/oidc.ts'
import { keepTokens } from './tenant-quota.ts'

type Part = Pick<
  Service,
  | 'principal'
  | 'requestLimit'
  | 'createTenant'
  | 'listTenants'
  | 'getTenant'
  | 'changeTenant'
  | 'createToken'
  | 'listTokens'
  | 'revokeToken'
  | 'events'
  | 'news'
>

/** Requests per minute, unless the tenant's policy sets another number. */
const REQUESTS_PER_MINUTE = 600
const KNOWN_FOR_MS = 2_000
/** Only the newest are shown: revoked tokens are never deleted. */
const TOKENS_SHOWN = 1_000

export function tenantCases(context: Context): Part {
  const { gate, now } = context
  const known = new KnownPrincipals(context)
  const limits = new Map<string, { until: number; limit: number }>()
  const find = async (db: Db, tenantId: string): Promise<Tenant> =>
    found(await findTenant(db, tenantId), 'tenant', tenantId, 'GET /api/v1/tenants')
  const getTenant = (tenantId: string): Promise<Tenant> => gate.readAs(tenantId, (db) => find(db, tenantId))
  return {
    principal: (token) => known.of(token),
    async requestLimit(tenantId) {
      const at = now().getTime()
      const cached = limits.get(tenantId)
      if (cached !== undefined && cached.until > at) return cached.limit
      const row = await gate.readAs(tenantId, (db) => findTenant(db, tenantId))
      const limit = row?.policy.requests_per_minute ?? REQUESTS_PER_MINUTE
      limits.set(tenantId, { until: at + 10_000, limit })
      return limit
    },
    async createTenant(by, body) {
      return gate.transact(async (tx) => {
        const { tenant_id } = await createTenant(tx, {
          name: body.tenant_name,
          policy: body.policy ?? {},
          actor: by.name,
        })
        return find(tx, tenant_id)
      })
    },
    async listTenants(page) {
      return listed(await listTenants(gate.service, page), page.limit, (tenant) => tenant.tenant_id)
    },
    getTenant,
    async changeTenant(by, tenantId, version, body) {
      const changed = await gate.transact(async (tx) => {
        await changeTenant(tx, { tenantId, version, change: body, actor: by.name })
        return findTenant(tx, tenantId)
      })
      limits.delete(tenantId)
      if (body.status !== undefined) known.forget()
      // The scheduler ends what is queued at this moment within half a minute.
      if (body.status !== undefined && body.status !== 'active')
        await endOfTheGone(context, by.name, tenantId)
      return changed ?? { tenant_id: tenantId, status: 'deleted' }
    },
    ...tokenCases(context, getTenant, known),
    ...eventCases(context),
  }
}

type Holder = Awaited<ReturnType<typeof principalOf>>

/** The holders of tokens, cached for a short time. */
class KnownPrincipals {
  readonly #context: Context
  readonly #entries = new Map<string, { until: number; holder: Promise<Holder> }>()

  constructor(context: Context) {
    this.#context = context
  }

  async of(token: string): Promise<Principal> {
    const at = this.#context.now().getTime()
    let entry = this.#entries.get(token)
    // A revoked token works for two more seconds in this process; otherwise each request would cost another
    // query.
    if (entry === undefined || entry.until < at) {
      if (this.#entries.size > 10_000) this.#entries.clear()
      // Concurrent requests share one look-up. A failed look-up is repeated.
      entry = { until: at + KNOWN_FOR_MS, holder: this.#lookUp(token) }
      this.#entries.set(token, entry)
      entry.holder.catch(() => this.#entries.delete(token))
    }
    const holder = await entry.holder
    if (holder === undefined)
      throw failure('unauthenticated', { reason: 'it is unknown, was revoked or has expired' })
    const { tenantStatus, ...principal } = holder
    if (tenantStatus === 'suspended')
      throw failure('tenant_suspended', { tenant: principal.tenantId, status: tenantStatus })
    return principal
  }

  forget(): void {
    this.#entries.clear()
  }

  /**
   * The holder of our own token, or of one that an identity provider signed. In that case, too, the tenant
   * must exist here.
   */
  async #lookUp(token: string): Promise<Holder> {
    const { gate, oidc } = this.#context
    if (oidc === undefined || !isJwt(token)) return principalOf(gate.service, token)
    const principal = await oidc.principal(token)
    if (principal.tenantId === undefined) return { ...principal, tenantStatus: 'active' }
    const tenant = await findTenant(gate.service, principal.tenantId)
    return tenant === undefined ? undefined : { ...principal, tenantStatus: tenant.status }
  }
}

function tokenCases(
  context: Context,
  getTenant: (tenantId: string) => Promise<Tenant>,
  known: KnownPrincipals,
): Pick<Part, 'createToken' | 'listTokens' | 'revokeToken'> {
  const { gate } = context
  return {
    async createToken(by, tenantId, body) {
      await getTenant(tenantId)
      const expiresAt = body.expires_at === undefined ? undefined : timeOf(body.expires_at, 'expires_at')
      const made = await gate.transact(async (tx) => {
        const token = await createToken(tx, {
          tenantId,
          name: body.token_name,
          role: body.role,
          expiresAt,
          actor: by.name,
        })
        await keepTokens(context, tx, tenantId)
        return token
      })
      return { ...made, tenant_id: tenantId, token_name: body.token_name, role: body.role }
    },
    async listTokens(tenantId) {
      const rows = await gate.readAs(tenantId, (db) => listTokens(db, tenantId, TOKENS_SHOWN))
      return { items: rows, next: undefined }
    },
    async revokeToken(by, tenantId, tokenId) {
      if (!(await gate.transact((tx) => revokeToken(tx, { tenantId, tokenId, actor: by.name }))))
        throw failure('not_found', {
          what: 'token',
          id: tokenId,
          list: `GET /api/v1/tenants/${tenantId}/tokens`,
        })
      known.forget()
    },
  }
}

function eventCases({ gate, settledEvents }: Context): Pick<Part, 'events' | 'news'> {
  return {
    async news(after) {
      const through = await settledEvents()
      return {
        newest: String(through),
        tenants:
          after === undefined || BigInt(after) >= through
            ? []
            : await tenantsWithEvents(gate.service, { after: BigInt(after), through }),
      }
    },
    async events(tenantId, after, limit) {
      const from = /^\d{1,18}$/.test(after) ? BigInt(after) : 0n
      const range = { after: from, through: await settledEvents(), limit }
      return tenantId === undefined
        ? eventsAfter(gate.service, range)
        : gate.readAs(tenantId, (db) => eventsAfter(db, { ...range, tenantId }))
    },
  }
}
