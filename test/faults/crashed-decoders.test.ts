/**
 * Messages that kill their decoder, and children that are killed without a message: who is accused, and who
 * is kept waiting.
 */
import { Producer } from '@platformatic/kafka'
import { beforeAll, expect, test } from 'vitest'
import type { Broker } from '../../src/host/kafka-broker.ts'
import {
  PERFECT,
  catchUp,
  broker,
  childrenOf,
  cliJson,
  killGroup,
  place,
  produce,
  sleep,
  startCli,
  until,
  verdict,
} from '../support/system.ts'

let kafka: Broker

beforeAll(async () => {
  kafka = await broker()
})

test('a message that kills its decoder is isolated by halving and quarantined; all others arrive', async () => {
  const where = place(kafka.address, (yaml) => `${yaml}\nstream: { commit_interval_ms: 250 }\n`)
  await produce(where, 3_000, ['--malformed', '0', '--invalid', '0', '--duplicates', '0'])
  const summary = await cliJson<{ byReason: Record<string, number> }>(
    where,
    ['stream', where.declaration, '--until-caught-up'],
    { HEADRACE_FAILPOINT_CHILD: 'decode.message@2:117' },
  )
  expect(summary.byReason).toEqual({ decoder_crashed: 1 })
  const [row] = await cliJson<{ position: string }[]>(where, ['quarantine', 'list', where.declaration])
  expect(row.position).toBe(`${where.topic}/2/117/-1`)
  const healed = await cliJson<{ accepted: number }>(where, ['quarantine', 'replay', where.declaration])
  expect(healed.accepted).toBeGreaterThan(0)
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test('a child that is killed again and again while nothing waits accuses no message: the next one arrives', async () => {
  const where = place(kafka.address, (yaml) => `${yaml}\nstream: { commit_interval_ms: 250, children: 1 }\n`)
  await produce(where, 200)
  await catchUp(where)
  const job = startCli(where, ['stream', where.declaration])
  let last = 0
  for (let kill = 0; kill < 5; kill += 1) {
    last = await until('a new child', () => childrenOf(job.pid as number).find((pid) => pid !== last), 30_000)
    // Late enough to have been told what to read, which is when a death counts.
    await sleep(1_000)
    process.kill(last, 'SIGKILL')
  }
  await produce(where, 100)
  await until(
    'all of it',
    async () =>
      (
        await cliJson<{ partitions: { lagRecords: number }[] }>(where, ['offsets', 'show', where.declaration])
      ).partitions.every((partition) => partition.lagRecords === 0)
        ? true
        : undefined,
    60_000,
  )
  killGroup(job, 'SIGTERM')
  expect(await job.ended).toBe(0)
  expect(await verdict(where)).toMatchObject(PERFECT)
  expect(
    (await cliJson<{ rule: string }[]>(where, ['quarantine', 'list', where.declaration])).map(
      (reject) => reject.rule,
    ),
  ).not.toContain('decoder_crashed')
  where.cleanUp()
})

test('one that kills its decoder in a topic whose other partitions are quiet holds nothing up', async () => {
  const where = place(kafka.address, (yaml) => `${yaml}\nstream: { commit_interval_ms: 250 }\n`)
  await produce(where, 30)
  await catchUp(where)
  const { partitions } = await cliJson<{ partitions: { partition: number; next: number }[] }>(where, [
    'offsets',
    'show',
    where.declaration,
  ])
  const last = partitions.at(-1) as { partition: number; next: number }
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [kafka.address] })
  const send = (partition: number, text: string): Promise<unknown> =>
    producer.send({ messages: [{ topic: where.topic, partition, value: Buffer.from(text) }] })
  for (const text of ['a', 'b', 'c']) await send(last.partition, text)
  const job = startCli(where, ['stream', where.declaration], {
    HEADRACE_FAILPOINT_CHILD: `decode.message@${last.partition}:${last.next + 1}`,
  })
  const rules = async (): Promise<string[]> =>
    (await cliJson<{ rule: string }[]>(where, ['quarantine', 'list', where.declaration])).map(
      (reject) => reject.rule,
    )
  await until(
    'the message alone in quarantine',
    async () => ((await rules()).includes('decoder_crashed') ? true : undefined),
    60_000,
  )
  await until(
    'the message alone in quarantine',
    async () => ((await rules()).includes('decoder_crashed') ? true : undefined),
    60_000,
  )
  // It reads one partition at a time now. What comes in another is not kept waiting for this one either.
  const before = (await rules()).length
  await send(partitions[0].partition, 'd')
  await until(
    'the message of the quiet partition',
    async () => ((await rules()).length > before ? true : undefined),
    60_000,
  )
  killGroup(job, 'SIGTERM')
  expect(await job.ended).toBe(0)
  await producer.close()
  where.cleanUp()
})
