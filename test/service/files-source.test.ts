/**
 * Files into Parquet: columns by the names of the header, lines that do not fit counted and kept, each file
 * once, and no way out of the tenant's folder.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { checkColumns } from '../../src/main/service/declared-columns.ts'
import type { Outcome, Work } from '../../src/main/service/work.ts'
import { openFolder } from '../support/service.ts'
import { rowsOf, runWork, workOf } from '../support/transfers.ts'

const home = openFolder('headrace-files-')
const tenant = join(home, 'tenant')
mkdirSync(join(tenant, 'in'), { recursive: true })
const COLUMNS = [
  { name: 'id', type: 'BIGINT' },
  { name: 'name', type: 'VARCHAR' },
  { name: 'amount', type: 'DECIMAL(10, 2)' },
]

function transferOf(source: Record<string, unknown>, more: Partial<Work> = {}): Promise<Outcome> {
  return runWork(
    workOf(home, { source: { format: 'csv', columns: COLUMNS, ...source }, tenantFolder: tenant, ...more }),
  )
}

const file = (name: string, text: string | Buffer): string => (
  writeFileSync(join(tenant, 'in', name), text),
  `in/${name}`
)

test('columns are matched by the names of the header, whatever their order; one that nobody declared is kept as text', async () => {
  const { receipt } = await transferOf({ path: file('order.csv', 'amount,id,extra,name\n1.50,7,x,seven\n') })
  expect(await rowsOf([receipt.output[0]])).toEqual([{ amount: '1.50', id: '7', extra: 'x', name: 'seven' }])
  await expect(transferOf({ path: file('lacks.csv', 'id,name\n1,a\n') })).rejects.toMatchObject({
    code: 'source_not_found',
    message: expect.stringContaining('column amount'),
  })
  file('two-a.csv', 'id,name,amount\n1,a,1\n')
  file('two-b.csv', 'name,id,amount\na,1,1\n')
  const two = await transferOf({ path: 'in/two-*.csv' })
  expect(await rowsOf([two.receipt.output[0]])).toEqual([
    { id: '1', name: 'a', amount: '1.00' },
    { id: '1', name: 'a', amount: '1.00' },
  ])
})

test.each([
  ['wrong types', 'x,a,1\n2,b,oops\n3,c,3\n', 1, 2],
  ['too few and too many fields', '1,a\n2,b,2,more\n3,c,3\n', 1, 2],
  ['windows line ends and quotes with commas and line ends', '1,"a,b",1\r\n2,"c\r\nd",2\r\n', 2, 0],
  ['a byte order mark', '1,a,1\n', 1, 0],
  ['an empty last line and none at the end', '1,a,1\n2,b,2', 2, 0],
  ['overflow of a decimal', '1,a,99999999999.99\n2,b,1\n', 1, 1],
])('%s: what is accepted and what is rejected make up the input', async (name, body, accepted, rejected) => {
  const { receipt } = await transferOf({
    path: file(
      `${name}.csv`,
      `${name === 'a byte order mark' ? '\uFEFF' : ''}id,name,amount${body.includes('\r') ? '\r' : ''}\n${body}`,
    ),
  })
  expect([receipt.rows, receipt.rejected]).toEqual([accepted, rejected])
  if (rejected === 0) return
  const lines = await rowsOf([receipt.output[1]], 'SELECT DISTINCT line, rule, original FROM T')
  expect(lines.every((line) => String(line.original).length > 0)).toBe(true)
})

test('bad UTF-8 is rejected by line, its neighbours are kept', async () => {
  const { receipt } = await transferOf({
    path: file(
      'utf8.csv',
      Buffer.concat([
        Buffer.from('id,name,amount\n1,a,1\n2,'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from(',2\n3,c,3\n'),
      ]),
    ),
  })
  expect([receipt.rows, receipt.rejected]).toEqual([2, 1])
})

test('each file once: the cursor knows them by size and time, and is not moved by a draft', async () => {
  file('once-1.csv', 'id,name,amount\n1,a,1\n')
  const first = await transferOf({ path: 'in/once-*.csv' })
  expect(first.receipt.rows).toBe(1)
  file('once-2.csv', 'id,name,amount\n2,b,2\n')
  const second = await transferOf({ path: 'in/once-*.csv' }, { cursor: first.cursor })
  expect(second.receipt.rows).toBe(1)
  expect((await transferOf({ path: 'in/once-*.csv' }, { cursor: second.cursor })).receipt).toMatchObject({
    rows: 0,
    output: [],
  })
  await expect(transferOf({ path: 'in/never-*.csv' })).rejects.toMatchObject({ code: 'path_not_found' })
  expect(
    (await transferOf({ path: 'in/once-*.csv' }, { cursor: second.cursor, draft: true })).cursor,
  ).toBeUndefined()
})

test('files that one pattern took stay taken while the job reads by another; what is gone is forgotten', async () => {
  for (const folder of ['one', 'two']) mkdirSync(join(tenant, 'in', folder))
  const [there, gone] = [
    file('one/there.csv', 'id,name,amount\n1,a,1\n'),
    file('one/gone.csv', 'id,name,amount\n2,b,2\n'),
  ]
  file('two/other.csv', 'id,name,amount\n3,c,3\n')
  const first = await transferOf({ path: 'in/one/*.csv' })
  const second = await transferOf({ path: 'in/two/*.csv' }, { cursor: first.cursor })
  expect(second.receipt.rows).toBe(1)
  rmSync(join(tenant, gone))
  const third = await transferOf({ path: 'in/*/*.csv' }, { cursor: second.cursor })
  expect(third.receipt).toMatchObject({ rows: 0, output: [] })
  const taken = Object.keys((third.cursor as { at: { taken: object } }).at.taken).map((name) =>
    basename(name),
  )
  expect([taken.toSorted(), basename(there)]).toEqual([['other.csv', 'there.csv'], 'there.csv'])
})

