/**
 * Reads the partitions of one child: one long poll at a time per broker, the next one sent before this one's
 * messages are decoded, so that the network works while we do. Reopens by itself after an outage, with a
 * growing pause.
 */
import { HeadraceError, failure } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { clearMessages, type Messages } from '../../core/messages.ts'
import type { MessageReader, PartitionPosition, ReadResult } from '../../core/source.ts'
import type { KafkaClient, TopicInfo } from './client.ts'
import { CODE, codeName, isRetriableCode, kafkaError } from './errors.ts'
import { createAPI, Writer, type Connection, type WireReader } from './protocol.ts'
import { nextOffset, readBatches, type AbortedTransaction } from './record-batch.ts'

export interface ReaderOptions {
  client: KafkaClient
  topic: string
  topicId: string
  positions: PartitionPosition[]
  /** Exclusive end per partition, for closed ranges. */
  until?: Map<number, number>
  onTrouble(error: HeadraceError): void
}

interface PartitionAnswer {
  partition: number
  errorCode: number
  end: number
  aborted: AbortedTransaction[]
  records: Buffer
}

const READ_COMMITTED = 1
const PAUSE_FIRST_MS = 100
const PAUSE_MAX_MS = 5_000
const CORRUPT_PAUSE_MS = 300

export function createKafkaReader(options: ReaderOptions): MessageReader {
  const { client, topic } = options
  const next = new Map(options.positions.map((one) => [one.partition, one.next]))
  /**
   * The order in which partitions are asked for: who was served goes behind the others. The broker fills an
   * answer in this order (KIP-74), and with a backlog the first two fill it.
   */
  let order = [...next.keys()]
  let info: TopicInfo | undefined
  let inFlight: Promise<PartitionAnswer[][]> | undefined
  let pauseMs = PAUSE_FIRST_MS
  let closed = false
  /** How often in a row a batch of a partition failed its checksum. */
  const corrupt = new Map<number, number>()

  const send = async (waitMs: number): Promise<PartitionAnswer[][]> => {
    info ??= await knownTopic(options)
    const wanted = order.filter((partition) => (next.get(partition) as number) < limitOf(options, partition))
    const byNode = Map.groupBy(wanted, (partition) => (info as TopicInfo).leaders.get(partition) ?? -1)
    const requests = [...byNode].map(async ([node, partitions]) =>
      fetchFrom(await client.node(node), options.topicId, partitions, next, waitMs),
    )
    return Promise.all(requests)
  }

  const receive = async (waitMs: number): Promise<PartitionAnswer[][]> => {
    for (;;) {
      try {
        const answers = await (inFlight ?? send(waitMs))
        inFlight = undefined
        await checkAnswers(options, answers.flat(), next)
        pauseMs = PAUSE_FIRST_MS
        return answers
      } catch (error) {
        inFlight = undefined
        const problem = kafkaError(error, client.spec)
        if (closed || problem.errorClass !== 'transient') throw problem
        options.onTrouble(problem)
        info = undefined
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
        pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)
      }
    }
  }

  return {
    async read(messages, waitMs): Promise<ReadResult> {
      const answers = (await receive(waitMs)).flat()
      const from = new Map(answers.map((answer) => [answer.partition, next.get(answer.partition) as number]))
      for (const answer of answers)
        next.set(
          answer.partition,
          Math.min(
            nextOffset(answer.records, next.get(answer.partition) as number),
            limitOf(options, answer.partition),
          ),
        )
      const served = new Set(answers.filter((one) => one.records.length > 0).map((one) => one.partition))
      order = [...order.filter((partition) => !served.has(partition)), ...served]
      if (served.size > 0 && !closed) prefetch(waitMs)
      clearMessages(messages)
      for (const answer of answers) decode(messages, answer, from.get(answer.partition) as number)
      if (corrupt.size > 0) await new Promise((resolve) => setTimeout(resolve, CORRUPT_PAUSE_MS))
      return {
        positions: [...next].map(([partition, offset]) => ({ partition, next: offset })),
        ends: answers.map((answer) => ({ partition: answer.partition, end: answer.end })),
      }
    },
    async close() {
      closed = true
      await client.close()
    },
  }

  function prefetch(waitMs: number): void {
    inFlight = send(waitMs)
    inFlight.catch(() => undefined)
  }

  /**
   * Where a batch fails its checksum, or there is too much at a time, the partition is read on from there:
   * what was asked for meanwhile is dropped.
   */
  function decode(messages: Messages, answer: PartitionAnswer, from: number): void {
    const { partition, records, aborted, end } = answer
    if (records.length === 0) return
    const target = {
      messages,
      topic,
      partition,
      from,
      until: limitOf(options, partition),
      end: end < 0 ? Infinity : end,
    }
    const before = next.get(partition)
    let isCorrupt = false
    const reached = readBatches(records, aborted, target, (error) => {
      isCorrupt = true
      const count = (corrupt.get(partition) ?? 0) + 1
      corrupt.set(partition, count)
      if (count >= LIMITS.corruptBatchAttempts) throw error
      options.onTrouble(error)
    })
    // Fetched, and left because there was too much at a time: it is the first to be read on.
    if (reached === from && !isCorrupt) order = [partition, ...order.filter((other) => other !== partition)]
    if (reached === before && !isCorrupt) corrupt.delete(partition)
    else {
      next.set(partition, reached)
      inFlight = undefined
    }
  }
}

