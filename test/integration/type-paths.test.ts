/**
 * The same text means the same on every path: generated texts of each type go as files of each format through
 * the stream, the batch and jobs of the service, and what lies in the tables and files is what the model in
 * Python says. HEADRACE_TEST_TYPE_TEXTS says how many a type. What a job reads in bulk, without judging,
 * test/service/proven-read.test.ts holds against the same model.
 */
import { expect, test } from 'vitest'
import { RUN_SEED, sampled } from '../support/chance.ts'
import { limitMs } from '../support/time-limits.ts'
import { runWork, workOf } from '../support/transfers.ts'
import type { TextFormat } from '../support/typed-files.ts'
import type { Way } from '../support/typed-records.ts'
import {
  FAMILIES,
  FORMATS,
  expectModelled,
  recordsOf,
  rounds,
  run,
  sourceOf,
  waysOf,
  zone,
  type TypedSource,
} from '../support/typed-sources.ts'
import type { TypeCase } from '../support/type-texts.ts'

const COUNT = Number(process.env.HEADRACE_TEST_TYPE_TEXTS ?? 1_000)
const timeout = limitMs(180_000)

const streams = FORMATS.flatMap((format) => Object.keys(FAMILIES).map((family) => [format, family] as const))

test.each(sampled(streams, 5))(
  '%s, %s: the stream lands what the model reads and refuses what it refuses',
  { timeout },
  async (format, family) => {
    for (const cases of rounds(FAMILIES[family], { count: COUNT, seed: RUN_SEED })) {
      const source = sourceOf(await recordsOf(cases, format), format)
      await run(source, 'stream', '--until-caught-up')
      await expectModelled(source, zone(source, 'raw'), 'ordinal')
      // What the batch publishes comes from RAW, whatever the format was.
      if (format === 'ndjson') {
        await run(source, 'batch')
        await expectModelled(source, zone(source, 'processed'), 'none')
      }
      source.cleanUp()
    }
  },
)

/** A job takes a time without an offset and without a zone in UTC. */
const inUtc = ({ column, text }: TypeCase): TypeCase => ({
  column: column.type === 'timestamp' ? { timezone: 'UTC', ...column } : column,
  text,
})

/** By columns that the job lists, which have no sub-fields, or by a declaration in the job. */
const JOBS: [TextFormat, 'columns' | 'declaration'][] = [
  ['csv', 'columns'],
  ['ndjson', 'columns'],
  ['json', 'columns'],
  ['json', 'declaration'],
  ['xml', 'declaration'],
]
const jobs = JOBS.flatMap(([format, by]) =>
  Object.keys(FAMILIES).map((family) => [format, by, family] as const),
)

function jobOf(
  { records, format, declaration }: TypedSource,
  by: 'columns' | 'declaration',
): Record<string, unknown> {
  const source = { path: 'in/*', format }
  if (by === 'declaration') return { ...source, declaration: `dataset: typed\n${declaration}` }
  const columns = records.columns.map(({ array, ...column }) => ({
    ...column,
    type: `${column.type}${array === true ? '[]' : ''}`,
  }))
  return { ...source, columns: [{ name: 'n', type: 'BIGINT' }, ...columns] }
}

test.each(sampled(jobs, 6))(
  '%s by %s, %s: a job of the service writes what the model reads and rejects what it refuses',
  { timeout },
  async (format, by, family) => {
    const ways = waysOf(format).filter((way): way is Way => by === 'declaration' || way !== 'field')
    for (const cases of rounds(FAMILIES[family], { count: COUNT, seed: RUN_SEED })) {
      const source = sourceOf(
        await recordsOf(cases, format, by === 'columns' ? { ways, meant: inUtc } : { ways }),
        format,
      )
      const { receipt } = await runWork(workOf(source.home, { source: jobOf(source, by) }))
      expect(receipt.output.length).toBe(2)
      await expectModelled(source, { files: [receipt.output[0]], rejected: [receipt.output[1]] }, 'line')
      source.cleanUp()
    }
  },
)