test('JSON lines and Parquet are read too', async () => {
  const lines = await transferOf({
    path: file('rows.ndjson', '{"id":1,"name":"a","amount":1.5}\n{"id":2,"name":null}\n'),
    format: 'ndjson',
  })
  expect(await rowsOf([lines.receipt.output[0]])).toEqual([
    { id: '1', name: 'a', amount: '1.50' },
    { id: '2', name: null, amount: null },
  ])
  const again = await transferOf({ path: lines.receipt.output[0], format: 'parquet', columns: undefined })
  expect(again.receipt.rows).toBe(2)
})

test("no path leads out of the tenant's folder: not by dots, links, absolute names, patterns or zero bytes, for reading or writing", async () => {
  writeFileSync(join(home, 'secret.csv'), 'id,name,amount\n1,secret,1\n')
  symlinkSync(home, join(tenant, 'in', 'link'))
  symlinkSync(join(home, 'secret.csv'), join(tenant, 'in', 'linked.csv'))
  for (const path of [
    '../secret.csv',
    '/etc/passwd',
    `${home}/secret.csv`,
    'in/../../secret.csv',
    'in/link/secret.csv',
    'in/linked.csv',
    '../*.csv',
    'in/link/*.csv',
    'in/linked*.csv',
    'in/{link,x}/secret.csv',
    'in/\0.csv',
    '/proc/self/environ',
    'in/..%2f..%2fsecret.csv',
  ])
    await expect(transferOf({ path }), path).rejects.toMatchObject({
      code: expect.stringMatching(/^(permission_denied|path_not_found)$/),
    })
  file('ok.csv', 'id,name,amount\n1,a,1\n')
  for (const path of ['../out', '/tmp/elsewhere', 'in/link/out'])
    await expect(
      transferOf({ path: 'in/ok.csv' }, { destination: { type: 'local', path } }),
      path,
    ).rejects.toMatchObject({ code: 'permission_denied' })
})

