/**
 * The most expensive requests below 1 MB that a tenant can think of: made from the table of routes, their
 * schemas and the schema of declarations.
 */
import { PREFIX } from '../../src/api/route.ts'
import { ROUTES } from '../../src/api/server.ts'
import type { Route } from '../../src/api/route.ts'
import { createChance } from './chance.ts'
import { COSTLY, repeat } from './costly-values.ts'
import { HOSTILE_DECLARATIONS, declarationFields, withField } from './hostile-declarations.ts'

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

const REQUIREMENTS = '{"cpu_cores":1,"memory_gb":2,"estimated_runtime_minutes":5}'
const jobBody = (source: string, declared = true): string =>
  `{"job_name":"hostile","source_type":"files","source_config":${source},` +
  `"destination_config":${declared ? '{"type":"zones"}' : '{"type":"local","path":"out"}'},` +
  `"resource_requirements":${REQUIREMENTS}}`

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
  const whole = Object.entries(HOSTILE_DECLARATIONS).map(([what, make]) =>
    declared(what, () => make(DECLARATION)),
  )
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
