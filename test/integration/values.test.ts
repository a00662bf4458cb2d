/**
 * What a source says is what lands, or it is refused by name: one test for each way in which values were lost
 * or changed.
 */
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { sampled } from '../support/chance.ts'
import { mistakesIn, streamed, type Landed } from '../support/small-datasets.ts'

const rules = (landed: Landed): string[] => landed.rejects.map((reject) => reject.rule).toSorted()
const fieldsOf = (columns: string, format: string, more = ''): string =>
  `record: { format: ${format}${more} }\ncolumns:\n${columns}\ndrift: freeze`

test.each(sampled(['service.name', '@', '$schema', '', 'a/b', '["x"]', 'ключ', '__proto__', '*'], 4))(
  'evolve makes a column of the JSON key %j and ends',
  async (key) => {
    const declaration = 'record: { format: ndjson }\ncolumns:\n  - { name: id, type: long }\ndrift: evolve'
    const landed = await streamed(
      { declaration, files: { 'a.ndjson': `{"id":1,${JSON.stringify(key)}:"api"}\n` } },
      '*',
    )
    expect(landed.code).toBe(0)
    expect(Object.values(landed.rows[0])).toContain('api')
    expect(landed.rejects).toEqual([])
    landed.cleanUp()
  },
)

test('items of arrays land as they stand, with the settings of their column', async () => {
  const columns = `  - { name: id, type: long, required: true }
  - { name: a, type: long, array: true }
  - { name: m, type: decimal, precision: 20, scale: 6, array: true }
  - { name: s, array: true }
  - { name: t, type: timestamp, timezone: Europe/Berlin, array: true }
  - { name: d, type: date, format: dd/MM/yyyy, array: true }
  - { name: n, type: double, array: true }`
  const lines = [
    '{"id":1,"a":[9007199254740993,1234567890123456789]}',
    '{"id":2,"m":[12345678901234.123457]}',
    '{"id":3,"s":[1.10,9007199254740993,{"k":9007199254740993}]}',
    '{"id":4,"t":["2024-07-01T10:00:00"]}',
    '{"id":5,"a":[9223372036854775807]}',
    '{"id":6,"d":["03/04/2024"],"n":["08",".5"]}',
  ]
  const landed = await streamed(
    { declaration: fieldsOf(columns, 'ndjson'), files: { 'a.ndjson': lines.join('\n') } },
    'id::INT AS id, a::VARCHAR AS a, m::VARCHAR AS m, s, t::VARCHAR AS t, d::VARCHAR AS d, n::VARCHAR AS n',
  )
  expect(landed.rejects).toEqual([])
  const none = { a: null, m: null, s: null, t: null, d: null, n: null }
  expect(landed.rows).toEqual([
    { ...none, id: 1, a: '[9007199254740993, 1234567890123456789]' },
    { ...none, id: 2, m: '[12345678901234.123457]' },
    { ...none, id: 3, s: ['1.10', '9007199254740993', '{"k":9007199254740993}'] },
    { ...none, id: 4, t: "['2024-07-01 08:00:00+00']" },
    { ...none, id: 5, a: '[9223372036854775807]' },
    { ...none, id: 6, d: '[2024-04-03]', n: '[8.0, 0.5]' },
  ])
  landed.cleanUp()
})

test('times are exact to the microsecond in years 1 to 9999, and refused outside', async () => {
  const texts = [
    '9999-12-31 23:59:59.9999999',
    '9999-12-31T23:59:59.999999Z',
    '2300-01-01T00:00:00.000001Z',
    '1600-01-01T00:00:00.000001Z',
    '0001-01-01T00:00:00+02:00',
    '9999-12-31T23:59:59-05:00',
    '2024-01-01T00:00:00+99:99',
  ]
  const declaration = fieldsOf(
    '  - { name: id, type: integer }\n  - { name: t, type: timestamp, timezone: UTC }',
    'csv',
  )
  const landed = await streamed(
    { declaration, files: { 'a.csv': `id,t\n${texts.map((text, i) => `${i + 1},${text}`).join('\n')}\n` } },
    'id, epoch_us(t)::VARCHAR AS us',
  )
  // As Python's datetime says.
  const microseconds = ['253402300799999999', '253402300799999999', '10413792000000001', '-11676095999999999']
  expect(landed.rows).toEqual(microseconds.map((us, i) => ({ id: i + 1, us })))
  expect(landed.rejects.map((reject) => [reject.rule, reject.path, reject.value])).toEqual(
    texts.slice(4).map((text) => ['type.timestamp', 't', text]),
  )
  landed.cleanUp()
})

