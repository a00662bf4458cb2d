/**
 * The database of the service loses its power, and the service is killed in the middle of requests: what was
 * acknowledged is there, and a request that is sent again with its key is the same request. A scheduler that
 * cannot read what is free books nothing.
 */
import { chmodSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import pg from 'pg'
import { startPostgres, type PostgresServer } from '../../src/host/postgres-server.ts'
import { freePort } from '../../src/host/jvm-servers.ts'
import { openService } from '../../src/control/open.ts'
import { slowRound, schedulerRound } from '../../src/control/loops/scheduler.ts'
import { enqueue } from '../../src/state/queue.ts'
import { booksOf, IN_ORDER } from '../support/books-of-capacity.ts'
import { createChance } from '../support/chance.ts'
import { loopDisk } from '../support/disk.ts'
import { JOB, openFolder, purchase, testService } from '../support/service.ts'
import { inHome, startServing } from '../support/serving.ts'
import { cliJson, killGroup, sleep } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

const CUTS = Number(process.env.HEADRACE_TEST_CONTROL_CUTS ?? 3)
const chance = createChance()
const PRINCIPAL = { name: 'test', role: 'operator', tenantId: undefined } as const

test(
  `${CUTS} power cuts under purchases: every one that was acknowledged is there, and the books add up`,
  async () => {
    const disk = loopDisk(1_024)
    // The server's user must get through to its data.
    for (const folder of [disk.path, dirname(disk.path)]) chmodSync(folder, 0o755)
    const acknowledged = new Set<string>()
    let server: PostgresServer | undefined
    let tenant = ''
    try {
      for (let cut = 0; cut <= CUTS; cut += 1) {
        server = await startPostgres({ home: disk.path })
        expect(server.folder.startsWith(disk.path)).toBe(true)
        const opened = await openService({
          databaseUrl: server.url,
          home: openFolder('headrace-control-'),
          version: 'test',
        })
        if (tenant === '')
          tenant = String((await opened.service.createTenant(PRINCIPAL, { tenant_name: 'acme' })).tenant_id)
        expect(await missing(server.url, acknowledged)).toEqual([])
        if (cut === CUTS) {
          expect(await booksOf(server.url)).toMatchObject(IN_ORDER)
          await opened.close()
          break
        }
        let buying = true
        const buyers = Array.from({ length: 8 }, async () => {
          while (buying) {
            const made = await opened.service
              .buy(PRINCIPAL, tenant, undefined, purchase('vcpu_hours', 1) as never)
              .catch(() => undefined)
            if (made !== undefined) acknowledged.add(String(made.body.purchase_id))
          }
        })
        await sleep(1_000 + chance() * 1_500)
        const before = acknowledged.size
        disk.stop()
        buying = false
        await server.kill()
        disk.remount()
        await Promise.all(buyers)
        await opened.close().catch(() => undefined)
        expect(before).toBeGreaterThan(50)
      }
      process.stderr.write(`${acknowledged.size} purchases were acknowledged\n`)
    } finally {
      await server?.kill()
      disk.remove()
    }
  },
  limitMs(240_000),
)

/** Acknowledged purchases that the database does not have. */
async function missing(url: string, acknowledged: Set<string>): Promise<string[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ purchase_id: string }>('SELECT purchase_id FROM resource_purchases')
  await client.end()
  const there = new Set(rows.map((row) => row.purchase_id))
  return [...acknowledged].filter((id) => !there.has(id))
}

test('a login of the database that is gone is set anew: the data stay', async () => {
  const home = openFolder('headrace-login-')
  const ask = async (url: string, sql: string): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query<Record<string, unknown>>(sql)
    await client.end()
    return rows
  }
  let server = await startPostgres({ home })
  await ask(server.url, "CREATE TABLE kept AS SELECT 'here' AS what")
  await server.stop()
  rmSync(`${server.folder}.login`)
  server = await startPostgres({ home })
  expect(await ask(server.url, 'SELECT what FROM kept')).toEqual([{ what: 'here' }])
  await server.stop()
})

