/**
 * Connections to a Kafka cluster, over the connection and protocol layer of @platformatic/kafka (TLS, SASL,
 * framing). We do not use its consumer: it delivers aborted records and does not check CRCs. We assign
 * partitions ourselves.
 */
import { type HeadraceError, failure, reasonOf } from '../../core/errors.ts'
import type { KafkaSourceSpec } from '../../dataset/declaration.ts'
import { nearest } from '../../core/suggest.ts'
import { kafkaError } from './errors.ts'
import { KafkaConnection, ResponseError, listOffsetsV7, metadataV12, type Connection } from './protocol.ts'
import { connectionOptions } from './config.ts'

export interface TopicInfo {
  topicId: string
  /** Kafka partition to the node that leads it. */
  leaders: Map<number, number>
}

export interface KafkaClient {
  readonly spec: KafkaSourceSpec
  /** Topic ID and leaders, queried again. Throws topic_not_found, broker_unreachable, broker_auth_failed. */
  topic(name: string): Promise<TopicInfo>
  /** Connection to a node of the last metadata. */
  node(id: number): Promise<Connection>
  /**
   * Offsets at a time (ms), or at -2 (earliest) or -1 (the last stable offset). `partly`: omits those of
   * unreachable leaders, as long as one is reachable.
   */
  offsetsAt(topic: string, info: TopicInfo, time: number, partly?: boolean): Promise<Map<number, number>>
  close(): Promise<void>
}

/** Returns the address to connect to, or refuses the host. */
export type Resolve = (host: string, port: number) => Promise<string>

/** What is known of a cluster, and the connections to its brokers. */
interface Cluster {
  spec: KafkaSourceSpec
  resolve: Resolve
  /** By host and port. */
  connections: Map<string, Connection>
  /** Of the last metadata, by node ID. */
  nodes: Map<number, Broker>
  /** The order of queries: a broker that did not answer goes to the end. */
  bootstrap: Broker[]
}

interface Broker {
  host: string
  port: number
}

/** `resolve` is called for every host before a connection, also for those that brokers name. */
export function createKafkaClient(
  spec: KafkaSourceSpec,
  resolve: Resolve = async (host) => host,
): KafkaClient {
  const cluster: Cluster = {
    spec,
    resolve,
    connections: new Map(),
    nodes: new Map(),
    bootstrap: spec.brokers.map(brokerOf),
  }
  return {
    spec,
    topic: (name) => topicOf(cluster, name),
    node: (id) => connectionTo(cluster, id),
    async offsetsAt(topic, info, time, partly = false) {
      const byNode = Map.groupBy(info.leaders.keys(), (partition) => info.leaders.get(partition) as number)
      const asked = [...byNode].map(async ([node, partitions]) =>
        offsetsOf(await connectionTo(cluster, node), topic, partitions, time),
      )
      return answersOf(await Promise.allSettled(asked), spec, partly)
    },
    async close() {
      const { connections } = cluster
      await Promise.allSettled([...connections.values()].map((connection) => connection.close()))
      connections.clear()
    },
  }
}

function brokerOf(address: string): Broker {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

async function topicOf(cluster: Cluster, name: string): Promise<TopicInfo> {
  const response = await metadata(cluster, [name])
  const found = response.topics.find((topic) => topic.name === name)
  if (found === undefined || found.errorCode !== 0) throw await missingTopic(cluster, name)
  return {
    topicId: found.topicId,
    leaders: new Map(found.partitions.map((partition) => [partition.partitionIndex, partition.leaderId])),
  }
}

/** Queries the given brokers first, then those from the last metadata. */
async function metadata(
  cluster: Cluster,
  topics: string[] | null,
): Promise<Awaited<ReturnType<typeof metadataV12.api.async>>> {
  let last: unknown
  for (const broker of [...cluster.bootstrap, ...cluster.nodes.values()]) {
    try {
      const response = await answered(
        metadataV12.api.async(await open(cluster, broker), topics, false, false),
      )
      cluster.nodes = new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
      return response
    } catch (error) {
      last ??= error
      if (cluster.bootstrap.includes(broker))
        cluster.bootstrap = [...cluster.bootstrap.filter((other) => other !== broker), broker]
    }
  }
  throw kafkaError(last, cluster.spec)
}

async function connectionTo(cluster: Cluster, id: number): Promise<Connection> {
  const node = cluster.nodes.get(id)
  if (node === undefined)
    throw failure('broker_unreachable', {
      brokers: cluster.spec.brokers.join(','),
      reason: `the partition has no leader (node ${id})`,
    })
  try {
    return await open(cluster, node)
  } catch (error) {
    throw kafkaError(error, cluster.spec)
  }
}

async function open({ spec, resolve, connections }: Cluster, { host, port }: Broker): Promise<Connection> {
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

/** Offsets of the partitions that one node leads. */
async function offsetsOf(
  connection: Connection,
  topic: string,
  partitions: number[],
  time: number,
): Promise<[partition: number, offset: number][]> {
  const asked = partitions.map((partitionIndex) => ({
    partitionIndex,
    currentLeaderEpoch: -1,
    timestamp: BigInt(time),
  }))
  const response = await listOffsetsV7.api.async(connection, -1, 1, [{ name: topic, partitions: asked }])
  return response.topics[0].partitions.map((partition) => [
    partition.partitionIndex,
    Number(partition.offset),
  ])
}

/** Throws the first error. `partly`: only one that a retry cannot cure, or that all nodes have. */
function answersOf(
  answers: PromiseSettledResult<[partition: number, offset: number][]>[],
  spec: KafkaSourceSpec,
  partly: boolean,
): Map<number, number> {
  for (const answer of answers) {
    if (answer.status === 'fulfilled') continue
    const problem = kafkaError(answer.reason, spec)
    const isAlone = answers.every((other) => other.status === 'rejected')
    if (!partly || isAlone || problem.errorClass !== 'transient') throw problem
  }
  return new Map(answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : [])))
}

/** The client throws if any part of an answer has an error code. We judge the codes ourselves. */
async function answered<T>(request: Promise<T>): Promise<T> {
  try {
    return await request
  } catch (error) {
    if (error instanceof ResponseError && error.response !== undefined) return error.response as T
    throw error
  }
}

async function missingTopic(cluster: Cluster, topic: string): Promise<HeadraceError> {
  const names = await metadata(cluster, null).then(
    (all) => all.topics.map((entry) => entry.name ?? '').filter((name) => !name.startsWith('__')),
    (error: unknown) => [`(not known: ${reasonOf(error)})`],
  )
  const near = nearest(topic, names)
  return failure('topic_not_found', {
    topic,
    brokers: cluster.spec.brokers.join(','),
    similar: near ?? (names.slice(0, 10).join(', ') || 'none, the broker has no topics'),
  })
}
