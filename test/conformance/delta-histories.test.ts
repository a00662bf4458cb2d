/**
 * Histories of one table on local disk and S3, with Spark beside deltalake and us: all write, all read, after
 * each step.
 */
import { afterAll, beforeAll, test } from 'vitest'
import { keepEnvironment } from '../support/environment.ts'
import { RUN_SEED, sampled } from '../support/chance.ts'
import { startForeignWriter, type ForeignWriter } from '../support/delta-foreign.ts'
import { PARTS, runHistory } from '../support/delta-history.ts'
import { sparkWriter } from '../support/delta-spark.ts'
import { sharedSpark, type SharedSpark } from '../support/spark.ts'
import { sharedS3, type StorageServer } from '../support/storage.ts'
import { limitMs } from '../support/time-limits.ts'

/** Histories on each place. Spark takes seconds for each step, so that CI takes one of eight. */
const HISTORIES = Number(process.env.HEADRACE_TEST_DELTA_HISTORIES ?? 1)
const STEPS = process.env.HEADRACE_TEST_LONG_SUITE === undefined ? 6 : 14

let foreign: ForeignWriter[]
let spark: SharedSpark
let s3: StorageServer
const restoreEnvironment = keepEnvironment()

beforeAll(async () => {
  s3 = await sharedS3()
  // The other writer inherits where storage is from this process.
  Object.assign(process.env, s3.env)
  spark = await sharedSpark()
  foreign = [startForeignWriter(), sparkWriter(spark.session())]
}, limitMs(180_000))

afterAll(async () => {
  for (const writer of foreign) writer.stop()
  restoreEnvironment()
})

/**
 * Spark and deltalake do not agree on letters beyond ASCII: the one adds the path `part=ü`, the other removes it as
 * `part=%C3%BC`, and Spark then reads the rows of both its files. We take the two for one.
 */
const parts = PARTS.map((part) => part.replace('ü', 'u'))

const places = Array.from(
  { length: HISTORIES },
  (_, i) =>
    [
      ['local', RUN_SEED + i],
      ['s3', RUN_SEED + i],
    ] as const,
).flat()

test.each(sampled(places, 1))(
  '%s, history %s: every reader finds the rows, or we refuse by name',
  async (kind, seed) => {
    const tables = kind === 's3' ? s3.root(`history-${seed}`) : undefined
    await runHistory(seed, { foreign, parts, tables, steps: STEPS })
  },
  limitMs(300_000),
)
