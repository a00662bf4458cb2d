/**
 * Data files whose rows the log does not state, as some writers leave them: counted in the files, never taken
 * for empty.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createApp } from '../../src/main/app.ts'
import { smallHome } from '../support/small-datasets.ts'

const DECLARATION = `dataset: shared
source: { files: { path: in, pattern: "*" } }
record: { format: ndjson }
message_id: { from: none }
columns: [{ name: id, required: true }, { name: title }]
raw: { keep_original: true }
processed: { key: [id] }
`
const silent = (): void => undefined
const UPKEEP = {
  engine: {},
  memoryBytes: 1 << 30,
  dryRun: false,
  keepFrom: undefined,
  graceMs: 0,
  say: silent,
}

const before = { ...process.env }
afterAll(() => {
  process.env = before
})

/** Takes `stats` out of each entry of a table's log. */
function withoutCounts(table: string): void {
  const log = join(table, '_delta_log')
  for (const name of readdirSync(log).filter((one) => one.endsWith('.json'))) {
    const actions = readFileSync(join(log, name), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    for (const { add } of actions) if (add !== undefined) delete add.stats
    writeFileSync(join(log, name), actions.map((action) => `${JSON.stringify(action)}\n`).join(''))
  }
}

test('batch, replay of the decoding and compaction keep each row of files without numRecords', async () => {
  const { home, cleanUp } = smallHome()
  process.env.HEADRACE_HOME = home
  process.env.HEADRACE_LOG = 'warn'
  mkdirSync(join(home, 'in'))
  const path = join(home, 'shared.yaml')
  writeFileSync(path, DECLARATION)
  const app = createApp('test')
  const raw = join(home, 'tables', 'shared', 'raw')
  const counts = 'SELECT count(*)::INT AS n, count(DISTINCT id)::INT AS ids, min(title) AS first FROM t'
  const ids = async (): Promise<unknown> => (await app.query('shared/processed', counts, undefined))[0]
  for (let n = 0; n < 5; n += 1) {
    const lines = Array.from({ length: 40 }, (_, i) => `{"id":"${n}-${i}","title":"t${n}"}`)
    writeFileSync(join(home, 'in', `${n}.ndjson`), lines.join('\n'))
    const signal = new AbortController().signal
    await app.stream(path, {
      engine: {},
      untilCaughtUp: true,
      metricsPort: undefined,
      signal,
      onCommit: silent,
      say: silent,
    })
  }
  withoutCounts(raw)
  await app.batch(path, {
    engine: {},
    memoryBytes: 1 << 30,
    dryRun: false,
    hold: [],
    release: [],
    say: silent,
  })
  expect(await ids()).toEqual({ n: 200, ids: 200, first: 't0' })
  const replayed = await app.reprocess(path, { ...UPKEEP, from: undefined, to: undefined })
  expect(replayed).toMatchObject({ rows: 200, accepted: 200 })
  expect(await ids()).toEqual({ n: 200, ids: 200, first: 't0' })
  withoutCounts(raw)
  expect(await app.compact(path, UPKEEP)).not.toEqual([])
  expect(await app.query('shared/raw', 'SELECT count(*)::INT AS n FROM t', undefined)).toEqual([{ n: 200 }])
  cleanUp()
})
