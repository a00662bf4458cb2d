/**
 * Types of columns in files: what they hold exactly, what is refused by name, and what arrives without any.
 */
import { expect, test } from 'vitest'
import { checkColumns } from '../../src/executions/declared-columns.ts'
import { rowsOf } from '../support/transfers.ts'
import { fileTransfers } from '../support/file-transfers.ts'

const { file, transferOf } = fileTransfers()

const EXACT = [
  { name: 'id', type: 'BIGINT' },
  { name: 'l', type: 'BIGINT' },
  { name: 'm', type: 'DECIMAL(10, 2)' },
  { name: 'f', type: 'DOUBLE' },
  { name: 'd', type: 'DATE' },
  { name: 't', type: 'TIMESTAMP' },
  { name: 'b', type: 'BOOLEAN' },
  { name: 's', type: 'SMALLINT' },
]

/** CSV with a line for each cell, which is told as `column:text`; lines are numbered from 0. */
function csvOf(cells: string[]): string {
  const line = (cell: string, id: number): string =>
    EXACT.map(({ name }) => {
      if (name === 'id') return id
      return cell.startsWith(`${name}:`) ? cell.slice(2) : ''
    }).join(',')
  return `${EXACT.map(({ name }) => name).join(',')}\n${cells.map(line).join('\n')}\n`
}

const ndjsonOf = (cells: string[]): string =>
  cells.map((cell, i) => JSON.stringify({ id: i, [cell[0]]: cell.slice(2) })).join('\n')

test('values that a type does not hold exactly are rejects, not other values', async () => {
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
  const good = ['t:2024-01-02T10:00:00+02:00', 'm:1.500', 'f:1e308', 'b:TRUE', 's:-32768']
  const cells = [...good, ...bad]
  for (const [format, text] of Object.entries({ csv: csvOf(cells), ndjson: ndjsonOf(cells) })) {
    const { receipt } = await transferOf({ path: file(`exact.${format}`, text), format, columns: EXACT })
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
      rejects.map((reject) => `${reject.column_name}:${reject.value}`),
      format,
    ).toEqual(bad)
    expect(rejects.map((reject) => Number(reject.line))).toEqual(
      bad.map((_, i) => i + good.length + (format === 'csv' ? 2 : 1)),
    )
    expect(rejects.map((reject) => reject.rule).at(-1)).toBe('type.smallint')
    expect(text.split('\n')).toEqual(expect.arrayContaining(rejects.map((reject) => reject.original)))
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
  expect((await rowsOf([receipt.output[1]], 'SELECT rule FROM T')).map((reject) => reject.rule)).toEqual([
    'type.date',
    'schema.missing',
    'format.length',
  ])
  for (const [more, reason] of [
    [{ timezone: 'Mars' }, 'Mars'],
    [{ colour: 'red' }, 'colour'],
    [{ type: 'VARCHAR', pattern: '(' }, 'regular expression'],
  ] as const)
    expect(() =>
      checkColumns({ format: 'csv', columns: [{ name: 'a', type: 'TIMESTAMP', ...more }] }),
    ).toThrow(reason)
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
