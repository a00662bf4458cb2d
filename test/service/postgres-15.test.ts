/**
 * The service over the oldest PostgreSQL that is promised, Debian's 15: the same tests as over the packaged
 * one.
 */
import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { openGate } from '../../src/state/database.ts'
import { debianPostgres } from '../support/debian.ts'
import { freshDatabase, usePostgres } from '../support/service.ts'

// Around the files below, which are loaded for themselves whoever else runs them in this worker.
usePostgres(debianPostgres())
afterAll(() => usePostgres(undefined))

for (const name of ['migrate', 'shapes', 'queue'])
  await import(/* @vite-ignore */ `./${name}.test.ts?over-15`)

test('it is the version that it says', async () => {
  const gate = await openGate(await freshDatabase())
  const { rows } = await sql<{
    version: string
  }>`SELECT current_setting('server_version_num') AS version`.execute(gate.service)
  expect(rows[0].version).toMatch(/^15/)
  await gate.close()
})
