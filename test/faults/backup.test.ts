/**
 * A drill: backed up while it works, everything destroyed, restored elsewhere, and the damaged backup is
 * noticed. Times are printed.
 */
import { appendFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { IN_ORDER, booksOf } from '../support/books-of-capacity.ts'
import { openFolder } from '../support/service.ts'
import { inHome, ownerUrl, postgresPid, startServing, type Serving } from '../support/serving.ts'
import { cli, cliJson, killGroup, until } from '../support/system.ts'

const place = openFolder('headrace-backup-')

/** A tenant with hours, a file of 20,000 rows, and a job that copies it; returns the tenant. */
async function setUp(home: string): Promise<string> {
  const { tenant_id: tenant } = await cliJson<{ tenant_id: string }>(inHome(home), ['tenants', 'add', 'acme'])
  await cliJson(inHome(home), ['purchases', 'add', '--type', 'vcpu_hours', '--quantity', '50'])
  mkdirSync(join(home, 'tenants', tenant, 'in'), { recursive: true })
  writeFileSync(
    join(home, 'tenants', tenant, 'in', 'a.csv'),
    `id\n${Array.from({ length: 20_000 }, (_, i) => i).join('\n')}\n`,
  )
  writeFileSync(
    join(home, 'job.json'),
    JSON.stringify({
      job_name: 'copy',
      source_type: 'files',
      source_config: { path: 'in/*.csv', format: 'csv', mode: 'full' },
      destination_config: { type: 'local', path: 'out' },
      resource_requirements: { cpu_cores: 1, memory_gb: 1, estimated_runtime_minutes: 5 },
    }),
  )
  await cliJson(inHome(home), ['jobs', 'create', '-f', join(home, 'job.json')])
  return tenant
}

/** Kills the service and its database, and removes the home. */
async function destroy(home: string, serving: Serving): Promise<void> {
  killGroup(serving)
  await serving.ended
  process.kill(postgresPid(home), 'SIGKILL')
  await new Promise((done) => setTimeout(done, 500))
  rmSync(home, { recursive: true, force: true })
}

test('backed up under load, destroyed, restored elsewhere: all that was acknowledged before it is there, and it goes on', async () => {
  const [home, elsewhere] = [join(place, 'home'), join(place, 'elsewhere')]
  mkdirSync(home)
  mkdirSync(elsewhere)
  let serving = await startServing(home)
  const tenant = await setUp(home)
  await cliJson(inHome(home), ['jobs', 'run', 'copy', '--wait'])
  await cliJson(inHome(home), ['promote', 'copy'])
  const first = await cliJson<{ execution_id: string; receipt: { output: string[] } }>(inHome(home), [
    'jobs',
    'run',
    'copy',
    '--wait',
  ])
  for (let i = 0; i < 5; i += 1) await cliJson(inHome(home), ['jobs', 'run', 'copy'])
  const made = await cliJson<{ as_of: string; seconds: number }>(inHome(home), [
    'backup',
    join(place, 'backup'),
  ])
  const before = await cliJson<object>(inHome(home), ['purchases', 'list'])
  await destroy(home, serving)

  expect(await cliJson(inHome(elsewhere), ['restore', join(place, 'backup'), '--dry-run'])).toMatchObject({
    as_of: made.as_of,
  })
  expect(existsSync(join(elsewhere, 'postgres'))).toBe(false)
  const started = Date.now()
  const restored = await cliJson<{ seconds: number }>(inHome(elsewhere), ['restore', join(place, 'backup')])
  serving = await startServing(elsewhere)
  process.stderr.write(
    `backup ${made.seconds} s, restore ${restored.seconds} s, answering after ${((Date.now() - started) / 1000).toFixed(1)} s\n`,
  )
  expect(await cliJson(inHome(elsewhere), ['purchases', 'list'])).toEqual(before)
  await until(
    'what was open to end',
    async () => ((await booksOf(ownerUrl(elsewhere))).open === 0 ? true : undefined),
    90_000,
  )
  expect(await booksOf(ownerUrl(elsewhere))).toMatchObject(IN_ORDER)
  const { items } = await cliJson<{ items: { execution_id: string; status: string }[] }>(inHome(elsewhere), [
    'executions',
    'list',
  ])
  expect(items.filter((execution) => execution.status === 'succeeded')).toHaveLength(7)
  expect(existsSync(join(elsewhere, 'tenants', tenant, 'out', `${first.execution_id}.parquet`))).toBe(true)
  serving.kill('SIGTERM')
  expect(await serving.ended).toBe(0)
})

test('a backup with one changed byte, one that was not finished, a home that is not empty: each refused by name, nothing half done', async () => {
  const backup = join(place, 'backup')
  const third = join(place, 'third')
  mkdirSync(third)
  appendFileSync(join(backup, 'operator.token'), ' ')
  expect((await cli(inHome(third), ['restore', backup])).stderr).toMatch(
    /operator\.token was changed since the backup[\s\S]*Try: Nothing was restored\. Use an earlier backup/,
  )
  rmSync(join(backup, 'manifest.json'))
  expect((await cli(inHome(third), ['restore', backup])).stderr).toMatch(/it was not finished/)
  expect(existsSync(join(third, 'postgres'))).toBe(false)
  expect((await cli(inHome(join(place, 'elsewhere')), ['backup', backup])).stderr).toMatch(/is not empty/)
})
