/**
 * One table, and others who write to it: our stream, batch, upkeep, replay and delete beside deltalake and
 * Spark, in histories made by chance. After each step a model of rows says what every reader finds, or we
 * refuse by name and nothing has changed.
 */
import { expect } from 'vitest'
import { HeadraceError } from '../../src/core/errors.ts'
import { createChance, type Chance } from './chance.ts'
import type { ForeignWriter, Found, Row } from './delta-foreign.ts'
import { FEATURES, mayReadDeleted, mayRefuse, type Done, type Feature } from './delta-refusals.ts'
import { UPKEEP, openSmallApp, type SmallApp } from './small-app.ts'

const declaration = (columns = ''): string => `dataset: shared
source: { files: { path: in, pattern: "*" } }
record: { format: ndjson }
message_id: { from: none }
columns:
  - { name: id, required: true }
  - { name: title }
  - { name: part, required: true }
  - { name: n, type: integer }
${columns}drift: evolve
processed:
  key: [id]
  partition_by: [{ column: part }]
`

export interface HistoryPlace {
  steps: number
  foreign: ForeignWriter[]
  /** Values of the table partition. */
  parts: readonly string[]
  /** Root of the tables, where it is not the home folder's. */
  tables?: string
}

/** What is not wrong with a record: its rows by key, and what waits in RAW. */
interface World extends Omit<HistoryPlace, 'steps' | 'tables'>, Done {
  small: SmallApp
  chance: Chance
  /** Rows of Processed. */
  rows: Row[]
  /** Accepted records of RAW that no batch has published yet, in order. */
  waiting: Row[]
}

const upTo = (chance: Chance, most: number): number => Math.floor(chance() * most)
const pick = <T>(chance: Chance, all: readonly T[]): T => all[upTo(chance, all.length)]
/** Partition values with what paths escape. */
export const PARTS: readonly string[] = ['a', 'b c', 'd/e=f', 'ü%41']
const rowsBy = ({ chance, parts }: Pick<World, 'chance' | 'parts'>, by: string): Row[] =>
  Array.from({ length: 1 + upTo(chance, 6) }, () => [
    `k${upTo(chance, 40)}`,
    `${by} ${upTo(chance, 1000)}`,
    pick(chance, parts),
    null,
  ])
const asRows = (all: Row[], more: string[] = []): object[] =>
  all.map(([id, title, part]) => ({
    id,
    title,
    part,
    ...Object.fromEntries(more.map((name) => [name, title])),
  }))

/** Steps of ours; what they do to the model is done when they have not thrown. */
const OURS: Record<string, (world: World) => Promise<void>> = {
  async stream({ small, chance, parts, waiting }) {
    const all = rowsBy({ chance, parts }, 'ours')
    small.write(
      all.map(([id, title, part]) => ({ id, title, part, n: 1, ...(chance() < 0.1 ? { extra: 'x' } : {}) })),
    )
    await small.stream()
    waiting.push(...all)
  },
  async batch(world) {
    await world.small.batch()
    for (const row of world.waiting) if (!world.rows.some(([id]) => id === row[0])) world.rows.push(row)
    world.waiting = []
  },
  compact: async ({ small: { app, path } }) => void (await app.compact(path, UPKEEP)),
  vacuum: async ({ small: { app, path } }) => void (await app.vacuum(path, UPKEEP)),
  async delete(world) {
    const { app, path } = world.small
    const id = `k${upTo(world.chance, 40)}`
    await app.deleteRows(path, { ...UPKEEP, keys: [{ id }], reason: 'asked' })
    for (const zone of ['rows', 'waiting'] as const) world[zone] = world[zone].filter((row) => row[0] !== id)
  },
}

/** Steps of others: a command, and what it does to the rows when it has not failed. */
interface ForeignStep {
  op: string
  args?: object
  rows?: (rows: Row[]) => Row[]
  /** What becomes of `appendOnly`. */
  appendOnly?: boolean
  feature?: Feature
}

const FOREIGN: Record<string, (world: World) => ForeignStep> = {
  append(world) {
    const all = rowsBy(world, 'theirs')
    const more = world.chance() < 0.3 ? ['by_other'] : []
    const added = all.map(([id, title, part]): Row => [id, title, part, more.length === 0 ? null : title])
    return { op: 'append', args: { rows: asRows(all, more), more }, rows: (rows) => [...rows, ...added] }
  },
  delete({ chance, rows }) {
    const id = pick(chance, [...rows.map(([rowId]) => rowId), 'none'])
    return {
      op: 'delete',
      args: { predicate: `id = '${id}'` },
      rows: (all) => all.filter((row) => row[0] !== id),
    }
  },
  update({ chance, parts }) {
    const [part, title] = [pick(chance, parts), `changed ${upTo(chance, 100)}`]
    return {
      op: 'update',
      args: { predicate: `part = '${part}'`, title: `'${title}'` },
      rows: (rows) => rows.map(([id, old, at, other]) => [id, at === part ? title : old, at, other]),
    }
  },
  merge(world) {
    const [id, title] = [`k${upTo(world.chance, 40)}`, `merged ${upTo(world.chance, 100)}`]
    const row: Row = [id, title, pick(world.chance, world.parts), null]
    return {
      op: 'merge',
      args: { rows: asRows([row]) },
      rows: (rows) =>
        rows.some((existing) => existing[0] === id)
          ? rows.map(([at, old, ...rest]) => [at, at === id ? title : old, ...rest])
          : [...rows, row],
    }
  },
  properties({ chance }) {
    const [properties, appendOnly] = pick(chance, [
      [{ 'delta.appendOnly': 'true' }, true],
      [{ 'delta.appendOnly': 'false' }, false],
      [{ 'delta.checkpointInterval': '3' }, undefined],
      [{ 'delta.enableExpiredLogCleanup': 'false' }, undefined],
      [{ 'delta.deletedFileRetentionDuration': 'interval 0 seconds' }, undefined],
      [{ 'delta.logRetentionDuration': 'interval 1 week 2 days' }, undefined],
    ] as const)
    return { op: 'properties', args: { properties }, appendOnly }
  },
  compact: () => ({ op: 'compact' }),
  zorder: () => ({ op: 'zorder' }),
  vacuum: () => ({ op: 'vacuum' }),
  checkpoint: () => ({ op: 'checkpoint' }),
  cleanup: () => ({ op: 'cleanup' }),
}
const OFTEN = ['stream', 'batch', 'append', 'delete', 'update', 'merge']

