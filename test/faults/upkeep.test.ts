/**
 * Upkeep killed at random and at each of its failpoints while a stream writes, batches publish and readers
 * count: nobody sees another count, RAW and archive together lose nothing, and what was held is published
 * later all the same.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { Broker } from '../../src/host/kafka-broker.ts'
import { startReaders } from '../support/counting-readers.ts'
import { createChance, sampled } from '../support/chance.ts'
import {
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
  type Place,
} from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

const KILLS = Number(process.env.HEADRACE_TEST_UPKEEP_KILLS ?? 2)
const chance = createChance()
const FAILPOINTS = sampled(
  [
    'compact.files_written',
    'compact.group_done',
    'archive.copied',
    'archive.committed',
    'vacuum.deleted',
    'commit.temporary_synced',
    'commit.linked',
    'folder.synced',
  ],
  4,
  chance,
)
const HELD = 'publication_year=2010'
/** Kills that happen while it is held. */
const HELD_KILLS = Math.ceil(KILLS * 0.4)

let kafka: Broker

beforeAll(async () => {
  kafka = await broker()
})

interface Kept extends Place {
  archive: string
}

function kept(): Kept {
  const where = place(
    kafka.address,
    (yaml) => `${yaml}\nstream: { commit_interval_ms: 250 }\nraw: { archive: archive }\n`,
  )
  return { ...where, archive: join(where.home, 'archive') }
}

/** All days are over, and files go 20 s after they were replaced: no read of the test takes as long. */
const UPKEEP = ['--keep-from', '2099-01-01', '--grace', '20s']

/** Identities in RAW and archive together, as deltalake reads them, against the journal. */
async function verdictOfBoth(where: Kept): Promise<{ lost: number; doubled: number; foreign: number }> {
  const ids =
    "import pyarrow.compute as pc\nprint(json.dumps(t.filter(pc.equal(t['outcome'], 'accepted'))['record_id'].to_pylist()))"
  const found = [
    ...(await deltalake<string[]>(where.raw, ids)),
    ...(existsSync(where.archive) ? await deltalake<string[]>(where.archive, ids) : []),
  ]
  const { accepted } = await expected(where)
  const distinct = new Set(found)
  return {
    lost: [...accepted].filter((id) => !distinct.has(id)).length,
    doubled: found.length - distinct.size,
    foreign: [...distinct].filter((id) => !accepted.has(id)).length,
  }
}

/** Data files of a table, committed or not: what lies beside its log. */
const filesIn = (root: string): number =>
  readdirSync(root, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.parentPath.endsWith('_delta_log'),
  ).length

test(
  `upkeep killed ${KILLS} times at random and at ${FAILPOINTS.length} failpoints, beside a stream, batches and four counting readers`,
  async () => {
    const where = kept()
    await produce(where, 1_000)
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
    await cliJson(where, ['batch', where.declaration])
    const job = startCli(where, ['stream', where.declaration])
    let producing = true
    const produced = (async () => {
      while (producing) await produce(where, 2_000, ['--rate', '400'])
    })()
    const { stop } = startReaders(4, where.raw, where.archive)
    for (let kill = 0; kill < KILLS + FAILPOINTS.length; kill += 1) {
      // Days can leave RAW at first; from the last random kills on a table partition is held, and what it
      // waits for must stay.
      await cliJson(where, [
        'batch',
        where.declaration,
        ...(kill === KILLS + FAILPOINTS.length - HELD_KILLS ? ['--hold', HELD] : []),
      ])
      const name = FAILPOINTS[kill] as string | undefined
      const upkeep = startCli(
        where,
        ['upkeep', where.declaration, ...UPKEEP],
        name === undefined ? {} : { HEADRACE_FAILPOINT: name },
      )
      if (name === undefined) await sleep(400 + chance() * 1_500)
      if (name === undefined) killGroup(upkeep)
      await upkeep.ended
    }
    producing = false
    await produced
    const counted = await stop()
    killGroup(job, 'SIGTERM')
    expect(await job.ended).toBe(0)
    for (const count of counted) expect(count).toMatchObject({ wrong: [] })
    for (const count of counted) expect(count.different).toBeGreaterThan(3)
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
    await cliJson(where, ['batch', where.declaration])
    await cliJson(where, ['upkeep', where.declaration, ...UPKEEP])
    expect(await verdictOfBoth(where)).toEqual({ lost: 0, doubled: 0, foreign: 0 })
    await publishesWhatWasHeld(where)
    // What moved to the archive is known when it is read again.
    await cliJson(where, ['offsets', 'rewind', where.declaration, '--to-offset', '0'])
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
    expect(await verdictOfBoth(where)).toEqual({ lost: 0, doubled: 0, foreign: 0 })
    await leavesNothingBehind(where)
    where.cleanUp()
  },
  limitMs(400_000),
)

