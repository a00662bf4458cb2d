/**
 * Both engines on the same messages: the same rows, the same reasons, the same counts, whoever does which
 * step.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { openKafkaSink } from '../../src/connectors/kafka/sink.ts'
import type { KafkaSourceSpec } from '../../src/dataset/declaration.ts'
import { RUN_SEED, sampled } from '../support/chance.ts'
import { JSON_DECLARATION, XML_DECLARATION, hostileMessages } from '../support/hostile.ts'
import { standaloneCluster, sharedSpark, type SharedSpark } from '../support/spark.ts'
import {
  PERFECT,
  broker,
  cli,
  cliJson,
  deltalake,
  place,
  produce,
  verdict,
  type Place,
} from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

let spark: SharedSpark
let address = ''

beforeAll(async () => {
  ;[spark, { address }] = await Promise.all([sharedSpark(), broker()])
}, limitMs(180_000))

const on = (where: Place, engine: string): Place => ({
  ...where,
  env: { ...where.env, ...(engine === 'spark' ? spark.env : {}) },
})
const run = <T = Record<string, number>>(
  where: Place,
  engine: 'duckdb' | 'spark',
  verb: string,
  ...more: string[]
): Promise<T> => cliJson<T>(on(where, engine), [verb, where.declaration, '--engine', engine, ...more])

/** Every row of a table as JSON text, sorted, without what differs between two runs of anything. */
function everyRow(path: string): Promise<string[]> {
  return deltalake(
    path,
    `
import base64, decimal, datetime
def plain(v):
    if isinstance(v, bytes): return base64.b64encode(v).decode()
    if isinstance(v, (decimal.Decimal, datetime.date)): return str(v)
    if isinstance(v, float): return repr(v)
    if isinstance(v, list): return [plain(x) for x in v]
    if isinstance(v, dict): return {k: plain(x) for k, x in v.items()}
    return v
skip = {'ingest_time', 'ingest_date', 'processed_date'}
print(json.dumps(sorted(json.dumps({k: plain(v) for k, v in row.items() if k not in skip}, sort_keys=True) for row in t.to_pylist())))`,
  )
}

/** Compares row by row; what differs is shown by itself, for rows are long. */
async function sameRows(leftPath: string, rightPath: string): Promise<void> {
  const [left, right] = [await everyRow(leftPath), await everyRow(rightPath)]
  const differences = left.flatMap((row, i) => {
    if (row === right[i]) return []
    const [mine, theirs] = [JSON.parse(row), JSON.parse(right[i] ?? '{}')] as Record<string, unknown>[]
    return [
      Object.fromEntries(
        Object.keys({ ...mine, ...theirs })
          .filter((key) => JSON.stringify(mine[key]) !== JSON.stringify(theirs[key]))
          .map((key) => [key, [mine[key], theirs[key]]]),
      ),
    ]
  })
  expect(differences.slice(0, 5)).toEqual([])
  expect(right.length).toBe(left.length)
}

async function send(topic: string, messages: ReturnType<typeof hostileMessages>): Promise<void> {
  const spec: KafkaSourceSpec = {
    kind: 'kafka',
    brokers: [address],
    topic,
    start: 'earliest',
    tls: undefined,
    sasl: undefined,
  }
  const sink = await openKafkaSink({ spec, partitions: 3, compression: 'none' })
  await sink.send(messages)
  await sink.close()
}

const FORMATS_AND_DRIFTS = [
  ['xml', 'evolve'],
  ['xml', 'freeze'],
  ['json', 'discard_row'],
  ['json', 'discard_value'],
] as const

