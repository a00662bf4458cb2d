/** The service over the oldest PostgreSQL that is promised, Debian's 15: the same tests as over the packaged one. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { debianPostgres } from '../support/debian.ts'

process.env.HEADRACE_TEST_POSTGRES = debianPostgres()
const { freshDatabase } = await import('../support/service.ts')
const { openGate } = await import('../../src/state/database.ts')
await import('./migrate.test.ts')
await import('./shapes.test.ts')
await import('./queue.test.ts')

test('it is the version that it says', async () => {
  const { rows } = await sql<{ version: string }>`SELECT current_setting('server_version_num') AS version`.execute((await openGate(await freshDatabase())).service)
  expect(rows[0].version).toMatch(/^15/)
})
