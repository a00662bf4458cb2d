/**
 * Connections to a Kafka cluster, over @platformatic/kafka's connection and protocol layer (TLS, SASL,
 * framing). Its consumer is not used: it delivers aborted records and does not check CRCs. Partitions are
 * assigned by us.
 */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { type HeadraceError, failure, reasonOf } from '../../core/errors.ts'
import type { KafkaSourceSpec } from '../../dataset/declaration.ts'
import { nearest } from '../../dataset/suggest.ts'
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
  /** Offsets at a time (ms), or at -2 (earliest) or -1 (the last stable offset). */
  offsetsAt(topic: string, info: TopicInfo, time: number): Promise<Map<number, number>>
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

  const bootstrap = async (): Promise<Connection> => {
    let last: unknown
    for (const broker of spec.brokers) {
      const colon = broker.lastIndexOf(':')
      try {
        return await open(broker.slice(0, colon), Number(broker.slice(colon + 1)))
      } catch (error) {
        last = error
      }
    }
    throw kafkaError(last, spec)
  }

  const metadata = async (
    topics: string[] | null,
  ): Promise<Awaited<ReturnType<typeof metadataV12.api.async>>> => {
    const connection = await bootstrap()
    try {
      const response = await answered(metadataV12.api.async(connection, topics, false, false))
      nodes = new Map(
        response.brokers.map((broker) => [broker.nodeId, { host: broker.host, port: broker.port }]),
      )
      return response
    } catch (error) {
      throw kafkaError(error, spec)
    }
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
    async offsetsAt(topic, info, time) {
      const byNode = Map.groupBy(info.leaders.keys(), (partition) => info.leaders.get(partition) as number)
      const found = new Map<number, number>()
      for (const [node, partitions] of byNode) {
        const connection = await this.node(node)
        const request = [
          {
            name: topic,
            partitions: partitions.map((partitionIndex) => ({
              partitionIndex,
              currentLeaderEpoch: -1,
              timestamp: BigInt(time),
            })),
          },
        ]
        try {
          const response = await listOffsetsV7.api.async(connection, -1, 1, request)
          for (const one of response.topics[0].partitions) found.set(one.partitionIndex, Number(one.offset))
        } catch (error) {
          throw kafkaError(error, spec)
        }
      }
      return found
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
