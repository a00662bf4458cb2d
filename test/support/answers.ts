/**
 * Holds what a service answers to what its routes say that they answer, before the server strips it: a field
 * that a schema forgot would be lost without a sign.
 */
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import type { FastifyInstance } from 'fastify'

interface Schema {
  type?: string
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
}

interface Described {
  response?: Record<string, { content?: { 'application/json'?: { schema: object } } } | undefined>
}

/** Only the fields that it names; what says itself that it takes others stays as it is. */
function closed(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema), (_, value: Schema | null) =>
    value?.type === 'object' && value.properties !== undefined && value.additionalProperties === undefined
      ? { ...value, additionalProperties: false }
      : value,
  ) as Schema
}

/**
 * Lets an answer fail that its route's schema does not describe to the field. Returns the routes that have
 * answered something, as `GET /api/v1/jobs`.
 */
export function holdAnswers(api: FastifyInstance): Set<string> {
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats.default(ajv, ['date-time', 'uuid'])
  const checks = new Map<object, ReturnType<Ajv['compile']>>()
  const checkOf = (schema: object): ReturnType<Ajv['compile']> => {
    const check = checks.get(schema) ?? ajv.compile(closed(schema))
    checks.set(schema, check)
    return check
  }
  const held = new Set<string>()
  api.addHook('preSerialization', async (request, reply, payload) => {
    const { response } = (request.routeOptions.schema ?? {}) as Described
    const schema = response?.[reply.statusCode]?.content?.['application/json']?.schema
    if (schema === undefined) return payload
    const route = `${request.method} ${request.routeOptions.url}`
    const check = checkOf(schema)
    if (!check(JSON.parse(JSON.stringify(payload))))
      throw new Error(`${route} answers what its schema does not say: ${JSON.stringify(check.errors)}`)
    held.add(route)
    return payload
  })
  return held
}
