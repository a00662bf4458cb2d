/** The database's own check: a session sees the rows of its tenant, whoever had it before, and no other. */
import { afterAll, expect, test } from 'vitest'
import pg from 'pg'
import { sql } from 'kysely'
import type { Db } from '../../src/state/database.ts'
import { twoTenants } from '../support/two-tenants.ts'

const { service, a, b } = await twoTenants()
afterAll(() => service.close())

const TABLES = [
  'tenants',
  'access_tokens',
  'resource_purchases',
  'ledger_lots',
  'ledger_entries',
  'ingestion_jobs',
  'job_executions',
  'queued_executions',
  'bookings',
  'resource_consumption',
  'tenant_slots',
  'tenant_shares',
  'idempotency_keys',
  'events',
  'webhooks',
]

test('the database itself gives a session only the rows of its tenant, none without one, and the role may do nothing else', async () => {
  for (const table of TABLES) {
    const seen = await service.context.gate.readAs(
      a.id,
      async (db) =>
        (
          await sql<{ tenant_id: string }>`SELECT DISTINCT tenant_id::text FROM ${sql.table(table)}`.execute(
            db,
          )
        ).rows,
    )
    expect(
      seen.filter((row) => row.tenant_id !== a.id),
      table,
    ).toEqual([])
  }
  for (const setting of ['', null])
    for (const table of TABLES) {
      const client = new pg.Client({ connectionString: service.url, options: '-c role=headrace_app' })
      await client.connect()
      if (setting !== null)
        await client.query("SELECT set_config('headrace.tenant_id', $1, false)", [setting])
      expect((await client.query(`SELECT count(*)::int AS n FROM ${table}`)).rows[0], table).toEqual({ n: 0 })
      await client.end()
    }
  const { rows } = await sql<{
    super: boolean
    bypass: boolean
    owns: string
  }>`
    SELECT rolsuper AS super, rolbypassrls AS bypass,
      (SELECT count(*) FROM pg_class WHERE relowner = r.oid)::text AS owns
    FROM pg_roles r
    WHERE rolname IN ('headrace_app', 'headrace_service')
  `.execute(service.context.gate.service)
  expect(rows).toEqual([
    { super: false, bypass: false, owns: '0' },
    { super: false, bypass: false, owns: '0' },
  ])
})

test('reads and writes of both take turns on the same sessions: each sees its own rows from its first statement to its last', async () => {
  const { gate } = service.context
  const tenantsOf = async (db: Db): Promise<unknown[]> =>
    (await sql<{ tenant_id: string }>`SELECT tenant_id::text FROM tenants`.execute(db)).rows
  await Promise.all(
    Array.from({ length: 400 }, async (_, i) => {
      const me = i % 2 === 0 ? a : b
      const seen = await (i % 3 === 0 ? gate.writeAs : gate.readAs)(me.id, async (db) => [
        ...(await tenantsOf(db)),
        ...(await tenantsOf(db)),
      ])
      expect(seen).toEqual([{ tenant_id: me.id }, { tenant_id: me.id }])
    }),
  )
  // One whose first statement fails leaves nothing behind for the next.
  await expect(gate.writeAs(a.id, (tx) => sql`SELECT 1 / 0`.execute(tx))).rejects.toThrow('division by zero')
  await expect(gate.readAs(a.id, (db) => sql`SELECT 1 / 0`.execute(db))).rejects.toThrow('division by zero')
  for (let i = 0; i < 20; i += 1) expect(await gate.readAs(b.id, tenantsOf)).toEqual([{ tenant_id: b.id }])
})

test('every table with a tenant is under the check', async () => {
  const { rows } = await sql<{
    name: string
    forced: boolean
  }>`
    SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced
    FROM pg_class c
    JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped
    WHERE c.relkind = 'r'
      AND c.relnamespace = 'public'::regnamespace
    ORDER BY 1
  `.execute(service.context.gate.service)
  expect(rows.map((row) => row.name)).toEqual(TABLES.toSorted())
  expect(rows.every((row) => row.forced)).toBe(true)
})
