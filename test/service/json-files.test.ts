/**
 * JSON into Parquet: lines that do not fit are kept by number, records are as large as they may be, and
 * fields that stand behind them are read.
 */
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { rowsOf } from '../support/transfers.ts'
import { fileTransfers } from '../support/file-transfers.ts'

const { file, transferOf } = fileTransfers()

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
  expect(rejects.map((reject) => [Number(reject.line), reject.column_name, reject.original])).toEqual([
    [2, 'id', bad[0]],
    [4, null, bad[1]],
    [5, null, bad[2]],
    [6, 'at', bad[3]],
    [7, null, bad[4]],
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
