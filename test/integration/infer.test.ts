/**
 * `dataset infer` on samples of every shape: a draft that passes its check and says how the sample loads, or
 * one clear error.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import type { DatasetDraft } from '../../src/operations/app.ts'
import { HeadraceError } from '../../src/core/errors.ts'
import { checkDataset, mistakeText } from '../../src/dataset/check.ts'
import type { RawDeclaration } from '../../src/dataset/normalize.ts'
import { inferDataset } from '../../src/operations/infer.ts'
import { cli } from '../support/system.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-infer-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
/** Each file in a folder of its own, so that its ending is a pattern. */
function sample(name: string, content: string | Buffer): string {
  const path = join(mkdtempSync(join(folder, `${(files += 1)}-`)), name)
  writeFileSync(path, content)
  return path
}

async function draftOf(path: string): Promise<DatasetDraft & { raw: RawDeclaration }> {
  const draft = await inferDataset(path, { name: '', brokers: 'localhost:1', record: undefined })
  const { mistakes } = checkDataset(draft.yaml)
  expect(mistakes.map(mistakeText), draft.yaml).toEqual([])
  return { ...draft, raw: draft.declaration as unknown as RawDeclaration }
}

const rows = (count: number, row: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => row(i)).join('')

/** A file, its content, how many records it has (-1: more than a sample holds), and types of its columns. */
const SAMPLES: [string, string | Buffer, number, object][] = [
  [
    'zips.csv',
    'id,zip,tweet,iso_numeric\n1,02116,1234567890123456789,004\n2,10001,1234567890123456790,276\n',
    2,
    { zip: 'string', tweet: 'long', iso_numeric: 'string' },
  ],
  ['big.json', '[{"id":1,"big":12345678901234567890}]', 1, { big: 'decimal' }],
  [
    'strikes.csv',
    'airport,date,cost\nAAA,2024-01-01,10\nAAA,2024-01-02,20\nBBB,2024-01-01,5\n',
    3,
    { date: 'date' },
  ],
  ['lines.json', '{"a":1}\n{"a":2}\n', 2, { a: 'integer' }],
  ['lines.txt', '{"a":1}\n{"a":2}', 2, { a: 'integer' }],
  ['packed.csv.gz', gzipSync('id,name\n1,a\n2,b\n'), 2, { id: 'integer' }],
  ['packed.json', zstdCompressSync('[{"a":1.5},{"a":2.25}]'), 2, { a: 'decimal' }],
  [
    'wide.csv',
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('id;näme\r\n1;ä\r\n2;ö\r\n', 'utf16le')]),
    2,
    { name: 'string' },
  ],
  ['control.csv', 'id\u0001name\n1\u0001a\n2\u0001b\n', 2, { name: 'string' }],
  ['bare.csv', '1,2024-01-01,x\n2,2024-01-02,y\n', 2, { column_2: 'date' }],
  [
    'words.csv',
    'yes,no,null,"a: b","c #d","q""q",true\n1,2,3,4,5,6,7\n2,3,4,5,6,7,8\n',
    2,
    { yes: 'integer', a_b: 'integer', q_q: 'integer' },
  ],
  [
    'reserved.csv',
    'topic,TOPIC,Topic,outcome\n1,2,3,4\n2,3,4,5\n',
    2,
    { topic_value: 'integer', topic_2: 'integer', topic_3: 'integer', outcome_value: 'integer' },
  ],
  [
    'mixed.json',
    '[{"a":1,"b":"007","c":[1,2],"d":[{"x":1,"y":"2024-01-01"},{"x":2}],"e":null,"i":""},{"a":"x","b":"8","c":[],"i":" q ","j":[[1],[2]]}]',
    2,
    { a: 'string', b: 'string', c: 'integer', i: 'string', j: 'string' },
  ],
  [
    'order.xml',
    '<order id="5"><total>3.50</total><item>a</item><item>b</item></order>',
    1,
    { total: 'decimal', item: 'string' },
  ],
  [
    'feed.xml',
    '<f xmlns="urn:a" xmlns:d="urn:d"><e><t>1</t><d:t>02</d:t><l h="x"/><l h="y" r="z"/></e><e><t>3</t><d:t>4</d:t><l h="x"/></e></f>',
    2,
    { t: 'integer', t_2: 'string', l: 'string' },
  ],
  ['cut.csv', `id,name\n${rows(300_000, (i) => `${i},${'x'.repeat(10)}\n`)}`, -1, { id: 'integer' }],
  [
    'cut.json',
    `[${rows(300_000, (i) => `${i === 0 ? '' : ','}{"id":${i},"name":"xxxxxxxxxx"}`)}]`,
    -1,
    { id: 'integer' },
  ],
  ['cut.xml', `<r>${rows(200_000, (i) => `<e><id>${i}</id><name>xx</name></e>`)}</r>`, -1, { id: 'integer' }],
  ['day.csv', 'd,e\n13/01/2024,01/02/2024\n02/03/2024,03/04/2024\n', 2, { d: 'date', e: 'string' }],
]

