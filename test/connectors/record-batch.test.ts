/**
 * Record batches that lie: each is one message that says so, what stands around it is read, and none takes
 * time or memory without end.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextOffset, readBatches } from '../../src/connectors/kafka/record-batch.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { createMessages } from '../../src/core/messages.ts'
import { createSlab } from '../../src/core/slab.ts'
import {
  batch,
  framed,
  good,
  read,
  record,
  sealed,
  texts,
  varint,
  type Made,
} from '../support/record-batches.ts'

const around = (bad: Buffer, count: number): Buffer => Buffer.concat([good(0), bad, good(1 + count)])

test.each([1, 2, 3, 4])('a batch of compression %i that inflates beyond the cap is passed over', (codec) => {
  const bomb = record(0, Buffer.alloc(LIMITS.batchInflatedBytes + 1))
  const { messages, next } = read(around(batch({ base: 1, body: bomb, codec }), 1))
  expect(texts(messages)).toEqual(['good 0', 'batch_unreadable', 'good 2'])
  expect([next, messages.slab.bytes.length < 8 * 1024 * 1024, messages.unread.get(1)?.reason]).toEqual([
    3,
    true,
    `the record batch of offsets 1 to 1 cannot be read: it decompresses to more than ${LIMITS.batchInflatedBytes} bytes`,
  ])
})

test.each([1, 2, 3, 4])('a batch of compression %i below the cap is read', (codec) => {
  const { messages } = read(
    around(
      batch({
        base: 1,
        body: Buffer.concat([record(0, Buffer.alloc(3_000_000, 'ab')), record(1, Buffer.from('x'))]),
        codec,
        count: 2,
      }),
      2,
    ),
  )
  expect([messages.count, messages.valueLength[1], messages.unread.size]).toEqual([4, 3_000_000, 0])
})

const recordBytes = record(0, Buffer.from('value'))
/**
 * A record of these bytes; what is `beyond` lies behind its end, and would be its own if lengths were not
 * looked at.
 */
const shaped = (bytes: number[], beyond = 0): Buffer =>
  Buffer.concat([framed(bytes), Buffer.alloc(beyond, varint(-1)[0])])
/** Attributes, time, offset, and neither key nor value. */
const NULLS = [0, 0, 0, 1, 1]
test.each<[string, Made]>([
  ['more records than bytes', { base: 1, body: recordBytes, count: 2_000_000_000, last: 0 }],
  ['a negative count', { base: 1, body: recordBytes, count: -1, last: 0 }],
  ['fewer records than there are', { base: 1, body: Buffer.concat([recordBytes, recordBytes]), count: 1 }],
  [
    'a record longer than its batch',
    { base: 1, body: Buffer.concat([varint(900), recordBytes.subarray(1)]) },
  ],
  ['a record of no length', { base: 1, body: Buffer.concat([varint(0), recordBytes]), count: 1 }],
  [
    'a value longer than its record',
    {
      base: 1,
      body: Buffer.concat([
        varint(8),
        Buffer.from([0]),
        varint(0),
        varint(0),
        varint(-1),
        varint(5_000),
        Buffer.alloc(3),
      ]),
    },
  ],
  ['a header count behind the end of its record', { base: 1, body: shaped([...NULLS], 1) }],
  ['a negative count of headers', { base: 1, body: shaped([...NULLS, ...varint(-1)]) }],
  ['more headers than bytes', { base: 1, body: shaped([...NULLS, ...varint(2_000_000_000)]) }],
  [
    'a null header value behind the end',
    { base: 1, body: shaped([...NULLS, ...varint(1), ...varint(0)], 1) },
  ],
  ['bytes behind the headers', { base: 1, body: shaped([...NULLS, ...varint(0), 7, 7]) }],
  ['a number of six bytes', { base: 1, body: shaped([...NULLS, 0x80, 0x80, 0x80, 0x80, 0x80, 0]) }],
  ['a time of eleven bytes', { base: 1, body: framed([0, ...Array<number>(10).fill(0x80), 0, 0, 1, 1, 0]) }],
  ['one offset twice', { base: 1, body: Buffer.concat([recordBytes, recordBytes]), count: 2, last: 0 }],
  ['an offset behind the last', { base: 1, body: record(77, Buffer.from('v')), count: 1 }],
  ['varints without an end', { base: 1, body: Buffer.alloc(40, 0xff) }],
  ['an unknown compression', { base: 1, body: recordBytes, codec: 6 }],
  ['gzip that is none', { base: 1, body: recordBytes, codec: 7 }],
])('%s: one message that says so', (_, made) => {
  const { messages, next } = read(around(batch(made), 1))
  expect(texts(messages)).toEqual(['good 0', 'batch_unreadable', 'good 2'])
  expect(next).toBe(3)
})

