/** Files through the real stream: encodings, compression, what is no text, stray quotes, lines of rejects. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { sampled } from '../support/chance.ts'
import {
  cliJson,
  deltalake,
  place,
  startCli,
  treeMemory,
  writeFileIn,
  type Place,
} from '../support/system.ts'

function folder(record: string, more = ''): Place & { incoming: string } {
  const where = place(
    'localhost:1',
    () => `dataset: books
source: { files: { path: incoming } }
record: ${record}
columns:
  - { name: id, type: long, required: true }
  - { name: b }
drift: freeze
processed: { key: [id] }
${more}`,
  )
  const incoming = join(where.home, 'incoming')
  writeFileIn(incoming, '.none', '')
  return { ...where, incoming }
}

const stream = (where: Place): Promise<Record<string, unknown>> =>
  cliJson(where, ['stream', where.declaration, '--until-caught-up'])
/** Accepted rows as `id b`. */
const accepted = (where: Place): Promise<string[]> =>
  deltalake(
    where.raw,
    "import pyarrow.compute as pc\na = t.filter(pc.equal(t['outcome'], 'accepted')).sort_by('id')\nprint(json.dumps([f'{r[\"id\"]} {r[\"b\"]}' for r in a.to_pylist()]))",
  )
/** How many rows there are, the last one, and how many hold a stray quote. */
const ends = (where: Place): Promise<[number, string, number]> =>
  deltalake(
    where.raw,
    `import pyarrow.compute as pc
a = t.filter(pc.equal(t['outcome'], 'accepted')).select(['id', 'b'])
last = a.filter(pc.equal(a['id'], pc.max(a['id']))).to_pylist()[0]
strays = a.filter(pc.equal(a['b'], '"oops'))
print(json.dumps([len(a), f'{last["id"]} {last["b"]}', len(strays)]))`,
  )
const rejects = (where: Place): Promise<string[]> =>
  deltalake(
    where.raw,
    "import pyarrow.compute as pc\nq = t.filter(pc.equal(t['outcome'], 'quarantined'))\nprint(json.dumps(sorted(f'{r[\"message_key\"]}: {r[\"reject_reason\"]}' for r in q.to_pylist())))",
  )
const utf16 = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')])

/** Rows of a file that is larger than a message may be, and compresses well. */
const WIDE = 'w'.repeat(400)
const MANY = 50_000
const FORMATS: [string, string, (ids: number[], b: string) => string][] = [
  ['csv', '{ format: csv }', (ids, b) => `id,b\n${ids.map((id) => `${id},"${b}"`).join('\n')}\n`],
  ['ndjson', '{ format: ndjson }', (ids, b) => ids.map((id) => `{"id":${id},"b":"${b}"}\n`).join('')],
  [
    'xml',
    '{ format: xml, path: /r/e }',
    (ids, b) => `<r>${ids.map((id) => `<e><id>${id}</id><b>${b}</b></e>`).join('\n')}</r>`,
  ],
  ['json', '{ format: json, path: "$[*]" }', (ids, b) => JSON.stringify(ids.map((id) => ({ id, b })))],
]

test.each(sampled(FORMATS, 2))(
  '%s: every encoding and packing lands, small and larger than a message; a bomb and a torn file are rejects',
  async (format, record, write) => {
    const where = folder(record)
    const text = (id: number): string => write([id], `Köln ${id} €`)
    const put = (name: string, bytes: Buffer | string): string => writeFileIn(where.incoming, name, bytes)
    put(`a.${format}`, `\uFEFF${text(1)}`)
    put(`b.${format}`, utf16(text(2)))
    put(`c.${format}`, Buffer.from(text(3), 'utf16le').swap16())
    put(`d.${format}.gz`, gzipSync(text(4)))
    put(`e.${format}.zst`, zstdCompressSync(utf16(text(5))))
    put(`f.${format}`, Buffer.concat([gzipSync(text(6).slice(0, 5)), gzipSync(text(6).slice(5))]))
    put(`torn.${format}.gz`, gzipSync(text(7)).subarray(0, -6))
    put(`bomb.${format}.zst`, zstdCompressSync(Buffer.alloc(200 << 20, 0x20)))
    put(`empty.${format}`, '')
    // Small compressed, large unpacked, in an encoding that must be converted on the way.
    const ids = Array.from({ length: MANY }, (_, i) => 100 + i)
    const large = zstdCompressSync(utf16(write(ids, `é${WIDE}`)))
    expect(large.length).toBeLessThan(LIMITS.recordBytes)
    put(`large.${format}`, large)
    expect(await stream(where)).toMatchObject({ accepted: 6 + MANY })
    const rows = await accepted(where)
    expect(rows.slice(0, 6)).toEqual([1, 2, 3, 4, 5, 6].map((id) => `${id} Köln ${id} €`))
    expect([rows.length, rows.at(-1)]).toEqual([6 + MANY, `${99 + MANY} é${WIDE}`])
    expect(await rejects(where)).toEqual([
      `bomb.${format}.zst: the zstd data decompresses to more than 1000 times its size`,
      ...(format === 'ndjson' ? [] : [`empty.${format}: the document is empty`]),
      `torn.${format}.gz: the gzip data is truncated`,
    ])
    where.cleanUp()
  },
)

