/** Keys of several columns, on both engines over one index: equal when each part is, whatever signs the parts have. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testSpark, type TestSpark } from '../support/spark.ts'
import { cliJson, deltalake, place, writeFileIn } from '../support/system.ts'

let spark: TestSpark
beforeAll(async () => {
  spark = await testSpark()
}, 180_000)
afterAll(() => spark.kill())

const DECLARATION = `dataset: pairs
source:
  files: { path: incoming, pattern: '*.json' }
record: { format: json, path: '$[*]' }
message_id: { from: none }
columns:
  - { name: a, trim: false, nulls: [] }
  - { name: b, trim: false, nulls: [] }
processed:
  key: [a, b]
`
/** Each tells a way of joining the parts that is wrong: with a sign between them, with null as a text, with lengths in the wrong unit. */
const TEXTS = [null, '', '-', '0:', '1:x', 'x', '\u0000', '\u001f', 'x\u001fy', 'y', 'y\u001fz', 'z', '3:', '-1:x', 'ä', '\u{1f600}', 'null']

test.each([
  ['duckdb', 'spark'],
  ['spark', 'duckdb'],
])('what %s has published, %s knows', async (first, second) => {
  const made = place('localhost:1', () => DECLARATION)
  const where = { ...made, env: { ...made.env, ...spark.env } }
  const pairs = TEXTS.flatMap((a) => TEXTS.map((b) => ({ a, b })))
  const bring = async (name: string, rows: object[], engine: string): Promise<Record<string, number>> => {
    writeFileIn(join(where.home, 'incoming'), name, JSON.stringify(rows))
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
    return cliJson(where, ['batch', where.declaration, '--engine', engine])
  }
  // One pair is new to the second: had it seen nothing, or everything, the numbers would be others.
  expect(await bring('first.json', pairs.slice(1), first)).toMatchObject({ published: pairs.length - 1 })
  expect(await bring('second.json', pairs, second)).toMatchObject({ published: 1, duplicatesPublished: pairs.length - 1 })
  const processed = join(where.home, 'tables/pairs/processed')
  const landed = await deltalake<object[]>(processed, "print(json.dumps([{'a': r['a'], 'b': r['b']} for r in t.to_pylist()]))")
  const sorted = (all: object[]): string[] => all.map((pair) => JSON.stringify(pair)).toSorted()
  expect(sorted(landed)).toEqual(sorted(pairs))
  where.cleanUp()
}, 180_000)
