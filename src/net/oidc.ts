/**
 * JSON Web Tokens of an identity provider (OpenID Connect): signed by a key that it publishes, issued for us,
 * not expired. Role and tenant are claims. A token grants only what it states clearly.
 */
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from 'jose'
import { failure, reasonOf } from '../core/errors.ts'
import type { Settings } from '../core/settings.ts'
import { isId, ROLES, type Principal, type Role } from '../core/service/nouns.ts'

export interface OidcSettings {
  /** `iss` of its tokens. `/.well-known/openid-configuration` below it names its keys. */
  issuer: string
  /** `aud` of tokens for this service. */
  audience: string
  /** The claims with the role and the tenant's ID. */
  roleClaim: string
  tenantClaim: string
}

/** Only signatures with a public key: with a shared secret, every holder could make tokens. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
const CLOCK_SKEW_S = 60

/** Undefined if no provider is set. */
export function oidcSettings(
  settings: Pick<Settings, 'oidc_issuer' | 'oidc_audience' | 'oidc_role_claim' | 'oidc_tenant_claim'>,
): OidcSettings | undefined {
  const { oidc_issuer: issuer, oidc_audience: audience } = settings
  if (issuer === undefined) return undefined
  if (audience === undefined)
    throw failure('usage', {
      reason:
        'HEADRACE_OIDC_ISSUER is set, HEADRACE_OIDC_AUDIENCE is not: tokens for other services must not be taken',
    })
  return {
    issuer: issuer.replace(/\/+$/, ''),
    audience,
    roleClaim: settings.oidc_role_claim,
    tenantClaim: settings.oidc_tenant_claim,
  }
}

/** Whether a bearer token looks like a JWT: three parts, with dots. */
export const isJwt = (token: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)

export interface JwtVerifier {
  /** The holder of a token. Throws `unauthenticated`. */
  principal(token: string): Promise<Principal>
}

export function createJwtVerifier(settings: OidcSettings): JwtVerifier {
  let keys: Promise<ReturnType<typeof createRemoteJWKSet>> | undefined
  const keySet = (): Promise<ReturnType<typeof createRemoteJWKSet>> =>
    (keys ??= discover(settings.issuer).catch((error: unknown) => {
      // The next token asks again: a provider may start after us.
      keys = undefined
      throw error
    }))
  return {
    async principal(token) {
      const set = await keySet().catch((error: unknown) => {
        throw failure(
          'unauthenticated',
          { reason: `the keys of ${settings.issuer} cannot be fetched: ${reasonOf(error)}` },
          error,
        )
      })
      const { payload } = await jwtVerify(token, set, {
        issuer: [settings.issuer, `${settings.issuer}/`],
        audience: settings.audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_SKEW_S,
        requiredClaims: ['exp', 'sub'],
      }).catch((error: unknown) => {
        throw failure(
          'unauthenticated',
          {
            reason:
              error instanceof errors.JOSEError
                ? `the token is not valid (${error.code}: ${error.message})`
                : reasonOf(error),
          },
          error,
        )
      })
      return principalFrom(payload, settings)
    },
  }
}

async function discover(issuer: string): Promise<ReturnType<typeof createRemoteJWKSet>> {
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(10_000),
  })
  if (!answer.ok)
    throw failure('unauthenticated', {
      reason: `${issuer}/.well-known/openid-configuration answers with HTTP status ${answer.status}`,
    })
  const { jwks_uri: uri } = (await answer.json()) as { jwks_uri?: string }
  if (uri === undefined) throw failure('unauthenticated', { reason: `${issuer} publishes no jwks_uri` })
  return createRemoteJWKSet(new URL(uri), { cooldownDuration: 30_000, cacheMaxAge: 600_000 })
}

function principalFrom(payload: JWTPayload, { roleClaim, tenantClaim }: OidcSettings): Principal {
  const [role, tenant] = [payload[roleClaim], payload[tenantClaim]]
  if (typeof role !== 'string' || !(ROLES as readonly string[]).includes(role))
    throw failure('unauthenticated', { reason: `its claim ${roleClaim} is not one of ${ROLES.join(', ')}` })
  const named = typeof tenant === 'string' && isId(tenant) ? tenant.toLowerCase() : undefined
  if ((role === 'operator') !== (tenant === undefined))
    throw failure('unauthenticated', {
      reason:
        role === 'operator'
          ? `an operator belongs to no tenant, but its claim ${tenantClaim} names one`
          : `it has no claim ${tenantClaim}`,
    })
  if (role !== 'operator' && named === undefined)
    throw failure('unauthenticated', { reason: `its claim ${tenantClaim} is not the id of a tenant` })
  return { name: `oidc ${String(payload.sub).slice(0, 200)}`, role: role as Role, tenantId: named }
}
