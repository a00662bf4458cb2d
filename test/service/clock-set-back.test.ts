/** A clock that is set back, in a real PostgreSQL: what runs is still seen to run. */
import { afterAll, expect, test } from 'vitest'
import { slowRound } from '../../src/control/loops/scheduler.ts'
import { queueWorld } from '../support/queue-world.ts'

const { service, clock, buyer, queue, round, take, done, row, inOrder } = await queueWorld()
afterAll(() => service.close())
const BACK_MS = 50 * 60_000
const ids = (found: { execution_id: string }[]): string[] =>
  found.map((execution) => execution.execution_id).toSorted()

test('set back by 50 minutes, no job starts beside itself, and nothing where there is no room', async () => {
  const tenant = await buyer({ hours: 100, jobs: 3 })
  const [long, wide, other] = tenant.jobs
  const first = (await queue(tenant, long)) as string
  const filling = (await queue(tenant, wide, { cpuCores: 19, memoryGb: 38 })) as string
  await round()
  const claimed = await take()
  expect(ids(claimed)).toEqual([first, filling].toSorted())
  clock.ms -= BACK_MS
  // Slots of the past are free: by this clock the two that come now are booked for now.
  await slowRound(service.context)
  const [again, beside] = [(await queue(tenant, long)) as string, (await queue(tenant, other)) as string]
  await round()
  for (const execution of [await row(again), await row(beside)])
    expect([execution.status, (execution.booked_from as Date).getTime() <= clock.ms]).toEqual([
      'booked',
      true,
    ])
  expect(await take()).toEqual([])
  await inOrder()
  // When the first two have ended, the others start, by whatever clock.
  for (const claim of claimed) await done(claim)
  const after = await take()
  expect(ids(after)).toEqual([again, beside].toSorted())
  for (const claim of after) await done(claim)
  clock.ms += BACK_MS
  await inOrder()
})
