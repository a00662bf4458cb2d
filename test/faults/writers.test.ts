/**
 * Writers that sleep while others go on, readers that count meanwhile, and a log that gets its checkpoints
 * under kills.
 */
import { appendFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { Broker } from '../../src/host/kafka-broker.ts'
import { startReaders } from '../support/counting-readers.ts'
import {
  PERFECT,
  broker,
  cli,
  cliJson,
  killGroup,
  place,
  produce,
  sleep,
  startCli,
  treeMemory,
  until,
  verdict,
  type Place,
} from '../support/system.ts'

let kafka: Broker

beforeAll(async () => {
  kafka = await broker()
})

const FAST = '\nstream: { commit_interval_ms: 250, rows_per_file: 5000 }\n'
const versions = (where: Place): number[] =>
  readdirSync(join(where.raw, '_delta_log'))
    .flatMap((name) => /^(\d{20})\.json$/.exec(name)?.[1] ?? [])
    .map(Number)

test('a writer that slept while another took over commits nothing when it wakes', async () => {
  const where = place(kafka.address, (yaml) => `${yaml}${FAST}`)
  // The second writer has a home of its own: no lock tells it of the first, only the table does.
  const other = { ...place(kafka.address), declaration: join(where.home, 'again.yaml') }
  writeFileSync(other.declaration, `${readFileSync(where.declaration, 'utf8')}raw: { path: ${where.raw} }\n`)
  // Messages come until the second writer has committed: how soon it starts is the machine's affair.
  let isProducing = true
  const producing = (async () => {
    while (isProducing) await produce(where, 10_000, ['--rate', '4000'])
  })()
  await until('the topic', async () =>
    (await cli(where, ['offsets', 'show', where.declaration])).code === 0 ? true : undefined,
  )
  const sleeper = startCli(where, ['stream', where.declaration])
  await until('commits', () => (versions(where).length > 4 ? true : undefined))
  killGroup(sleeper, 'SIGSTOP')
  const asleep = versions(where).length
  const second = startCli(other, ['stream', other.declaration])
  await until('commits of the second writer', () => (versions(where).length > asleep + 3 ? true : undefined))
  killGroup(sleeper, 'SIGCONT')
  expect(await Promise.race([sleeper.ended, sleep(20_000).then(() => 'still running')])).toBe(1)
  expect(sleeper.errors()).toMatch(/moved|expected/)
  isProducing = false
  await producing
  process.kill(second.pid as number, 'SIGTERM')
  expect(await second.ended).toBe(0)
  await cliJson(other, ['stream', other.declaration, '--until-caught-up'])
  expect(await verdict(where)).toMatchObject(PERFECT)
  other.cleanUp()
  where.cleanUp()
})

test('four readers that count in a loop never see half a commit, nor fewer rows than before; two children stay under 768 MB', async () => {
  const where = place(
    kafka.address,
    (yaml) => `${yaml}\nstream: { commit_interval_ms: 250, rows_per_file: 20000, children: 2 }\n`,
  )
  let producing = true
  const produced = (async () => {
    while (producing) await produce(where, 20_000, ['--rate', '6000'])
  })()
  await until('the topic', async () =>
    (await cli(where, ['offsets', 'show', where.declaration])).code === 0 ? true : undefined,
  )
  const job = startCli(where, ['stream', where.declaration])
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, treeMemory(job.pid as number))), 200)
  await until('a first commit', () => (versions(where).length > 2 ? true : undefined))
  const { stop, different: seen } = startReaders(4, where.raw)
  // Messages come until each reader saw commits go by: how fast they count is the machine's affair.
  await until('what readers see', () => (Math.min(...seen()) > 5 ? true : undefined), 150_000)
  producing = false
  await produced
  await sleep(1_000)
  for (const { reads, wrong, different } of await stop()) {
    expect(wrong).toEqual([])
    expect(reads).toBeGreaterThan(5)
    expect(different).toBeGreaterThan(3)
  }
  clearInterval(watch)
  process.kill(job.pid as number, 'SIGTERM')
  expect(await job.ended).toBe(0)
  process.stderr.write(`memory of the tree at most ${Math.round(most / 1e6)} MB\n`)
  expect(most).toBeLessThan(768 * 1024 * 1024)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test.each(['checkpoint.written', 'checkpoint.pointed'])(
  'killed at %s, the table is read from what is there and gets its checkpoint later',
  async (name) => {
    const where = place(kafka.address, (yaml) => `${yaml}${FAST}`)
    await produce(where, 500)
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
    askForCheckpoints(where, 1)
    for (let run = 0; run < 3; run += 1) {
      await produce(where, 500)
      const killed = await cli(where, ['stream', where.declaration, '--until-caught-up'], {
        HEADRACE_FAILPOINT: name,
      })
      expect(killed.code).toBe(-1)
    }
    await produce(where, 500)
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
    expect(
      readdirSync(join(where.raw, '_delta_log')).some((file) => file.endsWith('.checkpoint.parquet')),
    ).toBe(true)
    expect(await cliJson(where, ['tables', 'verify', 'books/raw'])).toMatchObject({ problems: [] })
    expect(await verdict(where)).toMatchObject(PERFECT)
    where.cleanUp()
  },
)

/**
 * Sets the table's own setting (delta.checkpointInterval) as any Delta writer would: with a new metadata
 * entry.
 */
function askForCheckpoints(where: Place, interval: number): void {
  const log = join(where.raw, '_delta_log')
  const entry = (version: number): string => join(log, `${String(version).padStart(20, '0')}.json`)
  const first = readFileSync(entry(0), 'utf8')
    .split('\n')
    .find((line) => line.includes('"metaData"')) as string
  const { metaData } = JSON.parse(first) as { metaData: { configuration: Record<string, string> } }
  metaData.configuration['delta.checkpointInterval'] = String(interval)
  appendFileSync(
    entry(Math.max(...versions(where)) + 1),
    `${JSON.stringify({ commitInfo: { timestamp: Date.now(), operation: 'SET TBLPROPERTIES' } })}\n${JSON.stringify({ metaData })}\n`,
  )
}
