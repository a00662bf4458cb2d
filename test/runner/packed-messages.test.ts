/**
 * A block of messages as it comes from Kafka: compressed, in other encodings, bombs; what is kept of each can
 * be read again.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { createMessages, ensureMessages, type Messages } from '../../src/core/messages.ts'
import { emptyCounts } from '../../src/core/results.ts'
import { appendBytes, appendText, createSlab } from '../../src/core/slab.ts'
import { checkDataset } from '../../src/dataset/check.ts'
import type { Dataset } from '../../src/dataset/declaration.ts'
import { createBlockProcessor, type BlockResult } from '../../src/runner/block.ts'
import { createIdentifier } from '../../src/runner/message-ids.ts'

function dataset(record: string): Dataset {
  const found = checkDataset(
    `dataset: d\nsource: { kafka: { brokers: ["localhost:1"], topic: t } }\nrecord: ${record}\ncolumns:\n  - { name: id, type: long, required: true }\n  - { name: b }\n`,
  )
  expect(found.mistakes).toEqual([])
  return found.dataset as Dataset
}

function messagesOf(values: Buffer[]): Messages {
  const messages = createMessages(createSlab(64), 1)
  ensureMessages(messages, values.length)
  values.forEach((value, i) => {
    const { slab } = messages
    messages.offset[i] = i
    messages.keyStart[i] = appendText(slab, `k${i}`)
    messages.keyLength[i] = slab.end - messages.keyStart[i]
    messages.valueStart[i] = appendBytes(slab, value)
    messages.valueLength[i] = value.length
    messages.headersLength[i] = 0
    messages.count = i + 1
  })
  return messages
}

interface Read {
  accepted: string[]
  /** reason and original of each reject. */
  rejects: [string, Buffer][]
  parts: number
  slabBytes: number
  counts: ReturnType<typeof emptyCounts>
}

function read(declared: Dataset, values: Buffer[]): Read {
  const processor = createBlockProcessor({
    dataset: declared,
    columns: declared.columns,
    identifier: createIdentifier(declared, 0),
    poison: new Map(),
  })
  const messages = messagesOf(values)
  const out: Read = { accepted: [], rejects: [], parts: 0, slabBytes: 0, counts: emptyCounts() }
  for (let part: Messages | undefined = messages; part !== undefined; out.parts += 1) {
    const block: BlockResult = processor.process(part, out.counts, undefined)
    const text = (rows: BlockResult['accepted'], column: number, row: number): Buffer => {
      const { spans } = rows.columns[column]
      return Buffer.from(messages.slab.bytes.subarray(spans[row * 2], spans[row * 2] + spans[row * 2 + 1]))
    }
    for (let i = 0; i < block.accepted.count; i += 1)
      out.accepted.push(text(block.accepted, 1, block.accepted.selection[i]).toString())
    const { quarantined } = block
    for (let i = 0; i < quarantined.count; i += 1)
      out.rejects.push([
        text(quarantined, quarantined.columns.length - 2, i).toString(),
        text(quarantined, quarantined.columns.length - 1, i),
      ])
    out.slabBytes = Math.max(out.slabBytes, messages.slab.bytes.length)
    part = block.rest
  }
  return out
}

const FORMATS: [string, (i: number, b: string) => string][] = [
  ['{ format: csv }', (i, b) => `id,b\n${i},${b}\n`],
  ['{ format: ndjson }', (i, b) => `{"id":${i},"b":"${b}"}\n`],
  ['{ format: json, path: $ }', (i, b) => `{"id":${i},"b":"${b}"}`],
  ['{ format: xml, path: /r/e }', (i, b) => `<r><e><id>${i}</id><b>${b}</b></e></r>`],
]

test.each(FORMATS)(
  '%s: every packing and encoding gives its record, and messages keep their own bytes',
  (record, write) => {
    const text = (i: number): string => write(i, `Köln ${i} 🙂`)
    const utf16 = (i: number): Buffer =>
      Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text(i), 'utf16le')])
    const values = [
      Buffer.from(text(0)),
      gzipSync(text(1)),
      zstdCompressSync(text(2)),
      utf16(3),
      gzipSync(utf16(4)),
      Buffer.from(`\uFEFF${text(5)}`),
      Buffer.from(text(6), 'utf16le').swap16(),
    ]
    const found = read(dataset(record), values)
    expect(found.rejects).toEqual([])
    expect(found.accepted).toEqual(values.map((_, i) => `Köln ${i} 🙂`))
  },
)