test('NDJSON: lines that do not fit are kept with number, column and rule; the others arrive; all fitting takes the short way with the same rows', async () => {
  const columns = [
    { name: 'id', type: 'BIGINT' },
    { name: 'name', type: 'VARCHAR' },
    { name: 'at', type: 'TIMESTAMP' },
    { name: 'tags', type: 'VARCHAR[]' },
  ]
  const good = [
    '{"id": 1, "name": "a", "at": "2026-01-01 00:00:00", "tags": ["x", "y"]}',
    '{"id": 2, "name": "b\\n\\u00e9,\\"q\\"", "more": 5}',
    '{"name": null}',
  ]
  const bad = ['{"id": "many"}', 'not json', '[1]', '{"id": 3, "at": "yesterday"}', '{"id": 4']
  const clean = await transferOf({
    path: file('clean.ndjson', `${good.join('\n')}\n`),
    format: 'ndjson',
    columns,
  })
  expect(clean.receipt).toMatchObject({ rows: 3, rejected: 0 })
  const mixed = await transferOf({
    path: file('mixed.ndjson', `${good[0]}\n${bad[0]}\n${good[1]}\n${bad.slice(1).join('\n')}\n\n${good[2]}`),
    format: 'ndjson',
    columns,
  })
  expect(mixed.receipt).toMatchObject({ rows: 3, rejected: 5 })
  expect(await rowsOf([mixed.receipt.output[0]])).toEqual(await rowsOf([clean.receipt.output[0]]))
  const rejects = await rowsOf([mixed.receipt.output[1]], 'SELECT line, column_name, original FROM T')
  expect(rejects.map((one) => [Number(one.line), one.column_name, one.original])).toEqual([
    [2, 'id', bad[0]],
    [4, null, bad[1]],
    [5, null, bad[2]],
    [6, 'at', bad[3]],
    [7, null, bad[4]],
  ])
})

test('values that a type does not hold exactly are rejects, not other values', async () => {
  const columns = [
    { name: 'id', type: 'BIGINT' },
    { name: 'l', type: 'BIGINT' },
    { name: 'm', type: 'DECIMAL(10, 2)' },
    { name: 'f', type: 'DOUBLE' },
    { name: 'd', type: 'DATE' },
    { name: 't', type: 'TIMESTAMP' },
    { name: 'b', type: 'BOOLEAN' },
    { name: 's', type: 'SMALLINT' },
  ]
  const bad = [
    'l:1.5',
    'l:1e3',
    'l:1_000',
    'l:0x1F',
    'm:1.105',
    'm:1.999',
    'f:1e400',
    'f:NaN',
    'f:inf',
    'f:1_0.5',
    'b:yes',
    'b:t',
    'd:2024-01-02 23:00:00',
    'd:epoch',
    'd:infinity',
    't:10000-01-01',
    't:infinity',
    't:2024-01-01 24:00:00',
    's:40000',
  ]
  const lineOf = (id: number, cell: string): string =>
    columns
      .map(({ name }) => (name === 'id' ? id : cell.startsWith(`${name}:`) ? cell.slice(2) : ''))
      .join(',')
  const good = ['t:2024-01-02T10:00:00+02:00', 'm:1.500', 'f:1e308', 'b:TRUE', 's:-32768']
  const csv = `${columns.map(({ name }) => name).join(',')}\n${[...good, ...bad].map((cell, i) => lineOf(i, cell)).join('\n')}\n`
  const ndjson = [...good, ...bad]
    .map((cell, i) => JSON.stringify({ id: i, [cell[0]]: cell.slice(2) }))
    .join('\n')
  for (const [format, text] of Object.entries({ csv, ndjson })) {
    const { receipt } = await transferOf({ path: file(`exact.${format}`, text), format, columns })
    expect(receipt, format).toMatchObject({ rows: good.length, rejected: bad.length })
    expect(
      (
        await rowsOf(
          [receipt.output[0]],
          'SELECT t::VARCHAR AS t, m::VARCHAR AS m, typeof(s) AS s FROM T ORDER BY id',
        )
      ).slice(0, 2),
    ).toEqual([
      { t: '2024-01-02 08:00:00', m: null, s: 'SMALLINT' },
      { t: null, m: '1.50', s: 'SMALLINT' },
    ])
    const rejects = await rowsOf(
      [receipt.output[1]],
      'SELECT line, column_name, rule, value, original FROM T',
    )
    expect(
      rejects.map((one) => `${one.column_name}:${one.value}`),
      format,
    ).toEqual(bad)
    expect(rejects.map((one) => Number(one.line))).toEqual(
      bad.map((_, i) => i + good.length + (format === 'csv' ? 2 : 1)),
    )
    expect(rejects.map((one) => one.rule).at(-1)).toBe('type.smallint')
    expect(text.split('\n')).toEqual(expect.arrayContaining(rejects.map((one) => one.original)))
  }
})

