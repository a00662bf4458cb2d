/**
 * What the batch publishes: latest wins, columns that came later, more data than memory. Folders as source:
 * no broker needed.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fill } from '../performance/hourly.ts'
import { KEY_PAIRS } from '../support/key-texts.ts'
import {
  cliJson,
  deltalake,
  place,
  startCli,
  treeMemory,
  writeFileIn,
  type Place,
} from '../support/system.ts'

type Published = Record<string, number>
const COLUMNS = `columns:
  - { name: id, type: integer, required: true }
  - { name: revision, type: integer }
  - { name: text }
  - { name: day, type: date, required: true }
`

/** A dataset of JSON records in a folder; its key is `id`. */
function dataset(processed: string): Place & { incoming: string } {
  const where = place(
    'localhost:1',
    () => `dataset: items
source:
  files: { path: incoming, pattern: '*.json' }
record: { format: json, path: '$[*]' }
message_id: { from: none }
${COLUMNS}processed:
  key: [id]
${processed}`,
  )
  return {
    ...where,
    incoming: join(where.home, 'incoming'),
    raw: join(where.home, 'tables/items/raw'),
    processed: join(where.home, 'tables/items/processed'),
  }
}

interface Item {
  id: number
  revision: number | null
  text: string
  day: string
}

const send = async (where: Place & { incoming: string }, name: string, items: Item[]): Promise<void> => {
  writeFileIn(where.incoming, name, JSON.stringify(items))
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
}
const batch = (where: Place, more: string[] = []): Promise<Published> =>
  cliJson(where, ['batch', where.declaration, ...more])
const rows = (where: Place): Promise<Item[]> =>
  deltalake(
    where.processed,
    "print(json.dumps(sorted([{'id': r['id'], 'revision': r['revision'], 'text': r['text'], 'day': str(r['day'])} for r in t.to_pylist()], key=lambda r: r['id'])))",
  )

/** A generator that repeats from its seed. */
function random(seed: number): () => number {
  let state = seed
  return () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648
}

test('keep: latest publishes the newest record of each key, whatever the order of arrival and of table partitions', async () => {
  const where = dataset(
    '  keep: latest\n  latest_by: revision\n  partition_by: [{ column: day, transform: month }]\n',
  )
  const next = random(Number(process.env.HEADRACE_TEST_SEED ?? 7))
  const model = new Map<number, Item>()
  for (let round = 0; round < 4; round += 1) {
    const items = Array.from({ length: 60 }, (_, i): Item => ({
      id: Math.floor(next() * 40),
      revision: next() < 0.1 ? null : Math.floor(next() * 20),
      text: `round ${round}, ${i}`,
      day: `2026-0${1 + Math.floor(next() * 3)}-15`,
    }))
    const before = new Map(model)
    for (const item of items) {
      const known = model.get(item.id)
      if (known === undefined || (item.revision ?? -1) > (known.revision ?? -1)) model.set(item.id, item)
    }
    await send(where, `${round}.json`, items)
    const changed = [...model.values()].filter((item) => before.get(item.id) !== item)
    const result = await batch(where)
    expect(result).toMatchObject({
      state: 'published',
      rowsRead: 60,
      published: changed.length,
      replaced: changed.filter((item) => before.has(item.id)).length,
    })
    expect(result.rowsRead).toBe(result.published + result.duplicatesInDelta + result.duplicatesPublished)
    expect(await rows(where)).toEqual([...model.values()].toSorted((a, b) => a.id - b.id))
  }
  expect(await batch(where)).toMatchObject({ state: 'nothing_new' })
  expect(await cliJson(where, ['tables', 'verify', 'items/processed'])).toMatchObject({
    problems: [],
    rows: model.size,
  })
  where.cleanUp()
})

