/** The dedup window across a restart, on a topic where offsets are not messages. */
import { Admin } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { java } from '../support/java.ts'
import { broker, cliJson, deltalake, place } from '../support/system.ts'

test('what a transactional producer repeats within the declared window is dropped after a restart too', async () => {
  const kafka = await broker()
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [kafka.address] })
  const where = place(kafka.address, (yaml) => `${yaml}\ndedup: { window: 200 }\n`)
  const stream = (): Promise<Record<string, number>> =>
    cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  await admin.createTopics({ topics: [where.topic], partitions: 4, replicas: 1 })
  await admin.close()
  // A transaction of one message each, one of ten aborted: less than half of the offsets are messages to be
  // read.
  const send = (transactions: number): Promise<string> =>
    java('kafka', 'TransactionalProducer', [
      kafka.address,
      where.topic,
      'none',
      String(transactions),
      '1',
      '1',
    ])
  expect(await send(200)).toBe('180 20')
  expect(await stream()).toMatchObject({ accepted: 180, duplicate: 0 })
  // The oldest of them again, 179 messages and 397 offsets later; and once more behind those that were
  // dropped.
  for (const transactions of [50, 30]) {
    await send(transactions)
    expect(await stream()).toMatchObject({ accepted: 0, duplicate: transactions * 0.9 })
  }
  expect(await deltalake(where.raw, 'print(json.dumps(len(t)))')).toBe(180)
  where.cleanUp()
})
