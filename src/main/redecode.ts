/** Messages that RAW kept are decoded again with the declaration of today: for quarantined ones, and after a mapping changed. */
import { hash } from 'node:crypto'
import type { StageEngine } from '../core/engine.ts'
import { createMessages, ensureMessages, type Messages } from '../core/messages.ts'
import type { Counts } from '../core/results.ts'
import { appendBytes, appendText, createSlab } from '../core/slab.ts'
import type { DataFile } from '../core/table-schema.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { createBatchWriter } from '../runner/batch-writer.ts'
import { createBlockProcessor, type BlockResult, type KnownRow } from '../runner/block.ts'
import { createIdentifier } from '../runner/message-ids.ts'
import type { RawTable } from './raw-table.ts'

/**
 * A row of RAW as SQL gives it: kafka_partition, kafka_offset, ordinal, message_key, message_headers, time_ms and `bytes`, the
 * message in base64; of a reject, reject_reason. Rows of one message may repeat its bytes; one of them is enough.
 */
export type KeptRow = Record<string, unknown>

export interface Redecoder {
  /** Decodes the messages of these rows. Of each message only the ordinals that the rows name come out, or all for ordinal -1. */
  add(rows: KeptRow[], counts: Counts): Promise<void>
  /** The files of all that was added, durable. */
  finish(): Promise<DataFile[]>
}

export interface RedecoderOptions {
  dataset: Dataset
  raw: RawTable
  engine: StageEngine
  topicId: string
  topic: string
  /** When the rows count as ingested: decides their day. */
  ingestMs: number
}

export async function createRedecoder(options: RedecoderOptions): Promise<Redecoder> {
  const { dataset, raw } = options
  const processor = createBlockProcessor({ dataset, columns: raw.columns, identifier: createIdentifier(dataset, 0), poison: new Set() })
  const writer = await createBatchWriter({ ...options, columns: raw.columns, store: raw.table.store, nowMs: () => options.ingestMs })
  return {
    async add(rows, counts) {
      const wanted = new Map<string, Set<number>>()
      for (const row of rows) wanted.set(positionOf(row), (wanted.get(positionOf(row)) ?? new Set()).add(Number(row.ordinal)))
      const { messages, ordinals, lines } = messagesOf(rows)
      const known: KnownRow = (partition, offset, ordinal) => {
        const some = wanted.get(`${partition}:${offset}`)
        return some !== undefined && !some.has(-1) && !some.has(ordinal)
      }
      const kept = {
        // A record of a large file was kept by itself, a message with one record: its ordinal is the one that its row has.
        firstOrdinal: (message: number, records: number) => (records === 1 && ordinals[message].length === 1 ? Math.max(0, ordinals[message][0]) : 0),
        line: (message: number) => lines[message],
      }
      for (let part: Messages | undefined = messages; part !== undefined; ) {
        const block: BlockResult = processor.process(part, counts, known, kept)
        await writer.add(block)
        part = block.rest
      }
    },
    finish: async () => (await writer.finish()).files,
  }
}

const positionOf = (row: KeptRow): string => `${String(row.kafka_partition)}:${String(row.kafka_offset)}`

/** Each text that was kept once, with the ordinals of the rows that have it: rows of one large file share their position and not their bytes. */
function messagesOf(rows: KeptRow[]): { messages: Messages; ordinals: number[][]; lines: number[] } {
  const messages = createMessages(createSlab(1 << 20), rows.length)
  const seen = new Map<string, number>()
  const ordinals: number[][] = []
  const lines: number[] = []
  for (const row of rows) {
    const kept = `${positionOf(row)} ${hash('sha256', String(row.bytes))}`
    const known = seen.get(kept)
    if (known !== undefined) {
      ordinals[known].push(Number(row.ordinal))
      continue
    }
    seen.set(kept, messages.count)
    ordinals.push([Number(row.ordinal)])
    lines.push(Number(/\(line (\d+)\)$/.exec(String(row.reject_reason ?? ''))?.[1] ?? 0))
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
  return { messages, ordinals, lines }
}
