/**
 * The service for tests: one PostgreSQL a worker, a database of its own for each test file, cloned from one
 * that is migrated.
 */
import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import pg from 'pg'
import { createApi } from '../../src/api/server.ts'
import type { OfferedCapacity } from '../../src/core/service/namespaces.ts'
import { startPostgres, type PostgresServer } from '../../src/host/postgres-server.ts'
import type { CheckLimits } from '../../src/control/checker.ts'
import type { Context } from '../../src/control/context.ts'
import { openService } from '../../src/control/open.ts'
import type { SlotSettings } from '../../src/state/capacity.ts'
import { migrate } from '../../src/state/migrate.ts'
import { holdAnswers } from './answers.ts'
import { killAtEnd, removeAtEnd } from './at-end.ts'

/** Bin folder of another PostgreSQL than the packaged one, for the tests that run now. */
let programs: string | undefined

/** Which PostgreSQL tests use from now on; undefined: the packaged one. */
export function usePostgres(folder: string | undefined): void {
  programs = folder
}

const shared = new Map<string | undefined, { server: Promise<PostgresServer>; template?: Promise<void> }>()
const pids = new Set<number>()
killAtEnd(pids, 'SIGQUIT')

/** A folder that the user of a server started by root can reach; gone when the process ends. */
export function openFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  chmodSync(folder, 0o755)
  removeAtEnd(folder)
  return folder
}

export async function ownPostgres(
  options: { home?: string; programs?: string } = {},
): Promise<PostgresServer> {
  const server = await startPostgres({
    home: options.home ?? openFolder('headrace-pg-'),
    programs: options.programs ?? programs,
  })
  pids.add(server.pid)
  void server.ended.then(() => pids.delete(server.pid))
  return server
}

/** The server that all tests of a worker share. */
export function postgres(): Promise<PostgresServer> {
  return sharedPostgres().server
}

function sharedPostgres(): { server: Promise<PostgresServer>; template?: Promise<void> } {
  const known = shared.get(programs) ?? { server: ownPostgres() }
  shared.set(programs, known)
  return known
}

let databases = 0

/** URL of an empty database of this version. */
export async function freshDatabase(): Promise<string> {
  const cluster = sharedPostgres()
  const { url } = await cluster.server
  const at = (name: string): string => url.replace(/\/[^/]*$/, `/${name}`)
  cluster.template ??= (async () => {
    await run(url, 'CREATE DATABASE template_of_tests')
    await migrate(at('template_of_tests'))
  })()
  await cluster.template
  databases += 1
  const name = `test_${process.pid}_${databases}`
  await run(url, `CREATE DATABASE ${name} TEMPLATE template_of_tests`)
  return at(name)
}

export async function run(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql)
  await client.end()
}

/** Every row of every table, as text. */
export async function dumpOf(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows: tables } = await client.query<{ name: string }>(
    "SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'",
  )
  const texts: string[] = []
  for (const { name } of tables)
    texts.push(JSON.stringify((await client.query(`SELECT t::text FROM ${name} t`)).rows))
  await client.end()
  return texts.join('\n')
}

export interface TestService {
  api: FastifyInstance
  context: Context
  url: string
  operator: string
  /** Routes that have answered as their schemas say. */
  answered: Set<string>
  /** Sends a request; the body parsed, whatever the status. */
  call<T = Record<string, never>>(
    method: string,
    path: string,
    options?: { token?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<{ status: number; body: T; headers: Record<string, unknown> }>
  /** A tenant with a token of each role. */
  tenant(name: string): Promise<{ id: string; owner: string; editor: string; viewer: string }>
  close(): Promise<void>
}

export async function testService(
  options: {
    capacity?: OfferedCapacity
    now?: () => Date
    url?: string
    home?: string
    slots?: SlotSettings
    checks?: CheckLimits
  } = {},
): Promise<TestService> {
  const url = options.url ?? (await freshDatabase())
  const home = options.home ?? openFolder('headrace-service-')
  const { service, rehearsal, context, close } = await openService({
    databaseUrl: url,
    home,
    version: 'test',
    capacity: options.capacity,
    now: options.now,
    slots: options.slots,
    checks: options.checks,
  })
  const { createToken } = await import('../../src/state/tenants.ts')
  const operator = (
    await context.gate.transact((tx) =>
      createToken(tx, { tenantId: undefined, name: 'operator', role: 'operator', actor: 'test' }),
    )
  ).token
  const api = await createApi({
    service,
    rehearsal,
    log: (event) => process.stderr.write(`${JSON.stringify(event)}\n`),
  })
  const answered = holdAnswers(api)
  const call = callOf(api, operator)
  return {
    api,
    context,
    url,
    operator,
    answered,
    call,
    tenant: (name) => makeTenant(call, name),
    async close() {
      await api.close()
      await close()
    },
  }
}

function callOf(api: FastifyInstance, operator: string): TestService['call'] {
  return async (method, path, { token = operator, body, headers = {} } = {}) => {
    const answer = await api.inject({
      method: method as 'GET',
      url: `/api/v1${path}`,
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      payload: body === undefined ? undefined : JSON.stringify(body),
    })
    return {
      status: answer.statusCode,
      body: (answer.body.startsWith('{') || answer.body.startsWith('[')
        ? JSON.parse(answer.body)
        : answer.body) as never,
      headers: answer.headers,
    }
  }
}

async function makeTenant(
  call: TestService['call'],
  name: string,
): Promise<Awaited<ReturnType<TestService['tenant']>>> {
  const { body: made } = await call<{ tenant_id: string }>('POST', '/tenants', {
    body: { tenant_name: name, policy: { requests_per_minute: 1_000_000 } },
  })
  const token = async (role: string): Promise<string> =>
    (
      await call<{ token: string }>('POST', `/tenants/${made.tenant_id}/tokens`, {
        body: { token_name: role, role },
      })
    ).body.token
  return {
    id: made.tenant_id,
    owner: await token('owner'),
    editor: await token('editor'),
    viewer: await token('viewer'),
  }
}

export const JOB = {
  job_name: 'postgres-to-s3-daily',
  source_type: 'postgres',
  source_config: { host: 'pg.example.com', database: 'production', table: 'orders' },
  destination_config: { type: 's3', bucket: 'data-lake', path: '/ingestion/orders/', format: 'parquet' },
  schedule_cron: '0 2 * * *',
  resource_requirements: { cpu_cores: 4, memory_gb: 8, estimated_runtime_minutes: 30 },
  sla_requirements: { max_runtime_minutes: 60, priority: 'medium' },
}

/** A purchase of this month that is valid now. */
export function purchase(
  type: 'vcpu_hours' | 'dedicated_units',
  quantity: number,
  from = new Date(Date.now() - 86_400_000),
): Record<string, unknown> {
  const until = new Date(from)
  until.setUTCDate(until.getUTCDate() + 30)
  return {
    resource_type: type,
    quantity,
    time_period: 'daily',
    valid_from: from.toISOString(),
    valid_until: until.toISOString(),
  }
}
