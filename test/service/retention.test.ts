/** What is kept and for how long: old logs and events go, and nothing else. */
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { settingsFrom } from '../../src/core/setting-values.ts'
import { dropOldEvents } from '../../src/state/events.ts'
import { openFolder, run, testService, type TestService } from '../support/service.ts'
import { retentionOf } from '../../src/control/retention.ts'
import { dropOldLogs } from '../../src/control/execution-logs.ts'

const DAY_MS = 86_400_000
let service: TestService
beforeAll(async () => {
  service = await testService()
})
afterAll(() => service.close())

test('logs without a line for 30 days go, younger ones stay', async () => {
  const home = openFolder('headrace-logs-')
  const now = Date.now()
  mkdirSync(join(home, 'executions'))
  for (const [name, days] of [
    ['old', 31],
    ['young', 29],
    ['now', 0],
  ] as const) {
    const path = join(home, 'executions', `${name}.log`)
    writeFileSync(path, 'x')
    utimesSync(path, new Date(now), new Date(now - days * DAY_MS))
  }
  expect(await dropOldLogs(home, retentionOf(settingsFrom({})), now)).toBe(1)
  expect(readdirSync(join(home, 'executions')).toSorted()).toEqual(['now.log', 'young.log'])
  expect(await dropOldLogs(openFolder('headrace-empty-'), retentionOf(settingsFrom({})), now)).toBe(0)
})

test('the oldest events go a part at a time, the others keep their numbers', async () => {
  await run(
    service.url,
    "INSERT INTO events (actor, event, at) SELECT 'test', 'old.event', now() - interval '401 days' FROM generate_series(1, 12000); INSERT INTO events (actor, event, at) SELECT 'test', 'young.event', now() - interval '399 days' FROM generate_series(1, 10050)",
  )
  const count = async (event: string): Promise<number> =>
    Number(
      (
        await service.context.gate.service
          .selectFrom('events')
          .select(({ fn }) => fn.countAll<bigint>().as('n'))
          .where('event', '=', event)
          .executeTakeFirstOrThrow()
      ).n,
    )
  const drop = (): Promise<number> =>
    dropOldEvents(service.context.gate.service, retentionOf(settingsFrom({})), new Date())
  const dropped = [await drop(), await drop(), await drop()]
  expect([dropped[0] > 9_000, dropped[0] + dropped[1], dropped[2]]).toEqual([true, 12_000, 0])
  expect([await count('old.event'), await count('young.event')]).toEqual([0, 10_050])
})

test.each(['0', '-1', '1.5', 'many', '100000'])('%s is no number of days', (text) => {
  expect(() => settingsFrom({ HEADRACE_KEEP_LOGS_DAYS: text })).toThrow(
    /HEADRACE_KEEP_LOGS_DAYS must be a whole number of days/,
  )
})
