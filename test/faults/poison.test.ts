/**
 * No poison without an end: 200 kinds of bad messages, each between good ones, in topics and in folders. All
 * good ones land, each bad one is in quarantine (or its value is), and no child is restarted for a value
 * that a check can refuse.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Admin, Producer } from '@platformatic/kafka'
import { beforeAll, expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import type { Broker } from '../../src/host/kafka-broker.ts'
import { createChance } from '../support/chance.ts'
import { deathsIn, folderOf, seen, stream, topicWith, type Sent } from '../support/poison-places.ts'
import {
  DRIFTS,
  FORMATS,
  GOOD,
  ODD_KEYS,
  fateOf,
  good,
  kindsOf,
  message,
  type Drift,
} from '../support/poison.ts'
import { broker, startCli, treeMemory, writeFileIn, type Place } from '../support/system.ts'
import type { Format } from '../support/poison-classes.ts'

const ALL = process.env.HEADRACE_TEST_POISON === 'all'
const chance = createChance()

let kafka: Broker
let admin: Admin
let producer: Producer

beforeAll(async () => {
  kafka = await broker()
  admin = new Admin({ clientId: 'test', bootstrapBrokers: [kafka.address] })
  producer = new Producer({ clientId: 'test', bootstrapBrokers: [kafka.address] })
  return async () => {
    await producer.close()
    await admin.close()
  }
})

const topicOf = (format: Format, drift: Drift, messages: Sent[]): Promise<Place> =>
  topicWith({ address: kafka.address, admin, producer }, format, drift, messages)

const shuffled = <T>(all: T[]): T[] =>
  all
    .map((item) => ({ item, at: chance() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)

/** Good messages between bad ones: number 2 n is good, 2 n + 1 the n-th bad one. */
const between = (format: Format, bad: Sent[]): Sent[] => [
  ...bad.flatMap((sent, i) => [{ name: 'good', bytes: good(format, i) }, sent]),
  { name: 'good', bytes: good(format, bad.length) },
]

test('there are 200 kinds', () => {
  expect(FORMATS.flatMap(kindsOf).length).toBeGreaterThan(200)
})

const RUNS = FORMATS.flatMap((format) =>
  DRIFTS.flatMap((drift) => (['topic', 'folder'] as const).map((from) => ({ format, drift, from }))),
)
/** CI takes a drift and a source for each format, others each run. */
const SAMPLE = ALL ? RUNS : FORMATS.map((format) => shuffled(RUNS.filter((run) => run.format === format))[0])

test.each(SAMPLE)(
  '$format in a $from with drift $drift: what is good lands, what is bad is kept with its reason',
  async ({ format, drift, from }) => {
    const kinds = shuffled(kindsOf(format))
    const where =
      from === 'topic'
        ? await topicOf(format, drift, between(format, kinds))
        : folderOf(format, drift, between(format, kinds))
    const { code, deaths, stderr } = await stream(where)
    expect(code, stderr).toBe(0)
    const { fates, rules, goodIds } = await seen(where, from === 'folder')
    expect(goodIds.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: kinds.length + 1 }, (_, i) => GOOD + i),
    )
    const wrong = kinds.flatMap((kind, i) => {
      const [want, got] = [fateOf(kind.becomes, drift), fates.get(2 * i + 1) ?? 'nothing']
      return want === got
        ? []
        : [`${kind.name}: ${want} expected, ${got} seen ${rules.get(2 * i + 1)?.join(', ') ?? ''}`]
    })
    expect(wrong).toEqual([])
    expect(deaths, stderr).toBe(0)
    where.cleanUp()
  },
)

test('keys that can hardly be columns, and more of them than a table may have: everything is kept, and the stream ends', async () => {
  const odd = ODD_KEYS.map((key, i) => ({
    name: key,
    bytes: Buffer.from(`{"id":${i},${JSON.stringify(key)}:1}`),
  }))
  const many = {
    name: '10,000 fields',
    bytes: Buffer.from(`{"id":900,${Array.from({ length: 10_000 }, (_, i) => `"f${i}":${i}`).join(',')}}`),
  }
  const where = await topicOf('json', 'evolve', between('json', [...odd, many]))
  const { code, stderr, deaths } = await stream(where)
  expect(code, stderr).toBe(0)
  const { fates, goodIds } = await seen(where, false)
  expect(goodIds.length).toBe(odd.length + 2)
  expect([...odd, many].flatMap(({ name }, i) => (fates.has(2 * i + 1) ? [] : [name]))).toEqual([])
  expect(deaths).toBe(0)
  where.cleanUp()
})

test('no value, an empty one and a blank in a topic stop nothing', async () => {
  const where = await topicOf(
    'json',
    'freeze',
    between('json', [
      { name: 'tombstone', bytes: null },
      { name: 'empty', bytes: Buffer.alloc(0) },
      { name: 'blank', bytes: Buffer.from(' ') },
    ]),
  )
  expect(await stream(where)).toMatchObject({ code: 0, deaths: 0 })
  const { fates, goodIds } = await seen(where, false)
  expect([goodIds.length, fates.get(1), fates.get(3), fates.get(5)]).toEqual([
    4,
    undefined,
    undefined,
    'record',
  ])
  where.cleanUp()
})

