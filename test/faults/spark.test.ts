/**
 * The oracle of the embedded stream, on Spark: the Connect server, executors, tasks, our own processes and
 * the broker are killed at random and at each failpoint while messages flow. The witness is the journal,
 * compared with what deltalake reads.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createChance, sampled } from '../support/chance.ts'
import { fillUp, loopDisk } from '../support/disk.ts'
import { testSpark, type TestSpark } from '../support/spark.ts'
import {
  PERFECT,
  cli,
  cliJson,
  killGroup,
  limitMs,
  ownBroker,
  place,
  produce,
  sleep,
  startCli,
  until,
  verdict,
  type Place,
} from '../support/system.ts'
import type { Broker } from '../../src/main/kafka-broker.ts'

const KILLS = Number(process.env.HEADRACE_SPARK_KILLS ?? 1)
const chance = createChance()
let kafka: Broker
const brokerFolder = mkdtempSync(join(tmpdir(), 'headrace-broker-'))
const sparkFolder = mkdtempSync(join(tmpdir(), 'headrace-spark-'))
let spark: TestSpark

beforeAll(async () => {
  ;[spark, kafka] = await Promise.all([
    testSpark({ folder: sparkFolder }),
    ownBroker({ folder: brokerFolder, fresh: true }),
  ])
  process.stderr.write(`seed ${chance.seed} (HEADRACE_SEED repeats it)\n`)
}, 180_000)

afterAll(async () => {
  await spark.kill()
  await kafka.stop()
})

const onSpark = (more = ''): Place => {
  const where = place(
    kafka.address,
    (yaml) =>
      `${yaml}\nengine: spark\nspark: { batch_messages: 2000 }\nstream: { commit_interval_ms: 500 }\n${more}`,
  )
  Object.assign(where.env, spark.env)
  return where
}

const lastVersion = (where: Place): number =>
  existsSync(`${where.raw}/_delta_log`)
    ? Math.max(
        -1,
        ...readdirSync(`${where.raw}/_delta_log`).map((name) =>
          Number(/^(\d{20})\.json$/.exec(name)?.[1] ?? -1),
        ),
      )
    : -1

const javaPids = (pattern: string): number[] => {
  try {
    return execFileSync('pgrep', ['-f', pattern]).toString().trim().split('\n').map(Number)
  } catch {
    return []
  }
}

/**
 * A wait that ends: what hangs fails by its name and shows what the job said, not by the time-out of the
 * whole run.
 */
async function within<T>(
  what: string,
  waitMs: number,
  work: Promise<T>,
  job?: ReturnType<typeof startCli>,
): Promise<T> {
  const late = Symbol('late')
  const result = await Promise.race([work, sleep(waitMs).then(() => late)])
  if (result === late)
    throw new Error(
      `waited ${waitMs} ms for ${what}${job === undefined ? '' : `; the job said last:\n${job.errors().slice(-3_000)}`}`,
    )
  return result as T
}

/** Runs a stream beside a producer while `kill` does its work, then lets it catch up and asks the witness. */
async function drill(
  where: Place,
  kills: number,
  kill: (job: ReturnType<typeof startCli>) => Promise<void>,
): Promise<string> {
  await produce(where, 500)
  let killing = true
  const producing = (async (): Promise<void> => {
    while (killing)
      await cli(where, [
        'produce',
        where.declaration,
        '--engine',
        'duckdb',
        '--count',
        '2400',
        '--rate',
        '400',
      ])
  })()
  let job = startCli(where, ['stream', where.declaration])
  let errors = ''
  try {
    for (let i = 0; i < kills; i += 1) {
      const before = lastVersion(where)
      await within(
        'a commit',
        90_000,
        until('a commit', () => (lastVersion(where) > before ? true : undefined), 100_000),
        job,
      )
      await sleep(chance() * 2_000)
      await kill(job)
      if (job.exitCode === null && job.signalCode === null) continue
      errors += job.errors()
      job = startCli(where, ['stream', where.declaration])
    }
    killing = false
    await within('the producer', 180_000, producing)
    errors += job.errors()
    killGroup(job, 'SIGTERM')
    await within('the job to stop', 60_000, job.ended, job)
  } finally {
    killing = false
    killGroup(job)
  }
  await within('the rest', 120_000, cliJson(where, ['stream', where.declaration, '--until-caught-up']))
  expect(await verdict(where)).toMatchObject(PERFECT)
  const { marks } = await cliJson<{ marks: Record<string, number> }>(where, ['tables', 'show', 'books/raw'])
  const count = (name: string): number => marks[`headrace/count/${name}`]
  expect(count('read')).toBe(count('accepted') + count('duplicate') + count('quarantined'))
  return errors
}

