/**
 * Reads the partitions of one child: one long poll at a time per broker. The next poll is sent before the
 * messages of this one are decoded, so that the network works in the meantime. Each broker's answer stands
 * alone: a broker that dies or stays silent affects only the partitions that it leads.
 */
import { pause } from '../../core/waiting.ts'
import { failure, type HeadraceError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { clearMessages, type Messages } from '../../core/messages.ts'
import type { MessageReader, PartitionPosition, ReadResult } from '../../core/source.ts'
import type { KafkaClient, TopicInfo } from './client.ts'
import { CODE, codeName, isRetriableCode, kafkaError } from './errors.ts'
import { fetchFrom, type PartitionAnswer } from './fetch.ts'
import { nextOffset, readBatches } from './record-batch.ts'

export interface ReaderOptions {
  client: KafkaClient
  topic: string
  topicId: string
  positions: PartitionPosition[]
  /** Exclusive end per partition, for closed ranges. */
  until?: Map<number, number>
  onTrouble(error: HeadraceError): void
}

const PAUSE_FIRST_MS = 100
const PAUSE_MAX_MS = 5_000
const CORRUPT_PAUSE_MS = 300

/** A request to one broker under way. One of the last two fields tells that it has ended. */
interface Flight {
  partitions: number[]
  done: Promise<void>
  answers?: PartitionAnswer[]
  error?: unknown
}

/** After trouble, a partition rests for a while, longer each time. */
interface Rest {
  untilMs: number
  pauseMs: number
}

/** What a reader knows of its partitions while it reads them. */
interface Reading {
  options: ReaderOptions
  leaders: Leaders
  /** The first offset that has not been fetched. */
  next: Map<number, number>
  /**
   * The order of partitions in a request: a served partition goes to the end. The broker fills an answer in
   * this order (KIP-74), and with a backlog the first two fill it.
   */
  order: number[]
  /** By the broker that got the request. */
  flights: Map<number, Flight>
  resting: Map<number, Rest>
  /** How often in a row a batch of a partition failed its checksum. */
  corrupt: Map<number, number>
  closed: boolean
}

export function createKafkaReader(options: ReaderOptions): MessageReader {
  const next = new Map(options.positions.map((position) => [position.partition, position.next]))
  const reading: Reading = {
    options,
    leaders: createLeaders(options),
    next,
    order: [...next.keys()],
    flights: new Map(),
    resting: new Map(),
    corrupt: new Map(),
    closed: false,
  }
  return {
    read: (messages, waitMs) => read(reading, messages, waitMs),
    async close() {
      reading.closed = true
      await options.client.close()
    },
  }
}

async function read(reading: Reading, messages: Messages, waitMs: number): Promise<ReadResult> {
  const { options, leaders, next, corrupt } = reading
  const answers = await receive(reading, waitMs)
  const from = new Map(answers.map((answer) => [answer.partition, next.get(answer.partition) as number]))
  for (const { partition, records } of answers)
    next.set(
      partition,
      Math.min(nextOffset(records, from.get(partition) as number), limitOf(options, partition)),
    )
  const served = new Set(
    answers.filter((answer) => answer.records.length > 0).map((answer) => answer.partition),
  )
  reading.order = [...reading.order.filter((partition) => !served.has(partition)), ...served]
  if (served.size > 0 && !reading.closed && leaders.last !== undefined) send(reading, leaders.last, waitMs)
  clearMessages(messages)
  for (const answer of answers) decode(reading, messages, answer, from.get(answer.partition) as number)
  if (corrupt.size > 0) await pause(CORRUPT_PAUSE_MS)
  return {
    positions: [...next].map(([partition, offset]) => ({ partition, next: offset })),
    ends: answers.map((answer) => ({ partition: answer.partition, end: answer.end })),
  }
}

/** Waits until there are answers. None only if everything requested has been read. */
async function receive(reading: Reading, waitMs: number): Promise<PartitionAnswer[]> {
  const { options, leaders, flights, resting } = reading
  while (unread(reading).length > 0) {
    const info = await leaders.known().catch((error: unknown) => {
      restPartitions(reading, unread(reading), kafkaError(error, options.client.spec))
      return undefined
    })
    if (info !== undefined) send(reading, info, waitMs)
    const pauses = unread(reading)
      .map((partition) => (resting.get(partition)?.untilMs ?? 0) - performance.now())
      .filter((pauseMs) => pauseMs > 0)
    const wake = pauses.length === 0 ? [] : [pause(Math.min(...pauses))]
    await Promise.race([...[...flights.values()].map((flight) => flight.done), ...wake])
    const answers = await landed(reading)
    if (answers.length > 0) return answers
  }
  return []
}

const unread = ({ options, order, next }: Reading): number[] =>
  order.filter((partition) => (next.get(partition) as number) < limitOf(options, partition))

function send(reading: Reading, info: TopicInfo, waitMs: number): void {
  const { flights, resting } = reading
  const asked = new Set([...flights.values()].flatMap((flight) => flight.partitions))
  const now = performance.now()
  const wanted = unread(reading).filter(
    (partition) => !asked.has(partition) && (resting.get(partition)?.untilMs ?? 0) <= now,
  )
  for (const [node, partitions] of Map.groupBy(wanted, (partition) => info.leaders.get(partition) ?? -1)) {
    if (flights.has(node)) continue
    const flight: Flight = { partitions, done: Promise.resolve() }
    flights.set(node, flight)
    flight.done = ask(reading, node, partitions, waitMs).then(
      (answers) => void (flight.answers = answers),
      (error: unknown) => void (flight.error = error),
    )
  }
}

async function ask(
  { options, next }: Reading,
  node: number,
  partitions: number[],
  waitMs: number,
): Promise<PartitionAnswer[]> {
  const { client, topicId } = options
  return fetchFrom(await client.node(node), { topicId, partitions, next, waitMs })
}

async function landed(reading: Reading): Promise<PartitionAnswer[]> {
  const { options, next, flights, resting } = reading
  const found: PartitionAnswer[] = []
  for (const [node, flight] of [...flights].filter(
    ([, candidate]) => 'answers' in candidate || 'error' in candidate,
  )) {
    flights.delete(node)
    if (flight.answers === undefined)
      restPartitions(reading, flight.partitions, kafkaError(flight.error, options.client.spec))
    for (const answer of flight.answers ?? []) {
      const problem = await problemOf(options, answer, next.get(answer.partition) as number)
      if (problem !== undefined) restPartitions(reading, [answer.partition], problem)
      else {
        resting.delete(answer.partition)
        found.push(answer)
      }
    }
  }
  return found
}

/** Lets partitions rest for a while, and looks up their leaders in the meantime. */
function restPartitions(
  { options, leaders, resting, closed }: Reading,
  partitions: number[],
  problem: HeadraceError,
): void {
  if (closed || problem.errorClass !== 'transient') throw problem
  options.onTrouble(problem)
  for (const partition of partitions) {
    const pauseMs = Math.min((resting.get(partition)?.pauseMs ?? PAUSE_FIRST_MS / 2) * 2, PAUSE_MAX_MS)
    resting.set(partition, { untilMs: performance.now() + pauseMs, pauseMs })
  }
  leaders.ask()
}

/**
 * If a batch fails its checksum, or there is too much at a time, the partition is read on from there: answers
 * that were requested meanwhile are dropped.
 */
function decode(reading: Reading, messages: Messages, answer: PartitionAnswer, from: number): void {
  const { options, next, flights, corrupt } = reading
  const { partition, records, aborted, end } = answer
  if (records.length === 0) return
  const until = limitOf(options, partition)
  const before = next.get(partition)
  let isCorrupt = false
  const reached = readBatches(
    records,
    aborted,
    { messages, topic: options.topic, partition, from, until, end: end < 0 ? Infinity : end },
    (error) => {
      isCorrupt = true
      const count = (corrupt.get(partition) ?? 0) + 1
      corrupt.set(partition, count)
      if (count >= LIMITS.corruptBatchAttempts) throw error
      options.onTrouble(error)
    },
  )
  // Fetched, but left because there was too much at a time: it is the first to be read on.
  if (reached === from && !isCorrupt)
    reading.order = [partition, ...reading.order.filter((other) => other !== partition)]
  if (reached === before && !isCorrupt) corrupt.delete(partition)
  else {
    next.set(partition, reached)
    for (const [node, flight] of flights) if (flight.partitions.includes(partition)) flights.delete(node)
  }
}

interface Leaders {
  /** As last known. */
  readonly last: TopicInfo | undefined
  /** Queries them in the background. One of the next calls of `known` returns the result. */
  ask(): void
  /** Throws the error of the last query. */
  known(): Promise<TopicInfo>
}

function createLeaders(options: ReaderOptions): Leaders {
  let last: TopicInfo | undefined
  let asking: Promise<void> | undefined
  let refused: HeadraceError | undefined
  const ask = (): Promise<void> =>
    (asking ??= knownTopic(options)
      .then(
        (found) => void (last = found),
        (error: unknown) => void (refused = kafkaError(error, options.client.spec)),
      )
      .finally(() => (asking = undefined)))
  return {
    get last() {
      return last
    },
    ask: () => void ask(),
    async known() {
      if (last === undefined) await ask()
      const problem = refused
      refused = undefined
      // While others answer, one that does not is no problem.
      if (problem !== undefined && (last === undefined || problem.errorClass !== 'transient')) throw problem
      return last as TopicInfo
    },
  }
}

function limitOf(options: ReaderOptions, partition: number): number {
  return options.until?.get(partition) ?? Infinity
}

/** The leaders of the topic. A topic of the same name with another ID is not the one that we were reading. */
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

/** The error of a partition, if any. Throws an error that a retry cannot cure. */
async function problemOf(
  options: ReaderOptions,
  { partition, errorCode }: PartitionAnswer,
  position: number,
): Promise<HeadraceError | undefined> {
  if (errorCode === CODE.none) return undefined
  if (errorCode === CODE.offsetOutOfRange) throw await outOfRange(options, partition, position)
  const isUnknown = errorCode === CODE.unknownTopicId || errorCode === CODE.unknownTopic
  const reason = `Kafka partition ${partition}: ${codeName(errorCode)}`
  const unreachable = failure('broker_unreachable', {
    brokers: options.client.spec.brokers.join(','),
    reason,
  })
  if (isUnknown)
    return knownTopic(options).then(
      () => unreachable,
      (error: unknown) => kafkaError(error, options.client.spec),
    )
  if (isRetriableCode(errorCode)) return unreachable
  throw failure('not_supported', {
    feature: `the answer ${reason} of the broker`,
    instead: 'See the log of the broker.',
  })
}

/** Names the exact range that is gone, or that never existed. */
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
