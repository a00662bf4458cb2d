/**
 * The HTTP server of the service: routes from one list, requests checked against their schemas, answers
 * stripped to theirs, errors as problem+json (RFC 9457), tokens, roles, limits, and the OpenAPI 3.1 document
 * that describes all of it.
 */
import fastify, { type FastifyInstance } from 'fastify'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import type { Socket } from 'node:net'
import type { Service } from '../control/service.ts'
import { failure } from '../core/errors.ts'
import type { Principal } from '../core/service/nouns.ts'
import { addEventStream } from './event-stream.ts'
import type { Door } from './auth.ts'
import { bindRoute } from './bind-route.ts'
import { nestsTooDeep } from './json-depth.ts'
import { addMetrics } from './metrics.ts'
import { answerProblem, problemOf } from './problems.ts'
import { addReference } from './reference.ts'
import { PREFIX, type Route } from './route.ts'
import { ESTIMATION_ROUTES } from './routes/estimation.ts'
import { JOB_ROUTES } from './routes/jobs.ts'
import { PURCHASE_ROUTES } from './routes/purchases.ts'
import { SERVICE_ROUTES } from './routes/service.ts'
import { TENANT_ROUTES } from './routes/tenants.ts'
import { Problem } from '../control/schemas/fields.ts'
import { createStrangers } from './strangers.ts'

/** All routes that are data. Other routes are added below, each by the file that answers it. */
export const ROUTES: Route[] = [
  ...SERVICE_ROUTES,
  ...TENANT_ROUTES,
  ...PURCHASE_ROUTES,
  ...ESTIMATION_ROUTES,
  ...JOB_ROUTES,
]

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal | undefined
    limit: number
  }
}

export interface ApiOptions {
  service: Service
  /** Answers dry runs: like the service, but changes nothing. */
  rehearsal: Service
  /** Called with errors of ours. */
  log(event: Record<string, unknown>): void
}

/** Texts of a path, a query or a header become numbers where needed. In a body, "4" is not 4. */
const strict = new Ajv({ coerceTypes: false, useDefaults: true, allErrors: false, strict: false })
const lenient = new Ajv({ coerceTypes: true, useDefaults: true, allErrors: false, strict: false })
for (const ajv of [strict, lenient]) addFormats.default(ajv, ['date-time', 'uuid'])
const validatorOf = (part: string | undefined): Ajv => (part === 'body' ? strict : lenient)

const BODY_BYTES = 1024 * 1024
const ADDRESS_LIMIT = 6_000

/** Builds the server; the caller listens and closes. */
export async function createApi({ service, rehearsal, log }: ApiOptions): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: BODY_BYTES,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 10_000 },
    requestTimeout: 30_000,
  })
  app.setValidatorCompiler<object>(({ schema, httpPart }) => validatorOf(httpPart).compile(schema))
  app.decorateRequest('principal', undefined)
  app.decorateRequest('limit', ADDRESS_LIMIT)
  app.setErrorHandler((error, request, reply) => answerProblem(problemOf(error), request, reply, log))
  app.setNotFoundHandler((request, reply) =>
    answerProblem(
      failure('not_found', {
        what: 'route',
        id: `${request.method} ${request.url.split('?')[0]}`.slice(0, 200),
        list: `GET ${PREFIX}/openapi.json`,
      }),
      request,
      reply,
      log,
    ),
  )
  await app.register(swagger, {
    openapi: OPENAPI(service.version),
    refResolver: { buildLocalReference: (json) => String(json.$id) },
  })
  await app.register(rateLimit, {
    global: false,
    keyGenerator: (request) => request.principal?.tenantId ?? request.ip,
    max: (request) => request.limit,
    timeWindow: 60_000,
    errorResponseBuilder: (_, context) =>
      failure('rate_limited', { limit: context.max, seconds: Math.ceil(context.ttl / 1000) }),
  })
  const limited = app.rateLimit()
  app.addSchema(Problem)
  const door: Door = { service, strangers: createStrangers() }
  refuseDeepBodies(app)
  for (const route of ROUTES) bindRoute(app, { door, rehearsal }, route, limited)
  addEventStream(app, door, limited)
  dropUnusedConnections(app)
  addMetrics(app, door)
  addReference(app, limited)
  app.get(`${PREFIX}/openapi.json`, { schema: { hide: true }, onRequest: limited }, () => app.swagger())
  return app
}

/**
 * Browsers open connections in advance without a request. Node does not treat them as idle, and they would
 * delay the end.
 */
function dropUnusedConnections(app: FastifyInstance): void {
  const sockets = new Set<Socket>()
  app.server.on(
    'connection',
    (socket) => void sockets.add(socket.once('close', () => sockets.delete(socket))),
  )
  app.addHook('preClose', async () => {
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  })
}

const OPENAPI = (version: string) => ({
  openapi: '3.1.0',
  info: {
    title: 'Headrace',
    version,
    description:
      'Run ingestion jobs in capacity that a tenant has bought. Send Authorization: Bearer TOKEN. Errors are application/problem+json with a stable code and the next step.',
  },
  components: { securitySchemes: { token: { type: 'http' as const, scheme: 'bearer' } } },
})

/** Runs before any code walks through the bodies. */
function refuseDeepBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    if (nestsTooDeep(body)) return done(failure('request_invalid', { reason: 'The body nests too deeply.' }))
    return parse(request, body, done)
  })
}
