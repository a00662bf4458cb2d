/** Topics of real brokers: aborted transactions, compressions, and what changes underneath a reader. */
import { Admin } from '@platformatic/kafka'
import { beforeAll, expect, test } from 'vitest'
import { sampled } from '../support/chance.ts'
import type { Broker } from '../../src/host/kafka-broker.ts'
import { java } from '../support/java.ts'
import {
  catchUp,
  PERFECT,
  broker,
  cli,
  cliJson,
  deltalake,
  killGroup,
  place,
  produce,
  startCli,
  until,
  verdict,
} from '../support/system.ts'

let kafka: Broker
let admin: Admin

beforeAll(async () => {
  kafka = await broker()
  admin = new Admin({ clientId: 'test', bootstrapBrokers: [kafka.address] })
  return () => admin.close()
})
const noDedup = (yaml: string): string =>
  yaml.replace('message_id: { from: key }', 'message_id: { from: none }')

test('a Java producer that aborts 30 % of its transactions: no aborted record arrives, no committed one is missing', async () => {
  const where = place(kafka.address, noDedup)
  await admin.createTopics({ topics: [where.topic], partitions: 4, replicas: 1 })
  const [committed, aborted] = (
    await java('kafka', 'TransactionalProducer', [kafka.address, where.topic, 'lz4', '40', '50', '3'])
  )
    .split(' ')
    .map(Number)
  expect([committed, aborted]).toEqual([1_400, 600])
  await catchUp(where)
  const titles = await deltalake<Record<string, number>>(
    where.raw,
    "import collections\nprint(json.dumps(collections.Counter(t['title'].to_pylist())))",
  )
  expect(titles).toEqual({ committed: 1_400 })
  where.cleanUp()
})

test.each(sampled(['none', 'gzip', 'snappy', 'lz4', 'zstd'], 2))(
  'reads what a Java producer compressed with %s',
  async (codec) => {
    const where = place(kafka.address, noDedup)
    await admin.createTopics({ topics: [where.topic], partitions: 4, replicas: 1 })
    await java('kafka', 'TransactionalProducer', [kafka.address, where.topic, codec, '1', '500', '0'])
    expect(await catchUp(where)).toMatchObject({ accepted: 500, quarantined: 0 })
    where.cleanUp()
  },
)

test('a topic that was deleted and created again is noticed by its id, running or not; accepting it is explicit', async () => {
  const where = place(kafka.address)
  // No repeats: the window of the new topic does not know the old one's messages; the batch does.
  await produce(where, 500, ['--duplicates', '0'])
  await catchUp(where)
  const job = startCli(where, ['stream', where.declaration, '-o', 'json'])
  await until('the job', () => (job.errors().includes('Error') ? undefined : true))
  await admin.deleteTopics({ topics: [where.topic] })
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  await admin.createTopics({ topics: [where.topic], partitions: 4, replicas: 1 })
  expect(
    await Promise.race([
      job.ended,
      new Promise((resolve) => setTimeout(() => resolve('still running after 30 s'), 30_000)),
    ]),
  ).toBe(1)
  // Asked in the second between, the broker has no such topic; asked later, one with another id. Either stops
  // it by name.
  expect(job.errors()).toMatch(/topic_recreated|topic_not_found/)
  const again = await cli(where, ['stream', where.declaration, '--until-caught-up', '-o', 'json'])
  expect([again.code, JSON.parse(again.stderr).error.code]).toEqual([1, 'topic_recreated'])
  await produce(where, 300)
  await cliJson(where, ['offsets', 'set', where.declaration, '--new-topic'])
  await catchUp(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test('offsets that fell out of retention stop the job with the exact range; accepting the loss is explicit', async () => {
  const where = place(kafka.address)
  await produce(where, 400)
  await catchUp(where)
  await produce(where, 1_200)
  const info = await cliJson<{ partitions: { partition: number; next: number; end: number }[] }>(where, [
    'offsets',
    'show',
    where.declaration,
  ])
  const [first] = info.partitions
  const cut = first.next + 100
  await admin.deleteRecords({
    topics: [{ name: where.topic, partitions: [{ partition: first.partition, offset: BigInt(cut) }] }],
  } as never)
  const { code, stderr } = await cli(where, ['stream', where.declaration, '--until-caught-up', '-o', 'json'])
  expect(code).toBe(1)
  expect(JSON.parse(stderr).error).toMatchObject({
    code: 'offsets_expired',
    params: { partition: first.partition, next: first.next, first: cut, last: cut - 1, count: 100 },
  })
  await cliJson(where, [
    'offsets',
    'set',
    where.declaration,
    '--partition',
    String(first.partition),
    '--to-offset',
    String(cut),
  ])
  await catchUp(where)
  expect((await verdict(where)).doubled).toBe(0)
  where.cleanUp()
})

test('new partitions of a running topic are read from their beginning', async () => {
  const where = place(kafka.address)
  // No repeats: with more partitions a repeated key lands elsewhere, which the batch catches, not the window.
  await produce(where, 300, ['--duplicates', '0'])
  const job = startCli(where, ['stream', where.declaration])
  await admin.createPartitions({ topics: [{ name: where.topic, count: 8 }] } as never)
  await produce(where, 1_000)
  const read = await until('all partitions', async () => {
    const { partitions } = await cliJson<{ partitions: { lagRecords: number }[] }>(where, [
      'offsets',
      'show',
      where.declaration,
    ])
    return partitions.length === 8 && partitions.every((partition) => partition.lagRecords === 0)
      ? partitions.length
      : undefined
  })
  expect(read).toBe(8)
  killGroup(job, 'SIGTERM')
  await job.ended
  await catchUp(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test('a rewind reads again and doubles nothing; its dry run says how much', async () => {
  const where = place(kafka.address)
  await produce(where, 3_000)
  await catchUp(where)
  const dry = await cliJson<{ changes: { reread: number }[]; committed: boolean }>(where, [
    'offsets',
    'rewind',
    where.declaration,
    '--to-offset',
    '100',
    '--dry-run',
  ])
  expect(dry.committed).toBe(false)
  const again = dry.changes.reduce((sum, change) => sum + change.reread, 0)
  await produce(where, 500)
  await cliJson(where, ['offsets', 'rewind', where.declaration, '--to-offset', '100'])
  const summary = await catchUp(where)
  expect(summary.messages).toBe(again + 500)
  expect(await verdict(where)).toMatchObject(PERFECT)
  expect((await cli(where, ['offsets', 'rewind', where.declaration, '--to-offset', '99999999'])).code).toBe(2)
  where.cleanUp()
})
