/**
 * Positions under the control of the user: show, set, rewind. A change is one commit of marks, whose effect
 * is shown before.
 */
import { createKafkaClient, type KafkaClient } from '../connectors/kafka/client.ts'
import { failure } from '../core/errors.ts'
import { rereadMark, sourceMark } from '../core/marks.ts'
import type { App, OffsetsChange, OffsetsRequest } from './app.ts'
import { loadDataset, type LoadedDataset } from './datasets.ts'
import { openRaw } from './raw-table.ts'

export function createOffsetsApp(): Pick<App, 'offsets' | 'setOffsets'> {
  return {
    async offsets(dataset) {
      const place = await open(dataset)
      try {
        const now = Date.now()
        const partitions = await Promise.all(
          place.partitions.map(async ({ partition, first, end }) => {
            const next = place.marks.get(sourceMark(place.topicId, partition)) ?? first
            const lagRecords = Math.max(0, end - next)
            return {
              partition,
              next,
              first,
              end,
              lagRecords,
              lagSeconds: lagRecords === 0 ? 0 : await ageOf(place, partition, next, now),
            }
          }),
        )
        return { topic: place.topic, topicId: place.topicId, partitions }
      } finally {
        await place.client.close()
      }
    },
    async setOffsets(dataset, request) {
      const place = await open(dataset)
      try {
        return await change(place, request)
      } finally {
        await place.client.close()
      }
    },
  }
}

interface Place {
  loaded: LoadedDataset
  client: KafkaClient
  topic: string
  topicId: string
  marks: ReadonlyMap<string, number>
  partitions: { partition: number; first: number; end: number }[]
  raw: Awaited<ReturnType<typeof openRaw>>
}

async function open(dataset: string): Promise<Place> {
  const loaded = await loadDataset(dataset)
  const { source } = loaded.dataset
  if (source.kind !== 'kafka')
    throw failure('usage', { reason: `${dataset} reads a folder. Only Kafka topics have offsets` })
  const client = createKafkaClient(source)
  try {
    const info = await client.topic(source.topic)
    const [first, end] = [
      await client.offsetsAt(source.topic, info, -2),
      await client.offsetsAt(source.topic, info, -1),
    ]
    const raw = await openRaw(loaded.dataset, loaded.rawPath, Date.now())
    const partitions = [...info.leaders.keys()]
      .toSorted((a, b) => a - b)
      .map((partition) => ({ partition, first: first.get(partition) ?? 0, end: end.get(partition) ?? 0 }))
    return {
      loaded,
      client,
      topic: source.topic,
      topicId: info.topicId,
      marks: raw.table.snapshot.marks,
      partitions,
      raw,
    }
  } catch (error) {
    await client.close()
    throw error
  }
}

/** Seconds since the next message, by its own clock. If that clock is ahead of ours, the age is 0. */
async function ageOf(place: Place, partition: number, next: number, nowMs: number): Promise<number | null> {
  const { createKafkaReader } = await import('../connectors/kafka/source.ts')
  const { createMessages } = await import('../core/messages.ts')
  const { createSlab } = await import('../core/slab.ts')
  const client = createKafkaClient(place.client.spec)
  const reader = createKafkaReader({
    client,
    topic: place.topic,
    topicId: place.topicId,
    positions: [{ partition, next }],
    until: new Map([[partition, next + 1]]),
    onTrouble: () => undefined,
  })
  try {
    const messages = createMessages(createSlab(1 << 20), 16)
    await reader.read(messages, 1_000)
    return messages.count === 0 ? null : Math.max(0, Math.round((nowMs - messages.time[0]) / 1000))
  } finally {
    await reader.close()
  }
}

async function change(place: Place, request: OffsetsRequest): Promise<OffsetsChange> {
  const wanted = place.partitions.filter(
    (range) => request.partition === undefined || range.partition === request.partition,
  )
  if (wanted.length === 0)
    throw failure('usage', {
      reason: `topic ${place.topic} has no Kafka partition ${request.partition}; it has ${place.partitions.map((range) => range.partition).join(', ')}`,
    })
  const byTime = request.toTime === undefined ? undefined : await offsetsAtTime(place, request.toTime)
  const marks: Record<string, number> = {}
  const expect: Record<string, number | undefined> = {}
  const changes = wanted.map(({ partition, first, end }) => {
    const mark = sourceMark(place.topicId, partition)
    const from = place.marks.get(mark)
    const asked = byTime === undefined ? (request.toOffset ?? first) : (byTime.get(partition) ?? end)
    const to = Math.min(Math.max(request.newTopic ? first : asked, first), end)
    if (request.toOffset !== undefined && to !== request.toOffset)
      throw failure('usage', {
        reason: `offset ${request.toOffset} is outside of Kafka partition ${partition}, which has ${first} to ${end}`,
      })
    if (request.rewindOnly && from !== undefined && to > from)
      throw failure('usage', {
        reason: `rewind only moves back: Kafka partition ${partition} is at ${from}, and ${to} is ahead of it. To skip messages, use headrace offsets set`,
      })
    marks[mark] = to
    expect[mark] = from
    const reread = rereadMark(place.topicId, partition)
    if (from !== undefined && to < from) marks[reread] = Math.max(from, place.marks.get(reread) ?? 0)
    return {
      partition,
      from: from ?? null,
      to,
      reread: Math.max(0, (from ?? to) - to),
      skipped: Math.max(0, to - (from ?? to)),
    }
  })
  if (request.dryRun) return { topic: place.topic, changes, committed: false, version: null }
  const info = { reason: request.newTopic ? 'new topic accepted' : 'set by an operator', changes }
  const version = await place.raw.table.commit(
    { operation: 'SET OFFSETS', adds: [], removes: [], marks, expect, info },
    Date.now(),
  )
  return { topic: place.topic, changes, committed: true, version }
}

async function offsetsAtTime(place: Place, text: string): Promise<Map<number, number>> {
  const time = Date.parse(text)
  if (Number.isNaN(time))
    throw failure('usage', { reason: `${text} is not a time; write it like 2026-11-21T08:00:00Z` })
  const found = await place.client.offsetsAt(place.topic, await place.client.topic(place.topic), time)
  // The broker answers -1 if no message is this new: then use the end.
  return new Map([...found].filter(([, offset]) => offset >= 0))
}
