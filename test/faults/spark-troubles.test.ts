/**
 * Troubles of the stream on Spark that are no kills: a message that crashes its decoder, no room, stops,
 * sessions that expire, wrong logins.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createChance, sampled } from '../support/chance.ts'
import { fillUp, loopDisk } from '../support/disk.ts'
import { testSpark } from '../support/spark.ts'
import {
  PERFECT,
  catchUp,
  lastVersion,
  cli,
  cliJson,
  killGroup,
  produce,
  sleep,
  startCli,
  until,
  verdict,
} from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'
import { commitAfter, sparkAndBroker, within } from '../support/spark-drills.ts'

const chance = createChance()
const world = sparkAndBroker()

const KILLS = Number(process.env.HEADRACE_TEST_SPARK_KILLS ?? 1)

/** Some of the places or moments to die at. */
const sample = <T>(points: T[], count: number): T[] => sampled(points, count, chance)

test(
  'a message that kills its decoder in a task is isolated by halving and quarantined; all others arrive',
  async () => {
    const where = world.place()
    await produce(where, 12, ['--malformed', '0', '--invalid', '0', '--duplicates', '0'])
    const { partitions } = await cliJson<{ partitions: { partition: number; end: number }[] }>(where, [
      'offsets',
      'show',
      where.declaration,
    ])
    const [{ partition }] = partitions.toSorted((a, b) => b.end - a.end)
    const summary = await cliJson<{ byReason: Record<string, number> }>(
      where,
      ['stream', where.declaration, '--until-caught-up'],
      { HEADRACE_FAILPOINT_TASK: `decode.message@${partition}:1` },
    )
    expect(summary.byReason).toEqual({ decoder_crashed: 1 })
    const healed = await cliJson<{ accepted: number }>(where, ['quarantine', 'replay', where.declaration])
    expect(healed.accepted).toBeGreaterThan(0)
    expect(await verdict(where)).toMatchObject(PERFECT)
    where.cleanUp()
  },
  limitMs(300_000),
)

test('a disk without room under the tasks: the job says so, waits, and goes on when there is room', async () => {
  const disk = loopDisk(24)
  try {
    const where = world.place(`raw: { path: ${join(disk.path, 'raw')} }`)
    where.raw = join(disk.path, 'raw')
    await produce(where, 1_500)
    await catchUp(where)
    const ballast = join(disk.path, 'ballast')
    fillUp(ballast)
    await produce(where, 3_000)
    const job = startCli(where, ['stream', where.declaration, '--until-caught-up'])
    await within(
      'the job to say that there is no room',
      60_000,
      until('no room', () => /No space left/.test(job.errors()) || undefined, 70_000),
      job,
    )
    await sleep(2_000)
    expect(job.exitCode).toBeNull()
    rmSync(ballast)
    expect(await within('the end of the job', 60_000, job.ended, job)).toBe(0)
    expect(await verdict(where)).toMatchObject(PERFECT)
    where.cleanUp()
  } finally {
    disk.remove()
  }
})

test('a stop at any moment of the start ends the job: what the supervisor asks before the session is open is answered', async () => {
  const where = world.place()
  await produce(where, 300)
  for (const delayMs of sample([200, 500, 800, 1_100, 1_400, 1_800, 2_400], 2)) {
    const job = startCli(where, ['stream', where.declaration])
    await sleep(delayMs)
    process.kill(job.pid as number, 'SIGTERM')
    await within(`the end of a job that was stopped after ${delayMs} ms`, 30_000, job.ended, job)
    killGroup(job)
  }
  await catchUp(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test('a session that expired while nothing arrived is opened again', async () => {
  const short = await testSpark({
    settings: {
      'spark.connect.session.manager.defaultSessionTimeout': '3s',
      'spark.connect.session.manager.maintenanceInterval': '1s',
    },
  })
  const where = world.place()
  Object.assign(where.env, short.env)
  await produce(where, 400)
  const job = startCli(where, ['stream', where.declaration])
  for (let spell = 0; spell < (KILLS > 5 ? 2 : 1); spell += 1) {
    const before = lastVersion(where)
    await commitAfter(before, where, job)
    await sleep(8_000)
    await produce(where, 400)
  }
  await sleep(8_000)
  killGroup(job, 'SIGTERM')
  expect(await within('the job to stop', 60_000, job.ended, job)).toBe(0)
  expect(job.errors()).toMatch(/spark_session_lost|knows this session/)
  await catchUp(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  await short.kill()
  where.cleanUp()
})

test('a wrong token, a server that is not there, a task that cannot run: each has a name and a next step', async () => {
  const where = world.place('')
  await produce(where, 100)
  const fails = async (env: Record<string, string>, args: string[] = []): Promise<string> =>
    (await cli(where, ['stream', where.declaration, '--until-caught-up', ...args], env)).stderr
  const wrong = join(where.home, 'wrong')
  writeFileSync(wrong, 'not-the-token')
  expect(await fails({ HEADRACE_SPARK_TOKEN_FILE: wrong })).toMatch(
    /refused the login[\s\S]*Try: Check the file/,
  )
  const noToken = await fails({ HEADRACE_SPARK_TOKEN_FILE: where.declaration })
  expect(noToken).toMatch(/holds no token[\s\S]*Try: Check the file/)
  expect(noToken).not.toContain('author_name')
  writeFileSync(
    where.declaration,
    readFileSync(where.declaration, 'utf8').replace(
      'batch_messages: 2000',
      'batch_messages: 2000, task_command: /no/such/command',
    ),
  )
  expect(await fails({})).toMatch(/cannot run the Headrace task[\s\S]*Try: Install Node/)
  where.cleanUp()
})