/** RAW was compacted and days left it while a table partition was held: its rows come all the same. */
async function publishesWhatWasHeld(where: Kept): Promise<void> {
  const published = (): Promise<string[]> =>
    deltalake(where.processed, "print(json.dumps(t['record_id'].to_pylist()))")
  const { accepted } = await expected(where)
  expect((await published()).length).toBeLessThan(accepted.size)
  await cliJson(where, ['batch', where.declaration, '--release', HELD])
  const ids = await published()
  expect([ids.length, new Set(ids).size]).toEqual([accepted.size, accepted.size])
}

/**
 * With nothing held any more all days leave RAW, and after the grace period only files of the newest versions
 * are there.
 */
async function leavesNothingBehind(where: Kept): Promise<void> {
  await until('RAW to be empty', async () => {
    await cliJson(where, ['upkeep', where.declaration, '--keep-from', '2099-01-01', '--grace', '1s'])
    await sleep(1_100)
    return (await cliJson<{ files: number }>(where, ['tables', 'show', 'books/raw'])).files === 0
      ? true
      : undefined
  })
  await cliJson(where, ['vacuum', where.declaration, '--grace', '1s'])
  expect(filesIn(where.raw)).toBe(0)
  expect(await verdictOfBoth(where)).toEqual({ lost: 0, doubled: 0, foreign: 0 })
  const { files } = await cliJson<{ files: number }>(where, ['tables', 'show', where.archive])
  expect(filesIn(where.archive)).toBe(files)
  expect(await cliJson(where, ['tables', 'verify', where.archive])).toMatchObject({ problems: [] })
}

test('rows of a key leave RAW, its quarantine, Processed and the archive; kills at each step end the same way', async () => {
  const where = kept()
  await produce(where, 600)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  await cliJson(where, ['batch', where.declaration])
  await cliJson(where, ['retain', where.declaration, '--keep-from', '2099-01-01'])
  await produce(where, 600)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  const idsIn = (path: string): Promise<string[]> =>
    deltalake(path, "print(json.dumps([one for one in t['record_id'].to_pylist() if one]))")
  const before = {
    raw: await idsIn(where.raw),
    archive: await idsIn(where.archive),
    processed: await idsIn(where.processed),
  }
  const [old, fresh] = [before.archive[7], before.raw[7]]
  const doomed = [
    'delete',
    where.declaration,
    '--key',
    `record_id=${old}`,
    '--key',
    `record_id=${fresh}`,
    '--reason',
    'ticket 4711',
  ]
  const dry = await cliJson<{ table: string; rows: number }[]>(where, [...doomed, '--dry-run'])
  expect(dry.map((zone) => [zone.table, zone.rows])).toEqual([
    ['books/raw', 1],
    ['books/processed', 1],
    ['books/archive', 1],
  ])
  for (const name of ['delete.files_written', 'commit.temporary_synced', 'commit.linked', 'commit.done'])
    expect((await cli(where, doomed, { HEADRACE_FAILPOINT: name })).code).toBe(-1)
  await cliJson(where, doomed)
  await cliJson(where, ['batch', where.declaration])
  const gone = (ids: string[]): string[] => ids.filter((id) => id !== old && id !== fresh).toSorted()
  expect((await idsIn(where.raw)).toSorted()).toEqual(gone(before.raw))
  expect((await idsIn(where.archive)).toSorted()).toEqual(gone(before.archive))
  expect((await idsIn(where.processed)).toSorted()).toEqual(gone([...(await expected(where)).accepted]))
  const versions = await cliJson<{ operation: string; details: { reason?: string; keySha256?: string[] } }[]>(
    where,
    ['tables', 'versions', 'books/raw'],
  )
  expect(versions.find((version) => version.operation === 'DELETE')?.details).toMatchObject({
    reason: 'ticket 4711',
  })
  expect(JSON.stringify(versions)).not.toContain(fresh)
  // The bytes are gone as well, once the grace period is over.
  await sleep(1_100)
  await cliJson(where, ['vacuum', where.declaration, '--grace', '1s'])
  expect(
    (await cliJson<{ table: string; rows: number }[]>(where, [...doomed, '--dry-run'])).every(
      (zone) => zone.rows === 0,
    ),
  ).toBe(true)
  expect(await cliJson(where, ['tables', 'verify', 'books/raw'])).toMatchObject({ problems: [] })
  where.cleanUp()
})

