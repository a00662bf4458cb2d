/**
 * Storage that goes away under a running stream: the job says so, waits, and goes on by itself; nothing is
 * lost or doubled.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../../src/host/jvm-servers.ts'
import { startS3 } from '../support/storage.ts'
import {
  broker,
  cli,
  cliJson,
  expected,
  killGroup,
  place,
  produce,
  sleep,
  startCli,
  until,
} from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

test(
  'an S3 server that is killed twice under a stream costs nothing',
  async () => {
    const [kafka, port] = [await broker(), await freePort()]
    const folder = mkdtempSync(join(tmpdir(), 'headrace-s3-'))
    let server = await startS3({ folder, port })
    const where = place(kafka.address, (yaml) => `${yaml}\nstream: { commit_interval_ms: 500 }\n`)
    Object.assign(where.env, server.env, { HEADRACE_TABLES: server.root('away') })
    await produce(where, 500)
    const producing = cli(where, ['produce', where.declaration, '--count', '9000', '--rate', '400'])
    const job = startCli(where, ['stream', where.declaration])
    const version = async (): Promise<number> =>
      (await cliJson<{ version: number }>(where, ['tables', 'show', 'books/raw'])).version
    for (let kill = 0; kill < 2; kill += 1) {
      const before = await version().catch(() => 0)
      await until('a commit', async () => ((await version().catch(() => 0)) > before ? true : undefined))
      server.kill()
      await sleep(6_000)
      server = await startS3({ folder, port })
    }
    await producing
    await sleep(2_000)
    expect(job.exitCode).toBeNull()
    killGroup(job, 'SIGTERM')
    await job.ended
    expect(job.errors()).toMatch(/storage at .* does not answer/)
    await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
    const want = await expected(where)
    const [found] = await cliJson<{ rows: string; ids: string; places: string }[]>(where, [
      'tables',
      'query',
      'books/raw',
      "SELECT count(*) AS rows, count(DISTINCT record_id) AS ids, count(DISTINCT (topic_id, kafka_partition, kafka_offset, ordinal)) AS places FROM t WHERE outcome = 'accepted'",
    ])
    expect([Number(found.rows), Number(found.ids), Number(found.places)]).toEqual([
      want.accepted.size,
      want.accepted.size,
      want.accepted.size,
    ])
    server.kill()
    where.cleanUp()
  },
  limitMs(240_000),
)
