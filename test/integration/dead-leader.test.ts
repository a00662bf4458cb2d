/** A broker that dies or falls silent takes its own partitions along, and no others. */
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Producer } from '@platformatic/kafka'
import { beforeAll, expect, test } from 'vitest'
import { createKafkaClient } from '../../src/connectors/kafka/client.ts'
import { createKafkaReader } from '../../src/connectors/kafka/source.ts'
import { createMessages } from '../../src/core/messages.ts'
import { createSlab } from '../../src/core/slab.ts'
import type { KafkaSourceSpec } from '../../src/dataset/declaration.ts'
import { createTopicOn, joinBroker, type SecondBroker } from '../support/second-broker.ts'
import { cliJson, deltalake, killGroup, ownBroker, place, sleep, startCli, until } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

let address: string
let second: SecondBroker

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-brokers-'))
  address = (await ownBroker({ folder, fresh: true })).address
  second = await joinBroker(folder, join(folder, 'second'))
}, limitMs(180_000))

async function produce(topic: string, partitions: number[], count: number): Promise<void> {
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [address], acks: -1 })
  // One by one: the client sends all again when one broker was not ready.
  for (const partition of partitions)
    await producer.send({
      messages: Array.from({ length: count }, () => ({ topic, partition, value: Buffer.from('x') })),
    })
  await producer.close()
}

const TOPICS = {
  odd: [1, 2, 1, 1],
  last: [1, 1, 1, 2],
  many: Array.from({ length: 100 }, (_, i) => (i === 57 ? 2 : 1)),
}

test.each(Object.entries(TOPICS))(
  'topic %s: one leader falls silent, dies: the other partitions are read on',
  async (topic, nodes) => {
    await createTopicOn(address, topic, nodes)
    const all = nodes.map((_, i) => i)
    const living = all.filter((i) => nodes[i] === 1)
    await produce(topic, all, 10)
    const client = createKafkaClient({
      kind: 'kafka',
      brokers: [address],
      topic,
      start: 'earliest',
    } as unknown as KafkaSourceSpec)
    const { topicId } = await client.topic(topic)
    const troubles: string[] = []
    const onTrouble = (error: Error): void => void troubles.push(error.message)
    const positions = all.map((partition) => ({ partition, next: 0 }))
    const reader = createKafkaReader({ client, topic, topicId, positions, onTrouble })
    const messages = createMessages(createSlab(1 << 20), 1024)
    const counts = new Map<number, number>()
    const readUntil = async (wanted: number[], count: number, mostMs: number): Promise<number> => {
      const begun = performance.now()
      while (
        performance.now() - begun < limitMs(mostMs) &&
        wanted.some((partition) => (counts.get(partition) ?? 0) < count)
      ) {
        // A read that hangs is one that does not read.
        const left = limitMs(mostMs) - (performance.now() - begun)
        const done = await Promise.race([
          reader.read(messages, 250).then(() => true),
          sleep(left).then(() => false),
        ])
        if (!done) break
        for (let i = 0; i < messages.count; i += 1)
          counts.set(messages.partition[i], (counts.get(messages.partition[i]) ?? 0) + 1)
      }
      return performance.now() - begun
    }
    await readUntil(all, 10, 30_000)
    expect(all.map((partition) => counts.get(partition))).toEqual(all.map(() => 10))
    second.pause()
    try {
      await produce(topic, living, 10)
      await readUntil(living, 20, 10_000)
      expect(living.map((partition) => counts.get(partition))).toEqual(living.map(() => 20))
    } finally {
      second.resume()
    }
    await produce(topic, all, 10)
    const expected = all.map((partition) => (living.includes(partition) ? 30 : 20))
    await readUntil(living, 30, 10_000)
    await readUntil(
      all.filter((partition) => !living.includes(partition)),
      20,
      60_000,
    )
    expect(all.map((partition) => counts.get(partition))).toEqual(expected)
    await reader.close()
  },
)

test('who is asked for leaders and says nothing is asked after the others', async () => {
  await createTopicOn(address, 'asked', [1])
  const brokers = [second.address, address]
  const spec = { kind: 'kafka', brokers, topic: 'asked', start: 'earliest' } as unknown as KafkaSourceSpec
  const client = createKafkaClient(spec)
  await client.topic('asked')
  second.pause()
  try {
    await client.topic('asked')
    // Asked first, the silent one would hold the answer up for 20 s.
    const silence = sleep(limitMs(5_000)).then(() => 'silence')
    expect(await Promise.race([client.topic('asked').then(() => 'an answer'), silence])).toBe('an answer')
  } finally {
    second.resume()
    await client.close()
  }
})

test('a stream begins while a leader is dead, and reads the other partitions', async () => {
  const where = place(address, (yaml) =>
    yaml.replace('message_id: { from: key }', 'message_id: { from: none }'),
  )
  await createTopicOn(address, where.topic, [1, 1, 2, 1])
  const count = async (): Promise<number> =>
    existsSync(where.raw) ? deltalake<number>(where.raw, 'print(json.dumps(t.num_rows))') : 0
  await produce(where.topic, [0, 1, 2, 3], 5)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  expect(await count()).toBe(20)
  second.kill()
  await produce(where.topic, [0, 1, 3], 5)
  const job = startCli(where, ['stream', where.declaration])
  try {
    await until('the other partitions', async () => ((await count()) === 35 ? true : undefined), 45_000)
  } finally {
    killGroup(job)
    where.cleanUp()
  }
})
