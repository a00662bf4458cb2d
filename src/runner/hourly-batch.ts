/**
 * The batch: takes RAW versions that are not consumed yet, deduplicates them among themselves and against all
 * published rows, writes them partitioned, and commits them with the mark of what it consumed. One batch is
 * one commit; without new rows there is no commit.
 */
import { HeadraceError } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import { consumerMark, deletionMark, heldMark } from '../core/marks.ts'
import type { PublishTarget } from '../core/batch-engine.ts'
import type { BatchResult } from '../core/results.ts'
import { rowsIn, type DataFile } from '../core/table-schema.ts'
import { createKeyCollector, missingKeys, release } from '../planning/sorted-keys.ts'
import { CONSUMER, makePlan, type Plan } from './batch-plan.ts'
import type { BatchOptions } from './batch-options.ts'

const ATTEMPTS = 20

/** Runs batches until RAW is consumed: several, if more is waiting than fits one batch. */
export async function runHourlyBatch(options: BatchOptions): Promise<BatchResult[]> {
  const results: BatchResult[] = []
  for (let attempt = 1; ; attempt += 1) {
    const before = options.table.snapshot.marks.get(consumerMark(CONSUMER))
    const result = await runOnce(options)
    // The mark did not move: not another batch, but upkeep interfered (deleted rows, merged files). Another
    // attempt sees it.
    if (
      result.state === 'taken' &&
      options.table.snapshot.marks.get(consumerMark(CONSUMER)) === before &&
      attempt < ATTEMPTS
    )
      continue
    results.push(result)
    if (result.state !== 'published' || result.toVersion >= options.rawVersion) return results
  }
}

async function runOnce(options: BatchOptions): Promise<BatchResult> {
  const started = options.nowMs()
  const plan = await makePlan(options)
  const result = emptyResult(options, plan)
  if (plan === undefined) return result
  failpoint('batch.planned')
  if (options.dryRun) return { ...result, state: 'planned', rowsRead: plan.rows }
  const work =
    options.dataset.processed.keep === 'latest'
      ? await keepLatest(options, plan)
      : await keepFirst(options, plan)
  failpoint('batch.files_written')
  Object.assign(result, work.facts, fileFacts(work.adds), {
    held: Object.fromEntries([...plan.held].map(([name, hold]) => [name, hold.reason])),
  })
  const version = await commit(options, plan, work, result)
  if (version === undefined) {
    await options.discard(work.adds.map((file) => file.path))
    await work.settled(undefined)
    return { ...result, state: 'taken', published: 0 }
  }
  await work.settled(version)
  return { ...result, state: 'published', version, seconds: (options.nowMs() - started) / 1000 }
}

/** Durable files that wait for their commit. */
interface Work {
  adds: DataFile[]
  removes: string[]
  facts: Pick<
    BatchResult,
    'rowsRead' | 'duplicatesInDelta' | 'duplicatesPublished' | 'published' | 'replaced' | 'partitions'
  >
  settled(version: number | undefined): Promise<void>
}

function emptyResult(options: BatchOptions, plan: Plan | undefined): BatchResult {
  const from = options.table.snapshot.marks.get(consumerMark(CONSUMER)) ?? -1
  return {
    state: 'nothing_new',
    version: options.table.snapshot.version,
    fromVersion: plan?.from ?? from,
    toVersion: plan?.to ?? from,
    rowsRead: 0,
    duplicatesInDelta: 0,
    duplicatesPublished: 0,
    published: 0,
    replaced: 0,
    partitions: {},
    held: {},
    files: 0,
    bytes: 0,
    seconds: 0,
  }
}

