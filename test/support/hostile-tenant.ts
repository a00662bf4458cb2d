/**
 * The most expensive requests below 1 MB that a tenant can think of: made from the table of routes, their
 * schemas and the schema of declarations.
 */
import { PREFIX } from '../../src/api/route.ts'
import { ROUTES } from '../../src/api/server.ts'
import type { Route } from '../../src/api/route.ts'
import { DATASET_SCHEMA } from '../../src/dataset/schema.ts'
import { createChance } from './chance.ts'
import { aliasBomb } from './alias-bomb.ts'

export interface HostileRequest {
  /** What is expensive in it. */
  what: string
  method: Route['method']
  url: string
  /** JSON, sometimes of a kind that JSON.stringify cannot write. */
  payload: () => string | undefined
}

const MOST = 1_000_000
/** A declaration with its envelope stays below what one may have. */
const DECLARATION = 500_000

const repeat = (text: string, bytes: number): string =>
  text.repeat(Math.max(1, Math.floor(bytes / text.length)))
const keys = (bytes: number): string =>
  `{${Array.from({ length: Math.floor(bytes / 14) }, (_, i) => `"k${String(i).padStart(7, '0')}":1`).join(',')}}`

/**
 * JSON of about so many bytes, each kind expensive to somebody: who parses, compares, quotes, compiles, walks
 * or copies.
 */
const COSTLY: Record<string, (bytes: number) => string> = {
  'a long text': (bytes) => JSON.stringify(repeat('x', bytes)),
  blanks: (bytes) => JSON.stringify(repeat(' ', bytes)),
  quotes: (bytes) => JSON.stringify(repeat('\\"', bytes / 4)),
  'control signs': (bytes) => JSON.stringify(repeat('\u0001', bytes / 6)),
  'a path of many steps': (bytes) => JSON.stringify(`/${repeat('a/', bytes)}`),
  'a path of many brackets': (bytes) => JSON.stringify(`$${repeat('[*]', bytes)}`),
  'a pattern that backtracks': (bytes) => JSON.stringify(`${repeat('(a*)*', Math.min(bytes, 4_000))}$`),
  'choices in choices': (bytes) => JSON.stringify(repeat('{a,b}', bytes)),
  'a time of many letters': (bytes) => JSON.stringify(repeat('yyyy-', bytes)),
  'a long list': (bytes) => `[${repeat('1,', bytes - 10)}1]`,
  'a list of texts': (bytes) => `[${repeat('"abc",', bytes - 10)}"d"]`,
  'a list of objects': (bytes) => `[${repeat('{"name":"a"},', bytes - 20)}{}]`,
  'many fields': keys,
  'lists in lists': (bytes) => `${'['.repeat(bytes / 2)}${']'.repeat(bytes / 2)}`,
  'lists in lists, few': () => `${'['.repeat(30)}${']'.repeat(30)}`,
  'objects in objects': (bytes) => `${repeat('{"a":', bytes / 2)}1${'}'.repeat(Math.floor(bytes / 2 / 5))}`,
  'a long number': (bytes) => repeat('9', bytes),
  'a number': () => '1e308',
}

const REQUIREMENTS = '{"cpu_cores":1,"memory_gb":2,"estimated_runtime_minutes":5}'
const jobBody = (source: string, declared = true): string =>
  `{"job_name":"hostile","source_type":"files","source_config":${source},` +
  `"destination_config":${declared ? '{"type":"zones"}' : '{"type":"local","path":"out"}'},` +
  `"resource_requirements":${REQUIREMENTS}}`

interface Schema {
  properties?: Record<string, Schema>
  items?: Schema
  additionalProperties?: unknown
}

/**
 * Every field of a declaration, as the text of a flow map around it, and with what it needs to be reached.
 */
export function declarationFields(
  schema: Schema = DATASET_SCHEMA as Schema,
  path: string[] = [],
): string[][] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => [
    [...path, name],
    ...declarationFields(inner, [...path, name]),
  ])
  return schema.items === undefined ? own : [...own, ...declarationFields(schema.items, [...path, '0'])]
}

