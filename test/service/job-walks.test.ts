/**
 * Jobs, random walk: jobs are created, changed in any field, paused, run, killed, deleted and made again, two
 * on one dataset, while rows come, change and commit late. At the end nothing is lost and nothing doubled.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createChance } from '../support/chance.ts'
import { startForeignWriter, type ForeignWriter } from '../support/delta-foreign.ts'
import { postgres, run } from '../support/service.ts'
import { limitMs } from '../support/system.ts'
import { judge } from '../support/walk-oracle.ts'
import { openWalkPlace, type WalkPlace } from '../support/walk-place.ts'
import { living, STEPS } from '../support/walk-steps.ts'
import { postgresSource } from '../support/walk-tables.ts'
import { ask, begin, bodyOf, finished, openWorld, pick, tell, upTo, type World } from '../support/walk-world.ts'

const WALKS = Number(process.env.HEADRACE_JOB_WALKS ?? 20)
const SEED = Number(process.env.HEADRACE_SEED ?? Date.now() % 1_000_000)

/** Walks beside each other, each on a service that it alone breaks. */
const LANES = 4
const places: WalkPlace[] = []
const free: WalkPlace[] = []
const waiting: ((place: WalkPlace) => void)[] = []
let reader: ForeignWriter
let url: string

beforeAll(async () => {
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1,localhost'
  reader = startForeignWriter()
  const server = await postgres()
  places.push(...(await Promise.all(Array.from({ length: Math.min(LANES, WALKS) }, openWalkPlace))))
  free.push(...places)
  url = server.url.replace(/\/[^/]*$/, `/walks_${process.pid}`)
  await run(server.url, `CREATE DATABASE walks_${process.pid}`)
})
afterAll(async () => {
  reader.stop()
  await Promise.all(places.map((place) => place.close()))
})

const taken = (): Promise<WalkPlace> | WalkPlace => free.pop() ?? new Promise((done) => waiting.push(done))
function left(place: WalkPlace): void {
  const next = waiting.shift()
  if (next === undefined) free.push(place)
  else next(place)
}

/** Neighbouring seeds begin with nearly the same numbers. */
const chanceOf = (seed: number): ReturnType<typeof createChance> => Object.assign(createChance(Math.imul(seed, 2_654_435_761) >>> 0), { seed })

const ALWAYS = ['insert', 'create', 'insert', 'run']

/** Steps that find nothing to do are none. */
async function walk(world: World, steps: number): Promise<void> {
  const names = Object.keys(STEPS)
  for (let done = 0; done < steps; ) {
    const name = ALWAYS[done] ?? pick(world.chance, [...names, 'run'])
    const said = await STEPS[name](world)
    if (said === undefined) continue
    tell(world, `${name}: ${said}`)
    done += 1
  }
}

/** All commits, all jobs run to the end; one whose declaration is refused says what was refused. */
async function settle(world: World): Promise<void> {
  for (const end of world.late.splice(0)) await end('COMMIT')
  for (const job of living(world)) {
    if (job.state === 'paused') await ask(world, 'POST', `jobs/${job.id}/resume`)
    job.state = 'active'
    for (let tries = 0; tries < 2; tries += 1) {
      const { status, code } = await finished(world, job, await begin(world, job))
      tell(world, `last run of ${job.settings.name}: ${status} ${code}`)
      if (status === 'succeeded') break
      job.settings.wide = true
      await ask(world, 'PATCH', `jobs/${job.id}`, bodyOf(world, job.settings))
    }
  }
}

test.concurrent.each(Array.from({ length: WALKS }, (_, i) => SEED + i))(
  'walk %s: 0 lost, 0 doubled',
  async (seed) => {
    const chance = chanceOf(seed)
    const place = await taken()
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
      left(place)
    }
  },
  limitMs(240_000),
)