test.each([
  ['TIME', 'VARCHAR'],
  ['HUGEINT', 'DECIMAL(38, 0)'],
  ['UBIGINT', 'DECIMAL(20, 0)'],
  ['INTERVAL', 'VARCHAR'],
  ['BLOB', 'VARCHAR'],
  ['JSON', 'JSON text'],
  ['STRUCT(a INT)', 'VARCHAR'],
  ['MAP', 'JSON text'],
  ['DECIMAL', 'digits'],
  ['DECIMAL(39, 2)', '38 digits'],
  ['DECIMAL(4, 5)', 'digits'],
  ['INT[][]', 'a list of values'],
  ['SMALLINT[]', 'INTEGER'],
  ['CHAR(3)', 'VARCHAR(n)'],
  ['TIMESTAMP_NS', 'TIMESTAMP'],
  ["VARCHAR'); DROP TABLE x", 'BIGINT'],
])('a column of type %s is refused by name, with what to take instead', (type, instead) => {
  expect(() => checkColumns({ format: 'ndjson', columns: [{ name: 'a', type }] })).toThrow(instead)
})

test('a column says how its text is written, and what cannot be is refused', async () => {
  const columns = [
    { name: 'day', type: 'date', format: 'dd.MM.yyyy' },
    { name: 'at', type: 'TIMESTAMP', timezone: 'Europe/Berlin' },
    { name: 'n', type: 'INT', nulls: ['', '-'] },
    { name: 'x', type: 'VARCHAR(3)', required: true },
  ]
  const { receipt } = await transferOf({
    path: file(
      'told.csv',
      'day,at,n,x\n29.02.2024,2024-07-01 12:00:00,-,abc\n30.02.2024,,1,a\n,,,\n,,,abcd\n',
    ),
    columns,
  })
  expect(
    await rowsOf([receipt.output[0]], 'SELECT day::VARCHAR AS day, "at"::VARCHAR AS "at", n, x FROM T'),
  ).toEqual([{ day: '2024-02-29', at: '2024-07-01 10:00:00', n: null, x: 'abc' }])
  expect((await rowsOf([receipt.output[1]], 'SELECT rule FROM T')).map((one) => one.rule)).toEqual([
    'type.date',
    'schema.missing',
    'format.length',
  ])
  for (const [more, word] of [
    [{ timezone: 'Mars' }, 'Mars'],
    [{ colour: 'red' }, 'colour'],
    [{ type: 'VARCHAR', pattern: '(' }, 'regular expression'],
  ] as const)
    expect(() =>
      checkColumns({ format: 'csv', columns: [{ name: 'a', type: 'TIMESTAMP', ...more }] }),
    ).toThrow(word)
  expect(() =>
    checkColumns({
      format: 'csv',
      columns: [
        { name: 'a', type: 'INT' },
        { name: 'A', type: 'INT' },
      ],
    }),
  ).toThrow('twice')
  expect(() => checkColumns({ format: 'csv', columns: [{ name: 'a', type: 'INT[]' }] })).toThrow('CSV')
  expect(() => checkColumns({ format: 'parquet', columns: [{ name: 'a', type: 'INT' }] })).toThrow('Parquet')
})

test('without columns no value is changed or refused by a type that nobody declared: the column becomes text', async () => {
  const many = Array.from({ length: 200_000 }, (_, i) => `${i},0.${(i % 90) + 10},true`)
  const { receipt } = await transferOf({
    path: file('guess.csv', `zip,price,flag\n${many.join('\n')}\n01234,1e5,1\n99999999999999999999,,yes\n`),
    columns: undefined,
  })
  expect(receipt).toMatchObject({ rows: 200_002, rejected: 0 })
  expect(await rowsOf([receipt.output[0]], 'SELECT zip, price, flag FROM T OFFSET 200000')).toEqual([
    { zip: '01234', price: '1e5', flag: '1' },
    { zip: '99999999999999999999', price: null, flag: 'yes' },
  ])
  const lines = await transferOf({
    path: file(
      'guess.ndjson',
      '{"a": 1, "b": {"c": [1.10]}, "d": " x "}\n{"a": 12345678901234567890, "late": true}\n',
    ),
    format: 'ndjson',
    columns: undefined,
  })
  expect(
    await rowsOf([lines.receipt.output[0]], 'SELECT a::VARCHAR AS a, b, d, late::VARCHAR AS late FROM T'),
  ).toEqual([
    { a: '1', b: '{"c": [1.10]}', d: ' x ', late: null },
    { a: '12345678901234567890', b: null, d: null, late: 'true' },
  ])
})

