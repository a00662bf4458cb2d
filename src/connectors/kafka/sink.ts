/** Writes messages to a topic, acknowledged by all replicas, and returns the offset of each. */
import { Admin, Producer, type CompressionAlgorithmValue } from '@platformatic/kafka'
import { readFile } from 'node:fs/promises'
import { failure } from '../../core/errors.ts'
import type { Acknowledged, MessageSink } from '../../core/message-sink.ts'
import type { KafkaSourceSpec } from '../../dataset/declaration.ts'
import { createKafkaClient } from './client.ts'
import { kafkaError } from './errors.ts'
import { waitUntil } from '../../core/waiting.ts'

/** A new topic has leaders within this time, or something is wrong. */
const LEADERS_MS = 5_000

export interface SinkOptions {
  spec: KafkaSourceSpec
  /** Partitions of the topic if it must be created. */
  partitions: number
  compression: CompressionAlgorithmValue
}

export async function openKafkaSink(options: SinkOptions): Promise<MessageSink> {
  const { spec } = options
  const settings = await settingsOf(spec)
  const partitions = await ensureTopic(options)
  const producer = new Producer<string, Buffer, string, string>({
    ...settings,
    acks: -1,
    compression: options.compression,
    retries: 5,
    serializers: {
      key: (key?: string) => (key === undefined ? undefined : Buffer.from(key)),
      value: (value?: Buffer) => value,
    },
  })
  return {
    async send(messages) {
      const placed = messages.map((message) => ({
        topic: spec.topic,
        partition: partitionOf(message.key, partitions),
        key: message.key,
        value: message.value,
        timestamp: BigInt(message.timeMs),
      }))
      try {
        const { offsets } = await producer.send({ messages: placed })
        return acknowledge(
          placed,
          new Map((offsets ?? []).map((position) => [position.partition, Number(position.offset)])),
        )
      } catch (error) {
        throw kafkaError(error, spec)
      }
    },
    close: async () => void (await producer.close()),
  }
}

/** A broker answers with the offset of the first message per partition. The others follow in order. */
function acknowledge(messages: { partition: number }[], base: Map<number, number>): Acknowledged[] {
  const next = new Map(base)
  return messages.map(({ partition }) => {
    const offset = next.get(partition) as number
    next.set(partition, offset + 1)
    return { partition, offset }
  })
}

/** FNV-1a: any stable spread is enough, the key decides. */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % partitions
}

async function settingsOf(spec: KafkaSourceSpec): Promise<{ clientId: string; bootstrapBrokers: string[] }> {
  return { clientId: 'headrace-produce', bootstrapBrokers: spec.brokers, ...(await security(spec)) }
}

async function security(spec: KafkaSourceSpec): Promise<object> {
  const settings: Record<string, unknown> = {}
  if (spec.tls !== undefined)
    settings.tls = {
      rejectUnauthorized: spec.tls.verify,
      ...(spec.tls.ca === undefined ? {} : { ca: await readFile(spec.tls.ca, 'utf8') }),
    }
  if (spec.sasl !== undefined)
    settings.sasl = {
      mechanism: spec.sasl.mechanism,
      username: spec.sasl.username,
      password: (await readFile(spec.sasl.passwordFile, 'utf8')).trim(),
    }
  return settings
}

/** Creates the topic if it is missing. Returns its number of partitions. */
export async function ensureTopic(options: Pick<SinkOptions, 'spec' | 'partitions'>): Promise<number> {
  const settings = await settingsOf(options.spec)
  const client = createKafkaClient(options.spec)
  try {
    const known = await client.topic(options.spec.topic).catch((error: { code?: string }) => {
      if (error.code === 'topic_not_found') return undefined
      throw error
    })
    if (known !== undefined) return known.leaders.size
    const admin = new Admin(settings)
    try {
      await admin.createTopics({ topics: [options.spec.topic], partitions: options.partitions, replicas: 1 })
    } finally {
      await admin.close()
    }
    let partitions = 0
    const hasLeaders = async (): Promise<boolean> => {
      const made = await client.topic(options.spec.topic).catch(() => undefined)
      partitions = made?.leaders.size ?? 0
      return made !== undefined && [...made.leaders.values()].every((leader) => leader >= 0)
    }
    if (await waitUntil(hasLeaders, { everyMs: 100, withinMs: LEADERS_MS })) return partitions
    throw failure('broker_unreachable', {
      brokers: options.spec.brokers.join(','),
      reason: `topic ${options.spec.topic} was created and has no leader yet`,
    })
  } finally {
    await client.close()
  }
}
