/**
 * The oracle of the embedded stream, on Spark: the Connect server, executors, tasks, our own processes and
 * the broker are killed at random and at each failpoint while messages flow. The witness is the journal,
 * compared with what deltalake reads.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createChance, sampled } from '../support/chance.ts'
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
  type Place,
} from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'
import { commitAfter, sparkAndBroker, within } from '../support/spark-drills.ts'

const chance = createChance()
const world = sparkAndBroker()

const KILLS = Number(process.env.HEADRACE_TEST_SPARK_KILLS ?? 1)
const javaPids = (pattern: string): number[] => {
  try {
    return execFileSync('pgrep', ['-f', pattern]).toString().trim().split('\n').map(Number)
  } catch {
    return []
  }
}

/** Produces until `stopped` is true. */
async function keepProducing(where: Place, stopped: () => boolean): Promise<void> {
  const rate = ['--count', '2400', '--rate', '400']
  while (!stopped()) await cli(where, ['produce', where.declaration, '--engine', 'duckdb', ...rate])
}

/** Runs a stream beside a producer while `kill` does its work, then lets it catch up and asks the witness. */
async function drill(
  where: Place,
  kills: number,
  kill: (job: ReturnType<typeof startCli>) => Promise<void>,
): Promise<string> {
  await produce(where, 500)
  let killing = true
  const producing = keepProducing(where, () => !killing)
  let job = startCli(where, ['stream', where.declaration])
  let errors = ''
  try {
    for (let i = 0; i < kills; i += 1) {
      await commitAfter(lastVersion(where), where, job, 90_000)
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
  await within('the rest', 120_000, catchUp(where))
  expect(await verdict(where)).toMatchObject(PERFECT)
  const { marks } = await cliJson<{ marks: Record<string, number> }>(where, ['tables', 'show', 'books/raw'])
  const count = (name: string): number => marks[`headrace/count/${name}`]
  expect(count('read')).toBe(count('accepted') + count('duplicate') + count('quarantined'))
  return errors
}

const SERVER_GONE =
  /No Spark Connect server answers at|Spark Connect server at .* no longer knows this session/

async function killServerAndOurs(): Promise<void> {
  const where = world.place()
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
    await world.spark.kill()
    await sleep(500)
    await world.restartSpark()
    restartedAt = lastVersion(where)
    await ours
  })
  expect(errors).toMatch(SERVER_GONE)
  where.cleanUp()
}

async function killExecutorsAndBroker(): Promise<void> {
  const cluster = await testSpark({
    master: 'local-cluster[2,1,1024]',
    memory: '1g',
    settings: { 'spark.speculation': 'true', 'spark.speculation.quantile': '0.5' },
  })
  const where = world.place()
  Object.assign(where.env, cluster.env)
  let killed = 0
  await drill(where, KILLS, async () => {
    const [pid] = javaPids('CoarseGrainedExecutorBackend').toSorted(() => chance() - 0.5)
    if (pid === undefined) return
    process.kill(pid, 'SIGKILL')
    killed += 1
    await sleep(chance() * 3_000)
    await world.kafka.kill()
    await sleep(1_000)
    await world.restartBroker()
  })
  expect(killed).toBeGreaterThan(0)
  await cluster.kill()
  for (const pid of javaPids('CoarseGrainedExecutorBackend')) process.kill(pid, 'SIGKILL')
  where.cleanUp()
}

const DRILLS: [string, () => Promise<void>][] = [
  [
    `the Connect server and our own processes are killed ${KILLS} times: the job says so, goes on by itself, loses and doubles nothing`,
    killServerAndOurs,
  ],
  [
    `executors of a cluster and the broker are killed ${KILLS} times: Spark runs tasks elsewhere, the job waits for the broker`,
    killExecutorsAndBroker,
  ],
]

/** Some of the places or moments to die at. */
const sample = <T>(points: T[], count: number): T[] => sampled(points, count, chance)

test.each(sample(DRILLS, 1))('%s', async (_, drillOf) => drillOf(), limitMs(400_000))

test.each(sample(['file.written', 'file.synced', 'folder.synced'], 1))(
  'a task killed at %s is done again, in other files',
  async (name) => {
    const where = world.place()
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
  const where = world.place()
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
  await catchUp(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test.each(sample(['batch.files_written', 'index.written', 'commit.linked'], 1))(
  'a batch on Spark killed at %s publishes each row once',
  async (name) => {
    const where = world.place()
    await produce(where, 1_000)
    await catchUp(where)
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
