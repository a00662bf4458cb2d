/**
 * A Kafka topic as a job of the service: drafted, promoted, run all the time, paid a slot at a time, stopped
 * and taken up again.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { vcpuHours } from '../../src/core/service/amounts.ts'
import type { Broker } from '../../src/host/kafka-broker.ts'
import { startRunner } from '../../src/control/loops/runner.ts'
import { startScheduler, type Loop } from '../../src/control/loops/scheduler.ts'
import { booksOf, IN_ORDER } from '../support/books-of-capacity.ts'
import { purchase, testService, type TestService } from '../support/service.ts'
import { PERFECT, broker, deltalake, place, produce, until, verdict, type Place } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

interface Execution {
  execution_id: string
  status: string
  attempt: number
  receipt: { rows: number; published_rows: number; sample_share?: number } | null
  progress: { rows: number } | null
  reason: { code: string } | null
  resource_used: { vcpu_hours: number } | null
}

let kafka: Broker
let where: Place
let service: TestService
let tenant: Awaited<ReturnType<TestService['tenant']>>
let loops: Loop[] = []
const log = (event: unknown): void => void process.stderr.write(`${JSON.stringify(event)}\n`)
const startLoops = (): void =>
  void (loops = [startScheduler(service.context, log), startRunner(service.context, log)])
const stopLoops = async (): Promise<void> => {
  for (const loop of loops.toReversed()) await loop.stop()
}

beforeAll(async () => {
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1,localhost'
  kafka = await broker()
  where = place(kafka.address)
  // A slot is a minute, and the next one is held two seconds after the first began.
  service = await testService({ slots: { slotMinutes: 1, horizonHours: 2, rollAheadMs: 58_000 } })
  tenant = await service.tenant('acme')
  await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    token: tenant.owner,
    body: purchase('vcpu_hours', 10),
  })
  await produce(where, 2_000)
  startLoops()
})

afterAll(async () => {
  await stopLoops()
  delete process.env.HEADRACE_ALLOW_HOSTS
  await service.close()
})

const declaration = (): string =>
  readFileSync(where.declaration, 'utf8').replace('localhost:9092', kafka.address)
const job = (name: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  job_name: name,
  source_type: 'kafka',
  source_config: { declaration: declaration(), sample_messages: 500 },
  destination_config: { type: 'zones' },
  resource_requirements: { cpu_cores: 1, memory_gb: 2, estimated_runtime_minutes: 1 },
  sla_requirements: { max_freshness_seconds: 3_600 },
  ...more,
})
const at = (path: string): string => `/tenants/${tenant.id}/${path}`
const executions = async (jobId: string, status?: string): Promise<Execution[]> =>
  (
    await service.call<{ items: Execution[] }>(
      'GET',
      at(`executions?limit=50&job_id=${jobId}${status === undefined ? '' : `&status=${status}`}`),
      { token: tenant.viewer },
    )
  ).body.items
const ended = async (id: string): Promise<Execution> =>
  until(
    `the end of ${id}`,
    async () => {
      const { body } = await service.call<Execution>('GET', at(`executions/${id}`), { token: tenant.viewer })
      return ['scheduled', 'booked', 'running'].includes(body.status) ? undefined : body
    },
    90_000,
  )
const tables = (zone: string): string =>
  join(service.context.home, 'tenants', tenant.id, 'tables', 'books', zone)
/** The tenant's tables against what the producer's journal says was acknowledged. */
const judged = (): ReturnType<typeof verdict> => verdict({ ...where, raw: tables('raw') })
const promoteByHand = (jobId: string): Promise<unknown> =>
  service.context.gate.service
    .updateTable('ingestion_jobs')
    .set({ status: 'active', namespace: 'vcpu-hours-ns' })
    .where('job_id', '=', jobId)
    .execute()
const streaming = (jobId: string, rows: number): Promise<Execution> =>
  until(
    `${rows} rows of the stream`,
    async () =>
      (await executions(jobId, 'running')).find((execution) => (execution.progress?.rows ?? 0) >= rows),
    90_000,
  )

