/**
 * A bare Fastify route: the same SQL under the same role, nothing checked, nothing limited, no tokens, no
 * schema.
 */
import fastify, { type FastifyInstance } from 'fastify'
import pg from 'pg'

export async function startBare(
  databaseUrl: string,
  statements: Record<string, { sql: string; values: unknown[] }>,
  tenantId: string,
): Promise<{ app: FastifyInstance; close(): Promise<void> }> {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 8,
    options: '-c role=headrace_app -c search_path=public -c random_page_cost=1.1',
  })
  const app = fastify()
  for (const [path, { sql, values }] of Object.entries(statements)) {
    app.get(path, async () => {
      const client = await pool.connect()
      try {
        await client.query('SELECT set_config($1, $2, false)', ['headrace.tenant_id', tenantId])
        const { rows } = await client.query(sql, values)
        return { items: rows }
      } finally {
        client.release()
      }
    })
  }
  return {
    app,
    async close() {
      await app.close()
      await pool.end()
    },
  }
}
