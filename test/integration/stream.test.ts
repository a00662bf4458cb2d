/**
 * Kafka to RAW to Processed with real parts; every number is checked against the journal by an independent
 * reader.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import type { Broker } from '../../src/host/kafka-broker.ts'
import { readJournal } from '../../src/sample/journal.ts'
import { sampleMessage } from '../../src/sample/library.ts'
import {
  PERFECT,
  broker,
  cli,
  cliJson,
  deltalake,
  expected,
  killGroup,
  place,
  produce,
  sleep,
  startCli,
  until,
  verdict,
  type Place,
} from '../support/system.ts'

let kafka: Broker

beforeAll(async () => {
  kafka = await broker()
})

const stream = (where: Place, more: string[] = []): Promise<Record<string, number>> =>
  cliJson(where, ['stream', where.declaration, '--until-caught-up', ...more])

/**
 * Records of messages that the journal has more than once: all but the first are duplicates, counted to the
 * last one.
 */
async function repeatedRecords(where: Place): Promise<number> {
  const { header, lines } = await readJournal(where.journal)
  const records = new Map<string, number>()
  let repeated = 0
  for (const { index, messageId } of lines) {
    const { accepted, quarantined } = sampleMessage(header.seed, index, header.shares)
    repeated += records.get(messageId) ?? 0
    if (!records.has(messageId)) records.set(messageId, accepted.length + quarantined)
  }
  return repeated
}

test('all that was acknowledged is in RAW once, and published once', async () => {
  const where = place(kafka.address)
  await produce(where, 20_000)
  const summary = await stream(where)
  expect(summary.read).toBe(summary.accepted + summary.duplicate + summary.quarantined)
  expect(summary.duplicate).toBe(await repeatedRecords(where))
  expect(await verdict(where)).toMatchObject(PERFECT)
  const [batch] = [await cliJson<{ published: number; state: string }>(where, ['batch', where.declaration])]
  const want = await expected(where)
  expect(batch).toMatchObject({ state: 'published', published: want.accepted.size })
  const published = await deltalake<{ ids: string[]; years: number[] }>(
    where.processed,
    "print(json.dumps({'ids': t['record_id'].to_pylist(), 'years': sorted(set(t['publication_year'].to_pylist()))}))",
  )
  expect(new Set(published.ids)).toEqual(want.accepted)
  expect(published.ids).toHaveLength(want.accepted.size)
  expect(published.years).toEqual(Array.from({ length: 24 }, (_, i) => 2000 + i))
  where.cleanUp()
})

