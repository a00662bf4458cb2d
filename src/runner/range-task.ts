/**
 * A task: the parts of the embedded stream read, decode, check and write closed ranges of a topic, in a
 * separate process wherever an engine starts it. It prints its results in lines. It commits nothing, and
 * another attempt writes other files.
 */
import { HeadraceError } from '../core/errors.ts'
import type { StageEngine } from '../core/engine.ts'
import { LIMITS } from '../core/limits.ts'
import { createMessages, type Messages } from '../core/messages.ts'
import type { ObjectStore } from '../core/object-store.ts'
import type { DecodedRange, MessageHead, Verdict } from '../core/range-engine.ts'
import { emptyCounts } from '../core/results.ts'
import { createSlab } from '../core/slab.ts'
import type { MessageReader, PartitionPosition } from '../core/source.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { hashBytes, hashHigh, hashLow } from '../planning/dedup-window.ts'
import { createBatchWriter } from './batch-writer.ts'
import { createBlockProcessor, type BlockResult } from './block.ts'
import { poisonByPlace } from './intake.ts'
import { createIdentifier, type MessageIdentifier } from './message-ids.ts'
import type { PoisonMessage } from './protocol.ts'

/** The settings of all tasks of a batch. They contain no secret, only names of files with secrets. */
export interface TaskSettings {
  /** heads: identities of the messages; files: their rows. */
  work: 'heads' | 'files'
  dataset: Dataset
  columns: Column[]
  rawPath: string
  topic: string
  topicId: string
  ingestMs: number
  poison: PoisonMessage[]
  failpoint: string | undefined
}

/** One line of a task's input. */
export interface TaskRange {
  partition: number
  from: number
  until: number
  verdicts: Verdict[]
}

export interface TaskParts {
  settings: TaskSettings
  ranges: TaskRange[]
  openReader(
    positions: PartitionPosition[],
    until: Map<number, number>,
    onTrouble: (error: HeadraceError) => void,
  ): MessageReader
  /** Only for work: files. */
  openEngine(): Promise<StageEngine>
  store: ObjectStore
}

const POLL_MS = 250
/** Partition, offset (two words), hash of the identity (two words), hash of the content. */
const HEAD_WORDS = 6
const TWO_32 = 4_294_967_296

/** Blocks of heads, each packed into base64. */
export async function* readHeads(parts: TaskParts): AsyncGenerator<string> {
  const identifier = createIdentifier(parts.settings.dataset, 0)
  const { ids } = identifier
  for await (const m of blocks(parts)) {
    identifier.identify(m)
    const words = new Int32Array(m.count * HEAD_WORDS)
    let at = 0
    for (let i = 0; i < m.count; i += 1) {
      if (ids.length[i] < 0 || m.valueLength[i] <= 0) continue
      hashBytes(m.slab.bytes, ids.start[i], ids.length[i])
      words[at++] = m.partition[i]
      words[at++] = m.offset[i] % TWO_32
      words[at++] = Math.floor(m.offset[i] / TWO_32)
      words[at++] = hashHigh
      words[at++] = hashLow
      words[at++] = ids.hash[i]
    }
    if (at > 0) yield Buffer.from(words.buffer, 0, at * 4).toString('base64')
  }
}

/** Unpacks a block of heads. */
export function unpackHeads(packed: string): MessageHead[] {
  const bytes = Buffer.from(packed, 'base64')
  return Array.from({ length: bytes.length / (HEAD_WORDS * 4) }, (_, i) => {
    const word = (k: number): number => bytes.readInt32LE((i * HEAD_WORDS + k) * 4)
    return {
      partition: word(0),
      offset: (word(1) >>> 0) + word(2) * TWO_32,
      high: word(3),
      low: word(4),
      content: word(5),
    }
  })
}

/** Makes the files of the ranges durable, in a folder that only this attempt knows. */
export async function decodeRanges(parts: TaskParts): Promise<DecodedRange> {
  const { settings, store } = parts
  const { dataset, columns } = settings
  const verdicts = new Map(
    parts.ranges
      .flatMap((range) => range.verdicts)
      .map((verdict) => [`${verdict.partition}:${verdict.offset}`, verdict]),
  )
  const judged: MessageIdentifier = {
    ...createIdentifier(dataset, 0),
    see: (m, i) => verdicts.get(`${m.partition[i]}:${m.offset[i]}`)?.sighting ?? 'new',
  }
  const known = [...verdicts.values()].some((verdict) => verdict.known.length > 0)
    ? (partition: number, offset: number, ordinal: number): boolean =>
        verdicts.get(`${partition}:${offset}`)?.known.includes(ordinal) === true
    : undefined
  const processor = createBlockProcessor({
    dataset,
    columns,
    identifier: judged,
    poison: poisonByPlace(settings.poison),
  })
  const engine = await parts.openEngine()
  const writer = await createBatchWriter({
    dataset,
    columns,
    engine,
    store,
    topic: settings.topic,
    topicId: settings.topicId,
    nowMs: () => settings.ingestMs,
  })
  const counts = emptyCounts()
  const discovered = new Set<string>()
  let newestMs = 0
  for await (const messages of blocks(parts)) {
    for (let i = 0; i < messages.count; i += 1) newestMs = Math.max(newestMs, messages.time[i])
    for (let part: Messages | undefined = messages; part !== undefined;) {
      const block: BlockResult = processor.process(part, counts, known)
      for (const path of block.discovered) discovered.add(path)
      await writer.add(block).catch(shorten)
      part = block.rest
    }
  }
  const files =
    discovered.size > 0
      ? (await writer.discard(), [])
      : await writer
          .finish()
          .then((output) => output.files)
          .catch(shorten)
  engine.close()
  return { files, counts, newestMs, discovered: [...discovered], tasks: 1 }
}

/**
 * The last output of a task is cut at a few kilobytes. The first few refused rows are enough for the next
 * attempt.
 */
function shorten(error: unknown): never {
  if (error instanceof HeadraceError && error.code === 'rows_refused')
    error.params.rows = (error.params.rows as unknown[]).slice(0, 10)
  throw error
}

/** The messages of the ranges, one read at a time. The object is reused. */
async function* blocks(parts: TaskParts): AsyncGenerator<Messages> {
  const until = new Map(parts.ranges.map((range) => [range.partition, range.until]))
  const next = new Map(parts.ranges.map((range) => [range.partition, range.from]))
  const reader = parts.openReader(
    parts.ranges.map(({ partition, from }) => ({ partition, next: from })),
    until,
    () => undefined,
  )
  const messages = createMessages(createSlab(LIMITS.slabBytes * 2), 8192)
  try {
    while ([...until].some(([partition, end]) => (next.get(partition) ?? 0) < end)) {
      const { positions } = await reader.read(messages, POLL_MS)
      for (const position of positions) next.set(position.partition, position.next)
      if (messages.count > 0) yield messages
    }
  } finally {
    await reader.close()
  }
}
