/**
 * Bytes that are no text: other kinds of files are named, damaged and endless ones end early, and a failing
 * source is no fault.
 */
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { openText } from '../../src/formats/document.ts'
import { MARK, CSV, whole, cut, streamed } from '../support/read-documents.ts'

const ZIP = Buffer.from('504b0304140000000800', 'hex')
const KINDS: [string, Buffer, string][] = [
  ['an empty file', Buffer.alloc(0), 'the document is empty'],
  ['a mark only', MARK.utf8, 'the document is empty'],
  ['gzip of nothing', gzipSync(''), 'the document is empty'],
  ['UTF-32', Buffer.from('69000000640000000a000000', 'hex'), 'this is UTF-32, not CSV'],
  ['UTF-32 with a mark', Buffer.from('fffe000069000000', 'hex'), 'this is UTF-32, not CSV'],
  [
    'gzip in gzip',
    gzipSync(gzipSync('id\n1\n')),
    'this is gzip inside gzip; Headrace decompresses a document once',
  ],
  [
    'zstd in gzip',
    gzipSync(zstdCompressSync('id\n1\n')),
    'this is zstd inside gzip; Headrace decompresses a document once',
  ],
  [
    'XLSX',
    Buffer.concat([ZIP, Buffer.alloc(20), Buffer.from('[Content_Types].xml...xl/workbook.xml')]),
    'this is XLSX (an Excel file), not CSV',
  ],
  ['ZIP', Buffer.concat([ZIP, Buffer.alloc(20), Buffer.from('data.csv')]), 'this is a ZIP archive, not CSV'],
  [
    'ZIP in gzip',
    gzipSync(Buffer.concat([ZIP, Buffer.alloc(20), Buffer.from('data.csv')])),
    'this is a ZIP archive, not CSV',
  ],
  ['Parquet', Buffer.from('PAR1\x15\x04\x15\x10'), 'this is Parquet, not CSV'],
  ['Avro', Buffer.from('Obj\x01\x04\x14avro.codec'), 'this is Avro, not CSV'],
  ['ORC', Buffer.from('ORC\x0a\x0b\x0a\x03\x00'), 'this is ORC, not CSV'],
  ['PDF', Buffer.from('%PDF-1.7\n'), 'this is PDF, not CSV'],
  ['SQLite', Buffer.from('SQLite format 3\0'), 'this is an SQLite database, not CSV'],
  [
    'tar',
    Buffer.concat([Buffer.from('data.csv'), Buffer.alloc(249), Buffer.from('ustar\x0000')]),
    'this is a tar archive, not CSV',
  ],
  ['bzip2', Buffer.from('BZh91AY&SY\x00\x01'), 'this is bzip2, not CSV'],
  ['xz', Buffer.from('fd377a585a0000', 'hex'), 'this is xz, not CSV'],
  ['lz4', Buffer.from('04224d186440', 'hex'), 'this is lz4, not CSV'],
  ['HTML', Buffer.from('\n<!DOCTYPE html>\n<html><title>Login</title>'), 'this is HTML, not CSV'],
  ['HTML in UTF-16', Buffer.from('d0cf11e0a1b11ae1', 'hex'), 'this is XLS (an old Excel file), not CSV'],
]

test.each(KINDS)('%s is named', async (_, bytes, reason) => {
  expect(whole(bytes)).toBe(`malformed: ${reason}`)
  for (const size of [1, 5, 100_000]) expect(await streamed(bytes, size)).toBe(`malformed: ${reason}`)
})

test.each(['PAR1,PAR2\n1,2\n', 'ORC\n1\n', 'BZh,x\n', 'Obj,x\n', 'PK,x\n', 'PK\n', 'P\n', '(,)\n', '<,>\n'])(
  'a text that begins like something else is a text: %j',
  (text) => {
    expect(whole(Buffer.from(text))).toBe(text)
  },
)

test('what is cut off, damaged or followed by something else is named; a bomb costs little', async () => {
  const text = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `${i},${(i * 7919) % 1009}\n`).join(''))
  for (const [name, packed] of [
    ['gzip', gzipSync(text)],
    ['zstd', zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })],
  ] as const) {
    const damaged = Buffer.from(packed)
    damaged[packed.length >> 1] ^= 0xff
    const cases: [Buffer, RegExp][] = [
      [packed.subarray(0, -5), new RegExp(`^malformed: the ${name} data is truncated$`)],
      [packed.subarray(0, 30), /truncated/],
      [damaged, new RegExp(`^malformed: the ${name} data is damaged`)],
      [
        Buffer.concat([packed, Buffer.from('more')]),
        /damaged: incorrect header check|ends at byte \d+, but more bytes follow/,
      ],
      [Buffer.concat([packed, Buffer.alloc(9), Buffer.from('more')]), /damaged|more bytes follow/],
    ]
    for (const [bytes, reason] of cases) {
      expect(whole(bytes).slice(0, 100)).toMatch(reason)
      for (const size of [1_000, 1 << 20]) expect((await streamed(bytes, size)).slice(0, 100)).toMatch(reason)
    }
  }
  const zeros = Buffer.alloc(LIMITS.recordBytes + 1, 'x')
  expect(whole(gzipSync(zeros))).toBe('too_large: the gzip data decompresses to more than 16777216 bytes')
  expect(whole(zstdCompressSync(zeros))).toBe(
    'too_large: the zstd data decompresses to more than 16777216 bytes',
  )
  // 300 MB in a few kilobytes.
  const bomb = zstdCompressSync(Buffer.alloc(300 << 20, 'x'))
  expect(bomb.length).toBeLessThan(100_000)
  const text2 = openText(cut(bomb, 1 << 20), CSV)
  let seen = 0
  for await (const chunk of text2.chunks) seen += chunk.length
  expect(text2.fault).toEqual({
    rule: 'too_large',
    reason: 'the zstd data decompresses to more than 1000 times its size',
  })
  expect(seen).toBeLessThan(LIMITS.unpackRatio * bomb.length + LIMITS.recordBytes + (1 << 20))
})

test('a failure of the source is no fault of the document', async () => {
  async function* torn(): AsyncGenerator<Buffer> {
    yield gzipSync('id\n1\n').subarray(0, 12)
    throw new RangeError('the disk')
  }
  const text = openText(torn(), CSV)
  await expect(
    (async () => {
      for await (const _ of text.chunks);
    })(),
  ).rejects.toThrow('the disk')
})