const SERVER_GONE =
  /No Spark Connect server answers at|Spark Connect server at .* no longer knows this session/

test(
  `the Connect server and our own processes are killed ${KILLS} times: the job says so, goes on by itself, loses and doubles nothing`,
  async () => {
    const where = onSpark()
    const port = Number(spark.address.split(':')[1])
    let round = 0
    const errors = await drill(where, KILLS, async (job) => {
      round += 1
      // In each second round we die in the middle of it, in the others after the job has said what happened.
      // An operation that had brought nothing yet is sent again to the new server as if nothing had been:
      // then commits go on, and there is nothing to say.
      let restartedAt: number | undefined
      const noticed = (): true | undefined =>
        SERVER_GONE.test(job.errors()) ||
        (restartedAt !== undefined && lastVersion(where) > restartedAt + 1) ||
        undefined
      const moment =
        round % 2 === 0
          ? sleep(chance() * 6_000)
          : within('the job to say it, or to go on', 60_000, until('the job to say it', noticed, 70_000), job)
      const ours = moment.then(() => (killGroup(job), job.ended))
      await spark.kill()
      await sleep(500)
      spark = await testSpark({ folder: sparkFolder, port, token: spark.token })
      restartedAt = lastVersion(where)
      await ours
    })
    expect(errors).toMatch(SERVER_GONE)
    where.cleanUp()
  },
  limitMs(400_000),
)

test(
  `executors of a cluster and the broker are killed ${KILLS} times: Spark runs tasks elsewhere, the job waits for the broker`,
  async () => {
    const cluster = await testSpark({
      master: 'local-cluster[2,1,1024]',
      memory: '1g',
      settings: { 'spark.speculation': 'true', 'spark.speculation.quantile': '0.5' },
    })
    const where = onSpark()
    Object.assign(where.env, cluster.env)
    const port = Number(kafka.address.split(':')[1])
    let killed = 0
    await drill(where, KILLS, async () => {
      const [pid] = javaPids('CoarseGrainedExecutorBackend').toSorted(() => chance() - 0.5)
      if (pid === undefined) return
      process.kill(pid, 'SIGKILL')
      killed += 1
      await sleep(chance() * 3_000)
      await kafka.kill()
      await sleep(1_000)
      kafka = await ownBroker({ folder: brokerFolder, port })
    })
    expect(killed).toBeGreaterThan(0)
    await cluster.kill()
    for (const pid of javaPids('CoarseGrainedExecutorBackend')) process.kill(pid, 'SIGKILL')
    where.cleanUp()
  },
  limitMs(400_000),
)

/** Some of the places or moments to die at. */
const sample = <T>(points: T[], count: number): T[] => sampled(points, count, chance)

test.each(sample(['file.written', 'file.synced', 'folder.synced'], 1))(
  'a task killed at %s is done again, in other files',
  async (name) => {
    const where = onSpark()
    await produce(where, 2_000)
    const { stderr, code } = await cli(where, ['stream', where.declaration, '--until-caught-up'], {
      HEADRACE_FAILPOINT_TASK: name,
      HEADRACE_FAILPOINT_ONCE: `${where.home}/killed`,
    })
    expect([code, existsSync(`${where.home}/killed`)]).toEqual([0, true])
    expect(stderr).toContain('A child ended')
    expect(await verdict(where)).toMatchObject(PERFECT)
    where.cleanUp()
  },
)

