/**
 * SIGKILL at every failpoint of stream and batch: nothing is lost or doubled, and a batch ends with the
 * content of an undisturbed run.
 */
import { rmSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { FAILPOINTS } from '../../src/core/failpoint.ts'
import type { Broker } from '../../src/host/kafka-broker.ts'
import { createChance } from '../support/chance.ts'
import { SERVICE_FAILPOINTS } from '../support/service-failpoints.ts'
import {
  PERFECT,
  catchUp,
  broker,
  cli,
  cliJson,
  killGroup,
  place,
  produce,
  startCli,
  verdict,
} from '../support/system.ts'

const chance = createChance()

let kafka: Broker

beforeAll(async () => {
  kafka = await broker()
})

const CHILD = ['file.written', 'file.synced', 'folder.synced', 'batch.prepared'] as const
const SUPERVISOR = ['commit.before', 'commit.temporary_synced', 'commit.linked', 'commit.done'] as const
const BATCH = [
  'batch.planned',
  'batch.files_written',
  'index.written',
  'file.synced',
  'folder.synced',
  'commit.temporary_synced',
  'commit.linked',
  'commit.done',
] as const

/** Met in writers.test.ts. */
const CHECKPOINT = ['checkpoint.written', 'checkpoint.pointed'] as const

/** Met in upkeep.test.ts. */
const UPKEEP = [
  'compact.files_written',
  'compact.group_done',
  'archive.copied',
  'archive.committed',
  'vacuum.deleted',
  'delete.files_written',
  'reprocess.decoded',
  'reprocess.published',
] as const

test('every failpoint is met by one of the drills', () => {
  const drilled = new Set<string>([
    ...CHILD,
    ...SUPERVISOR,
    ...BATCH,
    ...CHECKPOINT,
    ...UPKEEP,
    ...SERVICE_FAILPOINTS,
    'decode.message',
  ])
  expect(FAILPOINTS.filter((name) => !drilled.has(name))).toEqual([])
})

test.each(CHILD)('a child killed at %s is replaced and nothing is lost or doubled', async (name) => {
  const where = place(
    kafka.address,
    (yaml) => `${yaml}\nstream: { commit_interval_ms: 250, rows_per_file: 3000 }\n`,
  )
  await produce(where, 4_000)
  const { stderr } = await cli(where, ['stream', where.declaration, '--until-caught-up'], {
    HEADRACE_FAILPOINT_CHILD: name,
    HEADRACE_FAILPOINT_ONCE: `${where.home}/killed`,
  })
  expect(stderr).toContain('signal SIGKILL')
  await catchUp(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test.each(SUPERVISOR)('the supervisor killed at %s loses and doubles nothing', async (name) => {
  const where = place(kafka.address, (yaml) => `${yaml}\nstream: { commit_interval_ms: 250 }\n`)
  await produce(where, 3_000)
  for (const nth of [1, 2, 3]) {
    const job = startCli(where, ['stream', where.declaration, '--until-caught-up'], {
      HEADRACE_FAILPOINT: `${name}:${nth}`,
    })
    await job.ended
    killGroup(job)
    await produce(where, 500)
  }
  await catchUp(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

/** CI takes half of them, others each run; the long suite all. */
const SAMPLE =
  process.env.HEADRACE_TEST_LONG_SUITE === 'kills' ? BATCH : BATCH.toSorted(() => chance() - 0.5).slice(0, 4)

test.each(SAMPLE)('the batch killed at %s ends with the content of an undisturbed run', async (name) => {
  const where = place(kafka.address)
  await produce(where, 3_000)
  await catchUp(where)
  const killed = await cli(where, ['batch', where.declaration], { HEADRACE_FAILPOINT: name })
  expect(killed.code).toBe(-1)
  await cliJson(where, ['batch', where.declaration])
  await cliJson(where, ['batch', where.declaration])
  const hash = async (): Promise<unknown> =>
    await cliJson<{ contentHash: string; problems: string[] }>(where, ['tables', 'verify', 'books/processed'])
  const disturbed = (await hash()) as { contentHash: string; problems: string[]; rows: number }
  rmSync(where.processed, { recursive: true })
  await cliJson(where, ['batch', where.declaration])
  const undisturbed = (await hash()) as { contentHash: string; rows: number }
  expect(disturbed).toMatchObject({
    problems: [],
    rows: undisturbed.rows,
    contentHash: undisturbed.contentHash,
  })
  where.cleanUp()
})
