/**
 * Access to the control database. A session of a tenant sees only that tenant's rows; the service sees all.
 */
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import { failure, reasonOf } from '../core/errors.ts'
import { openPool } from './pool.ts'
import type { Database } from './tables.ts'
import { tenantSession } from './tenant-session.ts'

/** A connection or a transaction, for running statements. */
export type Db = Kysely<Database>
export type Tx = Transaction<Database>

export interface Gate {
  /** Reads of one tenant. Each statement stands alone. */
  readAs<T>(tenantId: string, work: (db: Db) => Promise<T>): Promise<T>
  /** A transaction of one tenant. */
  writeAs<T>(tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T>
  /** For the scheduler, the runners and operators: all tenants. */
  readonly service: Db
  transact<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/**
 * Connections that a process keeps open: few, because a statement of the control plane takes a millisecond.
 */
const POOL = { app: 8, service: 6 }

/** Opens access as a tenant and as the service. Throws `database_unreachable` if nobody answers. */
export async function openGate(url: string): Promise<Gate> {
  const app = openPool(url, 'headrace_app', POOL.app)
  const service = new Kysely<Database>({
    dialect: new PostgresDialect({ pool: openPool(url, 'headrace_service', POOL.service) }),
  })
  await sql`SELECT 1`.execute(service).catch((error: unknown) => {
    throw failure('database_unreachable', { address: addressOf(url), reason: reasonOf(error) }, error)
  })
  return {
    readAs: (tenantId, work) => tenantSession(app, tenantId, 'read').connection().execute(work),
    writeAs: (tenantId, work) => tenantSession(app, tenantId, 'write').transaction().execute(work),
    service,
    transact: (work) => service.transaction().execute(work),
    close: async () => void (await Promise.all([app.end(), service.destroy()])),
  }
}

/**
 * The same access for a dry run: each transaction does its full work, including constraints that are checked
 * at its end, and is rolled back. Reads between two transactions do not see the changes of the first.
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

/** Host and port, without the login. */
export function addressOf(url: string): string {
  try {
    return new URL(url).host
  } catch {
    return 'the given address'
  }
}
