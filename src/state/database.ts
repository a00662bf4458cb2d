/**
 * The control database: its tables as types, and the two ways in. As a tenant, a session sees that tenant's
 * rows and no others; as the service, all of them. Times come as Date, amounts and ids of 64 bits as bigint.
 */
import {
  Kysely,
  PostgresDialect,
  sql,
  type ColumnType,
  type Generated,
  type PostgresPoolClient,
  type Transaction,
} from 'kysely'
import pg from 'pg'
import { failure, reasonOf } from '../core/errors.ts'

type Json = ColumnType<unknown, string, string>
type Id = Generated<string>
type Time = ColumnType<Date, Date | string, Date | string>
type Since = ColumnType<Date, Date | undefined, Date>
type Micros = ColumnType<bigint, bigint, bigint>

export interface Database {
  tenants: {
    tenant_id: Id
    tenant_name: string
    created_at: Since
    status: Generated<string>
    policy: Json
    version: Generated<number>
  }
  access_tokens: {
    token_id: Id
    tenant_id: string | null
    token_name: string
    role: string
    token_hash: Buffer
    created_at: Since
    expires_at: Date | null
    revoked_at: Date | null
  }
  price_lists: {
    price_list_id: Generated<bigint>
    valid_from: Since
    currency: string
    prices: Json
    created_by: string
  }
  resource_purchases: {
    purchase_id: Id
    tenant_id: string
    resource_type: string
    quantity: number
    time_period: string
    valid_from: Time
    valid_until: Time
    status: Generated<string>
    created_at: Since
    price: Json
    version: Generated<number>
  }
  ledger_lots: {
    lot_id: Id
    tenant_id: string
    purchase_id: string | null
    valid_from: Time
    valid_until: Time
    granted: Micros
    available: Micros
    held: Micros
    consumed: Micros
    expired: Micros
    closed: Generated<boolean>
  }
  ledger_entries: {
    entry_id: Generated<bigint>
    tenant_id: string
    lot_id: string
    act: string
    debit: string
    credit: string
    amount: Micros
    execution_id: string | null
    at: Time
  }
  ingestion_jobs: {
    job_id: Id
    tenant_id: string
    job_name: string
    source_type: string
    source_config: Json
    destination_config: Json
    schedule_cron: string | null
    resource_requirements: Json
    sla_requirements: Json
    status: Generated<string>
    namespace: Generated<string>
    created_at: Since
    version: Generated<number>
    next_run_at: Date | null
    failures_in_a_row: Generated<number>
    cursor: Json | null
    evaluation: Json | null
    continuous: ColumnType<boolean, never, never>
  }
  job_executions: {
    execution_id: Id
    job_id: string
    scheduled_time: Time
    actual_start_time: Date | null
    actual_end_time: Date | null
    status: Generated<string>
    resource_used: Json | null
    sla_met: boolean | null
    error_message: string | null
    namespace: string
    created_at: Since
    tenant_id: string
    cpu_cores: number
    memory_gb: number
    estimated_minutes: number
    fair_tag: number
    deadline: Time
    reason: Json | null
    attempt: Generated<number>
    rolled_at: Date | null
    booked_from: Date | null
    booked_until: Date | null
    lender: string | null
    unit_owner: string | null
    holds: Generated<unknown>
    runner: string | null
    generation: Generated<bigint>
    lease_until: Date | null
    cancel_requested: Generated<boolean>
    recalled: Generated<boolean>
    warned: Generated<string[]>
    progress: Json | null
    receipt: Json | null
    tick: Date | null
  }
  queued_executions: {
    execution_id: string
    tenant_id: string
    namespace: string
    cpu_cores: number
    memory_gb: number
    estimated_minutes: number
    preferred: Time
    deadline: Time
    fair_tag: number
    ready: Generated<boolean>
    try_after: Generated<Date>
    warn_at: Time
  }
  bookings: { booked_from: Time; execution_id: string; tenant_id: string }
  resource_consumption: {
    consumption_id: Id
    job_id: string
    tenant_id: string
    execution_id: string
    cpu_seconds: Micros
    memory_gb_seconds: Micros
    start_time: Time
    end_time: Time
    namespace: string
    created_at: Since
    cpu_microseconds: Micros
  }
  capacity_slots: {
    slot_id: Id
    namespace: string
    time_slot: Time
    slot_duration_minutes: number
    total_cpu_capacity: number
    total_memory_capacity: number
    allocated_cpu: Generated<number>
    allocated_memory: Generated<number>
    created_at: Since
    region: Generated<string>
  }
  tenant_slots: {
    slot_id: string
    tenant_id: string
    entitled_cpu: number
    entitled_memory: number
    allocated_cpu: Generated<number>
    allocated_memory: Generated<number>
  }
  tenant_shares: { tenant_id: string; weight: Generated<number>; last_tag: Generated<number> }
  idempotency_keys: {
    tenant_id: string
    idempotency_key: string
    request_hash: Buffer
    status: number
    body: Json
    created_at: Since
  }
  events: {
    event_id: Generated<bigint>
    tenant_id: string | null
    at: Since
    actor: string
    event: string
    subject: string | null
    data: Json
  }
  webhooks: {
    webhook_id: Id
    tenant_id: string | null
    url: string
    events: string[]
    secret_name: string | null
    created_at: Since
    next_event_id: Generated<bigint>
    failures: Generated<number>
    try_after: Generated<Date>
    last_error: string | null
  }
  leases: { lease_name: string; holder: string; generation: bigint; lease_until: Time }
  installation: {
    only_row: Generated<boolean>
    capacity: Json
    sla_tiers: Json
    virtual_time: Generated<number>
    claimed_until: Generated<Date>
    self_benchmark: Json | null
  }
}