describe('loads as it is', () => {
  test.each(SAMPLES)('%s', async (name, content, records, types) => {
    const draft = await draftOf(sample(name, content))
    expect(Object.fromEntries(draft.raw.columns.map((column) => [column.name, column.type]))).toMatchObject(
      types,
    )
    expect(draft.notes.join('\n')).toMatch(/Tried on the sample: all .* records load, and no value changes/)
    expect(draft.loaded).toBe(draft.records)
    if (records >= 0) expect(draft.records).toBe(records)
    else expect(draft.records).toBeGreaterThan(50_000)
  })
})

test('the key of a draft is one that the sample does not disprove', async () => {
  const keyOf = async (content: string): Promise<string[] | undefined> =>
    (await draftOf(sample('a.csv', content))).raw.processed?.key
  expect(await keyOf('airport,date,cost\nAAA,2024-01-01,10\nAAA,2024-01-02,20\nBBB,2024-01-01,5\n')).toEqual([
    'airport',
    'date',
  ])
  expect(await keyOf('a,b\n1,x\n1,x\n')).toBeUndefined()
  expect(await keyOf('a,id\n1,x\n1,\n')).toBeUndefined()
})

test('what does not load is said, in a draft that passes its check', async () => {
  expect(
    (await draftOf(sample('a.csv', `a,b\n${rows(20, (i) => `${i},x\n`)}1,2,3\n`))).notes.join('\n'),
  ).toMatch(/line 22: 3 fields instead of 2[\s\S]*failed once: .*3 fields instead of 2/)
  expect((await draftOf(sample('a.json', '[null,{"a":1}]'))).notes.join('\n')).toMatch(
    /1 items? of \$\[\*\] .*null/,
  )
  expect((await draftOf(sample('a.csv', 'a,b\n'))).notes.join('\n')).toMatch(/a header but no rows/)
  expect(
    (await draftOf(sample('a.csv', Buffer.from('id,name\n1,M\xfcller\n2,x\n', 'latin1')))).notes.join('\n'),
  ).toMatch(/windows-1252/)
})

test.each<[string, string | Buffer, RegExp]>([
  ['a.csv', '', /it is empty/],
  ['a.csv', ' \n\n', /only white space/],
  ['a.json', '[1,2,3]', /\$\[\*\] contains a number/],
  ['a.json', '"x"', /\$ contains a string/],
  ['a.json', '[[1,2],[3,4]]', /items of \$\[\*\] are arrays/],
  ['a.json', '[]', /no item/],
  ['a.json', '[{},{}]', /have no fields/],
  ['a.json', '{"a":1', /found the end instead of , or }/],
  ['a.json', '{"a":\n1}{"a":2}', /more text follows .*line 2/],
  ['a.json', '['.repeat(600), /deeper than 500 levels/],
  [
    'a.json',
    `{${rows(2_200, (i) => `${i === 0 ? '' : ','}"k${i}":${i}`)}}`,
    /2,200 fields .* at most 2,000 columns/,
  ],
  ['a.csv', '# comment\nid,name\n1,a\n2,b\n', /begins at line 2 .*"# comment"/],
  ['a.csv', 'a,b\n1,2,3\n2,3,4\n', /header has 2 names/],
  ['a.xlsx', Buffer.from('PK\u0003\u0004....[Content_Types].xml xl/book.xml'), /it is XLSX/],
  ['a.csv', Buffer.from('PAR1\u0015\u0004..'), /it is Parquet/],
  ['a.gz', gzipSync('a,b\n1,2\n').subarray(0, 20), /damaged/],
  ['a.xml', '<!-- nothing -->', /no elements/],
  ['a.csv', Buffer.from('a\0b\0\0\0\0c'), /binary/],
])('%s, sample %$, is refused by name', async (name, content, reason) => {
  const error = await inferDataset(sample(name, content), {
    name: '',
    brokers: 'localhost:1',
    record: undefined,
  }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(HeadraceError)
  expect((error as HeadraceError).message).toMatch(reason)
  expect((error as HeadraceError).next.length).toBeGreaterThan(10)
})

test('the command prints the draft, as YAML and as data', async () => {
  const path = sample('orders.csv', 'id,total\n1,3.50\n2,4.25\n')
  const where = { env: { ...process.env, HEADRACE_HOME: folder } }
  const [yaml, json] = await Promise.all([
    cli(where, ['dataset', 'infer', path]),
    cli(where, ['dataset', 'infer', path, '-o', 'json']),
  ])
  expect(yaml.code + json.code, yaml.stderr + json.stderr).toBe(0)
  const draft = JSON.parse(json.stdout) as DatasetDraft
  expect(draft.yaml).toBe(yaml.stdout)
  expect(draft.declaration).toMatchObject({
    dataset: 'orders',
    columns: [
      { name: 'id', type: 'integer' },
      { name: 'total', type: 'decimal', scale: 2 },
    ],
    processed: { key: ['id'] },
  })
})
