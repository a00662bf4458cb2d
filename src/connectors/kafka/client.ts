/**
 * Connections to a Kafka cluster, over @platformatic/kafka's connection and protocol layer (TLS, SASL,
 * framing). Its consumer is not used: it delivers aborted records and does not check CRCs. Partitions are
 * assigned by us.
 */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { type HeadraceError, failure, reasonOf } from '../../core/errors.ts'
import type { KafkaSourceSpec } from '../../dataset/declaration.ts'
import { nearest } from '../../core/suggest.ts'
import { kafkaError } from './errors.ts'
import {
  KafkaConnection,
  ResponseError,
  listOffsetsV7,
  metadataV12,
  type Connection,
  type ConnectionOptions,
} from './protocol.ts'

export interface TopicInfo {
  topicId: string
  /** Kafka partition to the node that leads it. */
  leaders: Map<number, number>
}

export interface KafkaClient {
  readonly spec: KafkaSourceSpec
  /** Topic id and leaders, asked anew. Throws topic_not_found, broker_unreachable, broker_auth_failed. */
  topic(name: string): Promise<TopicInfo>
  /** Connection to a node of the last metadata. */
  node(id: number): Promise<Connection>
  /**
   * Offsets at a time (ms), or at -2 (earliest) or -1 (the last stable offset). `partly`: without those of
   * leaders that cannot be reached, as long as one can.
   */
  offsetsAt(topic: string, info: TopicInfo, time: number, partly?: boolean): Promise<Map<number, number>>
  close(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 20_000

/** Gives the address to connect to, or refuses the host. */
export type Resolve = (host: string, port: number) => Promise<string>

/** `resolve` is asked about every host before a connection, those that brokers name too. */
export function createKafkaClient(
  spec: KafkaSourceSpec,
  resolve: Resolve = async (host) => host,
): KafkaClient {
  const connections = new Map<string, Connection>()
  let nodes = new Map<number, { host: string; port: number }>()

  const open = async (host: string, port: number): Promise<Connection> => {
    const key = `${host}:${port}`
    const known = connections.get(key)
    if (known?.isConnected()) return known
    const connection = new KafkaConnection('headrace', await connectionOptions(spec, host))
    connection.on('error', () => connections.delete(key))
    connection.on('close', () => connections.delete(key))
    await connection.connect(await resolve(host, port), port)
    connections.set(key, connection)
    return connection
  }

  /**
   * In this order they are asked: who did not answer is asked after the others, those that we were told of
   * last.
   */
  let bootstrap = spec.brokers.map((broker) => {
    const colon = broker.lastIndexOf(':')
    return { host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) }
  })

  const metadata = async (
    topics: string[] | null,
  ): Promise<Awaited<ReturnType<typeof metadataV12.api.async>>> => {
    let last: unknown
    for (const broker of [...bootstrap, ...nodes.values()]) {
      try {
        const response = await answered(
          metadataV12.api.async(await open(broker.host, broker.port), topics, false, false),
        )
        nodes = new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
        return response
      } catch (error) {
        last ??= error
        if (bootstrap.includes(broker)) bootstrap = [...bootstrap.filter((one) => one !== broker), broker]
      }
    }
    throw kafkaError(last, spec)
  }

  return {
    spec,
    async topic(name) {
      const response = await metadata([name])
      const found = response.topics.find((topic) => topic.name === name)
      if (found === undefined || found.errorCode !== 0) throw await missingTopic(name, spec, metadata)
      return {
        topicId: found.topicId,
        leaders: new Map(found.partitions.map((one) => [one.partitionIndex, one.leaderId])),
      }
    },
    async node(id) {
      const node = nodes.get(id)
      if (node === undefined)
        throw failure('broker_unreachable', {
          brokers: spec.brokers.join(','),
          reason: `the partition has no leader (node ${id})`,
        })
      try {
        return await open(node.host, node.port)
      } catch (error) {
        throw kafkaError(error, spec)
      }
    },
    async offsetsAt(topic, info, time, partly = false) {
      const byNode = Map.groupBy(info.leaders.keys(), (partition) => info.leaders.get(partition) as number)
      const asked = [...byNode].map(async ([node, partitions]) => {
        const connection = await this.node(node)
        const of = partitions.map((partitionIndex) => ({
          partitionIndex,
          currentLeaderEpoch: -1,
          timestamp: BigInt(time),
        }))
        const response = await listOffsetsV7.api.async(connection, -1, 1, [{ name: topic, partitions: of }])
        return response.topics[0].partitions.map((one): [number, number] => [
          one.partitionIndex,
          Number(one.offset),
        ])
      })
      const answers = await Promise.allSettled(asked)
      for (const answer of answers) {
        if (answer.status === 'fulfilled') continue
        const problem = kafkaError(answer.reason, spec)
        const isAlone = answers.every((one) => one.status === 'rejected')
        if (!partly || isAlone || problem.errorClass !== 'transient') throw problem
      }
      return new Map(answers.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])))
    },
    async close() {
      await Promise.allSettled([...connections.values()].map((connection) => connection.close()))
      connections.clear()
    },
  }
}

async function connectionOptions(spec: KafkaSourceSpec, host: string): Promise<ConnectionOptions> {
  const options: ConnectionOptions = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    maxInflights: 4,
  }
  if (spec.tls !== undefined) {
    const ca = spec.tls.ca === undefined ? undefined : await readSetting(spec.tls.ca)
    options.tls = { rejectUnauthorized: spec.tls.verify, ...(ca === undefined ? {} : { ca }) }
    // A server name must not be an address (RFC 6066, section 3); certificates are checked against the
    // address then.
    if (isIP(host) === 0) options.tlsServerName = host
  }
  if (spec.sasl !== undefined) {
    const password = (await readSetting(spec.sasl.passwordFile)).trim()
    options.sasl = { mechanism: spec.sasl.mechanism, username: spec.sasl.username, password }
  }
  return options
}

async function readSetting(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw failure('path_not_found', { path, base: 'the current folder' }, error)
  }
}

/** The client throws when any part of an answer has an error code; the codes are ours to judge. */
async function answered<T>(request: Promise<T>): Promise<T> {
  try {
    return await request
  } catch (error) {
    if (error instanceof ResponseError && error.response !== undefined) return error.response as T
    throw error
  }
}

async function missingTopic(
  topic: string,
  spec: KafkaSourceSpec,
  metadata: (topics: null) => Promise<{ topics: { name?: string | null }[] }>,
): Promise<HeadraceError> {
  const names = await metadata(null).then(
    (all) => all.topics.map((one) => one.name ?? '').filter((name) => !name.startsWith('__')),
    (error: unknown) => [`(not known: ${reasonOf(error)})`],
  )
  const near = nearest(topic, names)
  return failure('topic_not_found', {
    topic,
    brokers: spec.brokers.join(','),
    similar: near ?? (names.slice(0, 10).join(', ') || 'there are no topics'),
  })
}
