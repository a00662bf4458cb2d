/**
 * Topics made by chance on a real broker, read by us and by Java's consumer with read_committed: the same
 * records, and no partition waits long behind others.
 */
import { Admin, Producer } from '@platformatic/kafka'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createKafkaClient } from '../../src/connectors/kafka/client.ts'
import { createKafkaReader } from '../../src/connectors/kafka/source.ts'
import { createMessages, type Messages } from '../../src/core/messages.ts'
import type { MessageReader } from '../../src/core/source.ts'
import { createSlab } from '../../src/core/slab.ts'
import type { Broker } from '../../src/host/kafka-broker.ts'
import type { KafkaSourceSpec } from '../../src/dataset/declaration.ts'
import { java } from '../support/java.ts'
import { RUN_SEED, sampled } from '../support/chance.ts'
import { openSmallApp } from '../support/small-app.ts'
import { broker, ownBroker } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

const HISTORIES = Number(process.env.HEADRACE_TEST_KAFKA_HISTORIES ?? 10)
/** Topics that are also streamed into RAW; the long suite streams all. */
const LANDED = 2
/** Rounds of fetching that a partition with records may be left out of. */
const MOST_ROUNDS = 10

/** A broker that looks every tenth of a second for topics to compact, and whose segments may be small. */
const compactingBroker = (): Promise<Broker> =>
  ownBroker({
    folder: mkdtempSync(join(tmpdir(), 'headrace-histories-')),
    fresh: true,
    properties: ['log.cleaner.backoff.ms=100', 'log.cleaner.min.cleanable.ratio=0.0001'],
  })

interface History {
  topic: string
  partitions: number
  /** "partition offset time key hash-of-value hash-of-headers", sorted. */
  records: string[]
}

function historiesOf(printed: string): History[] {
  const found: History[] = []
  for (const line of printed.split('\n')) {
    const [, topic, partitions] = /^topic (\S+) (\d+)$/.exec(line) ?? []
    if (topic !== undefined) found.push({ topic, partitions: Number(partitions), records: [] })
    else if (line !== 'end') found.at(-1)?.records.push(line)
  }
  for (const { records } of found) records.sort()
  return found
}

/** As Java's String.hashCode. */
function hashOf(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i += 1) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return hash
}

function linesOf(messages: Messages): string[] {
  const { slab, partition, offset, time, keyStart, keyLength, valueStart, valueLength } = messages
  const text = (start: number, length: number): string | null =>
    length < 0 ? null : slab.bytes.toString('utf8', start, start + length)
  return Array.from({ length: messages.count }, (_, i) => {
    const value = text(valueStart[i], valueLength[i])
    const headers = JSON.parse(
      text(messages.headersStart[i], messages.headersLength[i]) || '[]',
    ) as string[][]
    const joined = headers.map(([name, held]) => `${name}=${held};`).join('')
    const hash = value === null ? null : hashOf(value)
    return `${partition[i]} ${offset[i]} ${time[i]} ${text(keyStart[i], keyLength[i])} ${hash} ${hashOf(joined)}`
  })
}

interface Found {
  records: string[]
  /** The longest time that a partition waited behind others, in rounds. */
  rounds: number
}

/** Reads to the end that each partition has when it is first read. */
async function readAll(reader: MessageReader, first: Map<number, number>): Promise<Found> {
  const messages = createMessages(createSlab(1 << 22), 8192)
  const [next, ends, waited] = [new Map(first), new Map<number, number>(), new Map<number, number>()]
  const found: Found = { records: [], rounds: 0 }
  const isBehind = (partition: number): boolean =>
    (next.get(partition) as number) < (ends.get(partition) ?? Infinity)
  while ([...next.keys()].some(isBehind)) {
    const read = await reader.read(messages, 250)
    found.records.push(...linesOf(messages))
    for (const { partition, end } of read.ends) ends.set(partition, end)
    for (const { partition, next: reached } of read.positions) {
      const isServed = reached > (next.get(partition) as number) || !isBehind(partition)
      waited.set(partition, isServed ? 0 : (waited.get(partition) ?? 0) + 1)
      found.rounds = Math.max(found.rounds, waited.get(partition) as number)
      next.set(partition, reached)
    }
  }
  return found
}

