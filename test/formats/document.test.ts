/** Bytes to UTF-8: encodings, marks and compression, whole and in chunks of any size. */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HEAD_BYTES } from '../../src/formats/signature.ts'
import { firstInvalid } from '../../src/formats/utf8.ts'
import { MARK, whole, streamed } from '../support/read-documents.ts'

const RUNS = Number(process.env.HEADRACE_TEST_PROPERTY_RUNS ?? 300)

const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16()

/** Ways to write a text: with a mark or, behind ASCII, without; packed or not; members in a row. */
const WAYS: [string, (text: string) => Buffer][] = [
  ['UTF-8', (text) => Buffer.from(text)],
  ['UTF-8 with a mark', (text) => Buffer.concat([MARK.utf8, Buffer.from(text)])],
  ['UTF-16LE with a mark', (text) => Buffer.concat([MARK.le, Buffer.from(text, 'utf16le')])],
  ['UTF-16BE with a mark', (text) => Buffer.concat([MARK.be, utf16be(text)])],
  ['UTF-16LE', (text) => Buffer.from(text, 'utf16le')],
  ['UTF-16BE', utf16be],
]
const PACKED: [string, (bytes: Buffer) => Buffer][] = [
  ['', (bytes) => bytes],
  ['gzip', (bytes) => gzipSync(bytes)],
  ['zstd', (bytes) => zstdCompressSync(bytes)],
  [
    'gzip in members',
    (bytes) =>
      Buffer.concat([gzipSync(bytes.subarray(0, 7)), gzipSync(bytes.subarray(7)), Buffer.alloc(100)]),
  ],
  [
    'zstd in frames',
    (bytes) =>
      Buffer.concat([
        zstdCompressSync(bytes.subarray(0, 7)),
        Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9]),
        zstdCompressSync(bytes.subarray(7)),
      ]),
  ],
]

test('every way to write a text gives the text, whole and in chunks of any size, in every format', async () => {
  const text = fc.string({ unit: 'binary' }).map((tail) => `id,b\n${tail}`)
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        value: text,
        way: fc.constantFrom(...WAYS),
        packed: fc.constantFrom(...PACKED),
        size: fc.integer({ min: 1, max: 50 }),
        format: fc.constantFrom('xml', 'json', 'ndjson', 'csv'),
      }),
      async ({ value, way: [, write], packed: [, pack], size, format }) => {
        const bytes = pack(write(value.toWellFormed()))
        expect(whole(bytes, { format })).toBe(value.toWellFormed())
        expect(await streamed(bytes, size, { format })).toBe(value.toWellFormed())
      },
    ),
    { numRuns: RUNS },
  )
})

/** The beginning of a document is looked at as one piece: only behind it do chunks end within characters. */
const HEAD = 'x'.repeat(HEAD_BYTES)

test.each(WAYS)('%s: a chunk may end within a character', async (_, write) => {
  const text = `id\n${HEAD}${'🙂é€𠮷'.repeat(50)}`
  for (let size = 1; size < 9; size += 1) expect((await streamed(write(text), size)) === text).toBe(true)
})

test.each([
  ['gb18030', '中€𠮷', 'd6 d0 a2 e3 95 34 b2 35'],
  ['shift_jis', '日本ﾊ', '93 fa 96 7b ca'],
  ['iso-2022-jp', '日本 x', '1b 24 42 46 7c 4b 5c 1b 28 42 20 78'],
])('%s: a chunk may end within a character', async (encoding, text, hex) => {
  const tail = Buffer.concat(Array.from({ length: 50 }, () => Buffer.from(hex.replaceAll(' ', ''), 'hex')))
  const bytes = Buffer.concat([Buffer.from(HEAD), tail])
  for (let size = 1; size < 9; size += 1)
    expect(await streamed(bytes, size, { encoding })).toBe(HEAD + text.repeat(50))
})

const NAMED: [string, string, string][] = [
  ['windows-1252', 'é€„ÿ', 'e9 80 84 ff'],
  ['iso-8859-1', 'é\u0080ÿ', 'e9 80 ff'],
  ['iso-8859-15', '€ŠéŸ', 'a4 a6 e9 be'],
  ['windows-1251', 'Кё', 'ca b8'],
  ['koi8-r', 'Ки', 'eb c9'],
  ['shift_jis', '日本ﾊ', '93 fa 96 7b ca'],
  ['euc-jp', '日本', 'c6 fc cb dc'],
  ['iso-2022-jp', '日本 x', '1b 24 42 46 7c 4b 5c 1b 28 42 20 78'],
  ['gb18030', '中€𠮷', 'd6 d0 a2 e3 95 34 b2 35'],
  ['big5', '中文', 'a4 a4 a4 e5'],
  ['euc-kr', '한국', 'c7 d1 b1 b9'],
  ['utf-16be', 'Кё', '04 1a 04 51'],
]