test('numbers that a double cannot hold are refused', async () => {
  const declaration = fieldsOf('  - { name: id, type: integer }\n  - { name: f, type: double }', 'csv')
  const landed = await streamed(
    { declaration, files: { 'a.csv': 'id,f\n1,1e400\n2,-1e999\n3,NaN\n4,Infinity\n5,1e308\n' } },
    'id, f',
  )
  expect(landed.rows).toEqual([{ id: 5, f: 1e308 }])
  expect(rules(landed)).toEqual(Array(4).fill('type.double'))
  landed.cleanUp()
})

const FEED = `<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd">
<channel><title>Ch</title><atom:link href="http://f/x" rel="self"/><link>http://f</link>
<item><guid>1</guid><media:title>M one</media:title><title>One</title><link>http://f/1</link></item>
<item><guid>2</guid><title>Two</title><itunes:title>I two</itunes:title><link>http://f/2</link><atom:link href="http://z" /></item>
<item><guid>3</guid><media:group><media:title/></media:group><title><![CDATA[Th<b>ree</b> & ]]>more</title><link>http://f/3</link></item>
<item><guid>4</guid><media:title>only media</media:title><link>http://f/4</link></item>
</channel></rss>`

test.each([
  ['title first', ['title', 'mtitle']],
  ['media:title first', ['mtitle', 'title']],
])('XML names are told apart by namespace: %s', async (_, order) => {
  const column = {
    title: '  - { name: title }',
    mtitle: '  - { name: mtitle, path: "media:title" }',
  } as Record<string, string>
  const declaration = `record: { format: xml, path: /rss/channel/item, ignore: ["*"], namespaces: { media: "http://search.yahoo.com/mrss/" } }
columns:\n  - { name: id, path: guid }\n${order.map((name) => column[name]).join('\n')}\n  - { name: link }\ndrift: freeze`
  const landed = await streamed({ declaration, files: { 'a.xml': FEED } }, 'id, title, mtitle, link')
  expect(landed.rejects).toEqual([])
  expect(landed.rows).toEqual([
    { id: '1', title: 'One', mtitle: 'M one', link: 'http://f/1' },
    { id: '2', title: 'Two', mtitle: null, link: 'http://f/2' },
    { id: '3', title: 'Th<b>ree</b> & more', mtitle: null, link: 'http://f/3' },
    { id: '4', title: null, mtitle: 'only media', link: 'http://f/4' },
  ])
  landed.cleanUp()
})

test('broken UTF-8, lone surrogates and keys that come twice are refused in JSON', async () => {
  const cut = (bytes: number[]): Buffer =>
    Buffer.concat([Buffer.from('{"id":1,"s":"cut '), Buffer.from(bytes), Buffer.from('"}\n')])
  const content = Buffer.concat([
    cut([0xf0, 0x9f, 0x98]),
    cut([0xe2, 0x82]),
    Buffer.from('{"id":3,"s":"\\ud83d alone"}\n{"id":4,"s":"a","s":"b"}\n{"id":5,"s":"\u{1f600}"}\n'),
  ])
  const landed = await streamed(
    {
      declaration: fieldsOf('  - { name: id, type: integer }\n  - { name: s }', 'ndjson'),
      files: { 'a.ndjson': content },
    },
    'id, s',
  )
  expect(landed.rows).toEqual([{ id: 5, s: '\u{1f600}' }])
  expect(rules(landed)).toEqual(['malformed', 'malformed', 'malformed', 'schema.repeated'])
  landed.cleanUp()
})

const TEXTS: Record<string, string> = {
  csv: 'id,b\n1,Köln\n',
  json: '[{"id":1,"b":"Köln"}]',
  ndjson: '{"id":1,"b":"Köln"}\n',
  xml: '<?xml version="1.0"?><r><x><id>1</id><b>Köln</b></x></r>',
}
const RECORD_PATHS: Record<string, string> = { json: ', path: "$[*]"', xml: ', path: /r/x' }
const WRITINGS: Record<string, (text: string) => Buffer> = {
  'a byte order mark': (text) => Buffer.from(`\ufeff${text}`),
  'UTF-16': (text) => Buffer.from(`\ufeff${text}`, 'utf16le'),
  gzip: (text) => gzipSync(text),
}

const TEXTS_AND_WRITINGS = Object.keys(TEXTS).flatMap((format) =>
  Object.keys(WRITINGS).map((writing) => [format, writing]),
)

test.each(sampled(TEXTS_AND_WRITINGS, 5))('%s with %s is read', async (format, writing) => {
  const more = RECORD_PATHS[format] ?? ''
  const landed = await streamed(
    {
      declaration: fieldsOf('  - { name: id, type: integer, required: true }\n  - { name: b }', format, more),
      files: { 'a.data': WRITINGS[writing](TEXTS[format]) },
    },
    'id, b',
  )
  expect(landed.rejects).toEqual([])
  expect(landed.rows).toEqual([{ id: 1, b: 'Köln' }])
  landed.cleanUp()
})

