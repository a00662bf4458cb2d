/** The steps of a walk. Each says what it did; what it may not do, the service refuses. */
import { childrenOf, sleep } from './system.ts'
import {
  ask,
  begin,
  bodyOf,
  create,
  finished,
  newText,
  newTexts,
  pick,
  running,
  upTo,
  type Execution,
  type Job,
  type Settings,
  type World,
} from './walk-world.ts'

/** What was done, or nothing. */
type Step = (world: World) => Promise<string | undefined>

export const living = ({ jobs }: World): Job[] => jobs.filter((job) => job.state !== 'deleted')
const active = ({ jobs }: World): Job[] => jobs.filter((job) => job.state === 'active')

const choiceOf = ({ source, chance }: World): Settings['choice'] => ({
  place: pick(chance, source.places),
  cursor: pick(chance, source.cursors),
  narrow: chance() < 0.3,
})
/** Each costs a run at the end of the walk. */
const MOST_JOBS = process.env.HEADRACE_TEST_LONG_SUITE === undefined ? 2 : 4

const DATASETS = ['one', 'two']
const toOf = ({ chance }: World): Settings['to'] =>
  chance() < 0.5 ? { dataset: pick(chance, DATASETS) } : { folder: `out/${pick(chance, ['x', 'y'])}` }

export function newSettings(world: World): Settings {
  world.names += 1
  const { chance } = world
  const to = toOf(world)
  const wide = chance() < 0.15 || ('dataset' in to && world.widened.has(to.dataset))
  return { name: `job ${world.names}`, choice: choiceOf(world), to, wide, cron: '0 0 1 1 *', minutes: 5 }
}

/** One field of a job, whichever it is. */
function change(world: World, old: Settings): Settings {
  const { chance, source } = world
  const other = <T>(all: readonly T[], now: T): T =>
    pick(
      chance,
      all.filter((candidate) => candidate !== now).length === 0
        ? all
        : all.filter((candidate) => candidate !== now),
    )
  const changes: (() => Partial<Settings>)[] = [
    () => ({ choice: { ...old.choice, place: other(source.places, old.choice.place) } }),
    () => ({ choice: { ...old.choice, place: other(source.places, old.choice.place) } }),
    () => ({ choice: { ...old.choice, cursor: other(source.cursors, old.choice.cursor) } }),
    () => ({ choice: { ...old.choice, narrow: !old.choice.narrow } }),
    () => ({ to: toOf(world) }),
    () => ({ to: 'dataset' in old.to ? { folder: 'out/x' } : { dataset: pick(chance, DATASETS) } }),
    () => ({ wide: !old.wide }),
    () => ({ name: `job ${(world.names += 1)}` }),
    () => ({ cron: pick(chance, ['0 0 1 1 *', '0 0 2 1 *']), minutes: 5 + upTo(chance, 3) }),
  ]
  return { ...old, ...pick(chance, changes)() }
}

const shown = ({ choice, to, wide, name }: Settings): string =>
  [
    `${name}: ${choice.place} by ${choice.cursor}`,
    choice.narrow ? 'narrow' : '',
    '->',
    JSON.stringify(to),
    wide ? 'wide' : '',
  ]
    .filter((word) => word !== '')
    .join(' ')

async function changed(world: World, job: Job, next = change(world, job.settings)): Promise<string> {
  const before = job.settings
  await ask(world, 'PATCH', `jobs/${job.id}`, bodyOf(world, next))
  job.settings = next
  for (const openExecution of job.executions.filter((execution) => execution.status === 'open')) {
    if (world.source.identity(before.choice) !== world.source.identity(next.choice))
      openExecution.identity = `${openExecution.id}, of which nobody knows what it read`
    openExecution.must = []
    openExecution.during.push(next)
    openExecution.moved ||= JSON.stringify(before.to) !== JSON.stringify(next.to)
  }
  return shown(next)
}

/** Kills the process of an execution at some moment, or the runner at one of its points. */
async function killOne(world: World, execution: Execution): Promise<string> {
  const { chance, place } = world
  if (chance() < 0.4) {
    const point = pick(chance, ['run.ended', 'run.ended', 'run.settled', 'run.settling'])
    await place.recovered()
    place.dieAt(point)
    return `runner at ${point}`
  }
  await running(world, execution)
  const waitMs = upTo(chance, 1_500)
  await sleep(waitMs)
  const pids = childrenOf(place.runnerPid())
  if (chance() < 0.2) place.die()
  else for (const pid of pids) quietly(() => process.kill(pid, 'SIGKILL'))
  return `after ${waitMs} ms`
}

function quietly(end: () => void): void {
  try {
    end()
  } catch {
    // It has ended.
  }
}

const outcome = ({ status, code }: Execution): string =>
  status === 'succeeded' ? status : `${status} (${code})`

const withJob =
  (jobs: (world: World) => Job[], step: (world: World, job: Job) => Promise<string | undefined>): Step =>
  async (world) => {
    const all = jobs(world)
    return all.length === 0 ? undefined : step(world, pick(world.chance, all))
  }