/** What statements run on: a connection or a transaction. */
export type Db = Kysely<Database>
export type Tx = Transaction<Database>

export interface Gate {
  /** Reads of one tenant; each statement stands for itself. */
  readAs<T>(tenantId: string, work: (db: Db) => Promise<T>): Promise<T>
  /** A transaction of one tenant. */
  writeAs<T>(tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T>
  /** The scheduler, the runners and operators: all tenants. */
  readonly service: Db
  transact<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Connections a process keeps open: few, because a statement of the control plane takes a millisecond. */
const POOL = { app: 8, service: 6 }

/** Opens both ways in. Throws `database_unreachable` when nobody answers. */
export async function openGate(url: string): Promise<Gate> {
  const app = openPool(url, 'headrace_app', POOL.app)
  const service = new Kysely<Database>({
    dialect: new PostgresDialect({ pool: openPool(url, 'headrace_service', POOL.service) }),
  })
  await sql`SELECT 1`.execute(service).catch((error: unknown) => {
    throw failure('database_unreachable', { address: addressOf(url), reason: reasonOf(error) }, error)
  })
  return {
    readAs: (tenantId, work) => sessionOf(app, tenantId, 'read').connection().execute(work),
    writeAs: (tenantId, work) => sessionOf(app, tenantId, 'write').transaction().execute(work),
    service,
    transact: (work) => service.transaction().execute(work),
    close: async () => void (await Promise.all([app.end(), service.destroy()])),
  }
}

/**
 * The same ways in for a dry run: each transaction does all it would, constraints that wait for its end
 * included, and is rolled back. Reads between two transactions do not see what the first would have changed.
 */
export function rehearsing(gate: Gate): Gate {
  const undone = Symbol('undone')
  const rehearse = async <T>(
    transact: (work: (tx: Tx) => Promise<never>) => Promise<never>,
    work: (tx: Tx) => Promise<T>,
  ): Promise<T> => {
    let result: { value: T } | undefined
    await transact(async (tx) => {
      result = { value: await work(tx) }
      await sql`SET CONSTRAINTS ALL IMMEDIATE`.execute(tx)
      throw undone
    }).catch((error: unknown) => {
      if (error !== undone) throw error
    })
    return (result as { value: T }).value
  }
  return {
    ...gate,
    writeAs: (tenantId, work) => rehearse((inside) => gate.writeAs(tenantId, inside), work),
    transact: (work) => rehearse((inside) => gate.transact(inside), work),
  }
}

/**
 * A time as our sessions get it (`2026-11-26 09:30:00.25+00`): digit by digit, in a quarter of the time that
 * V8's own parser takes and a sixteenth of the driver's; a cycle reads 16,000.
 */
function timeOf(text: string): Date | number {
  if (text.endsWith('infinity')) return text.startsWith('-') ? -Infinity : Infinity
  const end = text.length - 3
  // Years of two or five digits, or before 1 AD.
  if (text.startsWith('00') || text.charCodeAt(4) !== DASH || !text.endsWith('+00'))
    return new Date(`${text.replace(' ', 'T')}:00`)
  const two = (at: number): number => text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 11 * ZERO
  let ms = 0
  for (let [at, weight] = [20, 100]; at < end && weight >= 1; at += 1, weight /= 10)
    ms += (text.charCodeAt(at) - ZERO) * weight
  return new Date(Date.UTC(two(0) * 100 + two(2), two(5) - 1, two(8), two(11), two(14), two(17), ms))
}

const [DASH, ZERO] = [45, 48]

/**
 * A way into one tenant's rows over a session of the pool, which still carries the tenant that had it last.
 * The name goes out in one packet with the first statement: before it in a read, behind it in a write, where
 * it begins the transaction that the name lasts for. A trip of its own for the name cost a quarter of a read.
 * Nothing is answered unless the name was taken, and such a session is not used again.
 */
function sessionOf(pool: pg.Pool, tenantId: string, act: 'read' | 'write'): Db {
  const connect = async (): Promise<PostgresPoolClient> => {
    const client = await pool.connect()
    let named: Promise<unknown> | undefined
    let refused = false
    const name = (): Promise<unknown> =>
      client.query('SELECT set_config($1, $2, $3)', ['headrace.tenant_id', tenantId, act === 'write'])
    const query = async (text: string, values: unknown[]): Promise<unknown> => {
      if (named !== undefined) return client.query(text, values)
      const { stream } = client.connection
      stream.cork()
      if (act === 'read') named = name()
      const answer = client.query(text, values)
      named ??= name()
      stream.uncork()
      named.catch(() => (refused = true))
      return (await Promise.all([answer, named]))[0]
    }
    return {
      query: query as PostgresPoolClient['query'],
      release: (destroy) => client.release(destroy || refused),
    }
  }
  return new Kysely<Database>({
    dialect: new PostgresDialect({ pool: { connect, end: async () => undefined, options: {} } }),
  })
}

/** An index is worth it for a hundredth of a table: the planner's own figure is that of disks with heads. */
function openPool(url: string, role: string, max: number): pg.Pool {
  const types = new pg.TypeOverrides()
  types.setTypeParser(pg.types.builtins.INT8, BigInt)
  types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, timeOf)
  const pool = new pg.Pool({
    connectionString: url,
    max,
    types,
    pipeline: true,
    options: `-c role=${role} -c search_path=public -c random_page_cost=1.1 -c timezone=UTC -c datestyle=ISO`,
    application_name: role,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: 15_000,
  })
  // A server that restarts ends idle sessions; the next statement opens another.
  pool.on('error', () => undefined)
  // And one that is in use between two statements: the next one fails by itself; without a listener the
  // process would end.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/** Host and port without the login. */
export function addressOf(url: string): string {
  try {
    return new URL(url).host
  } catch {
    return 'the given address'
  }
}
