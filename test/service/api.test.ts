/**
 * The API against what its own document says: thousands of generated requests, none of which may find an
 * answer that is not described.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { LightMyRequestResponse } from 'fastify'
import { createChance } from '../support/chance.ts'
import { JOB, purchase, testService, type TestService } from '../support/service.ts'
import { limitMs } from '../support/time-limits.ts'

const REQUESTS = Number(process.env.HEADRACE_TEST_REQUESTS ?? 1_500)
const chance = createChance()
let service: TestService
let tenant: Awaited<ReturnType<TestService['tenant']>>

interface Schema {
  type?: string
  format?: string
  pattern?: string
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  properties?: Record<string, Schema>
  patternProperties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  minimum?: number
  maximum?: number
  minItems?: number
}

interface Operation {
  operationId: string
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[]
  requestBody?: { content: { 'application/json': { schema: Schema } } }
  responses: Record<string, { content?: Record<string, { schema: object }> }>
}

interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object> }
}

beforeAll(async () => {
  service = await testService()
  tenant = await service.tenant('fuzz')
  await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    token: tenant.owner,
    body: purchase('vcpu_hours', 5),
  })
  await service.call('POST', `/tenants/${tenant.id}/jobs`, {
    token: tenant.owner,
    body: { ...JOB, schedule_cron: null },
  })
})
afterAll(() => service.close())

const pick = <T>(items: T[]): T => items[Math.floor(chance() * items.length)]
const STRANGE = [
  '',
  ' ',
  '\u0000',
  '../../etc/passwd',
  "'; DROP TABLE tenants; --",
  '{{7*7}}',
  '${7*7}',
  '😀'.repeat(50),
  '‮abc',
  'a'.repeat(3_000),
  '-1',
  'NaN',
  'null',
  '\ud800',
  '%00',
  '1e308',
  '9223372036854775808',
]
const ids = (): string[] => [tenant.id, '00000000-0000-4000-8000-000000000000', crypto.randomUUID()]

/** A value of the schema, or now and then one that is not. */
function value(schema: Schema, depth = 0): unknown {
  if (chance() < 0.06) return pick<unknown>([...STRANGE, null, [], {}, -1, 0, 1.5, 2 ** 63, 1e308, true])
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return pick(schema.enum)
  if (schema.anyOf !== undefined) return value(pick(schema.anyOf), depth)
  if (schema.type === 'object') return object(schema, depth)
  if (schema.type === 'array')
    return Array.from({ length: (schema.minItems ?? 0) + Math.floor(chance() * 3) }, () =>
      value(schema.items ?? {}, depth + 1),
    )
  if (schema.type === 'integer' || schema.type === 'number') {
    const { minimum = 0, maximum = 100 } = schema
    return Math.floor(minimum + chance() * Math.min(100, maximum - minimum))
  }
  if (schema.type === 'boolean') return chance() < 0.5
  return textFor(schema.format)
}

function object(schema: Schema, depth: number): object {
  const own = Object.entries(schema.properties ?? {})
    .filter(([name]) => schema.required?.includes(name) === true || chance() < 0.6)
    .map(([name, property]) => [name, value(property, depth + 1)])
  const more =
    schema.properties === undefined && depth < 4
      ? Array.from({ length: Math.floor(chance() * 3) }, () => [
          pick(['host', 'table', 'path', 'type', 'bucket', 'database', ...STRANGE]),
          pick<unknown>([...STRANGE, 1, null, 'local', 'orders']),
        ])
      : []
  return Object.fromEntries([...own, ...more])
}

function textFor(format: string | undefined): string {
  if (format === 'uuid') return pick(ids())
  if (format === 'date-time')
    return pick([
      '2026-11-01T00:00:00Z',
      '2026-12-01T00:00:00Z',
      '2027-01-01T00:00:00.000Z',
      '2026-12-01T00:00:00+14:00',
      '9999-12-31T23:59:59Z',
      '0001-01-01T00:00:00Z',
      '2026-11-25T12:00:00Z',
    ])
  return pick([
    `name ${Math.floor(chance() * 1e9)}`,
    'postgres',
    'files',
    '0 2 * * *',
    'EUR',
    'https://example.com/x',
    '17',
    ...(chance() < 0.2 ? STRANGE : []),
  ])
}

interface Described {
  path: string
  method: string
  operation: Operation
}

interface Generated {
  method: string
  url: string
  headers: Record<string, string>
  payload: string | undefined
}

/** A request of an operation; undefined is one that would end the tenant that the others are about. */
function generated({ path, method, operation }: Described): Generated | undefined {
  const parameters = operation.parameters ?? []
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(
      String(
        name === 'tenant_id' && chance() < 0.9
          ? tenant.id
          : value(parameters.find((parameter) => parameter.name === name)?.schema ?? {}),
      ).toWellFormed() || 'x',
    ),
  )
  const query = new URLSearchParams(
    parameters
      .filter((parameter) => parameter.in === 'query' && chance() < 0.5)
      .map((parameter): [string, string] => [parameter.name, String(value(parameter.schema))]),
  )
  const headers = Object.fromEntries(
    parameters
      .filter((parameter) => parameter.in === 'header' && chance() < 0.4)
      .map((parameter) => [
        parameter.name,
        String(value(parameter.schema))
          .replace(/[^\x21-\x7e]/g, '?')
          .slice(0, 200),
      ]),
  )
  const token = tokenOrNone()
  const payload = payloadOf(operation)
  if (
    method === 'patch' &&
    path === '/api/v1/tenants/{tenant_id}' &&
    /"status"|requests_per_minute/.test(payload ?? '')
  )
    return undefined
  if (token !== undefined) headers.authorization = `Bearer ${token}`
  if (payload !== undefined) headers['content-type'] = chance() < 0.02 ? 'text/plain' : 'application/json'
  return { method, url: `${filled}?${query}`, headers, payload }
}

