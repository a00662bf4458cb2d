/** Estimates over the API and the CLI: who answers and why, and how right that was before. */
import { Command } from 'commander'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient } from '../../src/cli/api-client.ts'
import { addEstimates } from '../../src/cli/estimates.ts'
import type { Output } from '../../src/cli/output.ts'
import type { Estimation, TrackRecord } from '../../src/control/schemas/estimation.ts'
import { JOB, testService, type TestService } from '../support/service.ts'

type Tenant = Awaited<ReturnType<TestService['tenant']>>

let service: TestService
let history: Tenant
beforeAll(async () => {
  service = await testService()
  history = await service.tenant('history')
  process.env.HEADRACE_URL = await service.api.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  delete process.env.HEADRACE_URL
  delete process.env.HEADRACE_TOKEN
  await service.close()
})

test('the estimation example of the sources', async () => {
  const tenant = await service.tenant('estimates')
  const answer = await service.call('POST', '/estimation/calculate', {
    token: tenant.viewer,
    body: {
      source_type: 'postgres',
      source_config: {},
      data_volume_gb: 100,
      transformation_complexity: 'medium',
    },
  })
  expect(answer.body).toMatchObject({
    estimated_resources: { cpu_cores: 12, memory_gb: 24, runtime_minutes: 210 },
    confidence_level: 0.6,
    recommended_units: { dedicated_units: 4, vcpu_hours: 42 },
    explanation: { bare_dedicated_units: 3 },
  })
  expect(
    await service.call('POST', '/estimation/calculate', {
      token: tenant.viewer,
      body: { source_type: 'oracle' },
    }),
  ).toMatchObject({ status: 422, body: { code: 'source_type_unknown' } })
})

/** 60 runs of a job that reads from a host, of 1 to 20 GB, each as long as its bytes say. */
async function addHistory(tenant: Tenant, host: string, minutesPerGb: number): Promise<void> {
  const { body: job } = await service.call<{ job_id: string }>('POST', `/tenants/${tenant.id}/jobs`, {
    token: tenant.editor,
    body: {
      ...JOB,
      job_name: `from ${host}`,
      source_type: 'mysql',
      source_config: { host, database: 'd', table: 't' },
      schedule_cron: null,
    },
  })
  const runs = Array.from({ length: 60 }, (_, i) => {
    const gb = 1 + (i % 20)
    const start = new Date(Date.UTC(2026, 0, 1, 0, i))
    return {
      job_id: job.job_id,
      tenant_id: tenant.id,
      namespace: 'vcpu-hours-ns',
      scheduled_time: start,
      actual_start_time: start,
      actual_end_time: new Date(start.getTime() + gb * minutesPerGb * 60_000),
      status: 'succeeded',
      resource_used: JSON.stringify({ cpu_seconds: gb * 30 }),
      sla_met: true,
      error_message: null,
      cpu_cores: 1,
      memory_gb: 2,
      estimated_minutes: 10,
      fair_tag: 0,
      deadline: start,
      reason: null,
      booked_from: null,
      booked_until: null,
      lender: null,
      unit_owner: null,
      runner: null,
      lease_until: null,
      progress: null,
      receipt: JSON.stringify({ bytes_read: gb * 1e9, startup_seconds: 0.1, peak_memory_mib: 900 }),
      tick: null,
    } as const
  })
  await service.context.gate.service.insertInto('job_executions').values(runs).execute()
}

/** The estimate of a MySQL job, for 10 GB, of the source at a host if one is given. */
async function estimateFor(
  token: string,
  { host, gb = 10, on = service }: { host?: string; gb?: number; on?: TestService } = {},
): Promise<Estimation> {
  const source = host === undefined ? {} : { source_config: { host, database: 'd', table: 't' } }
  const { body } = await on.call<Estimation>('POST', '/estimation/calculate', {
    token,
    body: { source_type: 'mysql', ...source, data_volume_gb: gb },
  })
  return body
}

async function recordFor(token: string): Promise<TrackRecord> {
  const { body } = await service.call<{ items: TrackRecord[] }>(
    'GET',
    '/estimation/track-record?source_type=mysql',
    { token },
  )
  return body.items[0]
}

