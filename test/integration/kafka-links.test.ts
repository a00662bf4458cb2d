/**
 * Brokers that die and links that are slow, silent or cut: reading goes on by itself, and nothing is lost or
 * doubled.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Broker } from '../../src/host/kafka-broker.ts'
import { openLink } from '../support/link.ts'
import {
  catchUp,
  PERFECT,
  cli,
  cliJson,
  killGroup,
  ownBroker,
  place,
  produce,
  sleep,
  startCli,
  until,
  verdict,
} from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

/** Faults of the link, and how long each lasts; the long suite takes five of 60 s. */
const SPELL_S = Number(process.env.HEADRACE_TEST_SPELL_S ?? 4)
const SPELLS = SPELL_S > 10 ? ['silence', 'cut', 'silence', 'cut', 'silence'] : ['silence', 'cut']

/** Reading goes on within so long; a busy machine may take longer (time-limits.ts). */
const GOES_ON_MS = 30_000

test('the broker dies and comes back: reading goes on by itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-broker-'))
  let own = await ownBroker({ folder, fresh: true })
  const port = Number(own.address.split(':')[1])
  const where = place(own.address)
  await produce(where, 2_000)
  const job = startCli(where, ['stream', where.declaration])
  await until('a commit', async () =>
    (await cli(where, ['tables', 'show', 'books/raw'])).code === 0 ? true : undefined,
  )
  await own.kill()
  await until('trouble said', () => (job.errors().includes('No Kafka broker answers') ? true : undefined))
  own = await ownBroker({ folder, port })
  await produce(where, 1_000)
  const lags = async (): Promise<number[]> => {
    const asked = ['offsets', 'show', where.declaration]
    const { partitions } = await cliJson<{ partitions: { lagRecords: number }[] }>(where, asked)
    return partitions.map(({ lagRecords }) => lagRecords)
  }
  await until('lag of zero', async () => (await lags()).every((lag) => lag === 0) || undefined, GOES_ON_MS)
  killGroup(job, 'SIGTERM')
  await job.ended
  await catchUp(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  await own.kill()
  where.cleanUp()
})

test(
  'a link that is slow, goes silent and is cut: nothing is lost or doubled, and reading goes on within 30 s',
  async () => {
    let broker: Broker | undefined
    const link = await openLink(() => Number(broker?.address.split(':')[1]))
    broker = await ownBroker({
      folder: mkdtempSync(join(tmpdir(), 'headrace-link-')),
      fresh: true,
      properties: [`#advertised=127.0.0.1:${link.port}`],
    })
    const where = place(`127.0.0.1:${link.port}`)
    await produce(where, 30_000)
    link.limit(300_000)
    const job = startCli(where, ['stream', where.declaration])
    const position = async (): Promise<number> => {
      const { code, stdout } = await cli(where, ['tables', 'show', 'books/raw', '-o', 'json'])
      return code === 0 ? (JSON.parse(stdout) as { rows: number }).rows : 0
    }
    const moved = async (): Promise<void> => {
      const before = await position()
      await until('more rows', async () => (await position()) > before || undefined, GOES_ON_MS)
    }
    await moved()
    for (const spell of SPELLS) {
      if (spell === 'silence') link.silence(true)
      else for (let i = 0; i < SPELL_S * 2; i += 1) await sleep(500).then(link.cut)
      await sleep(SPELL_S * 1000)
      link.silence(false)
      await moved()
    }
    link.limit(Infinity)
    killGroup(job, 'SIGTERM')
    await job.ended
    await catchUp(where)
    expect(await verdict(where)).toMatchObject(PERFECT)
    await broker.stop()
    await link.close()
    where.cleanUp()
  },
  limitMs(900_000),
)