function limitOf(options: ReaderOptions, partition: number): number {
  return options.until?.get(partition) ?? Infinity
}

/** The topic's leaders; a topic of the same name with another id is not the one we were reading. */
async function knownTopic(options: ReaderOptions): Promise<TopicInfo> {
  const found = await options.client.topic(options.topic)
  if (found.topicId !== options.topicId)
    throw failure('topic_recreated', {
      topic: options.topic,
      expected: options.topicId,
      found: found.topicId,
      dataset: 'DATASET',
    })
  return found
}

async function checkAnswers(
  options: ReaderOptions,
  answers: PartitionAnswer[],
  next: Map<number, number>,
): Promise<void> {
  for (const answer of answers) {
    if (answer.errorCode === CODE.none) continue
    const position = next.get(answer.partition) as number
    if (answer.errorCode === CODE.offsetOutOfRange)
      throw await outOfRange(options, answer.partition, position)
    if (answer.errorCode === CODE.unknownTopicId || answer.errorCode === CODE.unknownTopic)
      await knownTopic(options)
    const reason = `Kafka partition ${answer.partition}: ${codeName(answer.errorCode)}`
    if (
      isRetriableCode(answer.errorCode) ||
      answer.errorCode === CODE.unknownTopicId ||
      answer.errorCode === CODE.unknownTopic
    )
      throw failure('broker_unreachable', { brokers: options.client.spec.brokers.join(','), reason })
    throw failure('not_supported', { feature: `answer ${reason}`, instead: 'Look at the log of the broker.' })
  }
}

/** Names the exact range that is gone, or that never was. */
export async function outOfRange(
  options: Pick<ReaderOptions, 'client' | 'topic'>,
  partition: number,
  next: number,
): Promise<HeadraceError> {
  const info = await options.client.topic(options.topic)
  const first = (await options.client.offsetsAt(options.topic, info, -2)).get(partition) ?? 0
  const end = (await options.client.offsetsAt(options.topic, info, -1)).get(partition) ?? 0
  const about = {
    topic: options.topic,
    partition,
    next,
    first,
    end,
    last: first - 1,
    count: first - next,
    dataset: 'DATASET',
  }
  return next < first ? failure('offsets_expired', about) : failure('offset_ahead', about)
}

/* Fetch version 13: by topic id, so that a recreated topic is never mistaken for the old one (KIP-516). */
const fetchApi = createAPI<
  [topicId: string, partitions: number[], next: Map<number, number>, waitMs: number],
  PartitionAnswer[]
>(
  1,
  13,
  (topicId: string, partitions: number[], next: Map<number, number>, waitMs: number) =>
    Writer.create()
      .appendInt32(-1)
      .appendInt32(waitMs)
      .appendInt32(1)
      .appendInt32(LIMITS.fetchBytes)
      .appendInt8(READ_COMMITTED)
      .appendInt32(0)
      .appendInt32(-1)
      .appendArray([topicId], (w) => {
        w.appendUUID(topicId).appendArray(partitions, (inner, partition) => {
          inner
            .appendInt32(partition)
            .appendInt32(-1)
            .appendInt64(BigInt(next.get(partition) as number))
            .appendInt32(-1)
            .appendInt64(-1n)
            .appendInt32(LIMITS.fetchPartitionBytes)
        })
      })
      .appendArray([], () => undefined)
      .appendString('')
      .appendTaggedFields(),
  (_, __, ___, reader) => parseFetch(reader),
)

function parseFetch(reader: WireReader): PartitionAnswer[] {
  reader.readInt32()
  const errorCode = reader.readInt16()
  if (errorCode !== 0)
    throw failure('broker_unreachable', { brokers: 'the broker', reason: codeName(errorCode) })
  reader.readInt32()
  const topics = reader.readArray((r) => {
    r.readUUID()
    return r.readArray(parsePartition)
  })
  return (topics ?? []).flat() as PartitionAnswer[]
}

function parsePartition(r: WireReader): PartitionAnswer {
  const partition = r.readInt32()
  const errorCode = r.readInt16()
  r.readInt64()
  const end = Number(r.readInt64())
  r.readInt64()
  const aborted =
    r.readNullableArray((inner) => ({ producerId: inner.readInt64(), firstOffset: inner.readInt64() })) ?? []
  r.readInt32()
  const size = Math.max(r.readUnsignedVarInt() - 1, 0)
  const records = r.buffer.slice(r.position, r.position + size) as Buffer
  r.skip(size)
  return { partition, errorCode, end, aborted, records }
}

function fetchFrom(
  connection: Connection,
  topicId: string,
  partitions: number[],
  next: Map<number, number>,
  waitMs: number,
): Promise<PartitionAnswer[]> {
  return fetchApi.async(connection, topicId, partitions, next, waitMs)
}
