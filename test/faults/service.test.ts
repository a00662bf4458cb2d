/**
 * The service is killed at random while executions are queued, booked, run and ended; with its PostgreSQL,
 * and without. What was acknowledged is there, the books add up, each execution's output is there once, and
 * nothing is held by what does not run.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../../src/host/jvm-servers.ts'
import { IN_ORDER, booksOf } from '../support/books-of-capacity.ts'
import { openFolder, run } from '../support/service.ts'
import { inHome, ownerUrl, postgresPid, startServing } from '../support/serving.ts'
import { createChance } from '../support/chance.ts'
import { cliJson, killGroup, sleep, until } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

const KILLS = Number(process.env.HEADRACE_TEST_SERVICE_KILLS ?? 2)
const chance = createChance()
const home = openFolder('headrace-home-')
const where = inHome(home)

const JOB = {
  job_name: 'copy',
  source_type: 'files',
  source_config: {
    path: 'in/*.csv',
    format: 'csv',
    mode: 'full',
    columns: [
      { name: 'id', type: 'BIGINT' },
      { name: 'name', type: 'VARCHAR' },
    ],
  },
  destination_config: { type: 'local', path: 'out' },
  resource_requirements: { cpu_cores: 1, memory_gb: 1, estimated_runtime_minutes: 1 },
}

/** A tenant with hours and a file of 50,000 rows, and three jobs that copy it. */
async function setUp(): Promise<{ tenant: string; jobs: string[] }> {
  const { tenant_id: tenant } = await cliJson<{ tenant_id: string }>(where, ['tenants', 'add', 'acme'])
  await cliJson(where, ['purchases', 'add', '--type', 'vcpu_hours', '--quantity', '1000'])
  mkdirSync(join(home, 'tenants', tenant, 'in'), { recursive: true })
  writeFileSync(
    join(home, 'tenants', tenant, 'in', 'a.csv'),
    `id,name\n${Array.from({ length: 50_000 }, (_, i) => `${i},name ${i}`).join('\n')}\n`,
  )
  const jobs = await Promise.all(
    [0, 1, 2].map(async (i) => {
      const file = join(home, `job-${i}.json`)
      writeFileSync(file, JSON.stringify({ ...JOB, job_name: `copy-${i}` }))
      return (await cliJson<{ job_id: string }>(where, ['jobs', 'create', '-f', file])).job_id
    }),
  )
  await cliJson(where, ['jobs', 'run', 'copy-0', '--wait'])
  // The draft's sample is over in no time: what is judged elsewhere is not judged here.
  await run(ownerUrl(home), "UPDATE ingestion_jobs SET status = 'active', namespace = 'vcpu-hours-ns'")
  return { tenant, jobs }
}

/** Asks for runs of the jobs until `stopped` is true; returns the executions that were acknowledged. */
async function keepAsking(paths: string[], stopped: () => boolean): Promise<Set<string>> {
  const token = readFileSync(join(home, 'operator.token'), 'utf8').trim()
  const acknowledged = new Set<string>()
  while (!stopped()) {
    for (const path of paths) {
      const answer = await fetch(path, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      }).catch(() => undefined)
      if (answer?.status === 202)
        acknowledged.add(
          ((await answer.json().catch(() => ({}))) as { execution_id?: string }).execution_id ?? '',
        )
    }
    await sleep(1_000 + chance() * 2_000)
  }
  acknowledged.delete('')
  return acknowledged
}

/** Kills of hours leave a long queue: it is worked off, one execution after another. */
async function workedOff(url: string): Promise<void> {
  for (let open = (await booksOf(url)).open; open > 0;) {
    const before = open
    open = await until(
      `one of ${before} executions to end`,
      async () => {
        const now = (await booksOf(url)).open
        return now < before ? now : undefined
      },
      120_000,
    )
  }
}

test(
  `killed ${KILLS} times, with its database every second time: holds equal what runs, outputs are there once, acknowledged requests are kept`,
  async () => {
    const port = await freePort()
    let serving = await startServing(home, port)
    const { tenant, jobs } = await setUp()
    let kills = 0
    const asking = keepAsking(
      jobs.map((id) => `${serving.address}/tenants/${tenant}/jobs/${id}/run`),
      () => kills >= KILLS,
    )
    while (kills < KILLS) {
      await sleep(1_500 + chance() * 4_000)
      if (kills % 2 === 1) process.kill(postgresPid(home), 'SIGQUIT')
      killGroup(serving)
      await serving.ended
      kills += 1
      serving = await startServing(home, port)
    }
    const acknowledged = await asking
    const url = ownerUrl(home)
    await workedOff(url)
    expect(await booksOf(url)).toMatchObject({ ...IN_ORDER, open: 0 })
    const { items } = await cliJson<{
      items: { execution_id: string; status: string; receipt: { rows: number } }[]
    }>(where, ['executions', 'list', '--limit', '100000'])
    const byId = new Map(items.map((execution) => [execution.execution_id, execution]))
    expect([...acknowledged].filter((id) => !byId.has(id))).toEqual([])
    const succeeded = items.filter((execution) => execution.status === 'succeeded')
    expect(succeeded.length).toBeGreaterThan(KILLS)
    const outputs = readdirSync(join(home, 'tenants', tenant, 'out')).filter(
      (name) => name.endsWith('.parquet') && !name.startsWith('.'),
    )
    expect(
      succeeded
        .slice(0, -1)
        .filter(
          (execution) =>
            execution.receipt.rows === 50_000 && !outputs.includes(`${execution.execution_id}.parquet`),
        ),
    ).toEqual([])
    expect(outputs.length).toBe(new Set(outputs).size)
    serving.kill('SIGTERM')
    expect(await Promise.race([serving.ended, sleep(30_000).then(() => 'still running')])).toBe(0)
  },
  limitMs(400_000),
)