test.each(sampled(FORMATS_AND_DRIFTS, 1))(
  '200 hostile messages in %s, drift %s: the same rows and rejects',
  async (format, drift) => {
    const declaration = format === 'xml' ? XML_DECLARATION : JSON_DECLARATION
    const onDuckdb = place(address)
    const onSpark = place(address)
    for (const where of [onDuckdb, onSpark])
      writeFileSync(where.declaration, declaration(address, onDuckdb.topic, drift))
    await send(onDuckdb.topic, hostileMessages(format, 200, RUN_SEED))
    const counts = [
      await run(onDuckdb, 'duckdb', 'stream', '--until-caught-up'),
      await run(onSpark, 'spark', 'stream', '--until-caught-up'),
    ]
    const facts = counts.map(({ messages, read, accepted, duplicate, quarantined, byReason }) => ({
      messages,
      read,
      accepted,
      duplicate,
      quarantined,
      byReason,
    }))
    expect(facts[1]).toEqual(facts[0])
    expect(facts[0].accepted).toBeGreaterThan(20)
    expect(facts[0].quarantined).toBeGreaterThan(20)
    expect(facts[0].duplicate).toBeGreaterThan(0)
    await sameRows(onDuckdb.raw, onSpark.raw)
    expect((await run(onSpark, 'spark', 'batch')).published).toBe(
      (await run(onDuckdb, 'duckdb', 'batch')).published,
    )
    await sameRows(onDuckdb.processed, onSpark.processed)
    onDuckdb.cleanUp()
    onSpark.cleanUp()
  },
)

/** The same place with its tables in a folder whose name is a pattern to Spark. */
function inOddFolder(where: Place): Place {
  const tables = join(where.home, 'a[b]{c,d}*?')
  return {
    ...where,
    env: { ...where.env, HEADRACE_TABLES: tables },
    raw: join(tables, 'books/raw'),
    processed: join(tables, 'books/processed'),
  }
}

const LATEST = (yaml: string): string =>
  yaml.replace('  key: [record_id]', '  key: [author_country, publication_year]\n  keep: latest')

/** Columns that are called what statements call theirs. */
const taken = (yaml: string): string =>
  yaml
    .replace('name: title,', 'name: position, path: title,')
    .replace('name: author_name', 'name: row')
    .replaceAll('author_country', 'file')

const KEEPS: [string, (yaml: string) => string][] = [
  ['first', (yaml) => yaml],
  ['latest', LATEST],
]

test.each(sampled(KEEPS, 1))(
  'keep %s: a dataset changes engine between any two steps, and nothing shows it',
  async (_, edit) => {
    const left = inOddFolder(place(address, edit))
    const right = inOddFolder(
      place(address, (yaml) => edit(yaml).replace(/^ +topic: .*/m, `    topic: ${left.topic}`)),
    )
    const engines = ['duckdb', 'spark'] as const
    for (let step = 0; step < 2; step += 1) {
      await produce(left, 1_500, ['--seed', '5', '--duplicates', '5%', '--invalid', '5%', '--late', '5%'])
      const [mine, theirs] = [engines[step % 2], engines[(step + 1) % 2]]
      const streamed = [
        await run(left, mine, 'stream', '--until-caught-up'),
        await run(right, theirs, 'stream', '--until-caught-up'),
      ]
      expect(streamed[1].accepted).toBe(streamed[0].accepted)
      const published = [await run(left, theirs, 'batch'), await run(right, mine, 'batch')]
      for (const fact of [
        'rowsRead',
        'published',
        'replaced',
        'duplicatesInDelta',
        'duplicatesPublished',
        'partitions',
      ])
        expect(published[1][fact]).toEqual(published[0][fact])
    }
    await sameRows(left.raw, right.raw)
    if (edit !== LATEST) await sameRows(left.processed, right.processed)
    left.cleanUp()
    right.cleanUp()
  },
)