test('with 60 runs of its own a tenant is answered by its model, with an interval and how often it was right', async () => {
  await addHistory(history, 'h', 0.5)
  const estimate = await estimateFor(history.viewer)
  const { explanation, estimated_resources: resources } = estimate
  expect(explanation.by).toBe('model')
  expect(resources.runtime_minutes).toBeGreaterThanOrEqual(5)
  expect(resources.runtime_minutes).toBeLessThanOrEqual(7)
  expect(resources.memory_gb).toBe(2)
  expect(explanation.runtime_minutes_80_percent?.low).toBeLessThanOrEqual(5.5)
  expect(estimate.confidence_level).toBeGreaterThan(0.5)
  expect(explanation.track_record?.runs).toBeGreaterThan(20)
  expect(explanation.track_record?.median_factor_error).toBeLessThan(1.2)
  expect(explanation.track_record?.rule_median_factor_error).toBeGreaterThan(3)
  const small = await estimateFor(history.viewer, { gb: 1 })
  expect(small.estimated_resources.runtime_minutes).toBe(5)
  expect(small.explanation.runtime_minutes_80_percent?.high).toBeLessThan(5)
})

test('what it has not seen the rule answers, and says so; others have nothing of its runs', async () => {
  const huge = await estimateFor(history.viewer, { gb: 10_000 })
  expect(huge).toMatchObject({
    estimated_resources: { cpu_cores: 1_002, memory_gb: 2_004, runtime_minutes: 20_010 },
    confidence_level: 0.6,
    explanation: { by: 'rule', reason: { code: 'volume_not_seen', seen_from_gb: 1, seen_to_gb: 20 } },
  })
  const stranger = await service.tenant('stranger')
  const { explanation, estimated_resources: resources } = await estimateFor(stranger.viewer, { host: 'h' })
  expect(resources.runtime_minutes).toBe(30)
  expect(explanation).toMatchObject({ by: 'rule', reason: { code: 'too_few_runs', runs: 0, needed: 50 } })
  expect(explanation.similar_runs).toBeUndefined()
  expect(explanation.track_record).toBeUndefined()
  const { text } = await service.context.metrics.text()
  expect(text).toContain('headrace_estimates_total{source="mysql",by="rule",reason="volume_not_seen"} 1')
})

test('its track record: its own runs one by one, of the installation only sums, and those only among three', async () => {
  const own = await recordFor(history.viewer)
  expect(own).toMatchObject({ source_type: 'mysql', runs: 60, needed_runs: 50, installation: null })
  expect(own.own?.predictions.runs).toBe(60)
  expect(own.own?.by_volume.map((decade) => [decade.from_gb, decade.answered_by])).toEqual([
    [1, 'model'],
    [10, 'model'],
  ])
  // Booked: 10 minutes; taken: 0.5 to 10.
  expect(own.own?.booked).toEqual({ runs: 60, median_of_booked_percent: 52.5, within_booked_percent: 100 })
  expect(own.own?.newest).toHaveLength(20)
  expect(own.own?.newest[0]).toMatchObject({ data_volume_gb: 20, actual_minutes: 10, rule_minutes: 50 })
  const operator = await recordFor(service.operator)
  expect(operator).toMatchObject({ own: null, installation: { tenants: 1, learned_runs: 60 } })
  expect(JSON.stringify(operator)).not.toContain(own.own?.newest[0].execution_id)
  const stranger = await service.tenant('curious')
  expect(await recordFor(stranger.viewer)).toMatchObject({ runs: 0, own: null, installation: null })
  const { body } = await service.call<{ items: TrackRecord[] }>('GET', '/estimation/track-record', {
    token: history.viewer,
  })
  expect(body.items.map((item) => item.source_type)).toEqual(['mysql'])
})

test('runs of the same source count more than those of another: the slow one takes four times as long', async () => {
  await addHistory(history, 'slow', 2)
  // The model of before answers until the new one is there.
  await expect
    .poll(
      async () => (await estimateFor(history.viewer, { host: 'slow' })).estimated_resources.runtime_minutes,
    )
    .toBeGreaterThanOrEqual(15)
  const [fast, slow] = [
    await estimateFor(history.viewer, { host: 'h' }),
    await estimateFor(history.viewer, { host: 'slow' }),
  ]
  expect([fast.explanation.similar_runs, slow.explanation.similar_runs]).toEqual([50, 50])
  expect(fast.estimated_resources.runtime_minutes).toBeLessThanOrEqual(8)
})

