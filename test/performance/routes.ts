/**
 * Requests a second of list and read routes against a bare Fastify route with the same SQL under the same
 * role.
 */
import { Worker } from 'node:worker_threads'
import { createApi } from '../../src/api/server.ts'
import { openService } from '../../src/control/open.ts'
import { startPostgres } from '../../src/host/postgres-server.ts'
import { createToken } from '../../src/state/tenants.ts'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { load, median, type BenchReport } from './measure.ts'
import { startBare } from './rivals/bare-fastify.ts'
import type { BenchOptions } from './measure.ts'

const TENANT = '00000000-0000-4000-8000-000000000001'
const LOAD = { connections: 8, seconds: 3 }

/** What our routes select, for the bare ones. */
const JOB_COLUMNS = `
  job_id, tenant_id, job_name, source_type, source_config, destination_config, schedule_cron,
  resource_requirements, sla_requirements, status, namespace, created_at, version, next_run_at,
  failures_in_a_row, evaluation, continuous`
const EXECUTION_COLUMNS = `
  execution_id, job_id, tenant_id, scheduled_time, actual_start_time, actual_end_time, status,
  resource_used, sla_met, error_message, namespace, created_at, cpu_cores, memory_gb, estimated_minutes,
  deadline, reason, attempt, booked_from, booked_until, lender, progress, receipt`

const routesOf = (jobId: string): Record<string, { sql: string; values: string[] }> => ({
  [`/jobs/${jobId}`]: {
    sql: `
      SELECT ${JOB_COLUMNS}
      FROM ingestion_jobs
      WHERE tenant_id = $1
        AND job_id = $2
        AND status <> 'deleted'
    `,
    values: [TENANT, jobId],
  },
  '/jobs?limit=100': {
    sql: `
      SELECT ${JOB_COLUMNS}
      FROM ingestion_jobs
      WHERE tenant_id = $1
        AND status <> 'deleted'
      ORDER BY job_id
      LIMIT 100
    `,
    values: [TENANT],
  },
  '/executions?limit=100': {
    sql: `
      SELECT ${EXECUTION_COLUMNS}
      FROM job_executions
      WHERE tenant_id = $1
      ORDER BY created_at DESC, execution_id
      LIMIT 100
    `,
    values: [TENANT],
  },
})

export async function benchRoutes({ pairs }: BenchOptions): Promise<BenchReport> {
  const before = load()
  const home = mkdtempSync(join(tmpdir(), 'headrace-bench-'))
  chmodSync(home, 0o755)
  const server = await startPostgres({ home })
  const opened = await openService({ databaseUrl: server.url, home, version: 'bench' })
  try {
    const jobId = await seed(server.url)
    const { token } = await opened.context.gate.transact((tx) =>
      createToken(tx, { tenantId: TENANT, name: 'reader', role: 'viewer', actor: 'bench' }),
    )
    const api = await createApi({ ...opened, log: () => undefined })
    const routes = routesOf(jobId)
    const bare = await startBare(
      server.url,
      Object.fromEntries(Object.entries(routes).map(([path, route]) => [path.split('?')[0], route])),
      TENANT,
    )
    const [ours, theirs] = [
      `${await api.listen({ host: '127.0.0.1', port: 0 })}/api/v1/tenants/${TENANT}`,
      await bare.app.listen({ host: '127.0.0.1', port: 0 }),
    ]
    await opened.context.gate.service
      .updateTable('tenants')
      .set({ policy: JSON.stringify({ requests_per_minute: 10_000_000 }) })
      .execute()
    const report: BenchReport = { bench: 'routes', ratios: {}, figures: {}, load: [before, 0] }
    for (const path of Object.keys(routes)) {
      const name = path.replace(jobId, 'ID').replace(/\?.*/, '')
      const urls = { ours: `${ours}${path}`, theirs: `${theirs}${path}` }
      const { ratios, rate } = await alternately(pairs, urls, token)
      report.ratios[`bare-fastify ${name}`] = Number(median(ratios).toFixed(2))
      report.figures[`requests_per_s ${name}`] = Math.round(rate)
    }
    await api.close()
    await bare.close()
    return { ...report, load: [before, load()] }
  } finally {
    await opened.close()
    await server.stop()
    rmSync(home, { recursive: true, force: true })
  }
}

/** Both in turn, each first every second time: the ratios of their answers, and our last rate. */
async function alternately(
  pairs: number,
  urls: { ours: string; theirs: string },
  token: string,
): Promise<{ ratios: number[]; rate: number }> {
  const ratios: number[] = []
  let rate = 0
  for (let pair = 0; pair < pairs; pair += 1) {
    const turn = { ours: 0, theirs: 0 }
    for (const who of pair % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const))
      turn[who] = await answersOf(urls[who], token)
    ratios.push(turn.ours / turn.theirs)
    rate = turn.ours / LOAD.seconds
  }
  return { ratios, rate }
}

async function answersOf(url: string, token: string): Promise<number> {
  const worker = new Worker(new URL('./request-load.ts', import.meta.url), {
    workerData: { url, token, ...LOAD },
  })
  return new Promise((done, failed) => worker.once('message', done).once('error', failed))
}

/** A tenant with 500 jobs and 20,000 executions among 100 tenants. */
async function seed(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`
    INSERT INTO tenants (tenant_id, tenant_name)
    SELECT ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'tenant ' || i
    FROM generate_series(1, 100) i
  `)
  await client.query(`
    INSERT INTO ingestion_jobs (tenant_id, job_name, source_type, source_config, destination_config,
      resource_requirements, sla_requirements, status, namespace)
    SELECT tenant_id, 'job ' || i, 'files', '{"path": "in/*.csv", "format": "csv"}',
      '{"type": "local", "path": "out"}',
      '{"cpu_cores": 2, "memory_gb": 4, "estimated_runtime_minutes": 10}', '{}', 'active', 'vcpu-hours-ns'
    FROM tenants, generate_series(1, 500) i
    WHERE tenant_name = 'tenant 1' OR i < 20
  `)
  await client.query(`
    INSERT INTO job_executions (job_id, tenant_id, namespace, scheduled_time, cpu_cores, memory_gb,
      estimated_minutes, fair_tag, deadline, status, resource_used, receipt, actual_start_time,
      actual_end_time, sla_met, created_at)
    SELECT job_id, tenant_id, namespace, now(), 2, 4, 10, 0, now() + interval '1 day', 'succeeded',
      '{"cpu_seconds": 12.5, "memory_gb_seconds": 30, "vcpu_hours": 0.003}',
      '{"rows": 1000, "rejected": 0, "output": ["out/x.parquet"]}', now(), now(), true,
      now() - i * interval '1 minute'
    FROM ingestion_jobs, generate_series(1, 40) i
  `)
  await client.query('VACUUM ANALYZE')
  const { rows } = await client.query<{ job_id: string }>(
    'SELECT job_id FROM ingestion_jobs WHERE tenant_id = $1 LIMIT 1',
    [TENANT],
  )
  await client.end()
  return rows[0].job_id
}