test('a draft reads a sample into a scratch zone; a scheduled run takes all that is there and publishes it; twice is once', async () => {
  const made = await service.call<{ job_id: string; continuous: boolean }>('POST', at('jobs'), {
    token: tenant.editor,
    body: job('hourly', { schedule_cron: '0 3 1 1 *' }),
  })
  expect(made).toMatchObject({ status: 201, body: { continuous: false } })
  const run = async (): Promise<Execution> =>
    ended(
      (
        await service.call<{ execution_id: string }>('POST', at(`jobs/${made.body.job_id}/run`), {
          token: tenant.editor,
        })
      ).body.execution_id,
    )
  const draft = await run()
  expect(draft).toMatchObject({ status: 'succeeded', receipt: { published_rows: 0 } })
  expect(draft.receipt?.sample_share).toBeGreaterThan(0)
  await promoteByHand(made.body.job_id)
  const first = await run()
  expect(first, JSON.stringify(first)).toMatchObject({ status: 'succeeded' })
  const raw = await judged()
  expect(raw).toMatchObject(PERFECT)
  expect(first.receipt?.rows).toBe(raw.rows)
  expect(first.receipt?.published_rows).toBeGreaterThan(raw.rows / 2)
  expect((await run()).receipt).toMatchObject({ rows: 0, published_rows: 0 })
  expect(await judged()).toEqual(raw)
  await service.call('DELETE', at(`jobs/${made.body.job_id}`), { token: tenant.editor })
})

/** Rows that the tenant's batches have published. */
async function published(): Promise<number> {
  const read = deltalake<{ rows: number }>(tables('processed'), "print(json.dumps({'rows': t.num_rows}))")
  return (await read.catch(() => ({ rows: 0 }))).rows
}

/** That use is settled while it runs, and that the API says what the ledger has. */
async function expectPaidWhileItRuns(executionId: string): Promise<void> {
  const lines = await until('use that was settled while it runs', async () => {
    const rows = await service.context.gate.service
      .selectFrom('resource_consumption')
      .select(['charged_microseconds'])
      .where('execution_id', '=', executionId)
      .execute()
    return rows.length > 0 ? rows : undefined
  })
  expect(lines[0].charged_microseconds).toBeGreaterThan(0n)
  // What is said is what the ledger has, before or after it moves on; what rounding leaves over counts as
  // consumed.
  const consumed = async (): Promise<bigint> =>
    (
      await service.context.gate.service
        .selectFrom('ledger_lots')
        .select('consumed')
        .where('tenant_id', '=', tenant.id)
        .executeTakeFirstOrThrow()
    ).consumed
  const least = await consumed()
  expect(least).toBeGreaterThanOrEqual(lines[0].charged_microseconds)
  const reported = (
    await service.call<{ current_period: { vcpu_hours: { consumed: number } } }>('GET', at('usage'), {
      token: tenant.viewer,
    })
  ).body.current_period.vcpu_hours.consumed
  expect(reported).toBeGreaterThanOrEqual(vcpuHours(least))
  expect(reported).toBeLessThan(vcpuHours(await consumed()) + 4e-6)
}

/** What was bought is taken away: nothing can be held, so it ends after a commit, and the next one waits. */
async function expectStoppedWithoutBalance(jobId: string): Promise<void> {
  const last = await until('it runs', async () => (await executions(jobId, 'running'))[0])
  const { items } = (
    await service.call<{ items: { purchase_id: string }[] }>('GET', at('purchases'), { token: tenant.owner })
  ).body
  await service.call('POST', at(`purchases/${items[0].purchase_id}/cancel`), { token: tenant.owner })
  expect(await ended(last.execution_id)).toMatchObject({
    status: 'failed',
    reason: { code: 'hold_exhausted' },
  })
  await until('one that waits', async () =>
    (await executions(jobId, 'scheduled')).some((waiting) => waiting.reason?.code === 'no_balance')
      ? true
      : undefined,
  )
}