test('a second run reads only what is new; a rerun of the batch opens no data file and commits nothing', async () => {
  const where = place(kafka.address)
  await produce(where, 2_000)
  await stream(where)
  await cli(where, ['batch', where.declaration])
  await produce(where, 500)
  const second = await stream(where)
  expect(second.messages).toBe(500)
  const first = await cliJson<{ rowsRead: number }>(where, ['batch', where.declaration])
  expect(first.rowsRead).toBe(second.accepted)
  const hash = async (): Promise<unknown> =>
    (await cliJson<{ contentHash: string; version: number }>(where, ['tables', 'verify', 'books/processed']))
      .contentHash
  const before = await hash()
  expect(await cliJson(where, ['batch', where.declaration])).toMatchObject({
    state: 'nothing_new',
    rowsRead: 0,
  })
  expect(await hash()).toBe(before)
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test('two batches at once give one commit', async () => {
  const where = place(kafka.address)
  await produce(where, 3_000)
  await stream(where)
  const both = await Promise.all(
    [1, 2].map(() => cliJson<{ state: string; published: number }>(where, ['batch', where.declaration])),
  )
  // On a busy machine the second may begin when the first is done: it then finds nothing new instead of its
  // range taken.
  expect(both.map((run) => run.state.replace('nothing_new', 'taken')).toSorted()).toEqual([
    'published',
    'taken',
  ])
  const want = await expected(where)
  expect(
    await deltalake<number[]>(
      where.processed,
      "print(json.dumps([t.num_rows, len(set(t['record_id'].to_pylist()))]))",
    ),
  ).toEqual([want.accepted.size, want.accepted.size])
  where.cleanUp()
})

test('SIGTERM ends after a commit; what is idle commits nothing', async () => {
  const where = place(kafka.address)
  await produce(where, 1_000)
  const job = startCli(where, ['stream', where.declaration])
  const versions = async (): Promise<number> =>
    (await cliJson<unknown[]>(where, ['tables', 'versions', 'books/raw'])).length
  await until('a commit', async () =>
    existsSync(`${where.raw}/_delta_log/00000000000000000002.json`) ? true : undefined,
  )
  const before = await versions()
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  expect(await versions()).toBe(before)
  await produce(where, 200)
  process.kill(job.pid as number, 'SIGTERM')
  expect(await job.ended).toBe(0)
  await stream(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test('a held table partition is published later, with nothing lost', async () => {
  const where = place(kafka.address)
  await produce(where, 2_000)
  await stream(where)
  const held = await cliJson<{ published: number }>(where, [
    'batch',
    where.declaration,
    '--hold',
    'publication_year=2010',
  ])
  const want = await expected(where)
  expect(held.published).toBeLessThan(want.accepted.size)
  await produce(where, 1_000)
  await stream(where)
  await cliJson(where, ['batch', where.declaration])
  const years = "print(json.dumps(sorted(set(t['publication_year'].to_pylist()))))"
  expect(await deltalake<number[]>(where.processed, years)).not.toContain(2010)
  await cliJson(where, ['batch', where.declaration, '--release', 'publication_year=2010'])
  const ids = await deltalake<string[]>(where.processed, "print(json.dumps(t['record_id'].to_pylist()))")
  expect(ids).toHaveLength((await expected(where)).accepted.size)
  expect(new Set(ids)).toEqual((await expected(where)).accepted)
  where.cleanUp()
})

test('quarantine: listed with rule, value and position, shown with its bytes, healed by a mended declaration', async () => {
  const where = place(kafka.address)
  await produce(where, 3_000, ['--invalid', '0.05'])
  await stream(where)
  const onRule = <T>(act: 'list' | 'replay', ...more: string[]): Promise<T> =>
    cliJson<T>(where, [
      'quarantine',
      act,
      where.declaration,
      '--rule',
      'expect_column_values_to_be_between',
      ...more,
    ])
  const rows = await onRule<{ position: string; value: string }[]>('list', '--limit', '100')
  expect(rows.length).toBeGreaterThan(5)
  expect(rows.every((row) => row.value === '1850')).toBe(true)
  const shown = await cliJson<{ original: string; reject_reason: string }>(where, [
    'quarantine',
    'show',
    where.declaration,
    rows[0].position,
  ])
  expect(shown.original).toContain('<publication_year>1850</publication_year>')
  writeFileSync(
    where.declaration,
    readFileSync(where.declaration, 'utf8').replace('min_value: 2000', 'min_value: 1800'),
  )
  const before = await cliJson<{ rows: number }>(where, ['tables', 'show', 'books/raw'])
  expect(await onRule('replay', '--dry-run')).toMatchObject({ accepted: rows.length, version: null })
  expect(await onRule('replay')).toMatchObject({
    read: rows.length,
    accepted: rows.length,
    quarantined: 0,
  })
  expect((await cliJson<{ rows: number }>(where, ['tables', 'show', 'books/raw'])).rows).toBe(before.rows)
  expect(await onRule('list')).toEqual([])
  const batch = await cliJson<{ published: number }>(where, ['batch', where.declaration])
  const accepted = await deltalake<number>(
    where.raw,
    "import pyarrow.compute as pc\nprint(json.dumps(len(set(t.filter(pc.equal(t['outcome'], 'accepted'))['record_id'].to_pylist()))))",
  )
  expect(batch.published).toBe(accepted)
  where.cleanUp()
})

test('metrics are served while the job runs', async () => {
  const where = place(kafka.address)
  await produce(where, 1_000)
  const job = startCli(where, ['stream', where.declaration, '--metrics-port', '19464'])
  const text = await until('metrics with commits', async () => {
    const answer = await fetch('http://127.0.0.1:19464/metrics').then(
      (response) => response.text(),
      () => '',
    )
    return /headrace_records_total\{outcome="accepted".*\} [1-9]/.test(answer) &&
      answer.includes('headrace_lag_records')
      ? answer
      : undefined
  })
  for (const name of [
    'headrace_commit_seconds_count',
    'headrace_freshness_seconds_count',
    'headrace_memory_bytes',
    'headrace_bytes_read_total',
    'headrace_rejects_total',
    'headrace_dedup_window_bytes',
  ])
    expect(text).toContain(name)
  killGroup(job)
  where.cleanUp()
})

test('a stop at any moment of the start ends the job: a child that the signal ended before it was taken is noticed', async () => {
  const where = place(kafka.address)
  await produce(where, 200)
  for (const delayMs of [40, 120, 200, 280, 360, 440, 520, 700, 900]) {
    const job = startCli(where, ['stream', where.declaration])
    await sleep(delayMs)
    killGroup(job, 'SIGTERM')
    expect(
      await Promise.race([job.ended.then(() => 'ended'), sleep(15_000)]),
      `stopped after ${delayMs} ms`,
    ).toBe('ended')
    killGroup(job)
  }
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})
