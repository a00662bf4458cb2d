/** A key's text in the bytes of messages that nobody could decode: found by itself, in no other bytes. */
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hexPattern } from '../../src/core/byte-search.ts'
import { createChance } from '../support/chance.ts'

let connection: DuckDBConnection
beforeAll(async () => {
  connection = await (await DuckDBInstance.create()).connect()
})
afterAll(() => connection.closeSync())

async function findsIn(pairs: [text: string, bytes: Buffer][]): Promise<boolean[]> {
  const values = pairs.map(([text, bytes], i) => `(${i}, '${hexPattern(text)}', '${bytes.toString('hex')}')`)
  const reader = await connection.runAndReadAll(
    `SELECT regexp_matches(hex(unhex(b)), p) FROM (VALUES ${values.join(', ')}) v(i, p, b) ORDER BY i`,
  )
  return reader.getRows().map(([found]) => found === true)
}

test.each([
  ['2', '{"id":2,"n":7}', true],
  ['2', '{"id":"2"}', true],
  ['2', '{"year":2026}', false],
  ['22', '{"id":1}', false],
  ['x22', '{"id":1}', false],
  ['2', '2', true],
  ['', 'anything', false],
  ['a b', '<id>a b</id>', true],
  ['a b', '<id>xa b</id>', false],
  ['-7', 'n=-7;', true],
  ['-7', 'n=5-7;', true],
  ['ün', 'grün', false],
  ['ün', '"ün"', true],
  ['a.c', 'abc', false],
  ["O'Neil", `name="O'Neil"`, true],
])('%j in %j: %s', async (text, message, expected) => {
  expect(await findsIn([[text, Buffer.from(message)]])).toEqual([expected])
})

/** The same, byte by byte. */
function standsBy(text: string, bytes: Buffer): boolean {
  const wanted = Buffer.from(text)
  const isWord = (byte: number | undefined): boolean =>
    byte !== undefined && (byte >= 0x80 || /[0-9A-Za-z]/.test(String.fromCharCode(byte)))
  if (wanted.length === 0) return false
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) {
    const end = at + wanted.length
    if (!(isWord(wanted[0]) && isWord(bytes[at - 1])) && !(isWord(wanted.at(-1)) && isWord(bytes[end])))
      return true
  }
  return false
}

test('any text in any bytes, as a search byte by byte finds it', async () => {
  const chance = createChance()
  const signs = ['2', '"', 'ü', '\\', 'x', ' ', '\u0000', '漢', '-', '_']
  const some = (most: number): string =>
    Array.from(
      { length: Math.floor(chance() * most) },
      () => signs[Math.floor(chance() * signs.length)],
    ).join('')
  const pairs = Array.from({ length: 5_000 }, (): [string, Buffer] => {
    const bytes = Buffer.from(some(12))
    // Cut anywhere, in the middle of a sign, too.
    return [some(4), bytes.subarray(Math.floor(chance() * 3))]
  })
  const found = await findsIn(pairs)
  const wanted = pairs.map(([text, bytes]) => standsBy(text, bytes))
  const wrong = pairs.filter((_, i) => found[i] !== wanted[i])
  expect(
    wrong.map(([text, bytes]) => [text, String(bytes)]),
    `seed ${chance.seed}`,
  ).toEqual([])
  expect(wanted.filter(Boolean).length).toBeGreaterThan(100)
})
