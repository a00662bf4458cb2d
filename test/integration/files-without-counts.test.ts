/**
 * Data files whose rows the log does not state, as some writers leave them: counted in the files, never taken
 * for empty.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { UPKEEP, openSmallApp } from '../support/small-app.ts'

const DECLARATION = `dataset: shared
source: { files: { path: in, pattern: "*" } }
record: { format: ndjson }
message_id: { from: none }
columns: [{ name: id, required: true }, { name: title }]
raw: { keep_original: true }
processed: { key: [id] }
`

/** Takes `stats` out of each entry of a table's log. */
function withoutCounts(table: string): void {
  const log = join(table, '_delta_log')
  for (const name of readdirSync(log).filter((entry) => entry.endsWith('.json'))) {
    const actions = readFileSync(join(log, name), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    for (const { add } of actions) if (add !== undefined) delete add.stats
    writeFileSync(join(log, name), actions.map((action) => `${JSON.stringify(action)}\n`).join(''))
  }
}

test('batch, replay of the decoding and compaction keep each row of files without numRecords', async () => {
  const { app, path, raw, write, stream, batch, cleanUp } = openSmallApp(DECLARATION)
  const counts = 'SELECT count(*)::INT AS n, count(DISTINCT id)::INT AS ids, min(title) AS first FROM t'
  const ids = async (): Promise<unknown> => (await app.query('shared/processed', counts, undefined))[0]
  for (let n = 0; n < 5; n += 1) {
    write(Array.from({ length: 40 }, (_, i) => ({ id: `${n}-${i}`, title: `t${n}` })))
    await stream()
  }
  withoutCounts(raw)
  await batch()
  expect(await ids()).toEqual({ n: 200, ids: 200, first: 't0' })
  const replayed = await app.reprocess(path, { ...UPKEEP, from: undefined, to: undefined })
  expect(replayed).toMatchObject({ rows: 200, accepted: 200 })
  expect(await ids()).toEqual({ n: 200, ids: 200, first: 't0' })
  withoutCounts(raw)
  expect(await app.compact(path, UPKEEP)).not.toEqual([])
  expect(await app.query('shared/raw', 'SELECT count(*)::INT AS n FROM t', undefined)).toEqual([{ n: 200 }])
  cleanUp()
})