const SOUND: Record<string, unknown> = {
  dataset: 'x',
  source: { files: { path: 'in' } },
  record: { format: 'json', path: '$' },
  columns: [{ name: 'a' }],
}

/** A declaration with one field as JSON text, the rest sound. */
function withField(path: string[], value: string): string {
  const mark = '@@hostile@@'
  const whole = structuredClone(SOUND)
  if (path[0] === 'source') whole.source = {}
  let at: Record<string, unknown> = whole
  path.forEach((step, i) => {
    const next = path[i + 1]
    if (i === path.length - 1) at[step] = mark
    else at[step] ??= next === '0' ? [{}] : {}
    at = at[step] as Record<string, unknown>
  })
  return JSON.stringify(whole).replace(`"${mark}"`, () => value)
}

/** Declarations that are expensive as a whole. */
const WHOLE: Record<string, (bytes: number) => string> = {
  'unknown fields': (bytes) =>
    Array.from({ length: Math.floor(bytes / 14) }, (_, i) => `key${i}: 1`).join('\n'),
  columns: (bytes) =>
    JSON.stringify({
      ...SOUND,
      columns: Array.from({ length: Math.min(2_000, Math.floor(bytes / 60)) }, (_, i) => ({
        name: `c${i}`,
        path: `a.b.c${i}`,
        type: 'string',
      })),
    }),
  'columns of XML': (bytes) =>
    JSON.stringify({
      ...SOUND,
      record: { format: 'xml', path: '/a/b' },
      columns: Array.from({ length: Math.min(2_000, Math.floor(bytes / 60)) }, (_, i) => ({
        name: `c${i}`,
        path: `a/b/c${i}`,
      })),
    }),
  'fields of columns': (bytes) =>
    JSON.stringify({
      ...SOUND,
      columns: [
        {
          name: 'a',
          array: true,
          fields: Array.from({ length: Math.min(2_000, Math.floor(bytes / 60)) }, (_, i) => ({
            name: `c${i}`,
          })),
        },
      ],
    }),
  'rules for no column': (bytes) =>
    JSON.stringify({
      ...SOUND,
      columns: Array.from({ length: 2_000 }, (_, i) => ({ name: `${'c'.repeat(50)}${i}` })),
      rules: Array.from({ length: Math.floor((bytes - 150_000) / 140) }, (_, i) => ({
        expect_column_values_to_not_be_null: { column: `${'d'.repeat(50)}${i}` },
      })),
    }),
  'ignored paths': (bytes) =>
    JSON.stringify({
      ...SOUND,
      columns: Array.from({ length: 1_000 }, (_, i) => ({ name: `c${i}` })),
      record: {
        format: 'json',
        path: '$',
        ignore: Array.from({ length: Math.floor((bytes - 30_000) / 16) }, (_, i) => `p${i}`),
      },
    }),
  namespaces: (bytes) =>
    JSON.stringify({
      ...SOUND,
      record: {
        format: 'xml',
        path: '/a',
        namespaces: Object.fromEntries(
          Array.from({ length: Math.floor(bytes / 24) }, (_, i) => [`n${i}`, `urn:${i}`]),
        ),
      },
    }),
  aliases: () => aliasBomb(9),
  anchors: (bytes) => repeat('&a a: 1\n', bytes),
  'mistakes of YAML': (bytes) => repeat('} ', bytes),
  tags: (bytes) => repeat('- !a!b c\n', bytes),
  'folded text': (bytes) => `a: >\n${repeat(' b\n\n', bytes)}`,
  escapes: (bytes) => `a: "${repeat('\\x41', bytes)}"`,
}

export interface HostileIds {
  tenant: string
  job: string
}

/**
 * Requests to each route a tenant may ask, and declarations with each field; `share` of the combinations,
 * chosen by the seed.
 */