test(
  'without a schedule it runs all the time: paid a slot at a time, paused after a commit, taken up where it was, stopped when nothing is left',
  async () => {
    const { job_id: id } = (
      await service.call<{ job_id: string }>('POST', at('jobs'), {
        token: tenant.editor,
        body: job('always', {
          source_config: { declaration: declaration().replace(/schedule: .*/, 'schedule: "*/5 * * * * *"') },
        }),
      })
    ).body
    const act = (what: string): ReturnType<TestService['call']> =>
      service.call('POST', at(`jobs/${id}/${what}`), { token: tenant.editor })
    await promoteByHand(id)
    const before = await published()
    await produce(where, 1_000)
    const execution = await streaming(id, 1)
    expect((await act('run')).body).toMatchObject({ code: 'job_state' })
    await expectPaidWhileItRuns(execution.execution_id)
    await until('a batch beside the stream', async () => ((await published()) > before ? true : undefined))
    await act('pause')
    expect(await ended(execution.execution_id)).toMatchObject({ status: 'cancelled', sla_met: true })
    expect(await judged()).toMatchObject(PERFECT)
    await produce(where, 1_000)
    await act('resume')
    await streaming(id, 1)
    // The service ends in the middle: the stream is given back, and goes on with the next runner.
    await stopLoops()
    startLoops()
    await produce(where, 1_000)
    const again = await streaming(id, 1)
    expect(again.attempt).toBe(2)
    await until('the rows of all messages', async () => ((await judged()).lost === 0 ? true : undefined))
    expect(await judged()).toMatchObject(PERFECT)
    // It begins again, so that nothing is held for long when the balance goes.
    await act('pause')
    await ended(again.execution_id)
    await act('resume')
    await expectStoppedWithoutBalance(id)
    await service.call('POST', at(`purchases`), { token: tenant.owner, body: purchase('vcpu_hours', 1) })
    await until('it runs again', async () =>
      (await executions(id, 'running')).length > 0 ? true : undefined,
    )
    await service.call('DELETE', at(`jobs/${id}`), { token: tenant.editor })
    await until('its end', async () => ((await executions(id, 'running')).length === 0 ? true : undefined))
    expect(await booksOf(service.url)).toMatchObject(IN_ORDER)
  },
  limitMs(200_000),
)

test('what may not be is refused before it runs: a broker that is denied, zones elsewhere, Spark, a login without a secret', async () => {
  const create = async (edit: (text: string) => string): Promise<{ code: string; job_id: string }> =>
    (
      await service.call<{ code: string; job_id: string }>('POST', at('jobs'), {
        token: tenant.editor,
        body: job('refused', { source_config: { declaration: edit(declaration()) } }),
      })
    ).body
  expect(await create((text) => `${text}\nraw: { path: "s3://elsewhere/raw" }\n`)).toMatchObject({
    code: 'not_supported',
  })
  expect(await create((text) => `${text}\nengine: spark\n`)).toMatchObject({ code: 'not_supported' })
  expect(
    await create((text) =>
      text.replace(
        'start: earliest',
        'start: earliest\n    sasl: { mechanism: PLAIN, username: me, password_file: /etc/passwd }',
      ),
    ),
  ).toMatchObject({ code: 'setting_missing' })
  expect(await create((text) => text.replace('dataset: books', 'dataset: Books!'))).toMatchObject({
    code: 'dataset_invalid',
  })
  const denied = await create((text) => text.replace(kafka.address, '169.254.169.254:9092'))
  await service.call('POST', at('purchases'), { token: tenant.owner, body: purchase('vcpu_hours', 1) })
  const { execution_id } = (
    await service.call<{ execution_id: string }>('POST', at(`jobs/${denied.job_id}/run`), {
      token: tenant.editor,
    })
  ).body
  expect(await ended(execution_id)).toMatchObject({ status: 'failed', reason: { code: 'address_denied' } })
  const outside = await create((text) => `${text}\nraw: { path: /etc/headrace }\n`)
  expect(outside).toMatchObject({ code: 'name_taken' })
})