/** Codes by which we may refuse a step, without having changed anything. */
const REFUSALS = /^(table_|append_only|unsupported|commit_)/

async function ourStep(world: World, name: string): Promise<string> {
  try {
    await OURS[name](world)
    return 'done'
  } catch (error) {
    if (error instanceof HeadraceError && REFUSALS.test(error.code)) return error.code
    throw error
  }
}

async function foreignStep(
  world: World,
  { op, args, rows, appendOnly, feature }: ForeignStep,
): Promise<string> {
  const writer = pick(world.chance, world.foreign)
  const { ok, error } = await writer.do(op, world.small.processed, args)
  if (ok === undefined) return `failed: ${error}`.slice(0, 200)
  if (rows !== undefined) world.rows = rows(world.rows)
  if (appendOnly !== undefined) world.appendOnly = appendOnly
  if (feature !== undefined) world.feature = feature
  return `done by ${writer.name}`
}

const sorted = (rows: Row[]): string[] => rows.map((row) => JSON.stringify(row)).toSorted()

/** What our reader finds, or the code by which it refuses. */
async function ourRows({ small: { app } }: World): Promise<string[] | string> {
  try {
    const found = await app.query('shared/processed', 'SELECT * FROM t', undefined)
    return sorted(
      found.map(({ id, title, part, by_other: other }) => [id, title, part, other ?? null] as Row),
    )
  } catch (error) {
    if (error instanceof HeadraceError && REFUSALS.test(error.code)) return error.code
    throw error
  }
}

async function checkReaders(world: World, history: string): Promise<string> {
  for (const foreign of world.foreign) {
    const { ok, error } = await foreign.do('rows', world.small.processed)
    for (const [reader, found] of Object.entries(ok ?? { [foreign.name]: error }) as [string, Found][]) {
      if (typeof found === 'string') {
        expect(mayRefuse(reader, found, world), `${reader} after ${history}: ${found}`).toBe(true)
        continue
      }
      const sure = (rows: Row[]): Row[] => rows.filter(([, , part]) => !mayReadDeleted(reader, part, world))
      expect(sorted(sure(found)), `${reader} after ${history}`).toEqual(sorted(sure(world.rows)))
    }
  }
  const ours = await ourRows(world)
  if (typeof ours !== 'string') expect(ours, `ours after ${history}`).toEqual(sorted(world.rows))
  return typeof ours === 'string' ? ours : ''
}

async function openWorld(chance: Chance, { foreign, parts, tables }: HistoryPlace): Promise<World> {
  const small = openSmallApp(declaration(), tables)
  const world: World = { small, chance, foreign, parts, rows: [], waiting: [], appendOnly: false }
  await OURS.stream(world)
  await OURS.batch(world)
  return world
}

function nextStep({ chance }: World): string {
  return chance() < 0.65 ? pick(chance, OFTEN) : pick(chance, [...Object.keys(OURS), ...Object.keys(FOREIGN)])
}

/**
 * One history. Its steps come from the seed; `HEADRACE_TEST_TELL` prints them as they go.
 */
export async function runHistory(seed: number, place: HistoryPlace): Promise<void> {
  const world = await openWorld(createChance(seed), place)
  const history: string[] = []
  const tell = (text: string): void => {
    history.push(text)
    if (process.env.HEADRACE_TEST_TELL !== undefined) process.stderr.write(`${seed} ${text}\n`)
  }
  for (let step = 0; step < place.steps; step += 1) {
    const name = nextStep(world)
    const isOurs = name in OURS && (!(name in FOREIGN) || world.chance() < 0.5)
    const outcome = isOurs ? await ourStep(world, name) : await foreignStep(world, FOREIGN[name](world))
    tell(`${isOurs ? 'our' : 'their'} ${name}: ${outcome}`)
    // Only a delete may be refused, and where rows may only be added it must be.
    const isForbidden = isOurs && name === 'delete' && world.appendOnly
    if (isOurs) expect(outcome, history.join('; ')).toBe(isForbidden ? 'append_only' : 'done')
    expect(await checkReaders(world, history.join('; ')), history.join('; ')).toBe('')
  }
  // Comes last: afterwards we may refuse for good.
  const feature = pick(world.chance, FEATURES)
  tell(`their feature ${feature}: ${await foreignStep(world, { op: 'feature', args: { feature }, feature })}`)
  const last = [
    ...['append', 'delete'].map((name) => ({
      what: `their ${name}`,
      act: () => foreignStep(world, FOREIGN[name](world)),
    })),
    ...['stream', 'batch', 'compact'].map((name) => ({
      what: `our ${name}`,
      act: () => ourStep(world, name),
    })),
  ]
  for (const { what, act } of last) {
    tell(`${what}: ${await act()}`)
    tell(`reading: ${(await checkReaders(world, history.join('; '))) || 'right'}`)
  }
  world.small.cleanUp()
}
