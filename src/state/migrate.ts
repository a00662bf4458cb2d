/**
 * Brings a database to this version. Each migration inserts its row first, in the same transaction as its
 * statements: of several concurrent installers, one does the work, and the others find its row and continue
 * (an idea of graphile/worker).
 */
import pg from 'pg'
import { failure } from '../core/errors.ts'
import { sql as service } from './migrations/0001-service.ts'
import { sql as rowSecurity } from './migrations/0002-row-security.ts'
import { sql as fetchedSources } from './migrations/0003-fetched-sources.ts'
import { sql as lenders } from './migrations/0004-lenders.ts'
import { sql as alerts } from './migrations/0005-alerts.ts'
import { sql as slaTiers } from './migrations/0006-sla-tiers.ts'
import { sql as claimedUntil } from './migrations/0007-claimed-until.ts'
import { sql as charges } from './migrations/0009-charges.ts'
import { sql as runners } from './migrations/0008-runners.ts'

/**
 * In order. Never change one after a release, only add. `breaking`: older programs must not use the database
 * after it.
 */
export const MIGRATIONS: { id: number; name: string; breaking: boolean; sql: string }[] = [
  { id: 1, name: 'service', breaking: true, sql: service },
  { id: 2, name: 'row-security', breaking: true, sql: rowSecurity },
  { id: 3, name: 'fetched-sources', breaking: false, sql: fetchedSources },
  { id: 4, name: 'lenders', breaking: false, sql: lenders },
  { id: 5, name: 'alerts', breaking: false, sql: alerts },
  { id: 6, name: 'sla-tiers', breaking: false, sql: slaTiers },
  { id: 7, name: 'claimed-until', breaking: false, sql: claimedUntil },
  { id: 8, name: 'runners', breaking: false, sql: runners },
  { id: 9, name: 'charges', breaking: false, sql: charges },
]

const ALREADY_THERE = new Set(['23505', '42P07', '42710'])

/**
 * Applies missing migrations. Throws `database_newer` if a newer Headrace has changed the database in a way
 * that this version cannot use.
 */
export async function migrate(url: string): Promise<{ applied: string[] }> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query("SET client_min_messages = 'warning'")
    await ignoring(ALREADY_THERE, () =>
      client.query(`
        CREATE TABLE IF NOT EXISTS migrations (
          id integer PRIMARY KEY,
          name text NOT NULL,
          breaking boolean NOT NULL,
          applied_at timestamptz NOT NULL DEFAULT now()
        )
      `),
    )
    const { rows } = await client.query<{ id: number; name: string; breaking: boolean }>(
      'SELECT id, name, breaking FROM migrations ORDER BY id',
    )
    const unknown = rows.find(
      (row) => row.breaking && !MIGRATIONS.some((migration) => migration.id === row.id),
    )
    if (unknown !== undefined) throw failure('database_newer', { migration: `${unknown.id} ${unknown.name}` })
    const applied: string[] = []
    for (const migration of MIGRATIONS.filter((candidate) => !rows.some((row) => row.id === candidate.id))) {
      if (await apply(client, migration)) applied.push(migration.name)
    }
    return { applied }
  } finally {
    await client.end()
  }
}

async function apply(
  client: pg.Client,
  { id, name, breaking, sql }: (typeof MIGRATIONS)[number],
): Promise<boolean> {
  await client.query('BEGIN')
  try {
    // Waits here for another installer's transaction, and fails when that commits.
    const inserted = await ignoring(new Set(['23505']), () =>
      client.query('INSERT INTO migrations (id, name, breaking) VALUES ($1, $2, $3)', [id, name, breaking]),
    )
    if (inserted === undefined) {
      await client.query('ROLLBACK')
      return false
    }
    await client.query(sql)
    await client.query('COMMIT')
    return true
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

async function ignoring<T>(codes: Set<string>, action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action()
  } catch (error) {
    if (codes.has((error as { code?: string }).code ?? '')) return undefined
    throw error
  }
}