test('a word for missing values, files without a header, and other delimiters and quotes', async () => {
  const { receipt } = await transferOf({
    path: file('plain.csv', "1;'a;b';NA\n2;NA;'NA'\n3;;\n"),
    header: false,
    delimiter: ';',
    quote: "'",
    null_text: 'NA',
    columns: [
      { name: 'id', type: 'INT' },
      { name: 'a', type: 'TEXT' },
      { name: 'b', type: 'TEXT' },
    ],
  })
  expect(await rowsOf([receipt.output[0]])).toEqual([
    { id: 1, a: 'a;b', b: null },
    { id: 2, a: null, b: 'NA' },
    { id: 3, a: '', b: '' },
  ])
})

test('a record may have 16 MiB; a file that is none, or whose record is larger, is one reject beside the other files', async () => {
  const columns = [
    { name: 'id', type: 'INT' },
    { name: 'a', type: 'TEXT' },
  ]
  file('big-1.ndjson', `{"id": 1, "a": "${'x'.repeat(15 << 20)}"}\n{"id": 2}\n`)
  file('big-2.ndjson', '{"id": 3}\n')
  const { receipt } = await transferOf({ path: 'in/big-*.ndjson', format: 'ndjson', columns })
  expect(await rowsOf([receipt.output[0]], 'SELECT id, length(a)::INT AS length FROM T')).toEqual([
    { id: 1, length: 15 << 20 },
    { id: 2, length: null },
    { id: 3, length: null },
  ])
  file('odd-1.csv', 'id,id\n1,2\n')
  file('odd-2.csv', 'id,a\n1,x\n')
  const odd = await transferOf({ path: 'in/odd-*.csv', columns })
  expect(odd.receipt).toMatchObject({ rows: 1, rejected: 1 })
  expect(await rowsOf([odd.receipt.output[1]], 'SELECT rule, error_message AS said FROM T')).toEqual([
    { rule: 'wrong_root', said: expect.stringContaining('id twice') },
  ])
})

test('fields without a name, or with one that stands twice, are addressed by their places; what is not listed arrives as text', async () => {
  const columns = [
    { name: 'id', type: 'BIGINT' },
    { name: 'second', type: 'DECIMAL(5, 2)', path: '#4' },
  ]
  const { receipt } = await transferOf({
    path: file('twice.csv', ',id,amount,amount,second\na,7,1.50,2.50,x\n'),
    columns,
  })
  expect(receipt).toMatchObject({ rows: 1, rejected: 0 })
  expect(await rowsOf([receipt.output[0]])).toEqual([
    { '#1': 'a', id: '7', '#3': '1.50', second: '2.50', second_2: 'x' },
  ])
  const rest = await transferOf({
    path: 'in/twice.csv',
    columns: [...columns, { name: 'first', type: 'VARCHAR', path: 'amount' }],
  })
  expect(await rowsOf([rest.receipt.output[0]])).toEqual([
    { '#1': 'a', id: '7', first: '1.50', second: '2.50', second_2: 'x' },
  ])
  const guessed = await transferOf({ path: 'in/twice.csv', columns: undefined })
  expect(await rowsOf([guessed.receipt.output[0]])).toEqual([
    { '#1': 'a', id: 7, '#3': '1.50', '#4': '2.50', second: 'x' },
  ])
  const unclear = await transferOf({ path: 'in/twice.csv', columns: [{ name: 'amount', type: 'VARCHAR' }] })
  expect(unclear.receipt).toMatchObject({ rows: 0, rejected: 1 })
})

test('without a header a column takes the field of its place, two columns may take one field, and the rest arrives as text', async () => {
  const swapped = [
    { name: 'b', type: 'VARCHAR', path: '2' },
    { name: 'a', type: 'BIGINT', path: '1' },
  ]
  const { receipt } = await transferOf({
    path: file('bare.csv', '1,x,x\n2,y,\n'),
    header: false,
    columns: swapped,
  })
  expect(await rowsOf([receipt.output[0]])).toEqual([
    { a: '1', b: 'x', column2: 'x' },
    { a: '2', b: 'y', column2: null },
  ])
  const guessed = await transferOf({ path: 'in/bare.csv', header: false, columns: undefined })
  expect((await rowsOf([guessed.receipt.output[0]])).map((row) => Object.values(row).map(String))).toEqual([
    ['1', 'x', 'x'],
    ['2', 'y', 'null'],
  ])
  const both = [
    { name: 'one', type: 'VARCHAR', path: 'a' },
    { name: 'other', type: 'BIGINT', path: 'a' },
    { name: 'b', type: 'BIGINT' },
  ]
  const shared = await transferOf({ path: file('shared.csv', 'a,b\n1,2\n'), columns: both })
  expect(await rowsOf([shared.receipt.output[0]])).toEqual([{ one: '1', other: '1', b: '2' }])
})