/** Asks for an execution, mostly with something new to read. */
async function begun(world: World, job: Job): Promise<Execution> {
  const { source, chance } = world
  if (chance() < 0.7) await source.insert(job.settings.choice.place, newTexts(world))
  return begin(world, job)
}

/** Steps that come more often than others. */
export const OFTEN = ['run', 'back', 'back', 'killAndChange']

export const STEPS: Record<string, Step> = {
  async insert(world) {
    const place = pick(world.chance, world.source.places)
    const texts = newTexts(world)
    await world.source.insert(place, texts)
    return `${texts.length} into ${place}`
  },
  async update(world) {
    const place = pick(world.chance, world.source.places)
    if (world.source.declared !== undefined) return undefined
    await world.source.update(place, () => newText(world), world.chance)
    return place
  },
  async late(world) {
    if (world.source.late === undefined || world.late.length >= 3) return undefined
    const place = pick(world.chance, world.source.places)
    world.late.push(await world.source.late(place, newTexts(world)))
    return `open in ${place}`
  },
  async commit(world) {
    const [end] = world.late.splice(upTo(world.chance, world.late.length), 1)
    const how = world.chance() < 0.8 ? 'COMMIT' : 'ROLLBACK'
    await end?.(how)
    return end === undefined ? undefined : how
  },
  async create(world) {
    if (living(world).length >= MOST_JOBS) return undefined
    return shown((await create(world, newSettings(world))).settings)
  },
  /** Into what another fills. */
  second: withJob(living, async (world, first) => {
    if (living(world).length >= MOST_JOBS) return undefined
    return shown(
      (await create(world, { ...newSettings(world), to: first.settings.to, wide: first.settings.wide }))
        .settings,
    )
  }),
  change: withJob(living, changed),
  pause: withJob(active, async (world, job) => {
    await ask(world, 'POST', `jobs/${job.id}/pause`)
    job.state = 'paused'
    const refused = await ask(world, 'POST', `jobs/${job.id}/run`).then(
      () => 'ran',
      (error: Error) => error.message,
    )
    if (!refused.includes('job_state')) throw new Error(`a paused job: ${refused}`)
    return job.settings.name
  }),
  resume: withJob(
    ({ jobs }) => jobs.filter((job) => job.state === 'paused'),
    async (world, job) => {
      await ask(world, 'POST', `jobs/${job.id}/resume`)
      job.state = 'active'
      return job.settings.name
    },
  ),
  run: withJob(active, async (world, job) => {
    const execution = await begun(world, job)
    return `${job.settings.name} ${outcome(await finished(world, job, execution))}`
  }),
  kill: withJob(active, async (world, job) => {
    const execution = await begun(world, job)
    const how = await killOne(world, execution)
    return `${job.settings.name} ${how}: ${outcome(await finished(world, job, execution))}`
  }),
  /** Another for one run, and what it was. */
  back: withJob(active, async (world, job) => {
    const before = job.settings
    const there = await changed(world, job)
    const outcomeThere = outcome(await finished(world, job, await begun(world, job)))
    await changed(world, job, before)
    return `${there}: ${outcomeThere}; back: ${outcome(await finished(world, job, await begun(world, job)))}`
  }),
  /** Its process dies, and the job is another when it is tried again. */
  killAndChange: withJob(active, async (world, job) => {
    const execution = await begun(world, job)
    const how = await killOne(world, execution)
    const to = await changed(world, job)
    return `${how}, then ${to}: ${outcome(await finished(world, job, execution))}`
  }),
  changeWhile: withJob(active, async (world, job) => {
    const execution = await begun(world, job)
    await running(world, execution)
    await sleep(upTo(world.chance, 1_500))
    const to = await changed(world, job)
    return `${to}: ${outcome(await finished(world, job, execution))}`
  }),
  delete: withJob(living, async (world, job) => {
    const execution = job.state === 'active' && world.chance() < 0.5 ? await begun(world, job) : undefined
    if (execution !== undefined) await sleep(upTo(world.chance, 2_500))
    await ask(world, 'DELETE', `jobs/${job.id}`)
    job.state = 'deleted'
    if (execution !== undefined) await finished(world, job, execution)
    const again = world.chance() < 0.7
    if (again)
      await create(world, {
        ...job.settings,
        name: world.chance() < 0.5 ? job.settings.name : `job ${(world.names += 1)}`,
      })
    const how = execution === undefined ? 'idle' : outcome(execution)
    return `${job.settings.name} ${how}${again ? ' and made again' : ''}`
  }),
  together: withJob(active, async (world, job) => {
    const jobs = [job, ...active(world).filter((other) => other !== job)].slice(0, 2)
    if (jobs.length < 2) return undefined
    const open: Execution[] = []
    for (const chosen of jobs) open.push(await begun(world, chosen))
    const ends: string[] = []
    for (const [i, execution] of open.entries())
      ends.push(outcome(await finished(world, jobs[i], execution, true)))
    return `${jobs.map((chosen) => chosen.settings.name).join(', ')}: ${ends.join(', ')}`
  }),
}