export function hostileRequests(seed: number, share: number, ids: HostileIds): HostileRequest[] {
  const chance = createChance(seed)
  const costly = Object.entries(COSTLY)
  const chosen = <T>(all: T[]): T[] => all.filter((_, i) => i === 0 || chance() < share)
  const jobs = `${PREFIX}/tenants/${ids.tenant}/jobs`
  const declared = (what: string, declaration: () => string): HostileRequest => ({
    what: `declaration: ${what}`,
    method: 'POST',
    url: jobs,
    payload: () => jobBody(JSON.stringify({ declaration: declaration() })),
  })
  const fields = declarationFields().flatMap((path) =>
    chosen(costly.toSorted(() => chance() - 0.5)).map(([kind, make]) =>
      declared(`${path.join('.')} with ${kind}`, () => withField(path, make(DECLARATION - 2_000))),
    ),
  )
  const whole = Object.entries(WHOLE).map(([what, make]) => declared(what, () => make(DECLARATION)))
  const columns = costly.flatMap(([kind, make]) => [
    {
      what: `columns of files: ${kind}`,
      method: 'POST' as const,
      url: jobs,
      payload: () =>
        jobBody(`{"path":"in/*.csv","format":"csv","columns":[{"name":"a","type":${make(300_000)}}]}`, false),
    },
    {
      what: `columns of files: a pattern, ${kind}`,
      method: 'POST' as const,
      url: jobs,
      payload: () =>
        jobBody(
          `{"path":"in/*.csv","format":"csv","columns":[{"name":"a","type":"VARCHAR","pattern":${make(300_000)}}]}`,
          false,
        ),
    },
  ])
  const many = Array.from({ length: 20_000 }, (_, i) => `{"name":"c${i}","type":"VARCHAR"}`).join(',')
  const routes = ROUTES.filter((route) => route.needs !== 'operator').flatMap((route) =>
    routeRequests(route, ids, chosen(costly)),
  )
  return [
    ...routes,
    ...whole,
    ...columns,
    {
      what: '20,000 columns of files',
      method: 'POST',
      url: jobs,
      payload: () => jobBody(`{"path":"in/*.csv","format":"csv","columns":[${many}]}`, false),
    },
    ...fields,
  ]
}

/** A route with each of its body's fields at its most expensive, the whole body, its path and its query. */
function routeRequests(
  route: Route,
  ids: HostileIds,
  costly: [string, (bytes: number) => string][],
): HostileRequest[] {
  // Deleting or changing the job would leave nothing to ask about.
  const url = `${PREFIX}${route.path.replace(':tenant_id', ids.tenant).replace(':job_id', ids.job).replace(/:\w+/, 'x')}`
  const base = { method: route.method, url }
  const long = {
    ...base,
    what: `${route.method} ${route.path}: a long query`,
    url: `${url}?after=${repeat('%00', 9_000)}&limit=500`,
    payload: () => undefined,
  }
  const lists = {
    ...base,
    what: `${route.method} ${route.path}: as much as there is`,
    url: `${url}?limit=500`,
    payload: () => undefined,
  }
  if (route.method === 'DELETE') return []
  if (route.body === undefined) return route.method === 'GET' ? [long, lists] : [long]
  const { properties = {} } = route.body as { properties?: Record<string, unknown> }
  const sound =
    route.path.endsWith('/jobs') || route.path.endsWith('/quotes') || route.path.endsWith('/:job_id')
      ? (JSON.parse(jobBody('{"path":"x","format":"csv"}', false)) as Record<string, unknown>)
      : {}
  return costly.flatMap(([kind, make]) => [
    { ...base, what: `${route.method} ${route.path}: ${kind}`, payload: () => make(MOST - 1_000) },
    ...Object.keys(properties).map((field) => ({
      ...base,
      what: `${route.method} ${route.path}: ${field} with ${kind}`,
      payload: () => JSON.stringify({ ...sound, [field]: '@@' }).replace('"@@"', () => make(MOST - 10_000)),
    })),
  ])
}