test('a file under the wrong name is named for what it is', async () => {
  const where = folder('{ format: csv }')
  const zip = Buffer.concat([
    Buffer.from('504b0304140000000800', 'hex'),
    Buffer.alloc(20),
    Buffer.from('[Content_Types].xml....xl/workbook.xml'),
  ])
  const files: [string, Buffer | string, string][] = [
    ['excel.csv', zip, 'this is XLSX (an Excel file), not CSV'],
    ['html.csv', '<!doctype html><html><body>Please log in</body></html>', 'this is HTML, not CSV'],
    [
      'latin.csv',
      Buffer.from('id,b,Größe\n1,2,3\n', 'latin1'),
      'the header: invalid UTF-8 at byte 7 (0xF6); if the file is windows-1252, declare record.encoding',
    ],
    ['parquet.csv', 'PAR1\x15\x04\x15\x10', 'this is Parquet, not CSV'],
    ['utf32.csv', Buffer.from('69000000640000000a000000', 'hex'), 'this is UTF-32, not CSV'],
    ['wrong.csv', 'nr;b\n1;2\n', 'the header has no id; it has nr;b'],
  ]
  for (const [name, bytes] of files) writeFileIn(where.incoming, name, bytes)
  writeFileIn(where.incoming, 'good.csv', 'id,b\n1,x\n')
  expect(await stream(where)).toMatchObject({ accepted: 1, quarantined: files.length })
  expect(await rejects(where)).toEqual(files.map(([name, , reason]) => `${name}: ${reason}`))
  where.cleanUp()
})

test('stray quotes in a file larger than a message cost their own lines; any delimiter; rejects say their line, also when they are replayed', async () => {
  const where = folder('{ format: csv, delimiter: "§", encoding: windows-1252 }')
  const rows = Array.from({ length: 300_000 }, (_, i) => {
    if (i % 100_000 === 7) return `x${i}§"bad § line"`
    if (i % 100_000 === 9) return `${i}§"oops`
    return `${i}§"Gr\xf6\xdfe\n${'y'.repeat(40)} ${i}"`
  })
  const text = `id§b\n${rows.join('\n')}\n`
  writeFileIn(where.incoming, 'a.csv', Buffer.from(text, 'latin1'))
  const job = startCli(where, ['stream', where.declaration, '--until-caught-up'])
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, treeMemory(job.pid as number))), 500)
  expect(await job.ended).toBe(0)
  clearInterval(watch)
  expect(most).toBeLessThan(768 * 1024 * 1024)
  // Rows before one that is odd: two lines each, but those that are odd themselves.
  const lineOf = (row: number): number =>
    2 + row * 2 - Math.floor(row / 100_000) * 2 - (row % 100_000 > 7 ? 1 : 0) - (row % 100_000 > 9 ? 1 : 0)
  const expected = [0, 1, 2]
    .flatMap((n) => [
      `a.csv: a quote is not closed (line ${lineOf(n * 100_000 + 9)})`,
      `a.csv: id is not of type long (line ${lineOf(n * 100_000 + 7)})`,
    ])
    .toSorted()
  expect(await rejects(where)).toEqual(expected)
  const last = `299999 Größe\n${'y'.repeat(40)} 299999`
  expect(await ends(where)).toEqual([299_994, last, 0])
  expect(await cliJson(where, ['quarantine', 'replay', where.declaration])).toMatchObject({
    read: 6,
    accepted: 0,
    quarantined: 6,
  })
  expect(await rejects(where)).toEqual(expected)
  writeFileSync(
    where.declaration,
    readFileSync(where.declaration, 'utf8')
      .replace('encoding: windows-1252', 'quote: "", encoding: windows-1252')
      .replace('type: long, required: true', 'type: long'),
  )
  expect(await cliJson(where, ['quarantine', 'replay', where.declaration])).toMatchObject({
    read: 6,
    accepted: 3,
    quarantined: 3,
  })
  expect(await ends(where)).toEqual([299_997, last, 3])
  where.cleanUp()
})

test('rejects of a file that said its encoding keep the mark through replays, in a folder with a blank in its name', async () => {
  const where = folder('{ format: csv }')
  const incoming = join(where.home, 'my files')
  writeFileSync(where.declaration, readFileSync(where.declaration, 'utf8').replace('incoming', 'my files'))
  const text = '\uFEFFid,b\n1,Größe\nx,Größe\n'
  writeFileIn(incoming, 'a.csv', text)
  writeFileIn(incoming, 'b.csv', Buffer.from(text, 'utf16le'))
  writeFileIn(incoming, 'c.csv.gz', gzipSync(text))
  const pad = 'z'.repeat(1_000)
  writeFileIn(
    incoming,
    'd.csv',
    `${text}${Array.from({ length: 17_000 }, (_, i) => `${i},${pad}\n`).join('')}`,
  )
  expect(await stream(where)).toMatchObject({ accepted: 17_004, quarantined: 4 })
  const replay = (): Promise<unknown> => cliJson(where, ['quarantine', 'replay', where.declaration])
  expect(await replay()).toMatchObject({ accepted: 0, quarantined: 4 })
  writeFileSync(
    where.declaration,
    readFileSync(where.declaration, 'utf8')
      .replace('format: csv', 'format: csv, encoding: windows-1252')
      .replace('type: long, required: true', 'type: long, nulls: [x]'),
  )
  expect(await replay()).toMatchObject({ accepted: 4, quarantined: 0 })
  const healed =
    "[[r['b'], r['topic'].endswith('my files')] for r in t.to_pylist() if r['outcome'] == 'accepted' and r['id'] is None]"
  expect(await deltalake(where.raw, `print(json.dumps(${healed}))`)).toEqual(
    Array.from({ length: 4 }, () => ['Größe', true]),
  )
  where.cleanUp()
})
