/**
 * JSON files into the zones: any key, files larger than a message, records kept one by one, and drift that
 * always ends.
 */
import { once } from 'node:events'
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import {
  cli,
  cliJson,
  deltalake,
  place,
  startCli,
  treeMemory,
  writeFileIn,
  type Place,
} from '../support/system.ts'

type Folder = Place & { incoming: string }

function folder(declaration: string): Folder {
  const where = place('nowhere:1', () => declaration)
  return { ...where, incoming: join(where.home, 'incoming') }
}

const edit = (where: Folder, from: string, to: string): void =>
  writeFileSync(where.declaration, readFileSync(where.declaration, 'utf8').replace(from, to))
const stream = (where: Folder): Promise<Record<string, unknown>> =>
  cliJson(where, ['stream', where.declaration, '--until-caught-up'])
const replay = (where: Folder): Promise<Record<string, number>> =>
  cliJson(where, ['quarantine', 'replay', where.declaration])
const accepted = (where: Folder, columns: string[]): Promise<(string | null)[][]> =>
  deltalake(
    where.raw,
    `import pyarrow.compute as pc\na = t.filter(pc.equal(t['outcome'], 'accepted')).sort_by([('id', 'ascending'), ('ordinal', 'ascending')])\nprint(json.dumps([[str(r[c]) if r[c] is not None else None for c in ${JSON.stringify(columns)}] for r in a.to_pylist()]))`,
  )
const originals = async (where: Folder): Promise<string[]> => {
  const items = await cliJson<{ position: string }[]>(where, ['quarantine', 'list', where.declaration])
  return Promise.all(
    items.map(
      async ({ position }) =>
        (await cliJson<{ original: string }>(where, ['quarantine', 'show', where.declaration, position]))
          .original,
    ),
  )
}

const BOOKS = `dataset: books
source: { files: { path: incoming, pattern: "*.json" } }
record: { format: json, path: "$.data.books[*]" }
columns:
  - { name: id, type: long, required: true }
  - { name: word, max_length: 4 }
  - { name: source, path: $.source }
drift: freeze
processed: { key: [id] }
`

/** More than a message may have. */
async function largeFile(
  path: string,
  records: number,
  parts: { before: string; end: string; word(i: number): string },
): Promise<void> {
  const out = createWriteStream(path)
  out.write(`${parts.before}"data": {"books": [`)
  const filler = 'x'.repeat(700)
  for (let i = 0; i < records; i += 1)
    if (
      !out.write(
        `${i === 0 ? '' : ',\n'}{"id": ${i}, "word": "${parts.word(i)}", "filler": null${' '.repeat(100)}, "none": {"of": {"it": null}}}${i % 2 === 0 ? ' '.repeat(filler.length) : ''}`,
      )
    )
      await once(out, 'drain')
  out.end(parts.end)
  await once(out, 'close')
}

/** Small, with an item that is no record. */
const FIRST = '{"source": "s0", "data": {"books": [{"id": 1000000, "word": "a"}, 7]}}'

