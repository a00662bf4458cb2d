/** Histories of one table and its writers, on local disk: deltalake writes beside us, polars reads too. */
import { afterAll, beforeAll, test } from 'vitest'
import { RUN_SEED } from '../support/chance.ts'
import { startForeignWriter, type ForeignWriter } from '../support/delta-foreign.ts'
import { PARTS, runHistory } from '../support/delta-history.ts'
import { limitMs } from '../support/time-limits.ts'

const HISTORIES = Number(process.env.HEADRACE_TEST_DELTA_HISTORIES ?? 5)

let foreign: ForeignWriter
beforeAll(() => {
  foreign = startForeignWriter()
})
afterAll(() => {
  foreign.stop()
})

test.each(Array.from({ length: HISTORIES }, (_, i) => RUN_SEED + i))(
  'history %s: every reader finds the rows, or we refuse by name',
  async (seed) => runHistory(seed, { foreign: [foreign], parts: PARTS, steps: 14 }),
  limitMs(120_000),
)
