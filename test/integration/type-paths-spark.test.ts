/**
 * On Spark a text means what it means elsewhere: generated texts of each type, streamed from a topic and
 * published by a batch.
 */
import { beforeAll, test } from 'vitest'
import { RUN_SEED } from '../support/chance.ts'
import { openKafkaSink } from '../../src/connectors/kafka/sink.ts'
import type { KafkaSourceSpec } from '../../src/dataset/declaration.ts'
import { sharedSpark, type SharedSpark } from '../support/spark.ts'
import { broker } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'
import type { TextFormat } from '../support/typed-files.ts'
import {
  FAMILIES,
  FORMATS,
  expectModelled,
  recordsOf,
  rounds,
  run,
  sourceOf,
  zone,
  type TypedSource,
} from '../support/typed-sources.ts'
import { SCALAR_TYPES } from '../support/type-texts.ts'

const LONG = process.env.HEADRACE_TEST_LONG_SUITE !== undefined
const COUNT = LONG ? Number(process.env.HEADRACE_TEST_TYPE_TEXTS ?? 10_000) : 40
/** A message holds a megabyte at most. */
const RECORDS = 200

let spark: SharedSpark
let address = ''

beforeAll(async () => {
  ;[spark, { address }] = await Promise.all([sharedSpark(), broker()])
}, limitMs(180_000))

async function send(topic: string, { files }: TypedSource): Promise<void> {
  const spec: KafkaSourceSpec = {
    kind: 'kafka',
    brokers: [address],
    topic,
    start: 'earliest',
    tls: undefined,
    sasl: undefined,
  }
  const sink = await openKafkaSink({ spec, partitions: 3, compression: 'none' })
  const timeMs = Date.now()
  for (const { name, text } of files) await sink.send([{ key: name, value: Buffer.from(text), timeMs }])
  await sink.close()
}

// A sample has all types in one dataset: each column costs Spark time, whatever it holds.
const cases: [TextFormat, string][] = LONG
  ? FORMATS.flatMap((format) => Object.keys(FAMILIES).map((family): [TextFormat, string] => [format, family]))
  : [['ndjson', 'all']]

test.each(cases)(
  '%s, %s: RAW and Processed hold what the model reads',
  { timeout: limitMs(180_000) },
  async (format, family) => {
    // A run costs Spark a minute for its columns and next to nothing for its records.
    for (const some of rounds(FAMILIES[family] ?? SCALAR_TYPES, {
      count: COUNT,
      seed: RUN_SEED,
      most: 25_000,
    })) {
      const topic = `typed-${process.pid}-${format}-${family}-${Math.floor(performance.now())}`
      const kafka = `kafka: { brokers: ["${address}"], topic: ${topic} }`
      const source = sourceOf(await recordsOf(some, format), format, { source: kafka, most: RECORDS })
      Object.assign(source.where.env, spark.env)
      await send(topic, source)
      // A message that a slow broker was sent twice is a duplicate, of which no row may be seen.
      await run(source, 'stream', '--until-caught-up', '--engine', 'spark')
      await expectModelled(source, zone(source, 'raw'), 'ordinal')
      await run(source, 'batch', '--engine', 'spark')
      await expectModelled(source, zone(source, 'processed'), 'none')
      source.cleanUp()
    }
  },
)
