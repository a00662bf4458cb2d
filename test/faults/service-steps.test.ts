/**
 * The service is killed at every step between hold and release: while it decides, claims, runs, settles,
 * before and after each commit. The next one goes on; then nothing is held by what does not run, each
 * execution ends once, and the books add up.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Failpoint } from '../../src/core/failpoint.ts'
import { freePort } from '../../src/host/jvm-servers.ts'
import { IN_ORDER, booksOf } from '../support/books-of-capacity.ts'
import { createChance } from '../support/chance.ts'
import { openFolder, run } from '../support/service.ts'
import { SERVICE_FAILPOINTS } from '../support/service-failpoints.ts'
import { inHome, ownerUrl, postgresPid, startServing } from '../support/serving.ts'
import { cliJson, until } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

const JOBS = 10
const KILLS = Number(process.env.HEADRACE_TEST_STEP_KILLS ?? 3)
/** Services that are killed side by side, each in a home of its own: a kill waits more than it computes. */
const SERVICES = Math.min(3, KILLS)
/**
 * How long a service that starts after a crash may take to decide, though the lead is still the dead one's.
 */
const DECIDES_MS = 5_000
const chance = createChance()
/** In CI some of them, others each run. */
const steps = SERVICE_FAILPOINTS.toSorted(() => chance() - 0.5)

test(
  `killed ${KILLS} times at the steps between hold and release: holds equal what runs, each execution ends once, its output is there once`,
  async () => {
    const kills = Array.from({ length: KILLS }, (_, kill) => steps[kill % steps.length])
    await Promise.all(
      Array.from({ length: SERVICES }, (_, own) =>
        killAt(kills.filter((_step, kill) => kill % SERVICES === own)),
      ),
    )
  },
  limitMs(400_000),
)

/** A service that is killed at each of the steps, one after the other, and must end all it began. */
async function killAt(its: Failpoint[]): Promise<void> {
  const home = openFolder('headrace-home-')
  const where = inHome(home)
  const port = await freePort()
  const tenant = await prepare(home, port)
  const asked: string[] = []
  for (const [kill, step] of its.entries()) {
    const serving = await startServing(home, port, { HEADRACE_FAILPOINT: step })
    // Lost runs of before may meet the failpoint first: then the service is gone when it is asked.
    const before = asked.length
    await cliJson<{ execution_id: string }>(where, ['jobs', 'run', `copy-${kill % JOBS}`]).then(
      (queued) => asked.push(queued.execution_id),
      () => undefined,
    )
    const wasAsked = asked.length > before
    const withinMs = wasAsked && step.startsWith('cycle.') ? DECIDES_MS : 60_000
    await until(`the kill at ${step}`, () => serving.signalCode ?? undefined, withinMs)
    expect(await booksOf(ownerUrl(home)), step).toMatchObject(IN_ORDER)
    if (chance() < 0.3) process.kill(postgresPid(home), 'SIGQUIT')
  }
  const serving = await startServing(home, port)
  await until(
    'the end of all that was open',
    async () => ((await booksOf(ownerUrl(home))).open === 0 ? true : undefined),
    limitMs(120_000),
  )
  expect(await booksOf(ownerUrl(home))).toMatchObject({ ...IN_ORDER, open: 0 })
  const { items } = await cliJson<{
    items: {
      execution_id: string
      status: string
      attempt: number
      reason: { code: string } | null
      receipt: { rows: number }
    }[]
  }>(where, ['executions', 'list', '--limit', '100000'])
  const succeeded = items.filter((execution) => execution.status === 'succeeded')
  // Who is killed three times is given up, and says so.
  const givenUp = items.filter(
    (execution) =>
      execution.status === 'failed' && execution.attempt === 3 && execution.reason?.code === 'runner_lost',
  )
  process.stderr.write(
    `${its.length} kills: ${succeeded.length} succeeded, ${givenUp.length} were given up\n`,
  )
  expect([
    items.length - succeeded.length - givenUp.length,
    succeeded.filter((execution) => execution.receipt.rows !== 1_000),
  ]).toEqual([0, []])
  expect(succeeded.length).toBeGreaterThan(givenUp.length)
  expect(asked.filter((id) => !items.some((execution) => execution.execution_id === id))).toEqual([])
  const outputs = readdirSync(join(home, 'tenants', tenant, 'out'))
    .filter((name) => name.endsWith('.parquet'))
    .map((name) => name.replace('.parquet', ''))
  expect(succeeded.map((execution) => execution.execution_id).filter((id) => !outputs.includes(id))).toEqual(
    [],
  )
  serving.kill('SIGTERM')
  expect(await serving.ended).toBe(0)
}

/** A tenant with hours to spend, and jobs that are past their draft. Returns the tenant. */
async function prepare(home: string, port: number): Promise<string> {
  const where = inHome(home)
  const serving = await startServing(home, port)
  const { tenant_id: tenant } = await cliJson<{ tenant_id: string }>(where, ['tenants', 'add', 'acme'])
  await cliJson(where, ['purchases', 'add', '--type', 'vcpu_hours', '--quantity', '10000'])
  await cliJson(where, ['capacity', 'set', 'vcpu-hours-ns', '--cores', '40', '--memory-gb', '40'])
  const input = join(home, 'tenants', tenant, 'in')
  mkdirSync(input, { recursive: true })
  writeFileSync(join(input, 'a.csv'), `id\n${Array.from({ length: 1_000 }, (_, i) => i).join('\n')}\n`)
  // A job each for as long as a lost run keeps its own from running again.
  for (let i = 0; i < JOBS; i += 1) {
    writeFileSync(
      join(home, 'job.json'),
      JSON.stringify({
        job_name: `copy-${i}`,
        source_type: 'files',
        source_config: {
          path: 'in/*.csv',
          format: 'csv',
          mode: 'full',
          columns: [{ name: 'id', type: 'BIGINT' }],
        },
        destination_config: { type: 'local', path: 'out' },
        resource_requirements: { cpu_cores: 1, memory_gb: 1, estimated_runtime_minutes: 1 },
      }),
    )
    await cliJson(where, ['jobs', 'create', '-f', join(home, 'job.json')])
  }
  await run(ownerUrl(home), "UPDATE ingestion_jobs SET status = 'active', namespace = 'vcpu-hours-ns'")
  serving.kill('SIGTERM')
  expect(await serving.ended).toBe(0)
  return tenant
}
