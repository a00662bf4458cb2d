/** A tenant whose jobs a walk creates, changes, runs, kills and deletes, and what is remembered of each. */
import { join } from 'node:path'
import type { Chance } from './chance.ts'
import { purchase, type TestService } from './service.ts'
import { until } from './system.ts'
import type { WalkPlace } from './walk-place.ts'
import type { Choice, WalkSource } from './walk-sources.ts'

/** All that a job may say and a walk may change. */
export interface Settings {
  name: string
  choice: Choice
  /** Of zones the dataset, else the folder. */
  to: { dataset: string } | { folder: string }
  /** The declaration has one more column. */
  wide: boolean
  cron: string
  minutes: number
}

export interface Execution {
  id: string
  /** What its job read when it was asked for; of one whose job changed meanwhile a text of its own. */
  identity: string
  status: string
  code: string
  /** What its job said while it was open. */
  during: Settings[]
  /** Where its job wrote when it was asked for. */
  to: string
  /** Its job's destination changed while it was open. */
  moved: boolean
  /** Texts that were there before it was asked for: it, or one before it, has read them when it succeeds. */
  must: string[]
}

export interface Job {
  id: string
  settings: Settings
  state: 'active' | 'paused' | 'deleted'
  executions: Execution[]
}

export interface World {
  place: WalkPlace
  source: WalkSource
  chance: Chance
  tenant: Awaited<ReturnType<TestService['tenant']>>
  jobs: Job[]
  /** Ends of transactions that are open in the source. */
  late: ((how: 'COMMIT' | 'ROLLBACK') => Promise<void>)[]
  /** Datasets that have the one more column: a declaration without it is refused. */
  widened: Set<string>
  texts: number
  names: number
  history: string[]
}

export const upTo = (chance: Chance, most: number): number => Math.floor(chance() * most)
export const pick = <T>(chance: Chance, all: readonly T[]): T => all[upTo(chance, all.length)]

interface Opening {
  chance: Chance
  /** That no other walk has. */
  name: string
  open(tenantFolder: string): Promise<WalkSource>
}

export async function openWorld(place: WalkPlace, { chance, name, open }: Opening): Promise<World> {
  const tenant = await place.service.tenant(name)
  const source = await open(join(place.home, 'tenants', tenant.id))
  const empty = { jobs: [], late: [], widened: new Set<string>(), texts: 0, names: 0, history: [] }
  const world: World = { place, source, chance, tenant, ...empty }
  await ask(world, 'POST', 'purchases', purchase('vcpu_hours', 1_000))
  if (source.secret !== undefined) await ask(world, 'PUT', 'secrets/source', { value: source.secret })
  for (const table of source.places) await source.insert(table, newTexts(world))
  return world
}

export function tell(world: World, text: string): void {
  world.history.push(text)
  if (process.env.HEADRACE_TEST_TELL !== undefined)
    process.stderr.write(`${Math.round(performance.now() / 100) / 10} ${world.chance.seed} ${text}\n`)
}

export const newText = (world: World): string => `${world.tenant.id.slice(-6)}-${(world.texts += 1)}`
export const newTexts = (world: World): string[] =>
  Array.from({ length: 1 + upTo(world.chance, 8) }, () => newText(world))