async function readTopic(address: string, { topic }: History): Promise<Found> {
  const source = {
    kind: 'kafka',
    brokers: [address],
    topic,
    start: 'earliest',
    tls: undefined,
    sasl: undefined,
  }
  const client = createKafkaClient(source as unknown as KafkaSourceSpec)
  const info = await client.topic(topic)
  const first = await client.offsetsAt(topic, info, -2)
  const positions = [...first].map(([partition, next]) => ({ partition, next }))
  const troubles: string[] = []
  const onTrouble = (error: Error): void => void troubles.push(error.message)
  const reader = createKafkaReader({ client, topic, topicId: info.topicId, positions, onTrouble })
  try {
    return await readAll(reader, first)
  } finally {
    await reader.close()
    expect(troubles).toEqual([])
  }
}

/** A message without a value has no record: it is counted and leaves no row. */
const placesOf = ({ records }: History): string[] =>
  records
    .map((record) => record.split(' '))
    .filter(([, , , , value]) => value !== 'null')
    .map(([partition, offset, , key]) => `${partition} ${offset} ${key}`)
    .toSorted()

/** Streams the topic and returns "partition offset key" of what came into RAW, accepted or quarantined. */
async function landed(address: string, { topic }: History): Promise<string[]> {
  const { app, stream, cleanUp } = openSmallApp(declarationOf(address, topic))
  try {
    await stream()
    const rows = await app.query('history/raw', PLACES, undefined)
    return rows.map(({ place }) => String(place)).toSorted()
  } finally {
    cleanUp()
  }
}

const PLACES = `SELECT kafka_partition || ' ' || kafka_offset || ' ' || coalesce(message_key::VARCHAR, 'null') AS place FROM t`
const declarationOf = (address: string, topic: string): string => `dataset: history
source: { kafka: { brokers: ["${address}"], topic: ${topic}, start: earliest } }
record: { format: json, path: $ }
message_id: { from: none }
columns: [{ name: id, required: true }, { name: pad }]
processed: { key: [id] }
`

test(
  `${HISTORIES} topics with overlapping, aborted and dead transactions: what Java's consumer reads (HEADRACE_TEST_SEED=${RUN_SEED})`,
  async () => {
    const { address } = await compactingBroker()
    const args = [address, `histories-${process.pid}`, String(RUN_SEED), String(HISTORIES)]
    const histories = historiesOf(await java('kafka', 'RandomHistories', args))
    expect(histories).toHaveLength(HISTORIES)
    for (const history of histories) {
      const { records, rounds } = await readTopic(address, history)
      expect(records.toSorted(), history.topic).toEqual(history.records)
      expect(rounds, history.topic).toBeLessThanOrEqual(MOST_ROUNDS)
    }
    for (const history of sampled(histories, LANDED))
      expect(await landed(address, history)).toEqual(placesOf(history))
  },
  limitMs(150_000 + HISTORIES * 10_000),
)

test('partitions with a backlog are read in turn', async () => {
  const { address } = await broker()
  const [topic, partitions] = [`backlog-${process.pid}`, 4]
  const admin = new Admin({ clientId: 'backlog', bootstrapBrokers: [address] })
  await admin.createTopics({ topics: [topic], partitions, replicas: 1 })
  const producer = new Producer({ clientId: 'backlog', bootstrapBrokers: [address] })
  const [key, value] = [Buffer.from('k'), Buffer.alloc(10_000, 'x')]
  // Eight fetches of the most that a partition may fill are in each.
  for (let batch = 0; batch < 8 * partitions * 2; batch += 1) {
    const messages = Array.from({ length: 50 }, () => ({ topic, partition: batch % partitions, key, value }))
    await producer.send({ messages })
  }
  const { records, rounds } = await readTopic(address, { topic, partitions, records: [] })
  expect(records).toHaveLength(8 * partitions * 2 * 50)
  // Two partitions fill an answer, and one answer is asked for ahead.
  expect(rounds).toBeLessThanOrEqual(3)
  await producer.close()
  await admin.close()
})
