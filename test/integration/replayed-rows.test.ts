/** What a replay decodes anew, what it leaves as it is, and what it holds in memory. */
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { rowWindows } from '../../src/operations/row-windows.ts'
import { openSession } from '../../src/engines/duckdb/session.ts'
import { openSmallApp } from '../support/small-app.ts'
import { smallHome } from '../support/small-datasets.ts'
import { deltalake } from '../support/system.ts'

const declaration = (nulls: string): string => `dataset: shared
source: { files: { path: in, pattern: "*" } }
record: { format: ndjson }
message_id: { from: none }
columns:
  - { name: id, required: true }
  - { name: n, type: integer, nulls: [${nulls}] }
`

test('rows of another writer, who left out what a reject is, stay in the quarantine', async () => {
  const { app, path, raw, write, stream, cleanUp } = openSmallApp(declaration(''))
  write(['{"id":"a","n":"five"}', '{"id":"b","n":"six"}', '{"id":"c","n":7}'])
  await stream()
  const theirs = `import pyarrow as pa, datetime
from deltalake import DeltaTable, write_deltalake
day = t.to_pylist()[0]['ingest_date']
row = {'outcome': ['quarantined'], 'ingest_date': [day], 'reject_value': ['theirs'], 'original': [b'{}']}
write_deltalake(${JSON.stringify(raw)}, pa.table(row), mode='append', schema_mode='merge')
DeltaTable(${JSON.stringify(raw)}).optimize.compact()
print('{}')`
  await deltalake(raw, theirs)
  writeFileSync(path, declaration('five'))
  expect(await app.replayQuarantine(path, { rule: undefined, dryRun: false })).toMatchObject({
    read: 2,
    accepted: 1,
    quarantined: 1,
    notKept: 0,
  })
  const rows = await app.query(
    'shared/raw',
    'SELECT outcome, id, reject_value FROM t ORDER BY outcome, id, reject_value',
    undefined,
  )
  expect(rows.map(({ outcome, id, reject_value: value }) => [outcome, id, value])).toEqual([
    ['accepted', 'a', null],
    ['accepted', 'c', null],
    ['quarantined', null, 'six'],
    ['quarantined', null, 'theirs'],
  ])
  cleanUp()
})

test('large messages come a few at a time, small ones by the thousand, each once', async () => {
  const { home, cleanUp } = smallHome()
  const session = await openSession({ memoryBytes: 1 << 29, threads: 1, spillFolder: home })
  const rows =
    "SELECT i AS file_row_number, encode(repeat('x', CASE WHEN i < 200 THEN 1048576 ELSE 3 END)) AS original FROM range(60000) r(i)"
  await session.run(`CREATE TABLE kept AS ${rows}`)
  const windows = await rowWindows(session, 'kept', 'file_row_number % 2 = 0')
  const counts: number[] = []
  for (const window of windows) {
    const [[count, bytes]] = await session.rows(
      `SELECT count(*), sum(octet_length(original)) FROM kept WHERE file_row_number % 2 = 0 AND ${window}`,
    )
    counts.push(Number(count))
    expect(Number(bytes)).toBeLessThanOrEqual(65 * 1024 * 1024)
  }
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(30_000)
  expect(counts[0]).toBeLessThan(65)
  expect(windows.length).toBeLessThan(6)
  await session.close()
  cleanUp()
})
