/** Record batches that were changed at random: refused, or read as their bytes say. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readBatches } from '../../src/connectors/kafka/record-batch.ts'
import { createMessages, type Messages } from '../../src/core/messages.ts'
import { createSlab } from '../../src/core/slab.ts'
import { batch, framed, good, read, texts, varint } from '../support/record-batches.ts'

interface PlainRecord {
  time: number
  key: Uint8Array | null
  value: Uint8Array | null
  headers: [string, Uint8Array | null][]
}

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 20 }))
const anyRecord: fc.Arbitrary<PlainRecord> = fc.record({
  time: fc.integer({ min: -1_000_000_000_000, max: 1_000_000_000_000 }),
  key: bytesOrNull,
  value: bytesOrNull,
  headers: fc.array(fc.tuple(fc.string({ maxLength: 5 }), bytesOrNull), { maxLength: 3 }),
})
const spanOf = (bytes: Uint8Array | null): number[] =>
  bytes === null ? [...varint(-1)] : [...varint(bytes.length), ...bytes]
const written = ({ time, key, value, headers }: PlainRecord, delta: number): Buffer =>
  framed([
    0,
    ...varint(time),
    ...varint(delta),
    ...spanOf(key),
    ...spanOf(value),
    ...varint(headers.length),
    ...headers.flatMap(([name, bytes]) => [...spanOf(Buffer.from(name)), ...spanOf(bytes)]),
  ])

type Change = { kind: 'flip' | 'cut' | 'insert' | 'set'; at: number; value: number }
const anyChange: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'insert', 'set'),
  at: fc.nat(),
  value: fc.nat(255),
})

/** Applies a change from byte `first` on. */
function changed(bytes: Buffer, { kind, at, value }: Change, first: number): Buffer {
  const place = first + (at % (bytes.length - first + 1))
  if (kind === 'insert')
    return Buffer.concat([bytes.subarray(0, place), Buffer.from([value]), bytes.subarray(place)])
  if (kind === 'cut')
    return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1 + (value % 4))])
  const same = Buffer.from(bytes)
  if (place < same.length) same[place] = kind === 'flip' ? same[place] ^ (1 << (value % 8)) : value
  return same
}

/** All that a reader says of its messages. */
const saidOf = (m: Messages): unknown[] =>
  Array.from({ length: m.count }, (_, i) => {
    const span = (start: number, length: number): string | null =>
      length < 0 ? null : m.slab.bytes.toString('hex', start, start + length)
    return [
      m.offset[i],
      m.time[i],
      span(m.keyStart[i], m.keyLength[i]),
      span(m.valueStart[i], m.valueLength[i]),
      m.headersLength[i] === 0 ? '' : span(m.headersStart[i], m.headersLength[i]),
    ]
  })

const RUNS = { numRuns: Number(process.env.HEADRACE_TEST_PROPERTY_RUNS ?? 1_000) }

test('a batch damaged on the way is refused, or nothing of it is other than it was', () => {
  fc.assert(
    fc.property(
      fc.array(anyRecord, { minLength: 1, maxLength: 5 }),
      fc.nat(4),
      fc.array(anyChange, { minLength: 1, maxLength: 4 }),
      (records, codec, changes) => {
        const right = batch({
          base: 1,
          body: Buffer.concat(records.map(written)),
          codec,
          count: records.length,
        })
        const last = records.length
        const all = (middle: Buffer): Buffer => Buffer.concat([good(0), middle, good(1 + last)])
        const want = saidOf(read(all(right)).messages)
        let bad = right
        for (const change of changes) bad = changed(bad, change, 0)
        const messages = createMessages(createSlab(1024), 4)
        // As strict as can be: with what may be appended meanwhile, an offset and the one behind it can both
        // be damaged unseen.
        const target = {
          messages,
          topic: 't',
          partition: 0,
          from: 0,
          until: Infinity,
          end: last + 2 - 1_000_000,
        }
        let refused = false
        let next = 0
        try {
          next = readBatches(all(bad), [], target, () => (refused = true))
        } catch (error) {
          // Both the number of its format and its checksum are damaged.
          expect(error).toMatchObject({ code: 'not_supported' })
        }
        const got = saidOf(messages)
        // A length that reaches beyond what there is looks like a batch that the broker cut short.
        if (got.length < want.length) expect(refused || next <= 1 + last).toBe(true)
        expect(got).toEqual(want.slice(0, got.length))
        expect(messages.slab.bytes.length).toBeLessThan(1024 * 1024)
      },
    ),
    RUNS,
  )
})

/** What the bytes of a body say, read the slow way: every number by itself, every end looked at. */
function slowly(body: Buffer, count: number, last: number): unknown[] | undefined {
  let at = 0
  let end = body.length
  const byte = (): number => {
    if (at >= end) throw new RangeError('at the end')
    return body[at++]
  }
  const number = (most: number): bigint => {
    let value = 0n
    for (let i = 0; i < most; i += 1) {
      const octet = byte()
      value |= BigInt(octet & 0x7f) << BigInt(7 * i)
      if (octet >= 0x80) continue
      const bits = BigInt.asUintN(most === 5 ? 32 : 64, value)
      return (bits >> 1n) ^ -(bits & 1n)
    }
    throw new RangeError('too long')
  }
  const small = (): number => Number(number(5))
  const span = (): string | null => {
    const length = small()
    if (length < 0) return null
    if (length > end - at) throw new RangeError('too long')
    at += length
    return body.toString('hex', at - length, at)
  }
  try {
    let before = -1
    const found: unknown[] = []
    for (let i = 0; i < count; i += 1) {
      end = body.length
      const length = small()
      if (length < 0 || length > end - at) return undefined
      end = at + length
      byte()
      const time = Number(number(10))
      const delta = small()
      if (delta <= before || delta > last) return undefined
      before = delta
      const [key, value, headers] = [span(), span(), small()]
      if (headers < 0) return undefined
      const pairs: [string, string | null][] = []
      for (let h = 0; h < headers; h += 1) {
        const [name, content] = [span(), span()]
        if (name === null) return undefined
        const text = (hex: string): string => Buffer.from(hex, 'hex').toString('utf8')
        pairs.push([text(name), content === null ? null : text(content)])
      }
      if (at !== end) return undefined
      const held = Math.min(Math.max(1_700_000_000_000 + time, -62_135_596_800_000), 253_402_300_799_999)
      const json = pairs.length === 0 ? '' : Buffer.from(JSON.stringify(pairs)).toString('hex')
      found.push([1 + delta, held, key, value, json])
    }
    return at === body.length ? found : undefined
  } catch {
    return undefined
  }
}

test('a batch with a checksum of its own is read as its bytes say, all of them, or said to be unreadable', () => {
  const seen = { read: 0, refused: 0 }
  fc.assert(
    fc.property(
      fc.array(anyRecord, { minLength: 1, maxLength: 5 }),
      fc.array(anyChange, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 0, max: 20 }),
      (records, changes, count) => {
        let body: Buffer = Buffer.concat(records.map(written))
        for (const change of changes) body = changed(body, change, 0)
        // A count other than that of the records now and then.
        const says = count > 17 ? count - 17 : records.length
        const { messages } = read(batch({ base: 1, body, count: says, last: records.length - 1 }))
        const want = slowly(body, says, records.length - 1)
        if (want === undefined) expect(texts(messages)).toEqual(['batch_unreadable'])
        else expect([saidOf(messages), messages.unread.size]).toEqual([want, 0])
        seen[want === undefined ? 'refused' : 'read'] += 1
      },
    ),
    RUNS,
  )
  expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(RUNS.numRuns / 20)
})