test('a mended mapping is applied to what was ingested before: RAW and Processed are rebuilt, identities stay; kills in between end the same way', async () => {
  const where = place(kafka.address, (yaml) =>
    `${yaml}\nraw: { keep_original: true }\n`.replace('path: author/country', 'path: author/land'),
  )
  await produce(where, 800)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  await cliJson(where, ['batch', where.declaration])
  const columns =
    "print(json.dumps(sorted([r['record_id'], r['author_country'], r['publication_year']] for r in t.to_pylist() if r['record_id'] and r.get('outcome') != 'quarantined')))"
  const before = await deltalake<[string, string | null, number][]>(where.processed, columns)
  expect(before.every((row) => row[1] === null)).toBe(true)
  const yaml = readFileSync(where.declaration, 'utf8')
  // The element was looked for under a wrong name; and years before 2005 are no longer believed.
  writeFileSync(
    where.declaration,
    yaml.replace('path: author/land', 'path: author/country').replace('min_value: 2000', 'min_value: 2005'),
  )
  await produce(where, 200)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  for (const name of ['reprocess.decoded', 'reprocess.published', 'commit.linked'])
    expect((await cli(where, ['reprocess', where.declaration], { HEADRACE_FAILPOINT: name })).code).toBe(-1)
  const done = await cliJson<{ rows: number; accepted: number; quarantined: number }[]>(where, [
    'reprocess',
    where.declaration,
  ])
  expect(done[0].accepted + done[0].quarantined).toBe(done[0].rows)
  expect(done[0].quarantined).toBeGreaterThan(10)
  const after = await deltalake<[string, string | null, number][]>(where.processed, columns)
  expect(after.map((row) => row[0])).toEqual(before.filter((row) => row[2] >= 2005).map((row) => row[0]))
  expect(after.every((row) => row[1] !== null)).toBe(true)
  await cliJson(where, ['batch', where.declaration])
  const published = await deltalake<[string, string | null, number][]>(where.processed, columns)
  const raw = await deltalake<[string, string | null, number][]>(where.raw, columns)
  expect(published).toEqual(raw)
  expect(raw.every((row) => row[1] !== null && row[2] >= 2005)).toBe(true)
  const { accepted } = await expected(where)
  const identities = await deltalake<[number, number]>(
    where.raw,
    "rows = [(r['topic_id'], r['kafka_partition'], r['kafka_offset'], r['ordinal']) for r in t.to_pylist() if r['reject_kind'] != 'note']\nprint(json.dumps([len(rows), len(set(rows))]))",
  )
  expect(identities[0]).toBe(identities[1])
  expect(raw.length).toBeLessThan(accepted.size)
  where.cleanUp()
})

test('messages that were not kept cannot be decoded again, and nothing is done by halves', async () => {
  const where = place(kafka.address)
  await produce(where, 100)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  const { code, stderr } = await cli(where, ['reprocess', where.declaration])
  expect([code, stderr]).toEqual([1, expect.stringContaining('did not keep the messages')])
  where.cleanUp()
})
