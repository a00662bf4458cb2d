/** Access to one tenant's rows: row security shows them to a session that carries the tenant's name. */
import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely'
import type pg from 'pg'
import type { Database } from './tables.ts'

/**
 * Access to one tenant's rows over a session of the pool, which still carries the name of its last tenant.
 * The new name travels in one packet with the first statement: before it in a read, after it in a write,
 * where the statement begins the transaction for which the name is valid. A separate round trip for the name
 * cost a quarter of a read. Nothing is returned unless the name was accepted; otherwise, the session is
 * discarded.
 */
export function tenantSession(pool: pg.Pool, tenantId: string, act: 'read' | 'write'): Kysely<Database> {
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
