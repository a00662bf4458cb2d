/**
 * The CLI's connection to a service: on this machine without any setting, elsewhere through a profile of
 * `headrace login` or HEADRACE_URL and HEADRACE_TOKEN.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { CallOptions, Client } from './client.ts'
import { ERRORS, failure, reasonOf, type ErrorCode } from '../core/errors.ts'
import { isId } from '../core/service/nouns.ts'
import { homeFolder } from '../host/home-folder.ts'
import { foreignVariable, settings } from '../host/settings.ts'

interface Profile {
  url: string
  token: string
  tenant?: string
}

interface Problem {
  code?: string
  detail?: string
  params?: Record<string, unknown>
}

/** The service's limit for a page. */
const PAGE = 500

export function createClient(): Client {
  let known: Promise<Profile> | undefined
  const profile = (): Promise<Profile> => (known ??= findProfile())
  let rehearsing = false
  const call: Client['call'] = async <T>(method: string, path: string, options: CallOptions = {}) =>
    (await request(
      await profile(),
      method,
      path,
      rehearsing && method !== 'GET' ? { ...options, query: { ...options.query, dry_run: 'true' } } : options,
    )) as T
  return {
    call,
    list: (path, options) => list(call, path, options),
    rehearse: () => void (rehearsing = true),
    async tenant(named) {
      const { tenant } = await profile()
      return tenantOf(call, named ?? tenant)
    },
    login,
  }
}

async function list<T>(
  call: Client['call'],
  path: string,
  { query, limit = Infinity }: { query?: CallOptions['query']; limit?: number } = {},
): Promise<{ items: T[]; next?: string }> {
  const items: T[] = []
  let next: string | undefined
  do {
    const page: { items: T[]; next?: string } = await call('GET', path, {
      query: { ...query, limit: Math.min(PAGE, limit - items.length), after: next },
    })
    items.push(...page.items)
    next = page.next
  } while (next !== undefined && items.length < limit)
  return { items, ...(next === undefined ? {} : { next }) }
}

/** The ID of the tenant with this name or ID, of the token's tenant, or of the only one that exists. */
async function tenantOf(call: Client['call'], wanted: string | undefined): Promise<string> {
  if (wanted !== undefined && isId(wanted)) return wanted
  const me = await call<{ tenant_id: string | null }>('GET', '/me')
  if (me.tenant_id !== null) return me.tenant_id
  const { items } = await call<{ items: { tenant_id: string; tenant_name: string }[] }>('GET', '/tenants', {
    query: { name: wanted },
  })
  if (items.length === 1) return items[0].tenant_id
  if (wanted !== undefined)
    throw failure('not_found', { what: 'tenant', id: wanted, list: 'headrace tenants list' })
  const names = items.map((tenant) => tenant.tenant_name).join(', ')
  throw failure('usage', {
    reason:
      items.length === 0
        ? 'There is no tenant yet. Create one: headrace tenants add NAME'
        : `There are several tenants. Choose one with --tenant: ${names.slice(0, 200)}`,
  })
}

const login: Client['login'] = async ({ name, url, token, tenant }) => {
  const me = (await request({ url, token }, 'GET', '/me', {})) as Record<string, unknown>
  const profiles = await readProfiles()
  profiles[name] = { url, token, ...(tenant === undefined ? {} : { tenant }) }
  await mkdir(dirname(profilesFile()), { recursive: true })
  await writeFile(profilesFile(), JSON.stringify(profiles, undefined, 2), { mode: 0o600 })
  return { profile: name, url, ...me }
}

function profilesFile(): string {
  return join(foreignVariable('XDG_CONFIG_HOME') ?? join(homedir(), '.config'), 'headrace', 'profiles.json')
}

async function readProfiles(): Promise<Record<string, Profile>> {
  return JSON.parse(await readFile(profilesFile(), 'utf8').catch(() => '{}')) as Record<string, Profile>
}

/**
 * In this order: HEADRACE_URL, the profile that HEADRACE_PROFILE names, the service of this home, the profile
 * `default`.
 */
async function findProfile(): Promise<Profile> {
  const { url, token, profile: named } = settings()
  if (url !== undefined) return { url, token: token ?? '' }
  const profiles = await readProfiles()
  if (named !== undefined) {
    if (profiles[named] === undefined)
      throw failure('usage', {
        reason: `There is no profile ${named}. Create it: headrace login URL --token-file FILE --profile ${named}`,
      })
    return profiles[named]
  }
  const local = await readFile(join(homeFolder(), 'service.json'), 'utf8').catch(() => undefined)
  if (local !== undefined)
    return {
      url: (JSON.parse(local) as { address: string }).address,
      token: token ?? (await readFile(join(homeFolder(), 'operator.token'), 'utf8')).trim(),
    }
  if (profiles.default !== undefined) return profiles.default
  throw failure('usage', {
    reason:
      'No service is known here. Start one with headrace serve, or connect to one with headrace login URL --token-file FILE',
  })
}

async function request(
  profile: Profile,
  method: string,
  path: string,
  { body, query, key, version }: CallOptions,
): Promise<unknown> {
  const url = new URL(`/api/v1${path}`, profile.url)
  for (const [name, value] of Object.entries(query ?? {}))
    if (value !== undefined) url.searchParams.set(name, String(value))
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${profile.token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...(version === undefined ? {} : { 'if-match': `"${version}"` }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch((error: unknown) => {
    throw failure(
      'service_unreachable',
      { url: profile.url, reason: reasonOf((error as Error).cause ?? error) },
      error,
    )
  })
  const text = await response.text()
  if (response.ok) return text === '' ? {} : JSON.parse(text)
  const problem = (text.startsWith('{') ? JSON.parse(text) : { detail: text.slice(0, 200) }) as Problem
  if (problem.code !== undefined && problem.code in ERRORS)
    throw failure(problem.code as ErrorCode, problem.params ?? { reason: problem.detail ?? '' })
  throw failure('service_unreachable', {
    url: profile.url,
    reason: `HTTP status ${response.status}: ${problem.detail ?? ''}`,
  })
}
