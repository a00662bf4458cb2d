/**
 * Disks that fail under a stream: the power is cut, fsync fails, there is no room. The tables lie on a disk
 * of their own; the producer's journal, the witness, does not.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { Broker } from '../../src/host/kafka-broker.ts'
import { fillUp, loopDisk } from '../support/disk.ts'
import { createChance } from '../support/chance.ts'
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
import { limitMs } from '../support/time-limits.ts'

const CUTS = Number(process.env.HEADRACE_TEST_CUTS ?? 3)
/** How long the disk is full, and how many messages a second arrive meanwhile. */
const STALL_S = Number(process.env.HEADRACE_TEST_STALL_S ?? 2)
const STALL_RATE = STALL_S > 60 ? 20_000 : 1_000
const chance = createChance()

let kafka: Broker
beforeAll(async () => {
  kafka = await broker()
})

/** A dataset whose RAW table lies on another disk. */
function placeOn(path: string, rowsPerFile: number): Place {
  const raw = join(path, 'raw')
  return {
    ...place(
      kafka.address,
      (yaml) =>
        `${yaml}\nstream: { commit_interval_ms: 250, rows_per_file: ${rowsPerFile} }\nraw: { path: ${raw} }\n`,
    ),
    raw,
  }
}

/** The newest version that the job said was committed. */
const saidVersion = (log: string): number =>
  Math.max(-1, ...[...log.matchAll(/"event":"commit","version":(\d+)/g)].map((match) => Number(match[1])))

test(
  `${CUTS} power cuts: every commit that was reported is there, every file of the log is whole, nothing is lost or doubled`,
  async () => {
    const disk = loopDisk(512)
    const where = placeOn(disk.path, 20_000)
    try {
      // Longer than the cuts take: each life must find something to commit.
      const producing = produce(where, CUTS * 15_000, ['--rate', '2000'])
      await until('the topic', async () =>
        (await cli(where, ['offsets', 'show', where.declaration])).code === 0 ? true : undefined,
      )
      for (let cut = 0; cut < CUTS; cut += 1) {
        const job = startCli(where, ['stream', where.declaration], { HEADRACE_LOG: 'debug' })
        await until('commits', () => (saidVersion(job.errors()) >= 0 ? true : undefined), 30_000)
        await sleep(chance() * 1_500)
        disk.cutPower()
        const reported = saidVersion(job.errors())
        killGroup(job)
        await job.ended
        expect(
          existsSync(join(where.raw, '_delta_log', `${String(reported).padStart(20, '0')}.json`)),
          `version ${reported} was reported`,
        ).toBe(true)
        expect(await cliJson(where, ['tables', 'verify', where.raw])).toMatchObject({ problems: [] })
      }
      await producing
      await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
      expect(await verdict(where)).toMatchObject(PERFECT)
    } finally {
      disk.remove()
    }
    where.cleanUp()
  },
  limitMs(300_000),
)

test(
  'a disk without room stops nothing for good: the job says so, waits in bounded memory, and goes on when there is room',
  async () => {
    const disk = loopDisk(STALL_S > 60 ? 16_384 : 24)
    const where = placeOn(disk.path, STALL_S > 60 ? 200_000 : 5_000)
    try {
      await produce(where, 10_000)
      const ballast = join(disk.path, 'ballast')
      const job = startCli(where, ['stream', where.declaration])
      let most = 0
      const watch = setInterval(() => (most = Math.max(most, treeMemory(job.pid as number))), 200)
      for (let spell = 0; spell < (STALL_S > 60 ? 1 : 3); spell += 1) {
        fillUp(ballast)
        const producing = produce(where, Math.round(STALL_S * STALL_RATE), ['--rate', String(STALL_RATE)])
        await sleep(STALL_S * 1000 + chance() * 1_500)
        await producing
        rmSync(ballast)
        await sleep(chance() * 1_000)
      }
      await until(
        'no lag',
        async () => ((await lag(where)) === 0 ? true : undefined),
        60_000 + STALL_S * 1000,
      )
      clearInterval(watch)
      process.kill(job.pid as number, 'SIGTERM')
      expect(await job.ended).toBe(0)
      expect(job.errors()).toMatch(/No space left while writing .*(Trying again|Another one continues)/)
      expect(most).toBeLessThan(512 * 1024 * 1024)
      expect(await verdict(where)).toMatchObject(PERFECT)
      expect(await cliJson(where, ['tables', 'verify', where.raw])).toMatchObject({ problems: [] })
    } finally {
      disk.remove()
    }
    where.cleanUp()
  },
  limitMs(300_000),
)

/** Records that are not committed yet, over all Kafka partitions. */
async function lag(where: Place): Promise<number> {
  const { partitions } = await cliJson<{ partitions: { lagRecords: number }[] }>(where, [
    'offsets',
    'show',
    where.declaration,
  ])
  return partitions.reduce((sum, partition) => sum + partition.lagRecords, 0)
}

test.each(['fsync', 'link,linkat'])('%s that fails with EIO is never taken for success', async (calls) => {
  const where = place(
    kafka.address,
    (yaml) => `${yaml}\nstream: { commit_interval_ms: 250, rows_per_file: 5000 }\n`,
  )
  await produce(where, 8_000)
  const log = join(where.home, 'strace.log')
  for (let run = 0; run < 2; run += 1) {
    // strace counts per thread, and four threads share the calls.
    const when = calls === 'fsync' ? `${1 + Math.floor(chance() * 3)}+${3 + Math.floor(chance() * 5)}` : '1+2'
    const job = startCli(where, ['stream', where.declaration, '--until-caught-up'], {}, [
      'strace',
      '-f',
      '-A',
      '-o',
      log,
      '-e',
      `trace=${calls}`,
      '-e',
      `inject=${calls}:error=EIO:when=${when}`,
    ])
    await Promise.race([job.ended, sleep(6_000)])
    killGroup(job)
    await job.ended
  }
  expect(readFileSync(log, 'utf8').includes('EIO (Input/output error) (INJECTED)')).toBe(true)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  expect(await verdict(where)).toMatchObject(PERFECT)
  expect(await cliJson(where, ['tables', 'verify', where.raw])).toMatchObject({ problems: [] })
  where.cleanUp()
})