test.each([
  { format: 'csv', columns: 2_000, rows: 2_000, filled: 2_000 },
  { format: 'ndjson', columns: 1_000, rows: 12_000, filled: 1 },
] as const)(
  '$rows rows of $columns columns in $format land in bounded memory',
  async ({ format, columns, rows, filled }) => {
    const where = folderOf(format, 'freeze', [])
    const names = Array.from({ length: columns - 1 }, (_, i) => `c${i}`)
    writeFileSync(
      where.declaration,
      `dataset: poison\nsource: { files: { path: in, pattern: "*" } }\nrecord: { format: ${format} }\ncolumns:\n  - { name: id, type: long, required: true }\n${names.map((name) => `  - { name: ${name} }\n`).join('')}processed: { key: [id] }\n`,
    )
    const line = (row: number): string =>
      format === 'csv'
        ? [GOOD + row, ...names.map((_, i) => `v${(row + i) % 97}`)].join(',')
        : JSON.stringify({ id: GOOD + row, [names[row % names.length]]: `v${filled}` })
    writeFileIn(
      join(where.home, 'in'),
      '00000.txt',
      [
        ...(format === 'csv' ? [['id', ...names].join(',')] : []),
        ...Array.from({ length: rows }, (_, row) => line(row)),
      ].join('\n'),
    )
    const job = startCli(where, ['stream', where.declaration, '--until-caught-up'])
    let most = 0
    const watch = setInterval(() => (most = Math.max(most, treeMemory(job.pid as number))), 100)
    expect(await job.ended, job.errors()).toBe(0)
    clearInterval(watch)
    process.stderr.write(
      `${columns} columns: memory of the tree at most ${Math.round(most / 1e6)} MB, ${deathsIn(job.errors())} restarts\n`,
    )
    expect((await seen(where, true)).goodIds.length).toBe(rows)
    expect(most).toBeLessThan(1_400 * 1024 * 1024)
    expect(deathsIn(job.errors())).toBeLessThanOrEqual(3)
    where.cleanUp()
  },
)

/**
 * What no check sees: values that the engine refuses, or that end its process. `-1`: the message as a whole.
 */
const TRAPS = [
  { trap: 'refuse', rule: 'engine_refused', most: 1 },
  { trap: 'kill', rule: 'engine_refused', most: 14 },
  { trap: 'hang', rule: 'decoder_crashed', most: 3 },
] as const
const TRAP_RUNS = TRAPS.flatMap((trap) => (['topic', 'folder'] as const).map((from) => ({ ...trap, from })))
const TRAP_SAMPLE = ALL ? TRAP_RUNS : [TRAP_RUNS[chance() < 0.5 ? 0 : 1], TRAP_RUNS[chance() < 0.5 ? 2 : 3]]

test.each(TRAP_SAMPLE)(
  'a value that makes the engine $trap in a $from: its record alone is kept back, within the bound',
  async ({ trap, rule, most, from }) => {
    const lines = (first: number, count: number, bad: number): Buffer =>
      Buffer.from(
        Array.from({ length: count }, (_, i) =>
          JSON.stringify({ id: first + i, word: i === bad ? 'TRAP' : `w${i}` }),
        ).join('\n'),
      )
    const messages = [0, 1, 2, 3, 4].map((i) => ({
      name: `${i}`,
      bytes: lines(GOOD + i * 3_000, 3_000, i === 2 ? 1_234 : -1),
    }))
    const where =
      from === 'topic' ? await topicOf('ndjson', 'freeze', messages) : folderOf('ndjson', 'freeze', messages)
    const started = Date.now()
    const { code, deaths, stderr } = await stream(where, { HEADRACE_TRAP: `${trap}:TRAP` })
    expect(code, stderr).toBe(0)
    expect(deaths).toBeLessThanOrEqual(most)
    const { rules, goodIds } = await seen(where, from === 'folder')
    expect(new Set(goodIds).size).toBe(trap === 'hang' ? 12_000 : 14_999)
    expect(goodIds.length).toBe(new Set(goodIds).size)
    expect([...rules]).toEqual([[2, [rule]]])
    process.stderr.write(
      `${trap} in a ${from}: ${deaths} restarts, ${Math.round((Date.now() - started) / 1000)} s\n`,
    )
    where.cleanUp()
  },
)

test('a batch that inflates to more than may be read is passed over, and named with its offsets', async () => {
  const where = await topicOf('json', 'freeze', [])
  const send = (values: Buffer[], compression: 'gzip' | 'none'): Promise<unknown> =>
    producer.send({
      messages: values.map((value) => ({ topic: where.topic, partition: 0, value })),
      compression,
    })
  await send([good('json', 0)], 'none')
  await send([Buffer.alloc(LIMITS.batchInflatedBytes + 1_000, 'x')], 'gzip')
  await send([good('json', 1), message('json', { id: '5', word: 'x' })], 'gzip')
  expect(gzipSync(Buffer.alloc(1_000_000)).length).toBeLessThan(5_000)
  expect(await stream(where)).toMatchObject({ code: 0, deaths: 0 })
  const { rules, goodIds } = await seen(where, false)
  expect([goodIds.toSorted((a, b) => a - b), [...rules]]).toEqual([
    [GOOD, GOOD + 1],
    [[1, ['batch_unreadable']]],
  ])
  where.cleanUp()
})
