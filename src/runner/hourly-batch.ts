/**
 * The batch: RAW versions that are not consumed yet, deduplicated against themselves and against everything published,
 * written partitioned, committed with the mark of what was consumed. One batch, one commit; nothing new, no commit.
 */
import { randomUUID } from 'node:crypto'
import { HeadraceError } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import { consumerMark, heldMark, heldPartitions } from '../core/marks.ts'
import type { BatchEngine, PartitionRule, RawSlice } from '../core/batch-engine.ts'
import type { BatchResult } from '../core/results.ts'
import type { DataFile, TableColumn } from '../core/table-schema.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { createKeyCollector, missingKeys, type ArrivedKeys, type SortedKeys } from '../planning/sorted-keys.ts'

/** A RAW version as the batch reads it. */
export interface RawVersion {
  version: number
  timestampMs: number
  /** Accepted files it added and nobody removed since: local path, rows. */
  files: { path: string; rows: number }[]
  accepted: number
  quarantined: number
}

/** The published keys. main/ wires the lakehouse's index. */
export interface PublishedKeys {
  /** One byte per key: 1 when it is published. */
  probe(keys: SortedKeys, horizonMs: number | undefined): Promise<Uint8Array>
  /** Adds the keys that a commit published. */
  add(keys: SortedKeys, version: number, logicalMs: number): Promise<void>
}

export interface BatchTable {
  readonly snapshot: { version: number; marks: ReadonlyMap<string, number> }
  commit(
    request: { operation: string; adds: DataFile[]; removes: string[]; marks: Record<string, number>; expect: Record<string, number | undefined>; info?: Record<string, unknown> },
    nowMs: number,
  ): Promise<number>
}

export interface BatchOptions {
  dataset: Dataset
  table: BatchTable
  /** RAW versions after `version`, oldest first. */
  rawVersions(after: number): Promise<RawVersion[]>
  rawVersion: number
  engine: BatchEngine
  keys: PublishedKeys
  columns: TableColumn[]
  localFolder(name: string): string
  sync(names: string[]): Promise<void>
  discard(names: string[]): Promise<void>
  /** Verdict on a table partition's delta; a reason holds it. */
  gate(partition: string, facts: GateFacts): string | undefined
  rowsPerBatch: number
  dryRun: boolean
  nowMs: () => number
  progress(text: string): void
}

export interface GateFacts {
  rows: number
  accepted: number
  quarantined: number
}

const CONSUMER = 'processed'

/** Runs batches until RAW is consumed; several when more is waiting than one batch may take. */
export async function runHourlyBatch(options: BatchOptions): Promise<BatchResult[]> {
  const results: BatchResult[] = []
  for (;;) {
    const result = await runOnce(options)
    results.push(result)
    if (result.state !== 'published' || result.toVersion >= options.rawVersion) return results
  }
}

interface Plan {
  from: number
  to: number
  slices: RawSlice[]
  /** Held partitions after this batch: name to first RAW version not published, with the reason. */
  held: Map<string, { version: number; reason: string }>
  released: string[]
  logicalMs: number
  rows: number
}

async function runOnce(options: BatchOptions): Promise<BatchResult> {
  const started = options.nowMs()
  const plan = await makePlan(options)
  const result = emptyResult(options, plan)
  if (plan === undefined) return result
  failpoint('batch.planned')
  const partitions = options.dataset.processed.partitionBy
  if (options.dryRun) return { ...result, state: 'planned', rowsRead: plan.rows }
  const arrived = await readKeys(options, plan, partitions)
  const { horizonDays } = options.dataset.processed
  const found = await options.keys.probe(arrived, horizonDays === undefined ? undefined : plan.logicalMs - horizonDays * 86_400_000)
  const chosen = missingKeys(arrived, found)
  const folder = `data/${randomUUID()}`
  options.progress(`publishing ${chosen.count} of ${arrived.rows} rows`)
  const files = chosen.count === 0 ? [] : await publish(options, plan, chosen, folder)
  failpoint('batch.files_written')
  Object.assign(result, facts(arrived, chosen.count, files), { held: Object.fromEntries([...plan.held].map(([name, one]) => [name, one.reason])) })
  const version = await commit(options, plan, files, result)
  if (version === undefined) {
    await options.discard(files.map((file) => file.path))
    return { ...result, state: 'taken', published: 0 }
  }
  await options.keys.add(chosen, version, plan.logicalMs)
  return { ...result, state: 'published', version, seconds: (options.nowMs() - started) / 1000 }
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
    partitions: {},
    held: {},
    files: 0,
    bytes: 0,
    seconds: 0,
  }
}

/** What to read: the versions after the mark (bounded), and for partitions that are held no longer, all since they were. */
async function makePlan(options: BatchOptions): Promise<Plan | undefined> {
  const { marks } = options.table.snapshot
  const mark = marks.get(consumerMark(CONSUMER)) ?? -1
  const held = heldPartitions(marks)
  const operatorHolds = new Set([...marks].filter(([name, on]) => name.startsWith(OPERATOR_HOLD) && on === 1).map(([name]) => name.slice(OPERATOR_HOLD.length)))
  const waiting = await options.rawVersions(mark)
  const taken = bounded(waiting, options.rowsPerBatch)
  const fresh = taken.flatMap((version) => version.files)
  const released = [...held.keys()].filter((name) => !operatorHolds.has(name))
  if (fresh.length === 0 && released.length === 0) return undefined
  const to = taken.at(-1)?.version ?? mark
  const base = { from: mark, to, released, logicalMs: Math.max(0, ...taken.map((version) => version.timestampMs)) || options.nowMs() }
  const stays = await holds(options, taken, held, operatorHolds, mark)
  const slices: RawSlice[] = []
  for (const name of released) {
    if (stays.has(name)) continue
    const old = (await options.rawVersions((held.get(name) as number) - 1)).filter((version) => version.version <= mark)
    slices.push(sliceOf(old.flatMap((version) => version.files), [name], []))
  }
  slices.push(sliceOf(fresh, undefined, [...stays.keys()]))
  const used = slices.filter((slice) => slice.files.length > 0)
  return { ...base, slices: used, held: stays, rows: used.reduce((sum, slice) => sum + slice.rows.reduce((a, b) => a + b, 0), 0) }
}

