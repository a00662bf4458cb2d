/** What a walk left in tables and files, read by others than us, against what its sources had. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ForeignWriter } from './delta-foreign.ts'
import type { Execution, Job, World } from './walk-world.ts'

/** A text in one place, by the execution that brought it. */
interface Arrival {
  execution: string
  to: string
  text: string
}

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/

async function arrivals(world: World, reader: ForeignWriter): Promise<{ raw: Arrival[]; wrong: string[] }> {
  const folder = join(world.place.home, 'tenants', world.tenant.id)
  const [raw, wrong]: [Arrival[], string[]] = [[], []]
  const isShared = world.source.declared !== undefined
  const read = async (op: string, path: string, args: object = {}): Promise<string[][]> => {
    const { ok, error } = await reader.do(op, path, args)
    if (ok === undefined) throw new Error(`${path}: ${error}`)
    return ok.rows as string[][]
  }
  for (const dataset of namesIn(join(folder, 'tables'))) {
    const path = join(folder, 'tables', dataset)
    const rows = await read('texts', join(path, 'raw'), { columns: ['message_key', 'text', 'outcome'] })
    for (const [key, text, outcome] of rows) {
      if (outcome !== 'accepted') wrong.push(`${outcome} in ${dataset}: ${text}`)
      // What was read as it lay was brought by the dataset's jobs, whichever.
      raw.push({ execution: isShared ? dataset : (ID.exec(key)?.[0] ?? key), to: dataset, text })
    }
    const texts = rows.map(([, text]) => text)
    if (isShared && texts.length !== new Set(texts).size) wrong.push(`doubled in RAW of ${dataset}`)
    if (!existsSync(join(path, 'processed'))) continue
    const published = await read('texts', join(path, 'processed'), { columns: ['text'] })
    wrong.push(...wrongInProcessed(world, dataset, { texts, published: published.flat() }))
  }
  for (const name of namesIn(join(folder, 'out'))) {
    const path = join(folder, 'out', name)
    for (const file of readdirSync(path).filter((entry) => entry.endsWith('.parquet'))) {
      const execution = file.replace('.parquet', '')
      for (const [text] of await read('texts', join(path, file), { columns: ['text'] }))
        raw.push({ execution, to: `out/${name}`, text })
    }
  }
  return { raw, wrong }
}

/**
 * Texts of RAW that are not published once. One that a cancelled run brought waits for the dataset's next run,
 * which never comes when its job was deleted.
 */
function wrongInProcessed(
  world: World,
  dataset: string,
  { texts, published }: { texts: string[]; published: string[] },
): string[] {
  const wrong: string[] = []
  const expected = new Set(texts)
  if (published.length !== new Set(published).size) wrong.push(`doubled in Processed of ${dataset}`)
  for (const text of published)
    if (!expected.delete(text)) wrong.push(`foreign in Processed of ${dataset}: ${text}`)
  if (lastRunOf(world, dataset)?.status === 'succeeded')
    for (const text of expected) wrong.push(`lost in Processed of ${dataset}: ${text}`)
  return wrong
}

/** Ids of executions are in the order of time. */
const lastRunOf = ({ jobs }: World, dataset: string): Execution | undefined =>
  jobs
    .flatMap(({ executions }) => executions.filter(({ to }) => to === dataset))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .at(-1)

const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : [])

/** Texts that came twice while their job read on. */
function doubled(job: Job, found: Map<string, Arrival[]>): string[] {
  const wrong: string[] = []
  const last = new Map<string, { at: number; execution: Execution; to: string }>()
  // Changes of what is read, up to each execution: a text may come again on the other side of one.
  let changes = 0
  for (const [i, execution] of job.executions.entries()) {
    if (i > 0 && job.executions[i - 1].identity !== execution.identity) changes += 1
    for (const { text, to } of found.get(execution.id) ?? []) {
      const before = last.get(text)
      // Of an execution that was tried again, with another destination: what it wrote first stays there.
      const isMoved = before?.execution === execution && execution.moved && before.to !== to
      if (before !== undefined && before.at === changes && !isMoved)
        wrong.push(
          `doubled: ${text} in ${to} by ${execution.id}, before in ${before.to} by ${before.execution.id}`,
        )
      last.set(text, { at: changes, execution, to })
    }
  }
  return wrong
}

/** Texts that a read which succeeded left out, and that nobody had brought before who reads the same. */
function lost({ source }: World, job: Job, found: Map<string, Arrival[]>): string[] {
  const [wrong, had]: [string[], Set<string>] = [[], new Set()]
  for (const execution of job.executions) {
    for (const { text } of found.get(execution.id) ?? []) had.add(text)
    if (execution.status !== 'succeeded') continue
    const shared = source.declared === undefined ? [] : (found.get(execution.to) ?? [])
    const all = new Set([...had, ...shared.map(({ text }) => text)])
    for (const text of execution.must)
      if (!all.has(text)) wrong.push(`lost: ${text} by ${execution.id} of ${job.settings.name}`)
  }
  return wrong
}

/** What is wrong with what the jobs of a walk brought: nothing, when it is right. */
export async function judge(world: World, reader: ForeignWriter): Promise<string[]> {
  const { raw, wrong } = await arrivals(world, reader)
  const found = Map.groupBy(raw, (arrival) => arrival.execution)
  const known = new Set(
    world.jobs.flatMap((job) => job.executions.flatMap((execution) => [execution.id, execution.to])),
  )
  for (const { execution, text } of raw)
    if (!known.has(execution)) wrong.push(`by nobody: ${text} by ${execution}`)
  return [...wrong, ...world.jobs.flatMap((job) => [...lost(world, job, found), ...doubled(job, found)])]
}
