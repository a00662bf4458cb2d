/**
 * Decodes messages that RAW kept again, with the present declaration: quarantined ones, and all after a
 * mapping changed.
 */
import { hash } from 'node:crypto'
import type { StageEngine } from '../core/engine.ts'
import { createMessages, ensureMessages, type Messages } from '../core/messages.ts'
import { failure } from '../core/errors.ts'
import { addCounts, emptyCounts, type Counts } from '../core/results.ts'
import { appendBytes, appendText, createSlab } from '../core/slab.ts'
import type { DataFile } from '../core/table-schema.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { createBatchWriter, type BatchWriter } from '../runner/batch-writer.ts'
import { createBlockProcessor, type BlockProcessor, type BlockResult } from '../runner/block.ts'
import type { KnownRow } from '../runner/quarantine-rows.ts'
import { createIdentifier } from '../runner/message-ids.ts'
import type { RawTable } from './raw-table.ts'

/**
 * A row of RAW from SQL: kafka_partition, kafka_offset, ordinal, message_key, message_headers, time_ms and
 * `bytes`, the message in base64; for a reject, reject_reason. Rows of one message may repeat its bytes; one
 * copy is enough.
 */
export type KeptRow = Record<string, unknown>

export interface Redecoder {
  /**
   * Decodes the messages of these rows. For each message, it returns only the ordinals that the rows name, or
   * all for ordinal -1.
   */
  add(rows: KeptRow[], counts: Counts): Promise<void>
  /** The durable files of everything that was added. */
  finish(): Promise<DataFile[]>
}

export interface RedecoderOptions {
  dataset: Dataset
  raw: RawTable
  engine: StageEngine
  topicId: string
  topic: string
  /** Ingest time of the rows. It decides their day. */
  ingestMs: number
  /** Adds columns to `raw` that drift has found. */
  evolve(paths: string[]): Promise<unknown>
}

export async function createRedecoder(options: RedecoderOptions): Promise<Redecoder> {
  const { dataset, raw } = options
  const files: DataFile[] = []
  const open = async (): Promise<{ processor: BlockProcessor; writer: BatchWriter }> => ({
    processor: createBlockProcessor({
      dataset,
      columns: [...raw.columns],
      identifier: createIdentifier(dataset, 0),
      poison: new Map(),
    }),
    writer: await createBatchWriter({
      ...options,
      columns: [...raw.columns],
      store: raw.table.store,
      nowMs: () => options.ingestMs,
    }),
  })
  const close = async ({ writer }: { writer: BatchWriter }): Promise<void> =>
    void files.push(...(await (await writer.finish()).files))
  let parts = await open()
  const decode = async (rows: KeptRow[], counts: Counts, isAlone: boolean): Promise<void> => {
    const again = new Map<number, KeptRow[]>()
    for (;;) {
      const mine = emptyCounts()
      again.clear()
      const { block, left } = decodeRows(parts.processor, { rows, isAlone }, mine, again)
      if (block.discovered.size === 0) {
        await parts.writer.add(block)
        addCounts(counts, mine)
        if (left.length > 0) await decode(left, counts, isAlone)
        break
      }
      // Drift adds the column first, as in a stream: without it, the value would be lost.
      const before = raw.columns.length
      await options.evolve([...block.discovered])
      if (raw.columns.length === before)
        throw failure('internal', { reason: `no column was made of ${[...block.discovered].join(', ')}` })
      await close(parts)
      parts = await open()
    }
    const more = [...again.values()].flat()
    if (more.length > 0) await decode(more, counts, true)
  }
  return {
    add: (rows, counts) => decode(rows, counts, false),
    async finish() {
      await close(parts)
      return files
    },
  }
}

interface KeptRows {
  rows: KeptRow[]
  /** Each row is a separate message, whatever it shares with others. */
  isAlone: boolean
}

/**
 * Decodes the messages of the rows. `again`: rows of records whose own bytes were stored with other records,
 * too. `left`: rows of messages that decompress to more than fits at once.
 */
function decodeRows(
  processor: BlockProcessor,
  { rows, isAlone }: KeptRows,
  counts: Counts,
  again: Map<number, KeptRow[]>,
): { block: BlockResult; left: KeptRow[] } {
  const wanted = new Map<string, Set<number>>()
  for (const row of rows)
    wanted.set(positionOf(row), (wanted.get(positionOf(row)) ?? new Set()).add(Number(row.ordinal)))
  const { messages, kept } = messagesOf(rows, isAlone)
  const isKnown: KnownRow = (partition, offset, ordinal) => {
    const some = wanted.get(`${partition}:${offset}`)
    return some !== undefined && !some.has(-1) && !some.has(ordinal)
  }
  const block = processor.process(messages, counts, isKnown, {
    // A record of a large file, or a line, was stored alone, as a message with one record: its ordinal is
    // that of its row.
    firstOrdinal(message, records) {
      const [first, ...more] = kept[message]
      if (records !== 1) return 0
      if (more.length > 0) again.set(message, more)
      return Math.max(0, Number(first.ordinal))
    },
    line: (message) => lineOf(kept[message][0]),
  })
  return { block, left: block.rest === undefined ? [] : kept.slice(messages.count).flat() }
}

/** The line at the end of a reject's reason. 0 if there is none. */
function lineOf(row: KeptRow): number {
  return Number(/\(line (\d+)\)$/.exec(String(row.reject_reason ?? ''))?.[1] ?? 0)
}

const positionOf = (row: KeptRow): string => `${String(row.kafka_partition)}:${String(row.kafka_offset)}`

/**
 * Each stored text once, with its rows, one per ordinal: rows of one large file share their position, but not
 * their bytes. `isAlone`: each row separately.
 */
function messagesOf(rows: KeptRow[], isAlone: boolean): { messages: Messages; kept: KeptRow[][] } {
  const messages = createMessages(createSlab(1 << 20), rows.length)
  const seen = new Map<string, number>()
  const kept: KeptRow[][] = []
  for (const row of rows) {
    const text = `${positionOf(row)} ${hash('sha256', String(row.bytes))}`
    const known = isAlone ? undefined : seen.get(text)
    if (known !== undefined) {
      if (!kept[known].some((other) => Number(other.ordinal) === Number(row.ordinal))) kept[known].push(row)
      continue
    }
    seen.set(text, messages.count)
    kept.push([row])
    const n = messages.count
    ensureMessages(messages, n + 1)
    const { slab } = messages
    const put = (text: unknown): [number, number] => {
      if (text === null || text === undefined) return [0, -1]
      const start = appendText(slab, String(text))
      return [start, slab.end - start]
    }
    messages.partition[n] = Number(row.kafka_partition)
    messages.offset[n] = Number(row.kafka_offset)
    messages.time[n] = Number(row.time_ms)
    ;[messages.keyStart[n], messages.keyLength[n]] = put(row.message_key)
    ;[messages.headersStart[n], messages.headersLength[n]] = put(row.message_headers)
    const bytes = Buffer.from(String(row.bytes), 'base64')
    messages.valueStart[n] = appendBytes(slab, bytes)
    messages.valueLength[n] = bytes.length
    messages.count = n + 1
  }
  return { messages, kept }
}