test('two batches with keep: latest at once give one commit, and a held table partition keeps its older record until it is released', async () => {
  const where = dataset(
    '  keep: latest\n  latest_by: revision\n  partition_by: [{ column: day, transform: month }]\n',
  )
  await send(where, 'a.json', [
    { id: 1, revision: 1, text: 'old', day: '2026-01-01' },
    { id: 2, revision: 1, text: 'old', day: '2026-02-01' },
  ])
  const both = await Promise.all([batch(where), batch(where)])
  // On a busy machine the second may begin when the first is done: it then finds nothing new instead of its
  // range taken.
  expect(
    both.map((run) => (run.state as unknown as string).replace('nothing_new', 'taken')).toSorted(),
  ).toEqual(['published', 'taken'])
  expect((await rows(where)).map((row) => row.text)).toEqual(['old', 'old'])
  await send(where, 'b.json', [
    { id: 1, revision: 2, text: 'new', day: '2026-01-02' },
    { id: 2, revision: 2, text: 'new', day: '2026-02-02' },
  ])
  await batch(where, ['--hold', 'day_month=2026-02'])
  expect((await rows(where)).map((row) => row.text)).toEqual(['new', 'old'])
  await batch(where, ['--release', 'day_month=2026-02'])
  expect((await rows(where)).map((row) => row.text)).toEqual(['new', 'new'])
  where.cleanUp()
})

test('a column declared after rows arrived is null in them', async () => {
  const where = dataset('  partition_by: [{ column: day }]\n')
  await send(where, 'a.json', [{ id: 1, revision: 1, text: 'before', day: '2026-01-01' }])
  writeFileSync(
    where.declaration,
    readFileSync(where.declaration, 'utf8').replace(
      '  - { name: text }\n',
      '  - { name: text }\n  - { name: added, type: decimal, precision: 9, scale: 2 }\n',
    ),
  )
  await send(where, 'b.json', [])
  expect(await batch(where)).toMatchObject({ published: 1 })
  writeFileIn(where.incoming, 'c.json', '[{ "id": 2, "day": "2026-01-01", "added": 1.5 }]')
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  expect(await batch(where)).toMatchObject({ published: 1 })
  expect(
    await deltalake(
      where.processed,
      "print(json.dumps(sorted([[r['id'], str(r['added'])] for r in t.to_pylist()])))",
    ),
  ).toEqual([
    [1, 'None'],
    [2, '1.50'],
  ])
  where.cleanUp()
})

const TAKEN = [
  'position',
  'partition_path',
  'nth',
  'rows_of_key',
  'filename',
  'file',
  'row',
  'h',
  'matches',
  'p',
  't',
]
const ENGINES = ['file_row_number', 'file_index', '_metadata']

test.each([
  ['first', ''],
  ['latest', '  keep: latest\n  latest_by: position\n'],
])(
  'keep %s: fields that are called what statements and engines call theirs keep their values',
  async (_, keep) => {
    const where = dataset(`  partition_by: [{ column: chosen }]\n${keep}`)
    const text = readFileSync(where.declaration, 'utf8').replace('key: [id]', 'key: [id, chosen]')
    const columns = [
      'columns:',
      '  - { name: id, type: integer }',
      ...['chosen', ...TAKEN].map((name) => `  - { name: ${name} }`),
    ]
    writeFileSync(
      where.declaration,
      text.replace(COLUMNS, `${columns.join('\n')}\ndrift: evolve\nraw: { keep_original: true }\n`),
    )
    const item = (id: number, revision: string): Record<string, unknown> => ({
      id,
      chosen: 'c',
      ...Object.fromEntries([...TAKEN, ...ENGINES].map((name) => [name, `${name} ${revision}`])),
    })
    const row = (id: number, revision: string): unknown[] => Object.values(item(id, revision))
    const names = ['id', 'chosen', ...TAKEN, 'file_row_number_2', 'file_index_2', '_metadata_2']
    const published = (): Promise<unknown[][]> =>
      deltalake(
        where.processed,
        `print(json.dumps(sorted([[r[n] for n in ${JSON.stringify(names)}] for r in t.to_pylist()])))`,
      )
    const add = async (name: string, items: unknown[]): Promise<void> => {
      writeFileIn(where.incoming, name, JSON.stringify(items))
      await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
      await batch(where)
    }
    await add('a.json', [item(1, 'a'), item(2, 'a'), item(3, 'a'), item(1, 'a')])
    expect(await published()).toEqual([row(1, 'a'), row(2, 'a'), row(3, 'a')])
    await add('b.json', [item(2, 'b'), item(4, 'b')])
    const after = [row(1, 'a'), row(2, keep === '' ? 'a' : 'b'), row(3, 'a'), row(4, 'b')]
    expect(await published()).toEqual(after)
    for (const verb of ['reprocess', 'compact']) await cliJson(where, [verb, where.declaration])
    expect(await published()).toEqual(after)
    await cliJson(where, ['delete', where.declaration, '--key', 'id=3,chosen=c', '--reason', 'test'])
    expect(await published()).toEqual(after.filter(([id]) => id !== 3))
    where.cleanUp()
  },
)