test('100 identical purchases at once with one key, the service killed in the middle: one row, and one answer for all that were answered', async () => {
  const home = openFolder('headrace-home-')
  const where = inHome(home)
  const port = await freePort()
  let serving = await startServing(home, port)
  const { tenant_id: tenant } = await cliJson<{ tenant_id: string }>(where, ['tenants', 'add', 'acme'])
  const { token } = await cliJson<{ token: string }>(where, ['tenants', 'token', 'acme', '--as', 'owner'])
  const body = JSON.stringify(purchase('vcpu_hours', 5))
  const buy = async (key: string, retries: number): Promise<string | undefined> => {
    for (let i = 0; i <= retries; i += 1) {
      const answer = await fetch(`${serving.address}/tenants/${tenant}/purchases`, {
        method: 'POST',
        body,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
      }).catch(() => undefined)
      if (answer?.status === 201) return JSON.stringify(await answer.json())
      if (answer !== undefined && answer.status < 500)
        throw new Error(`${answer.status} ${await answer.text()}`)
      await sleep(100)
    }
    return undefined
  }
  for (let round = 0; round < 3; round += 1) {
    const key = `order-${round}`
    const first = Array.from({ length: 100 }, () => buy(key, 0))
    await sleep(chance() * 60)
    killGroup(serving)
    const answers = (await Promise.all(first)).filter((answer) => answer !== undefined)
    await serving.ended
    serving = await startServing(home, port)
    answers.push(
      ...(await Promise.all(Array.from({ length: 20 }, () => buy(key, 20)))).filter(
        (answer) => answer !== undefined,
      ),
    )
    expect(answers.length).toBeGreaterThanOrEqual(20)
    expect(new Set(answers).size).toBe(1)
  }
  const { items } = await cliJson<{ items: unknown[] }>(where, ['purchases', 'list'])
  expect(items).toHaveLength(3)
  serving.kill('SIGTERM')
  await serving.ended
})

test('a scheduler that cannot read what is free books nothing; when it can again, it has counted what is booked before it books more', async () => {
  const capacity = {
    'dedicated-cpu-ns': { cpuCores: 4, memoryGb: 8 },
    'vcpu-hours-ns': { cpuCores: 4, memoryGb: 8 },
    'draft-ingestion-ns': { cpuCores: 4, memoryGb: 8 },
  }
  const service = await testService({ capacity })
  const { id, owner } = await service.tenant('acme')
  await service.call('POST', `/tenants/${id}/purchases`, { token: owner, body: purchase('vcpu_hours', 100) })
  const jobs = await Promise.all(
    [0, 1].map(
      async (i) =>
        (
          await service.call<{ job_id: string }>('POST', `/tenants/${id}/jobs`, {
            token: owner,
            body: { ...JOB, job_name: `job ${i}`, schedule_cron: null },
          })
        ).body.job_id,
    ),
  )
  const queue = (jobId: string): Promise<string | undefined> =>
    service.context.gate.transact((tx) =>
      enqueue(tx, {
        jobId,
        tenantId: id,
        namespace: 'vcpu-hours-ns',
        cpuCores: 4,
        memoryGb: 4,
        estimatedMinutes: 60,
        priority: 'medium',
        preferred: new Date(),
        deadline: new Date(Date.now() + 86_400_000),
      }),
    )
  const row = async (executionId: string | undefined) =>
    service.context.gate.service
      .selectFrom('job_executions')
      .select(['status', 'booked_from', 'booked_until', 'reason'])
      .where('execution_id', '=', executionId as string)
      .executeTakeFirstOrThrow()
  const first = await queue(jobs[0])
  await schedulerRound(service.context)
  expect(await row(first)).toMatchObject({ status: 'booked' })
  await service.context.gate.service.deleteFrom('capacity_slots').execute()
  const second = await queue(jobs[1])
  await schedulerRound(service.context)
  expect(await row(second)).toMatchObject({ status: 'scheduled', reason: { code: 'no_capacity' } })
  await slowRound(service.context)
  await service.context.gate.service.updateTable('queued_executions').set({ ready: true }).execute()
  await schedulerRound(service.context)
  const [firstRow, secondRow] = [await row(first), await row(second)]
  expect(secondRow.status).toBe('booked')
  expect(secondRow.booked_from?.getTime()).toBeGreaterThanOrEqual(firstRow.booked_until?.getTime() as number)
  expect(await booksOf(service.url)).toMatchObject(IN_ORDER)
  await service.close()
})
