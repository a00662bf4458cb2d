/** A stream pays slot by slot: what it used is settled, the next slot is held, and nothing is entered twice. */
import { afterAll, expect, test } from 'vitest'
import { estimateOf } from '../../src/core/service/amounts.ts'
import { failure } from '../../src/core/errors.ts'
import {
  NOTHING_MEASURED,
  unentered,
  type Rolling,
  type Running,
} from '../../src/control/loops/running-execution.ts'
import { settleRoll } from '../../src/control/loops/stream-slots.ts'
import { roll } from '../../src/state/runs/longer-holds.ts'
import { queueWorld } from '../support/queue-world.ts'

const { service, clock, now, buyer, queue, round, take, done, row, inOrder } = await queueWorld()
afterAll(() => service.close())

test('a stream rolls: use is settled, the next slot held; a roll that is told twice is one; the end enters what came after', async () => {
  const tenant = await buyer({ hours: 10 })
  const id = (await queue(tenant, tenant.jobs[0], { cpuCores: 4, minutes: 15 })) as string
  await round()
  const [claimed] = (await take()).filter((claim) => claim.execution_id === id)
  const rolling = (cpuMicros: bigint, last: Date | null): Promise<Awaited<ReturnType<typeof roll>>> =>
    service.context.gate.transact((tx) =>
      roll(tx, {
        executionId: id,
        generation: claimed.generation,
        used: { cpuMicros, memoryGbSeconds: 5n, bookedMicros: cpuMicros },
        ahead: estimateOf(4, 15),
        last,
        now: now(),
      }),
    )
  clock.ms += 840_000
  const first = await rolling(100_000_000n, null)
  expect(first).toMatchObject({ held: estimateOf(4, 15), at: now() })
  clock.ms += 1_000
  // The answer was lost: the same is said again, and is entered once.
  expect(await rolling(100_000_000n, null)).toMatchObject({ held: estimateOf(4, 15), at: first?.at })
  clock.ms += 900_000
  await rolling(50_000_000n, first?.at ?? null)
  clock.ms += 60_000
  await done(claimed, 7_000_000n)
  const lines = await service.context.gate.service
    .selectFrom('resource_consumption')
    .select(['cpu_microseconds', 'memory_gb_seconds'])
    .where('execution_id', '=', id)
    .orderBy('start_time')
    .execute()
  expect(lines.map((line) => line.cpu_microseconds)).toEqual([100_000_000n, 50_000_000n, 7_000_000n])
  expect((await row(id)).resource_used).toMatchObject({ cpu_seconds: 157 })
  const { current_period: period } = (
    await service.call<{ current_period: { vcpu_hours: { consumed: number } } }>(
      'GET',
      `/tenants/${tenant.id}/usage`,
    )
  ).body
  expect(period.vcpu_hours.consumed).toBeCloseTo(157 / 3_600, 2)
  await inOrder()
})

test('a stream ends while the answer to a roll is lost: what that roll entered is known first, and entered once', async () => {
  const tenant = await buyer({ hours: 10 })
  const id = (await queue(tenant, tenant.jobs[0], { cpuCores: 4, minutes: 15 })) as string
  await round()
  const [claimed] = (await take()).filter((claim) => claim.execution_id === id)
  const { gate } = service.context
  const transact = gate.transact.bind(gate)
  const losing = {
    ...service.context,
    gate: {
      ...gate,
      transact: (async (work: never) => {
        await transact(work)
        throw failure('database_unreachable', { address: 'here', reason: 'the answer is lost' })
      }) as typeof gate.transact,
    },
  }
  const rolling: Rolling = {
    atMs: 0,
    ahead: estimateOf(4, 15),
    entered: NOTHING_MEASURED,
    last: null,
    entry: {
      name: 'unanswered',
      use: {
        used: { cpuMicros: 100_000_000n, memoryGbSeconds: 5n, bookedMicros: 100_000_000n },
        measured: { cpuMicros: 100_000_000n, memoryByteMs: 5_000 * 1024 ** 3, bookedMicros: 100_000_000n },
      },
    },
  }
  const running = {
    claimed,
    cpuMicros: 103_000_000n,
    memoryByteMs: 6_000 * 1024 ** 3,
    startedMs: 0,
    endedMs: 25_100,
    rolling,
    held: estimateOf(4, 15),
    limits: { overage: 'stop' },
    state: { name: 'running' },
  } as unknown as Running
  clock.ms += 600_000
  await expect(settleRoll(losing, running, rolling)).rejects.toMatchObject({ code: 'database_unreachable' })
  await settleRoll(service.context, running, rolling)
  // Four cores for 26 seconds, of which 100 s were entered.
  expect(unentered(running)).toEqual({
    cpuMicros: 3_000_000n,
    memoryGbSeconds: 1n,
    bookedMicros: 4_000_000n,
  })
  await done(claimed, unentered(running).cpuMicros)
  expect((await row(id)).resource_used).toMatchObject({ cpu_seconds: 103 })
  await inOrder()
})
