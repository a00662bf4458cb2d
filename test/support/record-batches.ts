/** Record batches made by hand, right and wrong ones, and how a test reads them. */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { crc32c } from '@node-rs/crc32'
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import { readBatches } from '../../src/connectors/kafka/record-batch.ts'
import { createMessages, type Messages } from '../../src/core/messages.ts'
import { createSlab } from '../../src/core/slab.ts'

export const varint = (value: number): Buffer => {
  const bytes: number[] = []
  let left = value < 0 ? -2 * value - 1 : 2 * value
  for (; left >= 0x80; left = Math.floor(left / 128)) bytes.push((left & 0x7f) | 0x80)
  return Buffer.from([...bytes, left])
}

export function record(delta: number, value: Buffer): Buffer {
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(0),
    varint(delta),
    varint(-1),
    varint(value.length),
    value,
    varint(0),
  ])
  return Buffer.concat([varint(body.length), body])
}

const CODECS: ((body: Buffer) => Buffer)[] = [
  (body) => body,
  gzipSync,
  snappyCompress,
  lz4Compress,
  zstdCompressSync,
]

export interface Made {
  base: number
  body: Buffer
  codec?: number
  count?: number
  last?: number
}

export function batch({ base, body, codec = 0, count = 1, last = count - 1 }: Made): Buffer {
  const packed = CODECS[codec]?.(body) ?? body
  const all = Buffer.alloc(61 + packed.length)
  all.writeBigInt64BE(BigInt(base), 0)
  all.writeInt32BE(all.length - 12, 8)
  all[16] = 2
  all.writeInt16BE(codec, 21)
  all.writeInt32BE(last, 23)
  all.writeBigInt64BE(1_700_000_000_000n, 27)
  all.writeBigInt64BE(1_700_000_000_000n, 35)
  all.writeInt32BE(count, 57)
  packed.copy(all, 61)
  return sealed(all)
}

export function sealed(all: Buffer): Buffer {
  all.writeUInt32BE(crc32c(all.subarray(21)), 17)
  return all
}

export function read(records: Buffer): { messages: Messages; next: number } {
  const messages = createMessages(createSlab(1024), 4)
  const next = readBatches(records, [], {
    messages,
    topic: 't',
    partition: 0,
    from: 0,
    until: Infinity,
    end: Infinity,
  })
  return { messages, next }
}

export const texts = (m: Messages): string[] =>
  Array.from({ length: m.count }, (_, i) =>
    m.unread.has(i)
      ? (m.unread.get(i)?.rule as string)
      : m.slab.bytes.toString('utf8', m.valueStart[i], m.valueStart[i] + m.valueLength[i]),
  )
export const good = (base: number): Buffer => batch({ base, body: record(0, Buffer.from(`good ${base}`)) })
export const framed = (bytes: number[]): Buffer => Buffer.from([...varint(bytes.length), ...bytes])
