/**
 * Files of ours have the columns that are in them: what stands in their paths adds none and wins over none.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSession } from '../../src/engines/duckdb/session.ts'
import { literal, parquetRows } from '../../src/engines/duckdb/sql.ts'

test('a file below outcome=accepted/title=x has the title that is in it, and no outcome', async () => {
  const home = mkdtempSync(join(tmpdir(), 'headrace-columns-'))
  const folders = ['outcome=accepted/title=x', 'outcome=quarantined/title=5', 'data'].map((name) =>
    join(home, name),
  )
  const session = await openSession({ memoryBytes: 1 << 28, threads: 1, spillFolder: join(home, 'spill') })
  const paths = folders.map((folder) => join(folder, 'f.parquet'))
  for (const [i, path] of paths.entries()) {
    mkdirSync(folders[i], { recursive: true })
    await session.run(`COPY (SELECT ${i} AS id, 'mine' AS title) TO ${literal(path)} (FORMAT parquet)`)
  }
  const own = [0, 1, 2].map((id) => ({ id, title: 'mine' }))
  for (const [i, path] of paths.entries())
    expect(await session.objects(`SELECT * FROM ${parquetRows([path])}`)).toEqual([own[i]])
  expect(await session.objects(`SELECT * FROM ${parquetRows(paths)} ORDER BY id`)).toEqual(own)
  await session.close()
  rmSync(home, { recursive: true })
})