/** The first row of a key stays. The key index tells whether the key is published. */
async function keepFirst(options: BatchOptions, plan: Plan): Promise<Work> {
  const { key, partitionBy, horizonDays } = options.dataset.processed
  const horizonMs = horizonDays === undefined ? undefined : plan.logicalMs - horizonDays * 86_400_000
  const passes = Math.max(1, Math.ceil(plan.rows / options.rowsPerBatch))
  // Passes split the keys by hash, almost evenly. Some spare room avoids doubling the arrays.
  const collector = createKeyCollector(Math.ceil((plan.rows / passes) * (passes === 1 ? 1 : 1.02)))
  const facts = { rowsRead: 0, duplicatesInDelta: 0, duplicatesPublished: 0, published: 0, replaced: 0 }
  for (let pass = 0; pass < passes && plan.slices.length > 0; pass += 1) {
    options.progress(
      `reading keys of ${plan.rows} rows${passes === 1 ? '' : `, pass ${pass + 1} of ${passes}`}`,
    )
    collector.begin(pass, passes)
    await options.engine.readKeys(plan.slices, key, partitionBy, (words, positions, rows) =>
      collector.add(words, positions, rows),
    )
    const arrived = collector.sorted()
    const found = await options.keys.probe(arrived, horizonMs)
    const chosen = missingKeys(arrived, found)
    if (chosen.count > 0) await options.engine.choose(chosen.positions)
    if (chosen.count > 0) await options.keys.prepare(chosen, plan.logicalMs)
    facts.rowsRead += collector.rows
    facts.duplicatesInDelta += collector.rows - arrived.count
    facts.duplicatesPublished += arrived.count - chosen.count
    facts.published += chosen.count
    release(found, chosen.words, chosen.positions)
  }
  collector.end()
  options.progress(`publishing ${facts.published} of ${facts.rowsRead} rows`)
  const folder = await options.newFolder()
  const files = facts.published === 0 ? [] : await options.engine.publish(target(options, plan, folder))
  return {
    adds: await options.place(folder, files),
    removes: [],
    facts: { ...facts, partitions: rowsByPartition(files) },
    settled: options.keys.settled,
  }
}

/** The newest row of a key stays. Files with an older row are rewritten in the same commit. */
async function keepLatest(options: BatchOptions, plan: Plan): Promise<Work> {
  const { key, latestBy } = options.dataset.processed
  options.progress(`comparing ${plan.rows} rows with what is published`)
  const folder = await options.newFolder()
  const none = {
    adds: [],
    obsolete: [],
    rows: 0,
    duplicates: 0,
    outdated: 0,
    published: 0,
    replaced: 0,
    partitions: {},
  }
  const published = plan.slices.length === 0 ? [] : await options.publishedFiles()
  const made =
    plan.slices.length === 0
      ? none
      : await options.engine.replace({ ...target(options, plan, folder), key, latestBy, published })
  const names = new Map(published.map((file) => [file.path, file.name]))
  const facts = {
    rowsRead: made.rows,
    duplicatesInDelta: made.duplicates,
    duplicatesPublished: made.outdated,
    published: made.published,
    replaced: made.replaced,
    partitions: made.partitions,
  }
  return {
    adds: await options.place(folder, made.adds),
    removes: made.obsolete.map((path) => names.get(path) as string),
    facts,
    settled: async () => undefined,
  }
}

function target(options: BatchOptions, plan: Plan, folder: string): PublishTarget {
  const { partitionBy, compression } = options.dataset.processed
  return {
    slices: plan.slices,
    columns: options.columns,
    partitions: partitionBy,
    logicalTime: new Date(plan.logicalMs).toISOString(),
    folder: options.engineFolder(folder),
    compression,
  }
}

function rowsByPartition(files: DataFile[]): Record<string, number> {
  const partitions: Record<string, number> = {}
  for (const file of files) {
    const name = Object.entries(file.partitionValues)
      .map(([key, value]) => `${key}=${value}`)
      .join('/')
    partitions[name] = (partitions[name] ?? 0) + rowsIn(file)
  }
  return partitions
}

function fileFacts(files: DataFile[]): Pick<BatchResult, 'files' | 'bytes'> {
  return { files: files.length, bytes: files.reduce((sum, file) => sum + file.size, 0) }
}

/**
 * One commit: files, the mark of what was consumed, and the marks of held partitions. Undefined if another
 * run was faster.
 */
async function commit(
  options: BatchOptions,
  plan: Plan,
  work: Work,
  result: BatchResult,
): Promise<number | undefined> {
  const { marks } = options.table.snapshot
  const mark = consumerMark(CONSUMER)
  const next: Record<string, number> = { [mark]: plan.to }
  for (const [name, hold] of plan.held) next[heldMark(name)] = hold.version
  for (const name of plan.released) if (!plan.held.has(name)) next[heldMark(name)] = -1
  const expect: Record<string, number | undefined> = {
    [mark]: marks.get(mark),
    [deletionMark()]: marks.get(deletionMark()),
  }
  for (const name of plan.released) expect[heldMark(name)] = marks.get(heldMark(name))
  const { partitions, published, replaced, duplicatesInDelta, duplicatesPublished, held } = result
  const info = {
    partitions,
    published,
    replaced,
    duplicatesInDelta,
    duplicatesPublished,
    held,
    rawFrom: plan.from + 1,
    rawTo: plan.to,
  }
  try {
    return await options.table.commit(
      {
        operation: work.removes.length > 0 ? 'MERGE' : 'WRITE',
        adds: work.adds,
        removes: work.removes,
        marks: next,
        expect,
        info,
      },
      options.nowMs(),
    )
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'marks_moved') return undefined
    throw error
  }
}
