/**
 * Jobs, random walk: jobs are created, changed in any field, paused, run, killed, deleted and made again, two
 * on one dataset, while rows come, change and commit late. At the end nothing is lost and nothing doubled.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RUN_SEED, createChance } from '../support/chance.ts'
import { startForeignWriter, type ForeignWriter } from '../support/delta-foreign.ts'
import { limitMs } from '../support/time-limits.ts'
import { KINDS, startKinds, type Kind, type OpenSource } from '../support/walk-kinds.ts'
import { judge } from '../support/walk-oracle.ts'
import { openWalkPlace, type WalkPlace } from '../support/walk-place.ts'
import { living, OFTEN, STEPS } from '../support/walk-steps.ts'
import type { WalkSource } from '../support/walk-sources.ts'
import {
  ask,
  begin,
  bodyOf,
  finished,
  openWorld,
  pick,
  tell,
  upTo,
  type World,
} from '../support/walk-world.ts'

const WALKS = Number(process.env.HEADRACE_TEST_JOB_WALKS ?? 20)
const isLong = process.env.HEADRACE_TEST_LONG_SUITE !== undefined

/** A seed says which kind of source its jobs read. */
const walks = Array.from({ length: WALKS }, (_, i): [Kind, number] => [
  KINDS[(RUN_SEED + i) % KINDS.length],
  RUN_SEED + i,
])

/** Walks beside each other, each on a service that it alone breaks. */
const LANES = 4
const places: WalkPlace[] = []
const free: WalkPlace[] = []
const waiting: ((place: WalkPlace) => void)[] = []
let reader: ForeignWriter
let openSource: OpenSource

beforeAll(async () => {
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1,localhost'
  reader = startForeignWriter()
  places.push(...(await Promise.all(Array.from({ length: Math.min(LANES, WALKS) }, openWalkPlace))))
  free.push(...places)
  openSource = await startKinds(walks.map(([kind]) => kind))
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
const chanceOf = (seed: number): ReturnType<typeof createChance> =>
  Object.assign(createChance(Math.imul(seed, 2_654_435_761) >>> 0), { seed })

const ALWAYS = ['create', 'run']

/** Steps that find nothing to do are none. */
async function walk(world: World, steps: number): Promise<void> {
  const names = Object.keys(STEPS)
  for (let done = 0; done < steps;) {
    const name = ALWAYS[done] ?? pick(world.chance, [...names, ...OFTEN])
    const outcome = await STEPS[name](world)
    if (outcome === undefined) continue
    tell(world, `${name}: ${outcome}`)
    done += 1
  }
}

/** All commits, all declarations fit their datasets, all jobs run to the end. */
async function settle(world: World): Promise<void> {
  for (const end of world.late.splice(0)) await end('COMMIT')
  for (const job of living(world)) {
    const { settings } = job
    settings.wide ||= 'dataset' in settings.to && world.widened.has(settings.to.dataset)
    await ask(world, 'PATCH', `jobs/${job.id}`, bodyOf(world, settings))
    if (job.state === 'paused') await ask(world, 'POST', `jobs/${job.id}/resume`)
    job.state = 'active'
    const { status } = await finished(world, job, await begin(world, job))
    tell(world, `last run of ${settings.name}: ${status}`)
  }
}

test.concurrent.each(walks)(
  'walk on %s, seed %s: 0 lost, 0 doubled',
  async (kind, seed) => {
    const chance = chanceOf(seed)
    const place = await taken()
    const open = (folder: string): Promise<WalkSource> => openSource(kind, `walk${seed}`, folder)
    const world = await openWorld(place, { chance, name: `walk ${seed}`, open })
    try {
      await walk(world, isLong ? 15 + upTo(chance, 16) : 6 + upTo(chance, 3))
      await settle(world)
      expect(await judge(world, reader)).toEqual([])
    } catch (error) {
      const again = `HEADRACE_TEST_SEED=${seed} HEADRACE_TEST_JOB_WALKS=1`
      throw new Error(`${again}\n${world.history.join('\n')}\n${(error as Error).message}`, { cause: error })
    } finally {
      await world.source.close()
      left(place)
    }
  },
  limitMs(300_000),
)
