/** Sends messages to a topic from Spark, as a pipeline on Spark would, for trying ours with it. */
import type { MessageSink } from '../../core/message-sink.ts'
import { arrowTable } from './arrow-rows.ts'
import type { SparkSession } from './session.ts'

export interface SparkSinkOptions {
  session: SparkSession
  brokers: string[]
  topic: string
  partitionOf(key: string): number
  close(): Promise<void>
}

/** A send costs Spark a tenth of a second, whatever its size. */
const BATCH_MESSAGES = 20_000

/**
 * All replicas have acknowledged the messages when `send` resolves. Spark does not report the offsets, and
 * stamps messages with the time of sending.
 */
export function openSparkSink({
  session,
  brokers,
  topic,
  partitionOf,
  close,
}: SparkSinkOptions): MessageSink {
  const options = {
    'kafka.bootstrap.servers': brokers.join(','),
    topic,
    'kafka.acks': 'all',
    'kafka.enable.idempotence': 'true',
  }
  return {
    batchMessages: BATCH_MESSAGES,
    async send(messages) {
      const partitions = messages.map((message) => partitionOf(message.key))
      const data = arrowTable({
        key: messages.map((message) => message.key),
        value: messages.map((message) => message.value.toString('base64')),
        place: Int32Array.from(partitions),
      })
      const query = 'SELECT key, unbase64(value) AS value, place AS partition FROM messages'
      const input = {
        with_relations: {
          root: { sql: { query } },
          references: [{ subquery_alias: { input: { local_relation: { data } }, alias: 'messages' } }],
        },
      }
      await session.run(
        { write_operation: { input, source: 'kafka', mode: 'SAVE_MODE_APPEND', options } },
        { action: `send messages to ${topic}` },
      )
      return partitions.map((partition) => ({ partition, offset: UNKNOWN_OFFSET }))
    },
    close,
  }
}

const UNKNOWN_OFFSET = -1