test.each(
  sample(['batch.prepared', 'commit.before', 'commit.temporary_synced', 'commit.linked', 'commit.done'], 1),
)('killed at %s, nothing is lost or doubled', async (name) => {
  const where = onSpark()
  await produce(where, 1_500)
  const child = name === 'batch.prepared'
  const job = startCli(
    where,
    ['stream', where.declaration, '--until-caught-up'],
    child
      ? { HEADRACE_FAILPOINT_CHILD: name, HEADRACE_FAILPOINT_ONCE: `${where.home}/killed` }
      : { HEADRACE_FAILPOINT: `${name}:2` },
  )
  await job.ended
  killGroup(job)
  await produce(where, 300)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test(
  'a message that kills its decoder in a task is isolated by halving and quarantined; all others arrive',
  async () => {
    const where = onSpark()
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

test.each(sample(['batch.files_written', 'index.written', 'commit.linked'], 1))(
  'a batch on Spark killed at %s publishes each row once',
  async (name) => {
    const where = onSpark()
    await produce(where, 1_000)
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
    const killed = await cli(where, ['batch', where.declaration], { HEADRACE_FAILPOINT: name })
    expect(killed.code).toBe(-1)
    await cliJson(where, ['batch', where.declaration])
    const { rows, problems } = await cliJson<{ rows: number; problems: string[] }>(where, [
      'tables',
      'verify',
      'books/processed',
    ])
    const [{ n }] = await cliJson<{ n: string }[]>(where, [
      'tables',
      'query',
      'books/raw',
      "SELECT count(DISTINCT record_id) AS n FROM t WHERE outcome = 'accepted'",
    ])
    expect({ rows, problems }).toEqual({ rows: Number(n), problems: [] })
    where.cleanUp()
  },
)

test('a disk without room under the tasks: the job says so, waits, and goes on when there is room', async () => {
  const disk = loopDisk(24)
  try {
    const where = onSpark(`raw: { path: ${join(disk.path, 'raw')} }`)
    where.raw = join(disk.path, 'raw')
    await produce(where, 1_500)
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
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
  const where = onSpark()
  await produce(where, 300)
  for (const delayMs of sample([200, 500, 800, 1_100, 1_400, 1_800, 2_400], 2)) {
    const job = startCli(where, ['stream', where.declaration])
    await sleep(delayMs)
    process.kill(job.pid as number, 'SIGTERM')
    await within(`the end of a job that was stopped after ${delayMs} ms`, 30_000, job.ended, job)
    killGroup(job)
  }
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
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
  const where = onSpark()
  Object.assign(where.env, short.env)
  await produce(where, 400)
  const job = startCli(where, ['stream', where.declaration])
  for (let spell = 0; spell < (KILLS > 5 ? 2 : 1); spell += 1) {
    const before = lastVersion(where)
    await within(
      'a commit',
      60_000,
      until('a commit', () => lastVersion(where) > before || undefined, 70_000),
      job,
    )
    await sleep(8_000)
    await produce(where, 400)
  }
  await sleep(8_000)
  killGroup(job, 'SIGTERM')
  expect(await within('the job to stop', 60_000, job.ended, job)).toBe(0)
  expect(job.errors()).toMatch(/spark_session_lost|knows this session/)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  expect(await verdict(where)).toMatchObject(PERFECT)
  await short.kill()
  where.cleanUp()
})

test('a wrong token, a server that is not there, a task that cannot run: each has a name and a next step', async () => {
  const where = onSpark('')
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
  expect(await fails({})).toMatch(/cannot run our task[\s\S]*Try: Install Node/)
  where.cleanUp()
})