test.each(NAMED)('record.encoding %s', async (encoding, text, hex) => {
  const line = Buffer.concat([
    Buffer.from(hex.replaceAll(' ', ''), 'hex'),
    encoding === 'utf-16be' ? utf16be('\n') : Buffer.from('\n'),
  ])
  const bytes = Buffer.concat(Array<Buffer>(40).fill(line))
  expect(whole(bytes, { encoding })).toBe(`${text}\n`.repeat(40))
  for (const size of [1, 2, 3, 7, 64])
    expect(await streamed(bytes, size, { encoding })).toBe(`${text}\n`.repeat(40))
  // A mark says more of a document than its declaration.
  expect(whole(Buffer.concat([MARK.utf8, Buffer.from('é')]), { encoding })).toBe('é')
})

test.each([
  ['windows-1252', 'id,b\n1,', '81', 'malformed: windows-1252 has no character for byte 7 (0x81)'],
  ['us-ascii', 'id,b\n1,', 'e9', 'malformed: us-ascii has no character for byte 7 (0xE9)'],
  ['windows-1253', 'id,b\n1,', 'd2', 'malformed: windows-1253 has no character for byte 7 (0xD2)'],
  ['shift_jis', 'id,b\n1,', '93 fa 93 20', 'malformed: shift_jis has no character for byte 10 (0x20)'],
  // The platform makes characters for private use of these two.
  ['big5', 'id,b\n1,', 'a4 a4 87 40', 'malformed: big5 has no character for byte 10 (0x40)'],
  ['euc-kr', 'id,b\n1,', 'c7 d1 c9 a1', 'malformed: euc-kr has no character for byte 10 (0xA1)'],
  ['shift_jis', 'id,b\n1,', '93', 'malformed: the text in shift_jis ends within a character (byte 8)'],
  ['gb18030', 'id,b\n1,', 'd6 d0 ff 31', 'malformed: gb18030 has no character for byte 9 (0xFF)'],
])('bytes that %s lacks are a fault with their position', async (encoding, before, hex, reason) => {
  const bytes = Buffer.concat([Buffer.from(before), Buffer.from(hex.replaceAll(' ', ''), 'hex')])
  expect(whole(bytes, { encoding })).toBe(reason)
  for (const size of [1, 3, 100]) expect(await streamed(bytes, size, { encoding })).toBe(reason)
})

test('UTF-16 is strict: half a pair, half a unit; positions count the mark', async () => {
  const lone = Buffer.concat([MARK.le, Buffer.from('id\n', 'utf16le'), Buffer.from([0x00, 0xd8, 0x41, 0x00])])
  const odd = Buffer.concat([MARK.be, utf16be('id\n1'), Buffer.from([0])])
  for (const [bytes, reason] of [
    [lone, 'malformed: an unpaired surrogate in UTF-16 at byte 8'],
    [odd, 'malformed: the text in UTF-16 ends within a character (byte 10)'],
  ] as const) {
    expect(whole(bytes)).toBe(reason)
    for (const size of [1, 2, 3, 100]) expect(await streamed(bytes, size)).toBe(reason)
  }
})

test('UTF-16 without a mark shows by its zeros in other scripts too, and UTF-8 with zeros in it stays UTF-8', () => {
  const cyrillic = 'имя;город;сумма;дата\r\nИван;Москва;1;2\r\n'
  expect(whole(Buffer.from(cyrillic, 'utf16le'))).toBe(cyrillic)
  expect(whole(utf16be(cyrillic))).toBe(cyrillic)
  for (const text of [
    'a\0,b\n',
    'a,b\n\0\0\0\0,x\n\0\0\0,y\n',
    'id,b\n1,\0\n2,x\0y\n',
    '{"a":1}',
    '[]',
    '{}',
  ])
    expect(whole(Buffer.from(text))).toBe(text)
  expect(whole(Buffer.from('{}', 'utf16le'), { format: 'json' })).toBe('{}')
  expect(whole(Buffer.from('7', 'utf16le'), { format: 'json' })).toBe('7')
})

test('XML says its encoding itself; record.encoding says it better', () => {
  const latin = (encoding: string): Buffer =>
    Buffer.from(`<?xml version="1.0" encoding="${encoding}"?><a>é</a>`, 'latin1')
  expect(whole(latin('ISO-8859-1'), { format: 'xml' })).toContain('<a>é</a>')
  expect(whole(latin('utf-8'), { format: 'xml', encoding: 'windows-1251' })).toContain('<a>й</a>')
  expect(whole(latin('x-none'), { format: 'xml' })).toBe('malformed: unknown encoding x-none')
})

test('the first byte that is not UTF-8, as Python says it', () => {
  const unit = fc.constantFrom(
    [0x61],
    [0xc3, 0xa9],
    [0xe2, 0x82, 0xac],
    [0xf0, 0x9f, 0x99, 0x82],
    [0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68],
  )
  fc.assert(
    fc.property(
      fc.array(unit, { maxLength: 60 }),
      fc.constantFrom([0xe9], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5], [0xe2, 0x82], [0x80], []),
      fc.array(fc.constant([0x62]), { maxLength: 200 }),
      (before, wrong, after) => {
        const bytes = Buffer.from([...before, wrong, ...after].flat())
        expect(firstInvalid(bytes, 0, bytes.length)).toBe(wrong.length === 0 ? -1 : before.flat().length)
      },
    ),
    { numRuns: RUNS },
  )
})