test('a document larger than a message: bounded, each record by itself, its rejects replayed', async () => {
  const where = folder(BOOKS)
  writeFileIn(where.incoming, 'first.json', FIRST)
  await largeFile(join(where.incoming, 'large.json'), 120_000, {
    before: '{"source": "s\\u00e9", ',
    end: ']}, "more": [1]}',
    word: (i) => (i % 40_000 === 7 ? 'too long' : 'w'),
  })
  const job = startCli(where, ['stream', where.declaration, '--until-caught-up'])
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, treeMemory(job.pid as number))), 100)
  expect(await job.ended).toBe(0)
  clearInterval(watch)
  expect(most).toBeLessThan(768 * 1024 * 1024)
  const counts = await deltalake<unknown[]>(
    where.raw,
    "import pyarrow.compute as pc\na = t.filter(pc.equal(t['outcome'], 'accepted'))\nprint(json.dumps([len(a), pc.count_distinct(a['id']).as_py(), pc.count_distinct(t['ordinal']).as_py(), sorted(set(a['source'].to_pylist()))]))",
  )
  expect(counts).toEqual([119_998, 119_998, 120_000, ['s0', 'sé']])
  const kept = await originals(where)
  expect(kept).toHaveLength(4)
  expect(kept).toContain('{"source":"s0","data":{"books":[7]}}')
  expect(kept).toContainEqual(
    expect.stringMatching(
      /^\{"source":"s\\u00e9","data":\{"books":\[\{"id": 40007, "word": "too long"[^}]*\}\}\}\]\}\}$/,
    ),
  )
  edit(where, 'max_length: 4', 'max_length: 10')
  expect(await replay(where)).toMatchObject({ read: 4, accepted: 3, quarantined: 1 })
  expect(
    (await accepted(where, ['id', 'word', 'source', 'ordinal'])).filter(([, word]) => word === 'too long'),
  ).toEqual(['7', '40007', '80007'].map((id) => [id, 'too long', 'sé', id]))
  where.cleanUp()
})

test('a document larger than a message that is torn, or says too late what stands around its records, is taken back whole', async () => {
  const where = folder(BOOKS)
  writeFileIn(where.incoming, 'first.json', FIRST)
  expect(await stream(where)).toMatchObject({ accepted: 1, quarantined: 1 })
  await largeFile(join(where.incoming, 'torn.json'), 40_000, { before: '{', end: ']', word: () => 'w' })
  await largeFile(join(where.incoming, 'behind.json'), 40_000, {
    before: '{',
    end: ']}, "source": "s"}',
    word: () => 'w',
  })
  expect(await stream(where)).toMatchObject({
    read: 2,
    accepted: 0,
    quarantined: 2,
    byReason: { malformed: 1, wrong_root: 1 },
  })
  const [reason] = await cliJson<{ reason: string }[]>(where, [
    'quarantine',
    'list',
    where.declaration,
    '--rule',
    'wrong_root',
  ])
  expect(reason.reason).toMatch(
    /^source comes after the records; in a file larger than a message, it must come before them \(byte \d+\)$/,
  )
  // Nothing of them was kept: a replay leaves them, and the file comes again under another name.
  expect(await replay(where)).toMatchObject({ read: 1, accepted: 0, quarantined: 1, notKept: 2 })
  expect(await cliJson<unknown[]>(where, ['quarantine', 'list', where.declaration])).toHaveLength(3)
  await largeFile(join(where.incoming, 'mended.json'), 40_000, {
    before: '{"source": "s", ',
    end: ']}}',
    word: () => 'w',
  })
  expect(await stream(where)).toMatchObject({ accepted: 40_000, quarantined: 0 })
  where.cleanUp()
})

const LINES = `dataset: books
source: { files: { path: incoming, pattern: "*.ndjson" } }
record: { format: ndjson }
columns:
  - { name: id, type: long, required: true }
  - { name: word, max_length: 4 }
drift: evolve
raw: { keep_original: true }
processed: { key: [id] }
`

test('evolve: fields with any key become columns, in one run', async () => {
  const where = folder(LINES)
  writeFileIn(
    where.incoming,
    'a.ndjson',
    '{"id": 1, "service.name": "api", "a/b": 2, "": {"@x": [1.50], "$id": true}, "größe": "L"}\n{"id": 2, "service": {"name": "web"}, "Word": "W"}\n',
  )
  expect(await stream(where)).toMatchObject({ accepted: 2, quarantined: 0 })
  expect(
    await accepted(where, [
      'service_name',
      'a_b',
      'field_x',
      'field_id',
      'grosse',
      'service_name_2',
      'word_2',
    ]),
  ).toEqual([
    ['api', '2', '[1.50]', 'true', 'L', null, null],
    [null, null, null, null, null, 'web', 'W'],
  ])
  where.cleanUp()
})

