/**
 * CSV into Parquet: columns by the names or places of the header, delimiters and quotes, lines that do not
 * fit, and headers that are none.
 */
import { expect, test } from 'vitest'
import { rowsOf } from '../support/transfers.ts'
import { fileTransfers } from '../support/file-transfers.ts'

const { file, transferOf } = fileTransfers()

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
