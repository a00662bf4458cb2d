/** A database is set up once, whoever else does it at the same time; a newer one is left alone. */
import pg from 'pg'
import { expect, test } from 'vitest'
import { MIGRATIONS, migrate } from '../../src/state/migrate.ts'
import { postgres, run } from '../support/service.ts'

async function emptyDatabase(name: string): Promise<string> {
  const { url } = await postgres()
  await run(url, `CREATE DATABASE ${name}`)
  return url.replace(/\/[^/]*$/, `/${name}`)
}

test('20 installers at once: each migration is applied once, and all of them end well', async () => {
  const url = await emptyDatabase(`installers_${process.pid}`)
  const done = await Promise.all(Array.from({ length: 20 }, () => migrate(url)))
  const names = done.flatMap((result) => result.applied)
  expect(names.toSorted()).toEqual(MIGRATIONS.map((migration) => migration.name).toSorted())
  expect(await migrate(url)).toEqual({ applied: [] })
})

test('a migration that fails leaves nothing behind', async () => {
  const url = await emptyDatabase(`half_${process.pid}`)
  await run(url, 'CREATE TABLE tenants (x int)')
  await expect(migrate(url)).rejects.toThrow(/tenants/)
  await run(url, 'DROP TABLE tenants')
  expect((await migrate(url)).applied).toEqual(MIGRATIONS.map((migration) => migration.name))
})

test('a database that a newer headrace changed is refused by name', async () => {
  const url = await emptyDatabase(`newer_${process.pid}`)
  await migrate(url)
  await run(url, "INSERT INTO migrations (id, name, breaking) VALUES (999, 'from-the-future', true)")
  await expect(migrate(url)).rejects.toThrow(
    'A newer version of Headrace changed the database (migration 999 from-the-future).',
  )
  await run(url, 'UPDATE migrations SET breaking = false WHERE id = 999')
  expect(await migrate(url)).toEqual({ applied: [] })
})

/** Columns that the sources name; without a type it is text. */
const WANTED = {
  tenants: ['tenant_id uuid', 'tenant_name', 'created_at timestamp with time zone', 'status'],
  resource_purchases: [
    'purchase_id uuid',
    'tenant_id uuid',
    'resource_type',
    'quantity integer',
    'time_period',
    'valid_from timestamp with time zone',
    'valid_until timestamp with time zone',
    'status',
    'created_at timestamp with time zone',
  ],
  ingestion_jobs: [
    'job_id uuid',
    'tenant_id uuid',
    'job_name',
    'source_type',
    'source_config jsonb',
    'destination_config jsonb',
    'schedule_cron',
    'resource_requirements jsonb',
    'sla_requirements jsonb',
    'status',
    'namespace',
    'created_at timestamp with time zone',
  ],
  resource_consumption: [
    'consumption_id uuid',
    'job_id uuid',
    'tenant_id uuid',
    'execution_id uuid',
    'cpu_seconds bigint',
    'memory_gb_seconds bigint',
    'start_time timestamp with time zone',
    'end_time timestamp with time zone',
    'namespace',
    'created_at timestamp with time zone',
  ],
  capacity_slots: [
    'slot_id uuid',
    'namespace',
    'time_slot timestamp with time zone',
    'slot_duration_minutes integer',
    'total_cpu_capacity integer',
    'total_memory_capacity integer',
    'allocated_cpu integer',
    'allocated_memory integer',
    'created_at timestamp with time zone',
  ],
  job_executions: [
    'execution_id uuid',
    'job_id uuid',
    'scheduled_time timestamp with time zone',
    'actual_start_time timestamp with time zone',
    'actual_end_time timestamp with time zone',
    'status',
    'resource_used jsonb',
    'sla_met boolean',
    'error_message text',
    'namespace',
    'created_at timestamp with time zone',
    'tenant_id uuid',
  ],
}

test('the columns of the sources are there, with their types', async () => {
  const url = await emptyDatabase(`columns_${process.pid}`)
  await migrate(url)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ at: string; type: string }>(
    `
      SELECT table_name || '.' || column_name AS at, data_type AS type
      FROM information_schema.columns
      WHERE table_schema = 'public'
    `,
  )
  await client.end()
  const types = new Map(rows.map((row) => [row.at, row.type]))
  for (const [table, columns] of Object.entries(WANTED))
    for (const column of columns) {
      const [name, ...type] = column.split(' ')
      expect(types.get(`${table}.${name}`), `${table}.${name}`).toBe(
        type.length === 0 ? 'character varying' : type.join(' '),
      )
    }
})