test('the CLI shows an estimate and a track record, as tables and as JSON', async () => {
  process.env.HEADRACE_TOKEN = history.viewer
  const shown: unknown[] = []
  const ask = async (format: Output['format'], ...args: string[]): Promise<unknown[]> => {
    shown.length = 0
    const show = (value: unknown): void => void shown.push(value)
    const program = new Command()
    addEstimates(program, createClient(), () => ({ format, object: show, rows: show }) as unknown as Output)
    await program.parseAsync(['estimate', ...args], { from: 'user' })
    return shown
  }
  expect(await ask('table', '--source', 'mysql', '--gb', '10000')).toMatchObject([
    { explanation: { by: 'rule', reason: { code: 'volume_not_seen' } } },
  ])
  const [summary, volumes, newest] = await ask('table', '--source', 'mysql', '--track-record')
  expect(summary).toMatchObject([{ whose: 'own', runs: 120, within_booked_percent: expect.any(Number) }])
  expect(volumes).toHaveLength(2)
  expect(newest).toHaveLength(20)
  expect(await ask('json', '--source', 'mysql', '--track-record')).toMatchObject([
    { items: [{ own: { learned_runs: 120 } }] },
  ])
  expect(await ask('table', '--source', 'kafka', '--track-record')).toEqual([[]])
})

test('runs of a hostile tenant, fast or slow, change no answer of a tenant with a model, and nothing of its range', async () => {
  const ask = (on: TestService): Promise<Estimation[]> =>
    Promise.all([0.001, 1, 10, 19, 25, 10_000].map((gb) => estimateFor(history.viewer, { gb, on })))
  const before = await ask(service)
  const hostile = await service.tenant('hostile')
  await addHistory(hostile, 'h', 0.001)
  await addHistory(hostile, 'slow', 1_000)
  // Another process on the same database learns anew.
  const other = await testService({ url: service.url })
  expect(await ask(other)).toEqual(before)
  expect((await estimateFor(hostile.viewer, { on: other })).explanation.by).toBe('model')
  await other.close()
})

test("a tenant without runs is told the rule with what many tenants' runs correct in it; of the suspended nothing counts", async () => {
  await sql`
    WITH made AS (
      INSERT INTO tenants (tenant_name, status)
      SELECT 'many ' || i, CASE WHEN i > 12 THEN 'suspended' ELSE 'active' END
      FROM generate_series(1, 15) i
      RETURNING tenant_id
    ), jobs AS (
      INSERT INTO ingestion_jobs (
        tenant_id, job_name, source_type, source_config, destination_config, resource_requirements,
        sla_requirements
      )
      SELECT tenant_id, 'objects', 's3', '{}', '{}', '{}', '{}'
      FROM made
      RETURNING job_id, tenant_id
    )
    INSERT INTO job_executions (
      job_id, tenant_id, namespace, status, scheduled_time, deadline, actual_start_time, actual_end_time,
      cpu_cores, memory_gb, estimated_minutes, fair_tag, resource_used, receipt
    )
    SELECT
      job_id, tenant_id, 'vcpu-hours-ns', 'succeeded', now(), now(), now() - interval '6 minutes',
      now() - interval '1 minute', 1, 2, 10, 0, '{"cpu_seconds": 60}', '{"bytes_read": 10000000000}'
    FROM jobs, generate_series(1, 25)
  `.execute(service.context.gate.service)
  const asked = { source_type: 's3', data_volume_gb: 10 }
  const stranger = await service.tenant('new')
  const { body } = await service.call<Estimation>('POST', '/estimation/calculate', {
    token: stranger.viewer,
    body: asked,
  })
  // The rule says 25 minutes, all of them took 5; nine and a half votes move it by 1.1 to the half of that.
  const factor = 1.1 ** (-9.5 / 2)
  expect(body.explanation).toMatchObject({ by: 'rule', rule_correction: { other_tenants: 12 } })
  expect(body.explanation.rule_correction?.factor).toBeCloseTo(factor, 2)
  expect(body.estimated_resources.runtime_minutes).toBe(Math.ceil(25 * factor))
  // An operator is told by a model of all of them, and every tenant sees how right that is.
  const { body: all } = await service.call<Estimation>('POST', '/estimation/calculate', { body: asked })
  expect(all.explanation).toMatchObject({ by: 'model', expected_runtime_minutes: 5 })
  const { body: records } = await service.call<{ items: TrackRecord[] }>(
    'GET',
    '/estimation/track-record?source_type=s3',
    {
      token: stranger.viewer,
    },
  )
  expect(records.items[0].installation).toMatchObject({
    tenants: 12,
    predictions: { median_factor_error: 1 },
  })
})
