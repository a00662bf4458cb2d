/**
 * Keys, on both engines alike: equal when each part is, over one index; and what a deletion by key takes from
 * quarantine.
 */
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { KEY_PAIRS } from '../support/key-texts.ts'
import { sharedSpark, type SharedSpark } from '../support/spark.ts'
import { cliJson, deltalake, place, writeFileIn } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

let spark: SharedSpark
beforeAll(async () => {
  spark = await sharedSpark()
}, limitMs(180_000))
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

test.each([
  ['duckdb', 'spark'],
  ['spark', 'duckdb'],
])('what %s has published, %s knows', async (first, second) => {
  const made = place('localhost:1', () => DECLARATION)
  const where = { ...made, env: { ...made.env, ...spark.env } }
  const bring = async (name: string, rows: object[], engine: string): Promise<Record<string, number>> => {
    writeFileIn(join(where.home, 'incoming'), name, JSON.stringify(rows))
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
    return cliJson(where, ['batch', where.declaration, '--engine', engine])
  }
  // One pair is new to the second: had it seen nothing, or everything, the numbers would be others.
  expect(await bring('first.json', KEY_PAIRS.slice(1), first)).toMatchObject({
    published: KEY_PAIRS.length - 1,
  })
  expect(await bring('second.json', KEY_PAIRS, second)).toMatchObject({
    published: 1,
    duplicatesPublished: KEY_PAIRS.length - 1,
  })
  const processed = join(where.home, 'tables/pairs/processed')
  const landed = await deltalake<object[]>(
    processed,
    "print(json.dumps([{'a': r['a'], 'b': r['b']} for r in t.to_pylist()]))",
  )
  const sorted = (all: object[]): string[] => all.map((pair) => JSON.stringify(pair)).toSorted()
  expect(sorted(landed)).toEqual(sorted(KEY_PAIRS))
  where.cleanUp()
})

const SHORT_KEYS = `dataset: short
source: { files: { path: incoming, pattern: '*.ndjson' } }
record: { format: ndjson }
message_id: { from: none }
columns: [{ name: id, type: integer, required: true }, { name: title }]
processed: { key: [id] }
`

test.each(['duckdb', 'spark'])(
  'a deletion on %s takes what names the key, and not what only looks like it',
  async (engine) => {
    const made = place('localhost:1', () => SHORT_KEYS)
    const where = { ...made, env: { ...made.env, ...spark.env } }
    // A quote is \x22 where an engine shows bytes as text. All are records of one message, which is the file.
    const about = ['{"id":22,"title":', '{"title":"a","id":"22"x}']
    const others = ['{"id":1,"title":"quoted', '{"id":2022', '{"id":"221"x}', '{"id":"x22"x}']
    const lines = ['{"id":22}', '{"id":3}', ...about, ...others]
    writeFileIn(join(where.home, 'incoming'), 'a.ndjson', lines.join('\n'))
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
    const originals = async (): Promise<unknown[]> => {
      const query = "SELECT decode(original) AS text FROM t WHERE outcome = 'quarantined' ORDER BY 1"
      return (await cliJson<{ text: string }[]>(where, ['tables', 'query', 'short/raw', query])).map(
        ({ text }) => text,
      )
    }
    expect(await originals()).toEqual([...about, ...others].toSorted())
    await cliJson(where, [
      'delete',
      where.declaration,
      '--key',
      'id=22',
      '--reason',
      'asked',
      '--engine',
      engine,
    ])
    expect(await originals()).toEqual(others.toSorted())
    const left = "SELECT id FROM t WHERE outcome = 'accepted'"
    expect(await cliJson(where, ['tables', 'query', 'short/raw', left])).toEqual([{ id: 3 }])
    where.cleanUp()
  },
)
