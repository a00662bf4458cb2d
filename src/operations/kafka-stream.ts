/** Wires and runs a stream job: table, source, children, metrics. */
import { availableParallelism } from 'node:os'
import { createKafkaClient, type KafkaClient } from '../connectors/kafka/client.ts'
import { outOfRange } from '../connectors/kafka/source.ts'
import { failure } from '../core/errors.ts'
import { sourceMark, sourcePositions } from '../core/marks.ts'
import type { StreamSummary } from '../core/results.ts'
import type { LoadedDataset } from './datasets.ts'
import { openRaw, type RawTable } from './raw-table.ts'
import { settings } from '../host/settings.ts'
import { executionResolver } from '../net/dial.ts'
import { superviseJob, type StreamRun } from './stream-settings.ts'

export async function runKafkaStream(loaded: LoadedDataset, run: StreamRun): Promise<StreamSummary> {
  const { dataset } = loaded
  if (dataset.source.kind !== 'kafka') throw failure('internal', { reason: 'not a Kafka dataset' })
  const { source } = dataset
  const client = createKafkaClient(source, executionResolver(settings()))
  try {
    const info = await client.topic(source.topic)
    const partitions = [...info.leaders.keys()].toSorted((a, b) => a - b)
    const raw = await openRaw(dataset, loaded.rawPath, Date.now(), loaded.processedPath)
    await checkSameTopic(dataset.name, raw, source.topic, info.topicId)
    await placeFirstMarks({
      raw,
      client,
      topic: source.topic,
      topicId: info.topicId,
      partitions,
      start: source.start,
    })
    const topic = {
      topic: source.topic,
      topicId: info.topicId,
      partitions,
      children:
        run.spark === undefined
          ? dataset.stream.children || Math.max(1, Math.floor(availableParallelism() / 2))
          : 1,
      ends: async () => client.offsetsAt(source.topic, await client.topic(source.topic), -1),
      partitionsNow: async () => [...(await client.topic(source.topic)).leaders.keys()],
    }
    return await superviseJob(loaded, raw, topic, run)
  } finally {
    await client.close()
  }
}

/** A table with offsets of another topic ID belongs to a topic that was recreated (or to another cluster). */
async function checkSameTopic(dataset: string, raw: RawTable, topic: string, topicId: string): Promise<void> {
  const known = [...new Set(sourcePositions(raw.table.snapshot.marks).map((position) => position.topicId))]
  if (known.length > 0 && !known.includes(topicId))
    throw failure('topic_recreated', { topic, expected: known.at(-1), found: topicId, dataset })
}

interface FirstMarks {
  raw: RawTable
  client: KafkaClient
  topic: string
  topicId: string
  partitions: number[]
  start: 'earliest' | 'latest'
}

/**
 * A first start records its positions before it reads anything. Otherwise, a job that starts at `latest` and
 * dies before its first commit would start at a later `latest`. Then every position is checked against the
 * broker.
 */
async function placeFirstMarks({
  raw,
  client,
  topic,
  topicId,
  partitions,
  start,
}: FirstMarks): Promise<void> {
  const info = await client.topic(topic)
  // A partition with a mark can be read while the leader of another is dead. Only the broker knows where a
  // new partition starts.
  const isMarked = partitions.every((partition) =>
    raw.table.snapshot.marks.has(sourceMark(topicId, partition)),
  )
  const first = await client.offsetsAt(topic, info, -2, isMarked)
  const last = await client.offsetsAt(topic, info, -1, isMarked)
  const { marks } = raw.table.snapshot
  const fresh = !sourcePositions(marks).some((position) => position.topicId === topicId)
  const missing = partitions.filter((partition) => !marks.has(sourceMark(topicId, partition)))
  for (const partition of partitions) {
    const next = marks.get(sourceMark(topicId, partition))
    if (
      next !== undefined &&
      (next < (first.get(partition) ?? 0) || next > (last.get(partition) ?? Infinity))
    )
      throw await outOfRange({ client, topic }, partition, next)
  }
  if (missing.length === 0) return
  const at = (partition: number): number =>
    (fresh && start === 'latest' ? last.get(partition) : first.get(partition)) ?? 0
  const placed = Object.fromEntries(
    missing.map((partition) => [sourceMark(topicId, partition), at(partition)]),
  )
  const expect = Object.fromEntries(missing.map((partition) => [sourceMark(topicId, partition), undefined]))
  await raw.table.commit(
    {
      operation: 'SET OFFSETS',
      adds: [],
      removes: [],
      marks: placed,
      expect,
      info: { reason: 'first start' },
    },
    Date.now(),
  )
}