test('a header that is none rejects its file, and not the job', async () => {
  const columns = [
    { name: 'id', type: 'BIGINT' },
    { name: 'name', type: 'VARCHAR' },
  ]
  file('header-1.csv', Buffer.from('id,name,gr\xf6\xdfe\n1,a,2\n', 'latin1'))
  file('header-2.csv', '"i"d,name\n1,a\n')
  file('header-3.csv', 'id,name\n1,a\n')
  const { receipt } = await transferOf({ path: 'in/header-*.csv', columns })
  expect(receipt).toMatchObject({ rows: 1, rejected: 2 })
  const { receipt: alone } = await transferOf({
    path: file('header.csv', Buffer.from('id,n\xe4me\n1,a\n', 'latin1')),
    columns: [{ name: 'näme', type: 'VARCHAR' }],
  })
  expect(alone).toMatchObject({ rows: 0, rejected: 1 })
})

test('a reject of NDJSON names the line in which its record stands: a line ends with a line feed only', async () => {
  const columns = [{ name: 'id', type: 'BIGINT' }]
  const { receipt } = await transferOf({
    path: file('returns.ndjson', '{"id":\r1}\r\n{\r"id": "x"}\n\r\n{"id": 2}\nno\n'),
    format: 'ndjson',
    columns,
  })
  expect((await rowsOf([receipt.output[1]], 'SELECT line FROM T')).map(({ line }) => Number(line))).toEqual([
    2, 5,
  ])
})

test('2,000 columns need no more memory than 20', async () => {
  const names = Array.from({ length: 2_000 }, (_, i) => `c${i}`)
  const columns = names.map((name) => ({ name, type: 'VARCHAR' }))
  const path = file('wide.csv', `${names.join(',')}\n${names.join(',')}\n1,2\n`)
  const { receipt } = await transferOf(
    { path, columns, encoding: 'windows-1252' },
    { memoryBytes: 512 << 20 },
  )
  expect(receipt).toMatchObject({ rows: 1, rejected: 1 })
})

test('a header of two lines costs no row, whatever its line end', async () => {
  for (const [inner, outer] of [
    ['\r\n', '\n'],
    ['\r', '\n'],
    ['\n', '\r\n'],
    ['\n', '\n'],
  ]) {
    const path = file(
      'two-lines.csv',
      ['a,"two', 'lines"', '1,2', '3,4', ''].join(outer).replace(`two${outer}`, `two${inner}`),
    )
    const { receipt } = await transferOf({
      path,
      columns: [
        { name: 'a', type: 'BIGINT' },
        { name: 'b', type: 'BIGINT', path: `two${inner}lines` },
      ],
    })
    expect(await rowsOf([receipt.output[0]]), JSON.stringify([inner, outer])).toEqual([
      { a: '1', b: '2' },
      { a: '3', b: '4' },
    ])
  }
})

test('a field behind the records of JSON is read in a packed file, and in one of up to 16 MiB', async () => {
  const declaration =
    'dataset: d\nrecord: { format: json, path: "$.data[*]" }\ncolumns:\n  - { name: a }\n  - { name: after, path: $.after }\n'
  const text = (count: number): string =>
    `{"data": [${Array.from({ length: count }, () => `{"a": "${'x'.repeat(1_000)}"}`).join(',\n')}], "after": 7}`
  for (const [name, bytes, rows] of [
    ['packed.json', gzipSync(text(2)), 2],
    ['large.json', text(4_000), 4_000],
  ] as const) {
    const { receipt } = await transferOf({
      path: file(name, bytes),
      format: 'json',
      declaration,
      columns: undefined,
    })
    expect(receipt).toMatchObject({ rows, rejected: 0 })
    expect(await rowsOf([receipt.output[0]], 'SELECT DISTINCT after FROM T')).toEqual([{ after: '7' }])
  }
})