test('upkeep on Spark does what it does embedded: merged, deleted by key, reprocessed', async () => {
  const edit = (yaml: string): string =>
    taken(yaml).replace('processed:', 'raw: { keep_original: true }\nprocessed:')
  const onDuckdb = inOddFolder(place(address, edit))
  const onSpark = inOddFolder(
    place(address, (yaml) => edit(yaml).replace(/^ +topic: .*/m, `    topic: ${onDuckdb.topic}`)),
  )
  const both = async (verb: string, ...more: string[]): Promise<Record<string, unknown>[]> =>
    Promise.all([
      run<Record<string, unknown>>(onDuckdb, 'duckdb', verb, ...more),
      run<Record<string, unknown>>(onSpark, 'spark', verb, ...more),
    ])
  for (let i = 0; i < 2; i += 1) {
    await produce(onDuckdb, 400, ['--seed', '7'])
    await both('stream', '--until-caught-up')
  }
  await both('batch')
  await both('compact')
  const same = async (): Promise<void> => {
    await sameRows(onDuckdb.raw, onSpark.raw)
    await sameRows(onDuckdb.processed, onSpark.processed)
  }
  await same()
  for (const where of [onDuckdb, onSpark])
    writeFileSync(
      where.declaration,
      readFileSync(where.declaration, 'utf8').replace('max_length: 500 }', 'max_length: 500, case: upper }'),
    )
  const [again, againThere] = await both('reprocess')
  const facts = (counts: Record<string, unknown>): unknown[] => [
    counts.rows,
    counts.accepted,
    counts.quarantined,
    counts.republished,
  ]
  expect((againThere as unknown as Record<string, unknown>[]).map(facts)).toEqual(
    (again as unknown as Record<string, unknown>[]).map(facts),
  )
  await same()
  const [id] = await deltalake<string[]>(
    onDuckdb.processed,
    "print(json.dumps(t['record_id'].to_pylist()[:1]))",
  )
  const [deleted, deletedThere] = await both('delete', '--key', `record_id=${id}`, '--reason', 'test')
  expect((deletedThere as unknown as { rows: number }[]).map((zone) => zone.rows)).toEqual(
    (deleted as unknown as { rows: number }[]).map((zone) => zone.rows),
  )
  await same()
  onDuckdb.cleanUp()
  onSpark.cleanUp()
})

test('messages that Spark sends are all there, in the journal and in RAW', async () => {
  const where = place(address)
  const sent = await run(where, 'spark', 'produce', '--count', '1500', '--duplicates', '0')
  expect(sent.messages).toBe(1_500)
  await run(where, 'duckdb', 'stream', '--until-caught-up')
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test('what Spark cannot do is said when the declaration is checked', async () => {
  const where = place(address, (yaml) =>
    yaml
      .replace('  key: [record_id]', '  key: [weight]')
      .replace('  - { name: title', '  - { name: weight, type: double }\n  - { name: title'),
  )
  writeFileSync(
    where.declaration,
    `${readFileSync(where.declaration, 'utf8')}spark: { settings: { spark.hadoop.fs.s3a.secret.key: x } }\n`,
  )
  const { code, stdout } = await cli(where, ['dataset', 'check', where.declaration, '--engine', 'spark'])
  expect(code).toBe(1)
  expect(stdout).toMatch(
    /processed\.key \(weight\)[\s\S]*Instead[\s\S]*spark\.settings\.spark\.hadoop\.fs\.s3a\.secret\.key/,
  )
  expect((await cli(where, ['dataset', 'check', where.declaration])).code).toBe(0)
  where.cleanUp()
})

test('client mode on a standalone cluster, by --master and by spark-submit: the same rows', async () => {
  const cluster = await standaloneCluster()
  const where = place(address)
  await produce(where, 800)
  const flags = ['--master', cluster.master]
  await cliJson(where, ['stream', where.declaration, '--until-caught-up', ...flags])
  await produce(where, 400)
  writeFileSync(
    `${where.home}/sizing.conf`,
    'spark.executor.instances 1\nspark.executor.cores 2\nspark.executor.memory 512m\n',
  )
  const submitted = await cliJson<{ command: string; result: { commits: number } }>(where, [
    'spark-submit',
    where.declaration,
    '--until-caught-up',
    '--properties',
    `${where.home}/sizing.conf`,
    ...flags,
  ])
  expect(submitted.command).toContain('--executor-memory 512m --executor-cores 2')
  expect(submitted.result.commits).toBeGreaterThan(0)
  expect(await verdict(where)).toMatchObject(PERFECT)
  const { advice } = await cliJson<{ advice: string }>(where, [
    'spark-submit',
    where.declaration,
    '--print',
    '--rate',
    '50000',
  ])
  expect(advice).toMatch(/measured runs? took [\d,]+ messages a second and core/)
  cluster.kill()
  where.cleanUp()
})