export const OPERATOR_HOLD = 'headrace/hold/'

function sliceOf(files: { path: string; rows: number }[], only: string[] | undefined, except: string[]): RawSlice {
  return { files: files.map((file) => file.path), rows: files.map((file) => file.rows), onlyPartitions: only, exceptPartitions: except }
}

/** The oldest versions that fit into one batch; at least one that has rows. */
function bounded(versions: RawVersion[], rowsPerBatch: number): RawVersion[] {
  let rows = 0
  const end = versions.findIndex((version) => {
    const more = version.files.reduce((sum, file) => sum + file.rows, 0)
    const full = rows > 0 && rows + more > rowsPerBatch
    rows += more
    return full
  })
  return end < 0 ? versions : versions.slice(0, end)
}

/** Partitions that stay held after this batch: by an operator, or because their delta fails the gate. */
async function holds(options: BatchOptions, taken: RawVersion[], held: Map<string, number>, operatorHolds: Set<string>, mark: number): Promise<Plan['held']> {
  const stays: Plan['held'] = new Map()
  for (const name of operatorHolds) stays.set(name, { version: held.get(name) ?? mark + 1, reason: 'held by an operator' })
  if (options.dataset.processed.gate === undefined) return stays
  const files = taken.flatMap((version) => version.files)
  const counts = files.length === 0 ? new Map<string, number>() : await options.engine.countPartitions([sliceOf(files, undefined, [])], options.dataset.processed.partitionBy)
  const accepted = taken.reduce((sum, version) => sum + version.accepted, 0)
  const quarantined = taken.reduce((sum, version) => sum + version.quarantined, 0)
  for (const [name, rows] of counts) {
    const reason = options.gate(name, { rows, accepted, quarantined })
    if (reason !== undefined && !stays.has(name)) stays.set(name, { version: held.get(name) ?? mark + 1, reason })
  }
  return stays
}

interface DeltaKeys extends ArrivedKeys {
  rows: number
}

async function readKeys(options: BatchOptions, plan: Plan, partitions: PartitionRule[]): Promise<DeltaKeys> {
  const collector = createKeyCollector(plan.rows)
  options.progress(`reading keys of ${plan.rows} rows`)
  if (plan.slices.length > 0) await options.engine.readKeys(plan.slices, options.dataset.processed.key, partitions, (words, positions, rows) => collector.add(words, positions, rows))
  return { ...collector.sorted(), rows: collector.rows }
}

async function publish(options: BatchOptions, plan: Plan, chosen: ArrivedKeys, folder: string): Promise<DataFile[]> {
  const files = await options.engine.publish({
    slices: plan.slices,
    positions: chosen.positions,
    count: chosen.count,
    columns: options.columns,
    partitions: options.dataset.processed.partitionBy,
    logicalTime: new Date(plan.logicalMs).toISOString(),
    folder: options.localFolder(folder),
    compression: options.dataset.processed.compression,
  })
  const named = files.map((file) => ({ ...file, path: `${folder}/${file.path}` }))
  await options.sync(named.map((file) => file.path))
  return named.map((file) => ({ ...file, path: file.path.split('/').map(encodeURIComponent).join('/') }))
}

function facts(arrived: DeltaKeys, published: number, files: DataFile[]): Partial<BatchResult> {
  const partitions: Record<string, number> = {}
  for (const file of files) {
    const name = Object.entries(file.partitionValues).map(([key, value]) => `${key}=${value}`).join('/')
    partitions[name] = (partitions[name] ?? 0) + (JSON.parse(file.stats) as { numRecords: number }).numRecords
  }
  return {
    rowsRead: arrived.rows,
    duplicatesInDelta: arrived.rows - arrived.count,
    duplicatesPublished: arrived.count - published,
    published,
    partitions,
    files: files.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
  }
}

/** One commit: files, the mark of what was consumed, the marks of what is held. Undefined when another run was quicker. */
async function commit(options: BatchOptions, plan: Plan, files: DataFile[], result: BatchResult): Promise<number | undefined> {
  const { marks } = options.table.snapshot
  const mark = consumerMark(CONSUMER)
  const next: Record<string, number> = { [mark]: plan.to }
  for (const [name, one] of plan.held) next[heldMark(name)] = one.version
  for (const name of plan.released) if (!plan.held.has(name)) next[heldMark(name)] = -1
  const expect: Record<string, number | undefined> = { [mark]: marks.get(mark) }
  for (const name of plan.released) expect[heldMark(name)] = marks.get(heldMark(name))
  const { partitions, published, duplicatesInDelta, duplicatesPublished, held } = result
  const info = { partitions, published, duplicatesInDelta, duplicatesPublished, held, rawFrom: plan.from + 1, rawTo: plan.to }
  try {
    return await options.table.commit({ operation: 'WRITE', adds: files, removes: [], marks: next, expect, info }, options.nowMs())
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'marks_moved') return undefined
    throw error
  }
}
