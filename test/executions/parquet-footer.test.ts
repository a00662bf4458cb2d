/**
 * Parquet files joined by their footers, as two other readers see them: row groups, statistics, bloom
 * filters, every kind of column.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, expect, test } from 'vitest'
import { joinFiles, noteFrom, noteInto } from '../../src/executions/parquet-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-parquet-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string): string => join(folder, `${name}.parquet`)
const connection = await (await DuckDBInstance.create(':memory:')).connect()
const rowsOf = (from: number, to: number): string =>
  `SELECT i AS id, 'word ' || i % 50 AS word, CASE WHEN i % 7 = 0 THEN NULL ELSE i / 3 END AS share, i::DECIMAL(30, 4) AS exact, TIMESTAMP '2026-01-01' + to_seconds(i) AS moment, [i, i + 1] AS list, {a: i, b: 'x'} AS struct, i % 2 = 0 AS flag FROM range(${from}, ${to}) r (i)`
async function write(name: string, from: number, to: number): Promise<string> {
  await connection.run(
    `COPY (${rowsOf(from, to)}) TO '${at(name)}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)`,
  )
  return at(name)
}

test('the joined file has every row, in order, for DuckDB and for pyarrow; what is looked up by statistics and bloom filters is found', async () => {
  const parts = [
    await write('a', 0, 10_000),
    await write('empty', 0, 0),
    await write('b', 10_000, 10_001),
    await write('c', 10_001, 50_000),
  ]
  await joinFiles(parts, at('joined'))
  const hash = async (of: string): Promise<unknown> =>
    (
      await connection.runAndReadAll(
        `SELECT count(*), sum(hash(id, word, share, exact, moment, list, struct, flag)), min(id) FROM (${of})`,
      )
    ).getRowsJson()
  expect(await hash(`FROM '${at('joined')}'`)).toEqual(await hash(rowsOf(0, 50_000)))
  expect(
    (await connection.runAndReadAll(`SELECT id FROM '${at('joined')}' LIMIT 3 OFFSET 9999`)).getRowsJson(),
  ).toEqual([['9999'], ['10000'], ['10001']])
  for (const id of [0, 9_999, 10_000, 10_001, 49_999])
    expect(
      (await connection.runAndReadAll(`SELECT word FROM '${at('joined')}' WHERE id = ${id}`)).getRowsJson(),
    ).toEqual([[`word ${id % 50}`]])
  expect(
    (
      await connection.runAndReadAll(`SELECT count(*) FROM '${at('joined')}' WHERE word = 'word 7'`)
    ).getRowsJson(),
  ).toEqual([['1000']])
  const python = `import pyarrow.parquet as p, json\nt = p.read_table('${at('joined')}')\nm = p.ParquetFile('${at('joined')}').metadata\nprint(json.dumps([t.num_rows, sum(t['id'].to_pylist()), t['list'].to_pylist()[49999], t['struct'].to_pylist()[10000], m.num_rows, sum(m.row_group(i).num_rows for i in range(m.num_row_groups)), p.read_table('${at('joined')}', filters=[('id', '=', 10000)]).num_rows]))`
  expect(
    JSON.parse(execFileSync(resolve('.headrace/test-venv/bin/python'), ['-c', python]).toString()),
  ).toEqual([50_000, (50_000 * 49_999) / 2, [49_999, 50_000], { a: 10_000, b: 'x' }, 50_000, 50_000, 1])
})

test('another schema and a file that is none are refused; a note stands in the footer, once, and changes nothing else', async () => {
  const path = await write('noted', 0, 100)
  await connection.run(`COPY (SELECT 1 AS id) TO '${at('other')}' (FORMAT parquet)`)
  writeFileSync(at('none'), 'not a Parquet file at all')
  await expect(joinFiles([path, at('other')], at('x'))).rejects.toThrow(/another schema/)
  await expect(joinFiles([path, at('none')], at('x'))).rejects.toThrow(/no Parquet file/)
  const note = async (): Promise<string | undefined> =>
    noteFrom(readFileSync(path).length, async (start, end) => readFileSync(path).subarray(start, end))
  expect(await note()).toBeUndefined()
  await noteInto(path, 'first')
  await noteInto(path, '{"cursor": "ö"}')
  expect(await note()).toBe('{"cursor": "ö"}')
  expect((await connection.runAndReadAll(`SELECT count(*), sum(id) FROM '${path}'`)).getRowsJson()).toEqual([
    ['100', '4950'],
  ])
  expect(
    (
      await connection.runAndReadAll(
        `SELECT key::VARCHAR FROM parquet_kv_metadata('${path}') WHERE key = 'headrace'`,
      )
    ).getRowsJson(),
  ).toHaveLength(1)
})
