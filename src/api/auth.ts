/**
 * Identifies the caller, and checks whether the role may make the request. Objects of other tenants look as
 * if they did not exist.
 */
import type { FastifyRequest } from 'fastify'
import type { Service } from '../control/service.ts'
import { failure, HeadraceError } from '../core/errors.ts'
import type { Principal } from '../core/service/nouns.ts'
import { mayRole, type Route } from './route.ts'
import type { Strangers } from './strangers.ts'

/** What decides on requests: the use cases, and the limit of tries without a token. */
export interface Door {
  service: Service
  strangers: Strangers
}

export async function principalOf(
  { service, strangers }: Door,
  request: FastifyRequest,
  route: Pick<Route, 'needs' | 'summary'>,
): Promise<Principal> {
  const header = request.headers.authorization
  const match = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(header ?? '')
  const entry = strangers.enter(request.ip, match?.[1])
  if (match === null)
    throw failure('unauthenticated', {
      reason:
        header === undefined
          ? 'the Authorization header is missing'
          : 'the Authorization header is not of the form Bearer TOKEN',
    })
  const principal = await service.principal(match[1]).catch((error: unknown) => {
    if (error instanceof HeadraceError && error.code === 'unauthenticated') entry.failed()
    else entry.undone()
    throw error
  })
  entry.held()
  tenantOf({ principal }, (request.params as { tenant_id?: string } | undefined)?.tenant_id)
  if (route.needs !== 'anyone' && !mayRole(principal.role, route.needs))
    throw failure('forbidden', {
      role: principal.role,
      action: route.summary.charAt(0).toLowerCase() + route.summary.slice(1),
      needed: route.needs,
    })
  return principal
}

/** Returns the caller, and the caller's requests per minute. */
export async function admit(
  door: Door,
  request: FastifyRequest,
  route: Pick<Route, 'needs' | 'summary'>,
): Promise<void> {
  request.principal = await principalOf(door, request, route)
  if (request.principal.tenantId !== undefined)
    request.limit = await door.service.requestLimit(request.principal.tenantId)
}

/** The tenant of the request: that of the token. An operator names one in the path. */
export function tenantOf(
  { principal }: { principal: Principal | undefined },
  named: string | undefined,
): string {
  const own = principal?.tenantId
  if (own !== undefined && named !== undefined && named.toLowerCase() !== own)
    throw failure('not_found', { what: 'tenant', id: named.slice(0, 40), list: 'GET /api/v1/tenants' })
  return own ?? named ?? ''
}
