/**
 * Compressed bodies: every codec is undone wholly, up to the cap, and what is damaged costs nothing but
 * itself.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inflate } from '../../src/connectors/kafka/inflate.ts'

const MIB = 1024 * 1024
const MOST = 64 * MIB

const xerialHeader = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
/** As Java's clients frame snappy: blocks of `size` bytes with their lengths before them. */
function xerial(body: Uint8Array, size: number): Buffer {
  const parts: Buffer[] = [xerialHeader]
  for (let at = 0; at < body.length; at += size) {
    const block = snappyCompress(Buffer.from(body.subarray(at, at + size)))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

const skipped = Buffer.concat([Buffer.from([0x52, 0x2a, 0x4d, 0x18, 3, 0, 0, 0]), Buffer.from('abc')])

const PACKED: [string, number, (body: Buffer) => Buffer][] = [
  ['gzip', 1, (body) => gzipSync(body)],
  ['snappy', 2, snappyCompress],
  ['snappy as Java frames it', 2, (body) => xerial(body, 1_000)],
  ['lz4', 3, lz4Compress],
  ['zstd', 4, (body) => zstdCompressSync(body)],
]
/** Those that may stand in a row. */
const JOINED = PACKED.filter(([name]) => name !== 'snappy')

const bytesOf = (body: Buffer, codec: number, most = MOST): Buffer => {
  const inflated = inflate(body, codec, most)
  if ('reason' in inflated) throw new Error(inflated.reason)
  return Buffer.from(inflated.bytes)
}

const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 60 })), {
    maxLength: 40,
  })
  .map((parts) => Buffer.concat(parts.flatMap(([bytes, times]) => Array<Uint8Array>(times).fill(bytes))))

test.each(PACKED)('%s: whatever was packed comes back', (_, codec, pack) => {
  fc.assert(
    fc.property(repetitive, (body) => {
      if (body.length === 0) return
      expect(bytesOf(pack(body), codec).equals(body)).toBe(true)
    }),
    { numRuns: 200 },
  )
})

test.each(JOINED)('%s: frames in a row are undone to the last one', (_, codec, pack) => {
  const [a, b] = [Buffer.alloc(3_000, 'first '), Buffer.alloc(200_000, 'second')]
  expect(bytesOf(Buffer.concat([pack(a), pack(b), pack(a)]), codec).equals(Buffer.concat([a, b, a]))).toBe(
    true,
  )
})

test('lz4: frames to be skipped are skipped', () => {
  const body = Buffer.from('hello')
  expect(bytesOf(Buffer.concat([skipped, lz4Compress(body), skipped]), 3).equals(body)).toBe(true)
})

test.each([
  ...JOINED,
  ...JOINED.map(
    ([name, codec, pack]) =>
      [
        `${name}, hidden behind a small one`,
        codec,
        (body: Buffer) => Buffer.concat([pack(Buffer.from('small')), pack(body)]),
      ] as const,
  ),
])('%s: a bomb is refused at the cap, and takes little more than that', (_, codec, pack) => {
  const bomb = pack(Buffer.alloc(4 * MOST))
  const before = process.memoryUsage.rss()
  expect(inflate(bomb, codec, MOST)).toEqual({ reason: `it decompresses to more than ${MOST} bytes` })
  expect(process.memoryUsage.rss() - before).toBeLessThan(4 * MOST)
})

test('snappy that says it is larger than its bytes can hold is not believed', () => {
  const lie = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x0f]), Buffer.from('abc')])
  expect(inflate(lie, 2, MOST)).toEqual({
    reason: 'decompression failed: a snappy block of 7 bytes says 33554431',
  })
})

test.each(PACKED)('%s: of a cut body nothing is taken for the whole', (_, codec, pack) => {
  const body = Buffer.alloc(5_000, 'some text, ')
  const packed = pack(body)
  for (let length = 0; length < packed.length; length += 1) {
    const inflated = inflate(packed.subarray(0, length), codec, MOST)
    if ('bytes' in inflated) expect(inflated.bytes.length).toBeLessThan(body.length)
  }
})

test.each([2, 3])('ten thousand damaged bodies of codec %i leave the next one readable', (codec) => {
  const pack = codec === 2 ? snappyCompress : lz4Compress
  const good = pack(Buffer.alloc(5_000, 'some text, '))
  const bad = good.subarray(0, good.length - 9)
  const before = process.memoryUsage.rss()
  for (let i = 0; i < 10_000; i += 1) expect(inflate(bad, codec, MOST)).toHaveProperty('reason')
  expect(bytesOf(good, codec).length).toBe(5_000)
  expect(process.memoryUsage.rss() - before).toBeLessThan(100 * MIB)
})