test('whatever is wrong in a batch with a right checksum, reading ends and goes on behind it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 30 }), { minLength: 1, maxLength: 5 }),
      fc.nat(4),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      (values, codec, changes) => {
        const bad = batch({
          base: 1,
          body: Buffer.concat(values.map((value, i) => record(i, Buffer.from(value)))),
          codec,
          count: values.length,
        })
        for (const [at, value] of changes) bad[57 + (at % (bad.length - 57))] = value
        const { messages, next } = read(around(sealed(bad), values.length))
        const messageTexts = texts(messages)
        expect([messageTexts[0], messageTexts.at(-1), next]).toEqual([
          'good 0',
          `good ${1 + values.length}`,
          2 + values.length,
        ])
        for (let i = 0; i < messages.count; i += 1)
          expect(messages.valueStart[i] + messages.valueLength[i]).toBeLessThanOrEqual(messages.slab.end)
      },
    ),
    { numRuns: Number(process.env.HEADRACE_TEST_PROPERTY_RUNS ?? 1_000) },
  )
})

test.each([
  [2n ** 63n - 1n, 253_402_300_799_999],
  [-(2n ** 63n), -62_135_596_800_000],
])('a time of %d is brought into the years that a table can hold', (first, held) => {
  const odd = good(0)
  odd.writeBigInt64BE(first, 27)
  expect(read(sealed(odd)).messages.time[0]).toBe(held)
})

test('many batches that inflate are read a part at a time', () => {
  const large = (base: number): Buffer => batch({ base, body: record(0, Buffer.alloc(10_000_000)), codec: 1 })
  const { messages, next } = read(Buffer.concat(Array.from({ length: 12 }, (_, i) => large(i))))
  expect([messages.count, next]).toEqual([4, 4])
})

test('a batch that fails its checksum ends the reading before it, by name', () => {
  const bad = good(1)
  bad[bad.length - 1] ^= 1
  expect(() => read(around(bad, 1))).toThrow(/offset 1 of .* is corrupt: its CRC/)
})

test.each([-12, -1, 0, 40, 1_000_000])(
  'a batch that says it has %i bytes is corrupt, and the end is found',
  (length) => {
    const bad = good(1)
    bad.writeInt32BE(length, 8)
    expect(() => read(bad)).toThrow(/its length or its offset is wrong/)
    expect(nextOffset(Buffer.concat([good(0), bad]), 0)).toBe(1)
  },
)

test('a batch at the end that the broker cut short is asked for again', () => {
  const { messages, next } = read(Buffer.concat([good(0), good(1).subarray(0, 65)]))
  expect([texts(messages), next]).toEqual([['good 0'], 1])
})

test('transactions that overlap are told apart, in whatever order their ends are listed', () => {
  const written = (base: number, producerId: bigint, flags = 0x10): Buffer => {
    const made = good(base)
    made.writeInt16BE(flags, 21)
    made.writeBigInt64BE(producerId, 43)
    return sealed(made)
  }
  // A and B begin, B aborts, A aborts, A commits once more; 0x30 are markers.
  const log = [
    written(0, 1n),
    written(1, 2n),
    written(2, 2n, 0x30),
    written(3, 1n),
    written(4, 1n, 0x30),
    written(5, 1n),
    written(6, 1n, 0x30),
  ]
  const aborted = [
    { producerId: 2n, firstOffset: 1n },
    { producerId: 1n, firstOffset: 0n },
  ]
  const messages = createMessages(createSlab(1024), 4)
  const target = { messages, topic: 't', partition: 0, from: 0, until: Infinity, end: Infinity }
  expect(readBatches(Buffer.concat(log), aborted, target)).toBe(7)
  expect(texts(messages)).toEqual(['good 5'])
})

test.each([
  ['before what was asked for', 2, Infinity],
  ['behind the end of the partition', 0, -1_000_000],
  ['behind the batch that follows it', 0, Infinity],
])('a batch whose offset lies %s is damaged: the checksum does not cover it', (where, from, end) => {
  const records = Buffer.concat(where.endsWith('follows it') ? [good(1), good(0)] : [good(1)])
  const messages = createMessages(createSlab(1024), 4)
  const target = { messages, topic: 't', partition: 0, from, until: Infinity, end }
  expect(() => readBatches(records, [], target)).toThrow(/its length or its offset is wrong/)
  // Nothing of it is taken before that shows.
  expect(readBatches(records, [], target, () => undefined)).toBe(from)
  expect(messages.count).toBe(0)
})

test('what was appended while the broker made its answer lies behind the end that it says, and is read', () => {
  const messages = createMessages(createSlab(1024), 4)
  const target = { messages, topic: 't', partition: 0, from: 0, until: Infinity, end: 1 }
  expect([readBatches(Buffer.concat([good(0), good(1)]), [], target), messages.count]).toEqual([2, 2])
})
