/** One fetch request to a broker, and its answer. */
import { failure } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { codeName } from './errors.ts'
import { createAPI, Writer, type Connection, type WireReader } from './protocol.ts'
import type { AbortedTransaction } from './record-batch.ts'

export interface PartitionAnswer {
  partition: number
  errorCode: number
  end: number
  aborted: AbortedTransaction[]
  records: Buffer
}

/** The records to fetch. */
export interface FetchRequest {
  topicId: string
  partitions: number[]
  /** The first wanted offset of each Kafka partition. */
  next: ReadonlyMap<number, number>
  /** How long the broker waits for new records. */
  waitMs: number
}

const READ_COMMITTED = 1

/*
 * Fetch version 13 uses the topic ID, so a recreated topic can never be mistaken for the old one (KIP-516).
 */
const fetchApi = createAPI<[FetchRequest], PartitionAnswer[]>(
  1,
  13,
  ({ topicId, partitions, next, waitMs }: FetchRequest) =>
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
    throw failure('broker_unreachable', {
      brokers: 'the leader of the partition',
      reason: codeName(errorCode),
    })
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

export function fetchFrom(connection: Connection, request: FetchRequest): Promise<PartitionAnswer[]> {
  return fetchApi.async(connection, request)
}