test('evolve: beyond the limit of added columns records are quarantined, and the stream ends', async () => {
  const where = folder(LINES.replace('raw: { keep_original: true }\n', ''))
  const wide = (id: number, count: number): string =>
    `{"id": ${id}, ${Array.from({ length: count }, (_, i) => `"w${i}": "${id}"`).join()}}\n`
  writeFileIn(
    where.incoming,
    'b.ndjson',
    `${wide(3, 100)}${wide(4, LIMITS.evolvedColumns + 1)}${wide(5, LIMITS.evolvedColumns)}{"id": 6, "late": 1}\n{"id": 7, "w0": 7}\n`,
  )
  expect(await stream(where)).toMatchObject({
    accepted: 3,
    quarantined: 2,
    byReason: { 'schema.unexpected': 2 },
  })
  expect(await accepted(where, ['id', 'w0', 'w150'])).toEqual([
    ['3', '3', null],
    ['5', '5', '5'],
    ['7', '7', null],
  ])
  const kept = await cliJson<{ reason: string }[]>(where, ['quarantine', 'list', where.declaration])
  const limit = 'is not declared, and the limit of 200 added columns is reached'
  expect(kept.map((record) => record.reason).toSorted()).toEqual([
    `late ${limit} (line 4)`,
    `w200 ${limit} (line 2)`,
  ])
  where.cleanUp()
})

test('a replay adds what drift finds, and takes equal records each for itself; so does reprocessing', async () => {
  const where = folder(LINES.replace('drift: evolve', 'drift: freeze'))
  const line = '{"id": 1, "word": "longer"}'
  writeFileIn(
    where.incoming,
    'a.ndjson',
    `${line}\n{"id": 2, "word": "w"}\n${line}\n{"id": 3, "color.hex": "red"}\n{"id": 2, "word": "w"}\n`,
  )
  expect(await stream(where)).toMatchObject({ accepted: 2, quarantined: 3 })
  edit(where, 'drift: freeze', 'drift: evolve')
  expect(await cliJson(where, ['quarantine', 'replay', where.declaration, '--dry-run'])).toMatchObject({
    accepted: 1,
    quarantined: 2,
  })
  edit(where, 'max_length: 4', 'max_length: 10')
  expect(await replay(where)).toMatchObject({ read: 3, accepted: 3, quarantined: 0 })
  const rows = [
    ['1', 'longer', null, '0'],
    ['1', 'longer', null, '2'],
    ['2', 'w', null, '1'],
    ['2', 'w', null, '4'],
    ['3', null, 'red', '3'],
  ]
  expect(await accepted(where, ['id', 'word', 'color_hex', 'ordinal'])).toEqual(rows)
  expect((await cli(where, ['reprocess', where.declaration])).code).toBe(0)
  expect(await accepted(where, ['id', 'word', 'color_hex', 'ordinal'])).toEqual(rows)
  where.cleanUp()
})

test('a document of JSON lands that has more records, of many columns, than have room at a time', async () => {
  const names = Array.from({ length: 700 }, (_, i) => `c${i}`)
  const columns = `columns: ${JSON.stringify([{ name: 'id', type: 'long', required: true }, ...names.map((name) => ({ name }))])}`
  const where = folder(
    `dataset: books\nsource: { files: { path: incoming, pattern: "*.json" } }\nrecord: { format: json, path: "$[*]" }\n${columns}\nprocessed: { key: [id] }\n`,
  )
  const records = Array.from({ length: 6_500 }, (_, i) => `{"id":${i},"c${i % 700}":"${i}"}`)
  writeFileIn(where.incoming, 'wide.json', `[${records.join(',\n')}]`)
  expect(await stream(where)).toMatchObject({ accepted: 6_500, quarantined: 0 })
  const right = await deltalake<number>(
    where.raw,
    "print(json.dumps(sum(t['c%d' % (row['id'] % 700)][n].as_py() == str(row['id']) for n, row in enumerate(t.select(['id']).to_pylist()))))",
  )
  expect(right).toBe(6_500)
  where.cleanUp()
})
