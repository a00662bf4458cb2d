/**
 * Durable admissions a second, with 5,000 tenants and 100,000 queued executions: fair order, a balance,
 * slots, ledger entries and an event for each, against a queue written by hand that has none of it. And
 * whether a decision costs more when more is queued.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../../src/host/postgres-server.ts'
import { SLOTS, ensureSlots, gridAt } from '../../src/state/capacity.ts'
import { openGate, type Gate } from '../../src/state/database.ts'
import { migrate } from '../../src/state/migrate.ts'
import { CYCLE_HEADS, runCycle } from '../../src/state/cycle.ts'
import { load, median, type BenchReport } from './measure.ts'
import { prepareHandSql, runHandSql } from './rivals/hand-sql.ts'
import type { BenchOptions } from './measure.ts'

const TENANTS = 5_000
const QUEUED = 100_000
/** Of those, so many are admitted in a run. */
const ADMITTED = 40_000
const CAPACITY = { cpuCores: 1_000_000, memoryGb: 2_000_000 }
export const ALL = { 'dedicated-cpu-ns': CAPACITY, 'vcpu-hours-ns': CAPACITY, 'draft-ingestion-ns': CAPACITY }

export async function benchAdmission({ pairs }: BenchOptions): Promise<BenchReport> {
  const before = load()
  const home = mkdtempSync(join(tmpdir(), 'headrace-bench-'))
  chmodSync(home, 0o755)
  const server = await startPostgres({ home })
  try {
    const at = (name: string): string => server.url.replace(/\/[^/]*$/, `/${name}`)
    await prepare(server.url, at('few'), 'few', 1_000)
    await prepare(server.url, at('many'), 'many', QUEUED)
    // A scheduler runs for weeks: its first seconds, in which V8 compiles it, are not its speed.
    await admit(server.url, at)
    const [ours, theirs]: [number[], number[]] = [[], []]
    for (let pair = 0; pair < pairs; pair += 1) {
      const turns = [
        async () => ours.push(ADMITTED / (await admit(server.url, at))),
        async () => {
          await prepareHandSql(server.url, QUEUED)
          theirs.push(ADMITTED / (await runHandSql(server.url, ADMITTED)))
        },
      ]
      for (const turn of pair % 2 === 0 ? turns : turns.toReversed()) await turn()
    }
    const [few, many] = [await decisionMs(server.url, at, 'few'), await decisionMs(server.url, at, 'many')]
    return {
      bench: 'admission',
      ratios: {
        'hand-sql': Number(median(ours.map((rate, i) => rate / theirs[i])).toFixed(2)),
        'decision-time-1000-queued': Number((few / many).toFixed(2)),
      },
      figures: {
        admissions_per_s: Math.round(median(ours)),
        hand_sql_per_s: Math.round(median(theirs)),
        decision_ms_of_200_at_1000_queued: Number(few.toFixed(1)),
        decision_ms_of_200_at_100000_queued: Number(many.toFixed(1)),
        tenants: TENANTS,
        queued: QUEUED,
      },
      load: [before, load()],
    }
  } finally {
    await server.stop()
    rmSync(home, { recursive: true, force: true })
  }
}

async function sqlOn(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}

export async function prepare(root: string, url: string, name: string, queued: number): Promise<void> {
  await sqlOn(root, `CREATE DATABASE ${name}`)
  await migrate(url)
  await sqlOn(
    url,
    `INSERT INTO tenants (tenant_id, tenant_name) SELECT ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'tenant ' || i FROM generate_series(1, ${TENANTS}) i`,
    'INSERT INTO tenant_shares (tenant_id, weight) SELECT tenant_id, 1 + random() * 9 FROM tenants',
    "INSERT INTO resource_purchases (tenant_id, resource_type, quantity, time_period, valid_from, valid_until) SELECT tenant_id, 'vcpu_hours', 1000, 'monthly', now() - interval '1 day', now() + interval '29 days' FROM tenants",
    'INSERT INTO ledger_lots (tenant_id, purchase_id, valid_from, valid_until, granted, available) SELECT tenant_id, purchase_id, valid_from, valid_until, 3600000000000, 3600000000000 FROM resource_purchases',
    "INSERT INTO ingestion_jobs (tenant_id, job_name, source_type, source_config, destination_config, resource_requirements, sla_requirements, status, namespace) SELECT tenant_id, 'job', 'files', '{}', '{}', '{}', '{}', 'active', 'vcpu-hours-ns' FROM tenants",
    // Ids grow with time, as the service makes them.
    `INSERT INTO job_executions (execution_id, job_id, tenant_id, namespace, scheduled_time, cpu_cores, memory_gb, estimated_minutes, fair_tag, deadline)
       SELECT ('019aac00-' || lpad(to_hex(i >> 16), 4, '0') || '-7' || lpad(to_hex((i >> 4) & 4095), 3, '0') || '-8' || lpad(to_hex(i & 15), 3, '0') || '-' || substr(md5(i::text), 1, 12))::uuid, j.job_id, j.tenant_id, 'vcpu-hours-ns', now() - interval '1 minute', 1 + (random() * 3)::int, 1 + (random() * 7)::int, 1 + (random() * 30)::int, (i / ${TENANTS}) * 40 / s.weight, now() + interval '1 day'
       FROM generate_series(1, ${queued}) i JOIN (SELECT job_id, tenant_id, row_number() OVER () AS n FROM ingestion_jobs) j ON j.n = 1 + i % ${TENANTS} JOIN tenant_shares s ON s.tenant_id = j.tenant_id`,
    "INSERT INTO queued_executions (execution_id, tenant_id, namespace, cpu_cores, memory_gb, estimated_minutes, preferred, deadline, fair_tag, warn_at) SELECT execution_id, tenant_id, namespace, cpu_cores, memory_gb, estimated_minutes, scheduled_time, deadline, fair_tag, deadline - interval '6 hours' FROM job_executions",
    'VACUUM ANALYZE',
  )
  const gate = await openGate(url)
  await gate.transact((tx) => ensureSlots(tx, ALL, gridAt(Date.now(), SLOTS)))
  await gate.close()
}

const cycle = (gate: Gate, heads: number) =>
  gate.transact((tx) =>
    runCycle(tx, { capacity: ALL, settings: SLOTS, now: new Date(), heads, spillover: true }),
  )

/** Seconds for the admissions of a run, on a copy of the prepared database. */
async function admit(root: string, at: (name: string) => string): Promise<number> {
  await sqlOn(root, 'DROP DATABASE IF EXISTS run', 'CREATE DATABASE run TEMPLATE many')
  const gate = await openGate(at('run'))
  const started = performance.now()
  for (let done = 0; done < ADMITTED;) done += (await cycle(gate, CYCLE_HEADS)).booked
  const seconds = (performance.now() - started) / 1000
  await gate.close()
  return seconds
}

/** Milliseconds of a decision about 200 executions, the median of five on a fresh copy. */
async function decisionMs(root: string, at: (name: string) => string, name: string): Promise<number> {
  await sqlOn(root, 'DROP DATABASE IF EXISTS run', `CREATE DATABASE run TEMPLATE ${name}`)
  const gate = await openGate(at('run'))
  const times: number[] = []
  for (let i = 0; i < 5; i += 1) {
    const started = performance.now()
    await cycle(gate, 200)
    times.push(performance.now() - started)
  }
  await gate.close()
  return median(times)
}