function tokenOrNone(): string | undefined {
  if (chance() < 0.05) return undefined
  return chance() < 0.3 ? service.operator : tenant.owner
}

function payloadOf({ requestBody }: Operation): string | undefined {
  if (requestBody === undefined) return undefined
  if (chance() < 0.03) return pick(['{', '[]', 'null', '"x"', '{"a":1}{'])
  return JSON.stringify(value(requestBody.content['application/json'].schema))
}

/** Compares an answer with what the document says of its operation. */
function judgeOf(
  document: Document,
): (operation: Operation, request: Generated, answer: LightMyRequestResponse) => void {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  for (const [name, schema] of Object.entries(document.components.schemas))
    ajv.addSchema(schema, `#/components/schemas/${name}`)
  const checks = new Map<object, ReturnType<typeof ajv.compile>>()
  const checkOf = (schema: object): ReturnType<typeof ajv.compile> => {
    const check =
      checks.get(schema) ??
      ajv.compile(
        JSON.parse(JSON.stringify(schema).replaceAll('Problem#', '#/components/schemas/Problem')) as object,
      )
    checks.set(schema, check)
    return check
  }
  return (operation, { method, url, payload }, answer) => {
    const exchange = `${answer.statusCode} ${method} ${url.slice(0, 300)} ${payload?.slice(0, 300) ?? ''} -> ${answer.body.slice(0, 300)}`
    expect(answer.statusCode, exchange).toBeLessThan(500)
    const described = operation.responses[String(answer.statusCode)]
    expect(described, `not described: ${exchange}`).toBeDefined()
    const [[type, content] = []] = Object.entries(described.content ?? {})
    if (type === undefined || content === undefined) return
    expect(String(answer.headers['content-type']), exchange).toContain(type)
    const check = checkOf(content.schema)
    expect(check(JSON.parse(answer.body)), `${exchange} ${JSON.stringify(check.errors)}`).toBe(true)
  }
}

test(
  `${REQUESTS} generated requests: no 5xx, no answer that the document does not describe`,
  async () => {
    const { body: document } = await service.call<Document>('GET', '/openapi.json')
    expect(document.openapi).toMatch(/^3\.1\./)
    const judge = judgeOf(document)
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    )
    expect(operations.length).toBeGreaterThan(40)
    const seen = new Map<number, number>()
    for (let i = 0; i < REQUESTS; i += 1) {
      const described = pick(operations)
      const request = generated(described)
      // What ends the tenant is tried elsewhere.
      if (request === undefined) continue
      // Whoever belongs to no tenant is counted by address: another one for each thousand, or the rest would
      // only meet the limit.
      const remoteAddress = `10.0.0.${Math.floor(i / 1_000)}`
      const method = request.method.toUpperCase() as 'GET'
      const answer = await service.api.inject({ ...request, remoteAddress, method })
      seen.set(answer.statusCode, (seen.get(answer.statusCode) ?? 0) + 1)
      judge(described.operation, request, answer)
    }
    // A fuzzer that only ever meets refusals tests one line.
    const succeeded = [200, 201, 202, 204].reduce((sum, status) => sum + (seen.get(status) ?? 0), 0)
    expect(succeeded).toBeGreaterThan(REQUESTS / 10)
  },
  limitMs(600_000),
)

test('the reference is a page that loads nothing from elsewhere', async () => {
  const { body, headers } = await service.call<string>('GET', '/reference', { token: '' })
  expect(headers['content-security-policy']).toContain("default-src 'none'")
  expect(String(body)).toContain('/api/v1/tenants/{tenant_id}/purchases')
  expect(String(body)).not.toMatch(/src=|https?:\/\/(?!example)/)
})

test('events: what was done is there, by whom, in order, and again from a number', async () => {
  const other = await service.tenant('events')
  await service.call('POST', `/tenants/${other.id}/purchases`, {
    token: other.owner,
    body: purchase('vcpu_hours', 1),
  })
  const { body } = await service.call<{ items: { event: string; actor: string; event_id: string }[] }>(
    'GET',
    `/tenants/${other.id}/events`,
    { token: other.viewer },
  )
  expect(body.items.map((event) => [event.event, event.actor])).toEqual([
    ['tenant.created', 'operator'],
    ['token.created', 'operator'],
    ['token.created', 'operator'],
    ['token.created', 'operator'],
    ['purchase.created', 'owner'],
  ])
  const { body: rest } = await service.call<{ items: object[] }>(
    'GET',
    `/tenants/${other.id}/events?after=${body.items[3].event_id}`,
    { token: other.viewer },
  )
  expect(rest.items).toHaveLength(1)
})