test('keys of several columns are equal when each part is: no separator and no null is a part of a value', async () => {
  const where = dataset('')
  const parts = ['name: a', 'name: b'].map((part) => `  - { ${part}, trim: false, nulls: [] }\n`).join('')
  const declared = readFileSync(where.declaration, 'utf8')
    .replace(COLUMNS, `columns:\n${parts}`)
    .replace('key: [id]', 'key: [a, b]')
  writeFileSync(where.declaration, declared)
  for (const name of ['first.json', 'second.json']) {
    writeFileIn(where.incoming, name, JSON.stringify(KEY_PAIRS))
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
    expect(await batch(where)).toMatchObject(
      name === 'first.json' ? { published: KEY_PAIRS.length } : { published: 0 },
    )
  }
  const landed = await deltalake<object[]>(
    where.processed,
    "print(json.dumps([{'a': r['a'], 'b': r['b']} for r in t.to_pylist()]))",
  )
  const sorted = (all: object[]): string[] => all.map((pair) => JSON.stringify(pair)).toSorted()
  expect(sorted(landed)).toEqual(sorted(KEY_PAIRS))
  where.cleanUp()
})

test('a key that is also the table partition survives the loss of the key index', async () => {
  const where = dataset('  partition_by: [{ column: id }]\n')
  await send(
    where,
    'a.json',
    [1, 2, 2, 3].map((id) => ({ id, revision: 1, text: 'x', day: '2026-01-01' })),
  )
  expect(await batch(where)).toMatchObject({ published: 3, duplicatesInDelta: 1 })
  writeFileSync(join(where.processed, '_key_index/manifest.json'), 'not JSON')
  await send(
    where,
    'b.json',
    [3, 4].map((id) => ({ id, revision: 1, text: 'x', day: '2026-01-01' })),
  )
  expect(await batch(where)).toMatchObject({ published: 1, duplicatesPublished: 1 })
  where.cleanUp()
})

test('four times as many rows as fit into memory are published within the memory given', async () => {
  const where = place('localhost:1')
  // Rows of one RAW version, so that nothing but passes over the keys can help.
  const rowsMade = 5_300_000
  await fill(where.home, 0, rowsMade, 1)
  const job = startCli(where, ['batch', 'books', '--memory', '768MiB', '-o', 'json'])
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, treeMemory(job.pid as number))), 100)
  expect(await job.ended, job.errors()).toBe(0)
  clearInterval(watch)
  process.stderr.write(`memory of the batch at most ${Math.round(most / 1e6)} MB\n`)
  expect(most).toBeLessThan(768 * 1024 * 1024)
  const [{ rows: counted, ids }] = await cliJson<{ rows: string; ids: string }[]>(where, [
    'tables',
    'query',
    'books/processed',
    'SELECT count(*) AS rows, count(DISTINCT record_id) AS ids FROM t',
  ])
  expect(Number(counted)).toBe(Number(ids))
  expect(Math.abs(Number(ids) - rowsMade * 0.944)).toBeLessThan(10)
  where.cleanUp()
})
