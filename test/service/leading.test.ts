/**
 * Who leads the scheduling: one at a time, for as long as its round takes, and somebody else soon after it is
 * gone.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, test } from 'vitest'
import { startScheduler } from '../../src/control/loops/scheduler.ts'
import { holdLease } from '../../src/state/leases.ts'
import { testService } from '../support/service.ts'

test('a round that takes long keeps the lead; a leader that stops leaves it at once', async () => {
  const service = await testService()
  const { gate } = service.context
  const other = (): Promise<bigint | undefined> =>
    holdLease(gate.service, { name: 'scheduler', holder: 'other', leaseMs: 1 })
  const scheduler = startScheduler(service.context, () => undefined)
  await expect.poll(() => gate.service.selectFrom('leases').select('holder').execute()).toHaveLength(1)
  const blocker = new pg.Client({ connectionString: service.url })
  await blocker.connect()
  await blocker.query('BEGIN; LOCK TABLE queued_executions')
  const got = []
  for (let i = 0; i < 11; i += 1) {
    await sleep(500)
    got.push(await other())
  }
  expect(got.filter((generation) => generation !== undefined)).toEqual([])
  await blocker.query('ROLLBACK')
  await blocker.end()
  await scheduler.stop()
  expect(await other()).toBeDefined()
  await service.close()
})
