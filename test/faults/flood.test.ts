/**
 * What one tenant feels of another that asks far beyond its limit. Alone on the machine: what is judged is a
 * few milliseconds.
 */
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { quantile } from '../support/quantile.ts'
import { openFolder, run } from '../support/service.ts'
import { inHome, ownerUrl, startServing } from '../support/serving.ts'
import type { SteadyAnswer, SteadyRequests } from '../support/steady-requests.ts'
import { cliJson } from '../support/system.ts'

/**
 * Answers to a steady stream of requests from a thread of their own: what is timed is the service, not its
 * clients.
 */
function steady(requests: SteadyRequests): Promise<SteadyAnswer[]> {
  const thread = new Worker(new URL('../support/steady-requests.ts', import.meta.url), {
    workerData: requests,
  })
  return new Promise((done, failed) => thread.once('message', done).once('error', failed))
}

interface Asking {
  id: string
  url: string
  token: string
}

async function tenantOf(
  { home, address }: { home: string; address: string },
  name: string,
  requestsPerMinute: number,
): Promise<Asking> {
  const { tenant_id: id } = await cliJson<{ tenant_id: string }>(inHome(home), [
    'tenants',
    'add',
    name,
    '--requests-per-minute',
    String(requestsPerMinute),
  ])
  const { token } = await cliJson<{ token: string }>(inHome(home), [
    'tenants',
    'token',
    name,
    '--as',
    'viewer',
  ])
  return { id, url: `${address}/tenants/${id}/jobs?limit=500`, token }
}

/**
 * 500 jobs: each answer is work for the database and the service, so that a limit that does not hold is felt
 * at once.
 */
const fillWithJobs = (home: string, tenantId: string): Promise<unknown> =>
  run(
    ownerUrl(home),
    `
      INSERT INTO ingestion_jobs (tenant_id, job_name, source_type, source_config, destination_config,
        resource_requirements, sla_requirements)
      SELECT '${tenantId}', 'job ' || i, 'files', '{"path": "in/*.csv", "format": "csv"}',
        '{"type": "local", "path": "out"}',
        '{"cpu_cores": 2, "memory_gb": 4, "estimated_runtime_minutes": 10}', '{}'
      FROM generate_series(1, 500) i
    `,
  )

test("a tenant that asks for long lists at ten times its limit is told when to come again, and its neighbour's slowest answers take less than 1.5 times as long", async () => {
  const home = openFolder('headrace-flood-')
  const { address } = await startServing(home)
  const loud = await tenantOf({ home, address }, 'loud', 600)
  const quiet = await tenantOf({ home, address }, 'quiet', 1_000_000)
  await fillWithJobs(home, loud.id)
  // The limit of the minute is used up first, as a flood would.
  while (
    (await fetch(`${address}/tenants/${loud.id}`, { headers: { authorization: `Bearer ${loud.token}` } }))
      .status === 200
  );
  const neighbour = (forMs: number): Promise<SteadyAnswer[]> => steady({ ...quiet, everyMs: 8, forMs })
  await neighbour(1_000)
  const [alone, beside]: [number[], number[]] = [[], []]
  let ratio = Infinity
  // The machine has pauses of its own: one round, or all of them together, must look good; without a limit
  // each is a hundred times worse. All within the minute of the limit.
  for (let round = 0; round < 6 && !(ratio < 1.5); round += 1) {
    const from = [alone.length, beside.length]
    for (const { status, ms } of await neighbour(4_000)) alone.push(status === 200 ? ms : Infinity)
    const [answers, refused] = await Promise.all([
      neighbour(4_000),
      steady({ ...loud, everyMs: 10, forMs: 4_000 }),
    ])
    for (const { status, ms } of answers) beside.push(status === 200 ? ms : Infinity)
    expect(refused.filter(({ status }) => status === 429).length / refused.length).toBeGreaterThan(0.5)
    expect(
      refused.every(({ status, retryAfter = 0 }) => status === 200 || (retryAfter >= 1 && retryAfter <= 60)),
    ).toBe(true)
    ratio = Math.min(
      quantile(beside, 0.99) / quantile(alone, 0.99),
      quantile(beside.slice(from[1]), 0.99) / quantile(alone.slice(from[0]), 0.99),
    )
    process.stderr.write(
      `p99 of a neighbour: ${quantile(alone, 0.99).toFixed(1)} ms alone, ${quantile(beside, 0.99).toFixed(1)} ms beside a flood\n`,
    )
  }
  expect(ratio).toBeLessThan(1.5)
})