test.each(FORMATS)(
  '%s: what cannot be unpacked is one reject with the bytes as they came, its neighbours land',
  (record, write) => {
    const good = gzipSync(write(1, 'x'))
    const bad = [
      good.subarray(0, -3),
      Buffer.concat([good, Buffer.from('tail')]),
      gzipSync(good),
      gzipSync(Buffer.alloc(LIMITS.recordBytes + 1, 0x20)),
      Buffer.from('PAR1\x15\x04\x15\x10'),
      gzipSync(''),
    ]
    const found = read(dataset(record), [good, ...bad, good])
    expect(found.accepted).toEqual(['x', 'x'])
    const reasons = found.rejects.map(([reason]) => reason)
    expect(reasons.slice(0, 5)).toEqual([
      'the gzip data is truncated',
      'the gzip data is damaged: incorrect header check',
      'this is gzip inside gzip; Headrace decompresses a document once',
      'the gzip data decompresses to more than 16777216 bytes',
      `this is Parquet, not ${/\w+(?=[,} ])/.exec(record.slice(10))?.[0].toUpperCase()}`,
    ])
    expect(found.rejects.map(([, bytes]) => bytes.toString('hex'))).toEqual(
      bad.slice(0, found.rejects.length).map((bytes) => bytes.toString('hex')),
    )
  },
)

test('a block of bombs is decoded in parts: memory does not grow with what they unpack to, and each record lands once', () => {
  const bomb = (i: number): Buffer => zstdCompressSync(`id,b\n${`${i},${'x'.repeat(100_000)}\n`.repeat(100)}`)
  const values = Array.from({ length: 20 }, (_, i) => bomb(i))
  expect(values.reduce((sum, value) => sum + value.length, 0)).toBeLessThan(100_000)
  const found = read(dataset('{ format: csv }'), values)
  expect(found.accepted).toHaveLength(2_000)
  expect(found.counts).toMatchObject({ messages: 20, read: 2_000, accepted: 2_000 })
  expect(found.parts).toBeGreaterThan(4)
  expect(found.slabBytes).toBeLessThan(LIMITS.unpackedBlockBytes * 4)
})

test('a line of a converted file is kept as UTF-8 that says so: it is read again whatever the declaration says', () => {
  const latin = dataset('{ format: csv, encoding: windows-1252 }')
  const { rejects } = read(latin, [
    Buffer.from('id,b\nx,Größe €\n', 'latin1').map((byte) => (byte === 0xac ? 0x80 : byte)) as Buffer,
  ])
  expect(rejects).toEqual([
    ['id is not of type long (line 2)', Buffer.from('\uFEFFid,b\nx,Größe \u0080'.replace('\u0080', '€'))],
  ])
  expect(read(latin, [rejects[0][1]]).rejects).toEqual(rejects)
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('id,b\n1,2\nx,é\n', 'utf16le')])
  const plain = read(dataset('{ format: csv }'), [utf16])
  expect(plain.rejects).toEqual([['id is not of type long (line 3)', Buffer.from('\uFEFFid,b\nx,é')]])
})

test('a CSV in windows-1252 that is declared as nothing says what to declare', () => {
  const header = read(dataset('{ format: csv }'), [Buffer.from('id,Größe\n1,2\n', 'latin1')])
  expect(header.rejects[0][0]).toBe(
    'the header: invalid UTF-8 at byte 5 (0xF6); if the file is windows-1252, declare record.encoding',
  )
  const body = read(dataset('{ format: csv }'), [Buffer.from('id,b\n1,Köln\n2,x\n', 'latin1')])
  expect(body.accepted).toEqual(['x'])
  expect(body.rejects[0][0]).toBe(
    'invalid UTF-8 at byte 8 (0xF6); if the file is windows-1252, declare record.encoding (line 2)',
  )
})
