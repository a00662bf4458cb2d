/**
 * Jobs, random walk: jobs are created, changed in any field, paused, run, killed, deleted and made again, two
 * on one dataset, while rows come, change and commit late. At the end nothing is lost and nothing doubled.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createChance } from '../support/chance.ts'
import { startForeignWriter, type ForeignWriter } from '../support/delta-foreign.ts'
import { openFolder, postgres, run } from '../support/service.ts'
import { limitMs } from '../support/system.ts'
import { judge } from '../support/walk-oracle.ts'
import { openWalkPlace, type WalkPlace } from '../support/walk-place.ts'
import { living, STEPS } from '../support/walk-steps.ts'
import { postgresSource } from '../support/walk-tables.ts'
import { ask, begin, ended, openWorld, pick, tell, upTo, type World } from '../support/walk-world.ts'

const WALKS = Number(process.env.HEADRACE_JOB_WALKS ?? 20)
const SEED = Number(process.env.HEADRACE_SEED ?? Date.now() % 1_000_000)

let place: WalkPlace
let reader: ForeignWriter
let url: string

beforeAll(async () => {
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1,localhost'
  reader = startForeignWriter()
  place = await openWalkPlace()
  const server = await postgres()
  url = server.url.replace(/\/[^/]*$/, `/walks_${process.pid}`)
  await run(server.url, `CREATE DATABASE walks_${process.pid}`)
})
afterAll(async () => {
  reader.stop()
  await place.close()
})

/** Neighbouring seeds begin with nearly the same numbers. */
const chanceOf = (seed: number): ReturnType<typeof createChance> => Object.assign(createChance(Math.imul(seed, 2_654_435_761) >>> 0), { seed })

const ALWAYS = ['insert', 'create', 'insert', 'run']

async function walk(world: World, steps: number): Promise<void> {
  const names = Object.keys(STEPS)
  for (let i = 0; i < steps; i += 1) {
    const name = ALWAYS[i] ?? pick(world.chance, [...names, 'run', 'insert'])
    tell(world, `${name}: ${await STEPS[name](world)}`)
  }
}

/** All commits, all jobs run to the end. */
async function settle(world: World): Promise<void> {
  for (const end of world.late.splice(0)) await end('COMMIT')
  for (const job of living(world)) {
    if (job.state === 'paused') await ask(world, 'POST', `jobs/${job.id}/resume`)
    job.state = 'active'
    const { status, code } = await ended(world, await begin(world, job))
    tell(world, `last run of ${job.settings.name}: ${status} ${code}`)
    expect(status, code).toBe('succeeded')
  }
}

test.each(Array.from({ length: WALKS }, (_, i) => SEED + i))(
  'walk %s: 0 lost, 0 doubled',
  async (seed) => {
    const chance = chanceOf(seed)
    const source = await postgresSource(url, `walk_${seed}`)
    const { username, password } = new URL(url)
    const world = await openWorld(place, source, { chance, name: `walk ${seed}`, secret: { username, password } })
    try {
      await walk(world, 12 + upTo(chance, 5))
      await settle(world)
      expect(await judge(world, reader)).toEqual([])
    } catch (error) {
      const again = `HEADRACE_SEED=${seed} HEADRACE_JOB_WALKS=1`
      throw new Error(`${again}\n${world.told.join('\n')}\n${(error as Error).message}`, { cause: error })
    } finally {
      await source.close()
    }
  },
  limitMs(240_000),
)
