/**
 * Binds a route of the list to the server: its schema and description, its access control, and its handler.
 */
import { STATUS_CODES } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import { Type, type TSchema } from 'typebox'
import type { Service } from '../control/service.ts'
import { failure } from '../core/errors.ts'
import type { Principal } from '../core/service/nouns.ts'
import { admit, tenantOf, type Door } from './auth.ts'
import { PREFIX, hasDryRun, type Asked, type Route } from './route.ts'

export interface Services {
  door: Door
  /** Answers dry runs: like the service, but changes nothing. */
  rehearsal: Service
}

const DRY_RUN = {
  dry_run: Type.Optional(
    Type.Boolean({ description: 'Check everything and return the same answer, but change nothing.' }),
  ),
}

const ERRORS_OF = (route: Route): number[] => [
  400,
  429,
  ...(route.needs === 'anyone' ? [] : [401, 403, 404, 409, 422]),
  ...(route.versioned ? [412] : []),
  413,
  415,
  500,
  503,
]

const IDEMPOTENCY_KEY = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 255,
    description: 'A repeated request with the same key gets the first answer again and changes nothing more.',
  }),
)

const IF_MATCH = Type.Optional(
  Type.String({ maxLength: 40, description: 'ETag of the version that the change is based on.' }),
)

/** The part of a request that is the same for all routes. The schemas of the route describe the rest. */
interface Sent {
  Params: { tenant_id?: string }
  Querystring: { dry_run?: boolean }
  Headers: { 'idempotency-key'?: string }
}

/** Counts requests, and refuses excess ones. */
export type Limiter = preHandlerAsyncHookHandler

/** Adds a route to the server. */
export function bindRoute(app: FastifyInstance, services: Services, route: Route, limited: Limiter): void {
  app.route<Sent>({
    method: route.method,
    url: `${PREFIX}${route.path}`,
    schema: {
      operationId: operationOf(route),
      summary: route.summary,
      tags: [route.tag],
      ...(route.needs === 'anyone'
        ? {}
        : { security: [{ token: [] }], description: `Needs the role ${route.needs}.` }),
      ...(route.params === undefined ? {} : { params: route.params }),
      ...queryOf(route),
      ...(route.body === undefined ? {} : { body: route.body }),
      headers: headersOf(route),
      response: { ...successOf(route), ...problemsOf(route) },
    },
    // The caller is checked first: a stranger learns nothing from our validation.
    onRequest: [
      async (request): Promise<void> => {
        if (route.needs !== 'anyone') await admit(services.door, request, route)
      },
      // Before the body is read.
      limited,
    ],
    handler: (request, reply) => handle(services, route, request, reply),
  })
}

/** `postTenantsTenantIdJobs` for POST /tenants/:tenant_id/jobs. */
function operationOf({ method, path }: Route): string {
  const words = path.replace(/[/:_-]+(\w)?/g, (_, letter: string | undefined) => (letter ?? '').toUpperCase())
  return `${method.toLowerCase()}${words}`
}

function headersOf(route: Route): TSchema {
  return Type.Object({
    ...(route.repeatable ? { 'idempotency-key': IDEMPOTENCY_KEY } : {}),
    ...(route.versioned && route.method !== 'GET' ? { 'if-match': IF_MATCH } : {}),
  })
}

function successOf({ status, summary, answer }: Route): Record<number, object> {
  if (status === 204) return { 204: Type.Null({ description: 'Done.' }) }
  return {
    [status]: { description: summary, content: { 'application/json': { schema: answer } } },
  }
}

function problemsOf(route: Route): Record<number, object> {
  const content = { 'application/problem+json': { schema: { $ref: 'Problem#' } } }
  return Object.fromEntries(
    ERRORS_OF(route).map((status) => [status, { description: STATUS_CODES[status] ?? '', content }]),
  )
}

function queryOf(route: Route): { querystring?: TSchema } {
  if (hasDryRun(route)) return { querystring: Type.Object(DRY_RUN) }
  return route.query === undefined ? {} : { querystring: route.query }
}

/** The caller of a route for anyone: the least role, and no tenant. */
const NOBODY: Principal = { name: 'nobody', role: 'viewer', tenantId: '' }

async function handle(
  { door: { service }, rehearsal }: Services,
  route: Route,
  request: FastifyRequest<Sent>,
  reply: FastifyReply,
): Promise<unknown> {
  const { tenant_id: named } = request.params
  const by = request.principal ?? NOBODY
  const asked: Asked = {
    by,
    tenantId: tenantOf({ principal: by }, named),
    path: request.params,
    query: request.query,
    body: request.body,
    key: route.repeatable ? request.headers['idempotency-key'] : undefined,
    version: versionOf(request.headers['if-match']),
  }
  // An operator may name any tenant. A missing one is reported before anything else happens.
  if (named !== undefined && by.tenantId === undefined) await service.getTenant(asked.tenantId)
  const dry = hasDryRun(route) && request.query.dry_run === true
  const { status, body, version } = await route.run(dry ? rehearsal : service, asked)
  if (dry) reply.header('headrace-dry-run', 'true')
  if (version !== undefined) reply.header('etag', `"${version}"`)
  reply.code(status ?? route.status)
  return body
}

/** `"3"` or `W/"3"`. `*` matches any version. */
function versionOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '*') return undefined
  const match = /^(?:W\/)?"(\d{1,9})"$/.exec(text)
  if (match === null) throw failure('request_invalid', { reason: 'If-Match is not an ETag of this service.' })
  return Number(match[1])
}