/** A request of the tenant; throws what is not answered as it should be. */
export async function ask<T = Record<string, string>>(
  world: World,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const { status, body: answer } = await world.place.service.call<T & { code?: string }>(
    method,
    `/tenants/${world.tenant.id}/${path}`,
    { token: world.tenant.owner, body },
  )
  if (status >= 400) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`)
  return answer
}

const OTHER = '  - { name: other, type: integer }\n'

const declarationOf = (
  { source }: World,
  { choice, to, wide }: Settings,
): string => `dataset: ${'dataset' in to ? to.dataset : ''}
columns:
  - { name: id, type: long }
  - { name: text, required: true }
${wide ? OTHER : ''}${source.declared?.(choice) ?? ''}${source.record ?? ''}processed: { key: [text] }
`

export function bodyOf(world: World, settings: Settings): Record<string, unknown> {
  const { source } = world
  const { name, choice, to, cron, minutes } = settings
  const zones = 'dataset' in to
  return {
    job_name: name,
    source_type: source.type,
    source_config: {
      ...source.config(choice),
      ...(zones ? { declaration: declarationOf(world, settings) } : {}),
    },
    destination_config: zones ? { type: 'zones' } : { type: 'local', path: to.folder },
    schedule_cron: cron,
    resource_requirements: { cpu_cores: 1, memory_gb: 2, estimated_runtime_minutes: minutes },
  }
}

/** A job in production that runs when it is told. */
export async function create(world: World, settings: Settings): Promise<Job> {
  const { job_id: id } = await ask(world, 'POST', 'jobs', bodyOf(world, settings))
  await world.place.service.context.gate.service
    .updateTable('ingestion_jobs')
    .set({ status: 'active', namespace: 'vcpu-hours-ns' })
    .where('job_id', '=', id)
    .execute()
  const job: Job = { id, settings, state: 'active', executions: [] }
  world.jobs.push(job)
  return job
}

export const identityOf = ({ source }: World, { settings }: Job): string => source.identity(settings.choice)

/** Asks for an execution. */
export async function begin(world: World, job: Job): Promise<Execution> {
  const must = await world.source.texts(job.settings.choice)
  const { execution_id: id } = await ask(world, 'POST', `jobs/${job.id}/run`)
  const { to } = job.settings
  const where = 'dataset' in to ? to.dataset : to.folder
  const execution = {
    id,
    identity: identityOf(world, job),
    status: 'open',
    code: '',
    during: [job.settings],
    to: where,
    moved: false,
    must,
  }
  job.executions.push(execution)
  return execution
}

interface Row {
  status: string
  code: string
}

const OPEN = ['scheduled', 'booked', 'running']

export async function rowOf({ place }: World, { id }: Execution): Promise<Row> {
  const row = await place.service.context.gate.service
    .selectFrom('job_executions')
    .select(['status', 'reason', 'error_message'])
    .where('execution_id', '=', id)
    .executeTakeFirstOrThrow()
  const { code = '' } = (row.reason ?? {}) as { code?: string }
  return { status: row.status, code: row.status === 'failed' ? `${code}: ${row.error_message ?? ''}` : code }
}

/** Waits until it runs, or has ended. */
export async function running(world: World, execution: Execution): Promise<void> {
  const isOn = async (): Promise<boolean> => {
    await world.place.recovered()
    return !['scheduled', 'booked'].includes((await rowOf(world, execution)).status)
  }
  await until(`${execution.id} to run`, isOn, 120_000)
}

/** Why an execution may fail: its job was told by name what it is. */
function isRefusal({ widened }: World, { code, during }: Execution, isBeside: boolean): boolean {
  if (isBeside && code.startsWith('job_running')) return true
  const isNarrow = ({ to, wide }: Settings): boolean => 'dataset' in to && widened.has(to.dataset) && !wide
  return code.startsWith('schema_change_refused') && during.some(isNarrow)
}

/** Waits for the end; throws when it is not right. `isBeside`: another job may fill the dataset meanwhile. */
export async function finished(
  world: World,
  job: Job,
  execution: Execution,
  isBeside = false,
): Promise<Execution> {
  for (const { to, wide } of execution.during) if (wide && 'dataset' in to) world.widened.add(to.dataset)
  const { status, code } = await ended(world, execution)
  const isRight = status === 'succeeded' || (status === 'cancelled' && job.state === 'deleted')
  if (!isRight && !isRefusal(world, execution, isBeside))
    throw new Error(`${job.settings.name}: ${status} (${code})`)
  return execution
}

/** Waits for the end. What waits before it tries again waits less: a walk is short. */
async function ended(world: World, execution: Execution): Promise<Execution> {
  const db = world.place.service.context.gate.service
  return until(
    `the end of ${execution.id}`,
    async () => {
      const row = await rowOf(world, execution)
      if (!OPEN.includes(row.status)) return Object.assign(execution, row)
      await world.place.recovered()
      await db
        .updateTable('queued_executions')
        .set({ try_after: new Date(0) })
        .where('execution_id', '=', execution.id)
        .where('ready', '=', false)
        .execute()
      return undefined
    },
    120_000,
  )
}
