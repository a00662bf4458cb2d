/** Names of files with the signs of patterns: each is read once, and none for another, in any folder. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSession, type DuckSession } from '../../src/engines/duckdb/session.ts'
import { fileList } from '../../src/engines/duckdb/sql.ts'
import { openFolder } from '../support/service.ts'
import { runWork, workOf } from '../support/transfers.ts'

const home = openFolder('headrace-names-')
let session: DuckSession
beforeAll(async () => {
  session = await openSession({ memoryBytes: 256 << 20, threads: 1, spillFolder: join(home, 'spill') })
})
afterAll(() => session.close())

let places = 0
/** A tenant's folder with files, one number each. `odd`: its own name has the signs of patterns. */
function folderWith(files: Record<string, number>, odd: boolean): string {
  places += 1
  const place = join(home, odd ? `tenant [${places}] *?` : `tenant ${places}`)
  for (const [name, id] of Object.entries(files)) {
    mkdirSync(dirname(join(place, name)), { recursive: true })
    writeFileSync(join(place, name), name.endsWith('csv') ? `id,x\n${id},a\n` : `{"id": ${id}, "x": "a"}\n`)
  }
  return place
}

async function idsOf(tenantFolder: string, path: string, format: string): Promise<number[]> {
  const columns = [
    { name: 'id', type: 'BIGINT' },
    { name: 'x', type: 'VARCHAR' },
  ]
  const { receipt } = await runWork(workOf(tenantFolder, { source: { path, format, columns }, tenantFolder }))
  const rows = await session.rows(`SELECT id FROM read_parquet(${fileList(receipt.output)}) ORDER BY id`)
  return rows.flat().map(Number)
}

test.each([
  ['csv', false],
  ['csv', true],
  ['ndjson', true],
])('%s: all that match, each once; below a folder with such a name: %s', async (format, odd) => {
  const files = {
    [`x1.${format}`]: 1,
    [`x[1].${format}`]: 2,
    [`x?.${format}`]: 3,
    [`x*.${format}`]: 4,
    [`[x].${format}`]: 5,
  }
  expect(await idsOf(folderWith(files, odd), `*.${format}`, format)).toEqual([1, 2, 3, 4, 5])
})

test.each([
  ['report[1].csv', 2],
  ['who?.csv', 4],
  ['[a]/report[1].csv', 6],
])('the file %s by its name', async (path, id) => {
  const files = {
    'report1.csv': 1,
    'report[1].csv': 2,
    'whom.csv': 3,
    'who?.csv': 4,
    'a/report1.csv': 5,
    '[a]/report[1].csv': 6,
  }
  expect(await idsOf(folderWith(files, true), path, 'csv')).toEqual([id])
})