test.each(sampled(['§', '¦', '¬', '€', '😀'], 2))('CSV is cut at the delimiter %s', async (delimiter) => {
  const landed = await streamed(
    {
      declaration: fieldsOf(
        '  - { name: id, path: "1" }\n  - { name: b, path: "2" }',
        'csv',
        `, delimiter: ${JSON.stringify(delimiter)}, header: false`,
      ),
      files: { 'a.csv': `1${delimiter}x\n2${delimiter}ö\n` },
    },
    'id, b',
  )
  expect(landed.rows).toEqual([
    { id: '1', b: 'x' },
    { id: '2', b: 'ö' },
  ])
  landed.cleanUp()
})

test.each([
  'yyyy-MM-dd HH:MM:ss',
  'yy-MM-dd hh:mm a',
  'HH:mm',
  "yyyy-MM-dd'T",
  'yyyy-MM-dd MM',
  'yyyy-DD-MM',
  'foo',
])('check refuses the format %s', async (format) => {
  expect(
    await mistakesIn(
      fieldsOf(`  - { name: t, type: timestamp, timezone: UTC, format: ${JSON.stringify(format)} }`, 'csv'),
    ),
  ).toMatch(/6:\d+ .*format/)
})

test.each([
  ['delimiter', 'a'],
  ['delimiter', '7'],
  ['delimiter', '\n'],
  ['quote', ','],
  ['quote', 'x'],
])('check refuses the %s %j', async (setting, value) => {
  expect(
    await mistakesIn(fieldsOf('  - { name: id }', 'csv', `, ${setting}: ${JSON.stringify(value)}`)),
  ).toMatch(/4:\d+ /)
})

const LINES = Number(process.env.HEADRACE_TEST_STRAY_QUOTE_LINES ?? 400_000)

test.each([
  ['a small file', 100],
  ['a file larger than a message may be', LINES],
])('one stray quote costs its own line in %s', async (_, lines) => {
  const file = `id,a,b\n0,"oops,z\n${Array.from({ length: lines }, (__, i) => `${i},name ${i},${'y'.repeat(30)}\n`).join('')}`
  const landed = await streamed(
    {
      declaration: fieldsOf('  - { name: id, type: long }\n  - { name: a }\n  - { name: b }', 'csv'),
      files: { 'a.csv': file },
    },
    'count(*)::INT AS rows, count(DISTINCT id)::INT AS ids',
    'ALL',
  )
  expect(landed.rows).toEqual([{ rows: lines, ids: lines }])
  expect(landed.rejects.map((reject) => [reject.rule, reject.reason])).toEqual([
    ['malformed', expect.stringMatching(/quote.*line 2/)],
  ])
  landed.cleanUp()
})

test('a record of 850 attributes lands', async () => {
  const names = Array.from({ length: 850 }, (_, i) => `attribute_${i}`)
  const file = `<r>${Array.from({ length: 250 }, (_, row) => `<x ${names.map((name, i) => `${name}="${row * i}"`).join(' ')}/>`).join('\n')}</r>`
  const declaration = fieldsOf(
    names.map((name) => `  - { name: ${name}, path: "@${name}" }`).join('\n'),
    'xml',
    ', path: /r/x',
  )
  const landed = await streamed(
    { declaration, files: { 'a.xml': file } },
    'count(*)::INT AS rows, sum(attribute_849::INT)::INT AS sum',
    'ALL',
  )
  expect(landed.rows).toEqual([{ rows: 250, sum: (849 * 249 * 250) / 2 }])
  landed.cleanUp()
})

test('a DOCTYPE without an internal subset is read; entities that only it could declare are not', async () => {
  const declaration = fieldsOf('  - { name: a }', 'xml', ', path: /r/x')
  const files = {
    'a.xml': '<!DOCTYPE r SYSTEM "r.dtd"><r><x><a>1</a></x></r>',
    'b.xml': '<!DOCTYPE r PUBLIC "-//X//Y" "r.dtd"><r><x><a>&nbsp;</a></x></r>',
    'c.xml': '<!DOCTYPE r [<!ENTITY e "x">]><r><x><a>&e;</a></x></r>',
  }
  const landed = await streamed({ declaration, files }, 'a')
  expect(landed.rows).toEqual([{ a: '1' }])
  expect(landed.rejects.map((reject) => reject.reason).join('\n')).toMatch(/nbsp[\s\S]*DTD|DTD[\s\S]*nbsp/)
  landed.cleanUp()
})

test('what is no text is named for what it is', async () => {
  const zip = Buffer.from('504b03041400000008000000', 'hex')
  const parquet = Buffer.from('504152311504150015001502000000', 'hex')
  const declaration = fieldsOf('  - { name: id, required: true }', 'csv')
  const landed = await streamed({ declaration, files: { 'a.csv': zip, 'b.csv': parquet } }, 'id')
  expect(landed.rejects.map((reject) => reject.reason).join('\n')).toMatch(/(ZIP|XLSX)[\s\S]*Parquet/)
  landed.cleanUp()
})
