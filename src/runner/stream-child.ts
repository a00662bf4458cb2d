/**
 * A child of a stream job: reads its Kafka partitions, decodes, checks and writes files, and commits nothing.
 * It is disposable: if it dies, only files that it had not reported are lost, and the next child reads the
 * same range again.
 */
import { HeadraceError, failure, reasonOf } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { createMessages, type Messages } from '../core/messages.ts'
import { createSlab } from '../core/slab.ts'
import type { CommittedFiles, OffsetRange, StageEngine } from '../core/engine.ts'
import type { ObjectStore } from '../core/object-store.ts'
import type { MessageReader, PartitionPosition, ReadResult } from '../core/source.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { fitWindow } from '../planning/dedup-window.ts'
import { createBlockProcessor } from './block.ts'
import { createBatchWriter, type BatchWriter } from './batch-writer.ts'
import { createIntake, poisonByPlace, refusedByPlace, type Intake } from './intake.ts'
import { createIdentifier, type MessageIdentifier } from './message-ids.ts'
import { emptyCounts } from '../core/results.ts'
import type { KnownRow } from './quarantine-rows.ts'
import type { ChildSettings, ToChild, ToSupervisor } from './protocol.ts'
import { pause } from '../core/waiting.ts'
import { rebuildWindow } from './window-rebuild.ts'

/** The parts that main/ passes to a child. */
export interface ChildParts {
  settings: ChildSettings
  dataset: Dataset
  columns: Column[]
  engine: StageEngine
  store: ObjectStore
  /** Committed files (local paths) that may hold rows of the topic from an offset on. */
  filesFrom(leastOffset: number): Promise<CommittedFiles>
  openReader(
    positions: PartitionPosition[],
    until: Map<number, number> | undefined,
    onTrouble: (error: HeadraceError) => void,
  ): MessageReader
  nowMs: () => number
  send(message: ToSupervisor): void
  onMessage(handler: (message: ToChild) => void): void
}

const POLL_MS = 250

export async function runStreamChild(parts: ChildParts): Promise<void> {
  const { settings, dataset } = parts
  const capacity =
    dataset.messageId.from === 'none'
      ? 0
      : fitWindow(dataset.dedup.window, settings.positions.length, LIMITS.dedupWindowBytes)
  const identifier = createIdentifier(dataset, capacity)
  await rebuildWindow({ ...parts, ...settings, identities: parts.engine, capacity }, identifier)
  const state = createState(parts)
  const until =
    settings.batchMessages === 0
      ? undefined
      : new Map(
          settings.positions.map((position) => [position.partition, position.next + settings.batchMessages]),
        )
  const reader = parts.openReader(settings.positions, until, (error) =>
    parts.send({ type: 'trouble', code: error.code, message: error.message }),
  )
  listen(parts, state, until)
  const heartbeat = setInterval(() => parts.send(alive(state, identifier)), LIMITS.childHeartbeatMs)
  parts.send({ type: 'ready' })
  try {
    const { writer, intake } = await openIntake(parts, identifier)
    const said = { pending: false, bound: false, goal: settings.goal.length === 0 }
    await loop({ parts, state, reader, until, writer, intake, said })
  } finally {
    clearInterval(heartbeat)
    await reader.close()
  }
}

interface ChildState {
  positions: Map<number, number>
  starts: Map<number, number>
  ends: Map<number, number>
  newestMs: number
  counts: ReturnType<typeof emptyCounts>
  cut: boolean
  stopping: boolean
  /** Why files could not be written. Thrown at the next step of the loop. */
  failure: unknown
  /**
   * A batch was reported and its commit is not confirmed yet: at most one, so memory and order are bounded.
   */
  reported: boolean
  wake: () => void
}

function createState(parts: ChildParts): ChildState {
  const positions = new Map(parts.settings.positions.map((position) => [position.partition, position.next]))
  return {
    positions,
    starts: new Map(positions),
    ends: new Map(),
    newestMs: 0,
    counts: emptyCounts(),
    cut: false,
    stopping: false,
    failure: undefined,
    reported: false,
    wake: () => undefined,
  }
}

/** With a limit on the batch, each commit lets the child read as much again. */
function listen(parts: ChildParts, state: ChildState, until: Map<number, number> | undefined): void {
  parts.onMessage((message) => {
    if (message.type === 'cut') state.cut = true
    else if (message.type === 'committed') {
      state.reported = false
      for (const partition of until?.keys() ?? [])
        until?.set(partition, (state.positions.get(partition) as number) + parts.settings.batchMessages)
    } else if (message.type === 'stop') state.stopping = true
    state.wake()
  })
}

/** The stages for messages, and their writer. */
async function openIntake(
  parts: ChildParts,
  identifier: MessageIdentifier,
): Promise<{ writer: BatchWriter; intake: Intake }> {
  const { settings, dataset, columns } = parts
  const processor = createBlockProcessor({
    dataset,
    columns,
    identifier,
    poison: poisonByPlace(settings.poison),
    refused: refusedByPlace(settings.refused),
  })
  const writer = await createBatchWriter({
    ...parts,
    topic: settings.topic,
    topicId: settings.topicId,
    share: settings.share,
    beforeWrite: settings.careful ? () => intake.beforeWrite() : undefined,
  })
  const intake = createIntake({ ...parts, processor, writer })
  return { writer, intake }
}

/** A child while it reads. */
interface StreamRun {
  parts: ChildParts
  state: ChildState
  reader: MessageReader
  /** With a limit on the batch: where each Kafka partition stops until the next commit. */
  until: Map<number, number> | undefined
  writer: BatchWriter
  intake: Intake
  /** What the supervisor was told: that there are rows, and that the limit or the goal is reached. */
  said: { pending: boolean; bound: boolean; goal: boolean }
}

async function loop(run: StreamRun): Promise<void> {
  const { parts, state, reader, until, writer, said } = run
  const messages = createMessages(createSlab(LIMITS.slabBytes * 2), 8192)
  /** A read may take long on a quiet topic. A cut does not wait for it. */
  let reading: ReturnType<MessageReader['read']> | undefined
  while (!state.stopping) {
    if (state.failure !== undefined) throw state.failure
    if (state.cut && !state.reported) {
      state.cut = said.pending = said.bound = false
      state.reported = true
      await report(parts, state, writer)
      continue
    }
    if (mustWait(state, writer.stagedBytes, until)) {
      if (!said.bound && !state.reported && hasProgress(state))
        parts.send({ type: 'all-read', bound: (said.bound = true) })
      await pause(POLL_MS, { sleeper: state })
      continue
    }
    reading ??= startRead(reader, messages)
    const result = await Promise.race([reading, nextCommand(state)])
    if (result === undefined) continue
    reading = undefined
    const paths = await take(run, messages, result)
    if (paths.length > 0) return parts.send({ type: 'drift', paths })
    tellProgress(run)
  }
}

/**
 * Takes the messages of a read. Returns the paths that drift wants to add as columns; if there are any, none
 * of the messages count.
 */
async function take(
  { parts, state, intake }: StreamRun,
  messages: Messages,
  read: ReadResult,
): Promise<string[]> {
  for (const end of read.ends) state.ends.set(end.partition, end.end)
  if (messages.count > 0) {
    const known = await knownRows(parts, state, messages)
    noteNewest(state, messages.time, messages.count)
    const paths = await intake.take(messages, state.counts, known)
    if (paths.length > 0) return paths
  }
  for (const { partition, next } of read.positions) state.positions.set(partition, next)
  return []
}

/** Reports once per batch that it has rows, and once that everything is read. */
function tellProgress({ parts, state, writer, said }: StreamRun): void {
  const { goal } = parts.settings
  if (!said.pending && hasProgress(state)) {
    said.pending = true
    parts.send({ type: 'pending', rows: writer.rows })
  }
  if (!said.goal && goal.every(([partition, end]) => (state.positions.get(partition) ?? 0) >= end)) {
    said.goal = true
    parts.send({ type: 'all-read' })
  }
}

/** Backpressure: with an unconfirmed batch and the next one half full, the child stops reading. */
function mustWait(state: ChildState, stagedBytes: number, until: Map<number, number> | undefined): boolean {
  if (state.reported && stagedBytes > LIMITS.stagedBytes / 2) return true
  return (
    until !== undefined &&
    [...until].every(([partition, end]) => (state.positions.get(partition) ?? 0) >= end)
  )
}

/** A read that is under way when the child stops fails, and nobody waits for it. */
function startRead(reader: MessageReader, messages: Messages): ReturnType<MessageReader['read']> {
  const reading = reader.read(messages, POLL_MS)
  reading.catch(() => undefined)
  return reading
}

/** Resolves when the supervisor sends something. */
function nextCommand(state: ChildState): Promise<undefined> {
  return new Promise((resolve) => {
    state.wake = () => resolve(undefined)
  })
}

function hasProgress(state: ChildState): boolean {
  for (const [partition, next] of state.positions) if (next !== state.starts.get(partition)) return true
  return false
}

/** Closes the batch, and reports it when its files are durable. Meanwhile, the child reads the next one. */
async function report(parts: ChildParts, state: ChildState, writer: BatchWriter): Promise<void> {
  const ranges = [...state.positions].map(([partition, next]) => ({
    partition,
    start: state.starts.get(partition) as number,
    next,
  }))
  const { counts, newestMs } = state
  if (counts.read !== counts.accepted + counts.duplicate + counts.quarantined)
    throw failure('reconcile_failed', {
      what: 'a batch',
      left: `${counts.read} read`,
      right: `${counts.accepted} accepted + ${counts.duplicate} duplicate + ${counts.quarantined} quarantined`,
    })
  state.starts = new Map(state.positions)
  state.counts = emptyCounts()
  state.newestMs = 0
  const { files } = await writer.finish()
  files.then(
    (adds) =>
      parts.send({
        type: 'prepared',
        batch: { ranges: ranges.filter((range) => range.next !== range.start), adds, counts, newestMs },
      }),
    (error: unknown) => {
      state.failure = error
      state.wake()
    },
  )
  if (parts.settings.careful) await files.catch(() => undefined)
}

function noteNewest(state: ChildState, times: Float64Array, count: number): void {
  for (let i = 0; i < count; i += 1) if (times[i] > state.newestMs) state.newestMs = times[i]
}

/** After a rewind: which of the next rows RAW already has. */
async function knownRows(
  parts: ChildParts,
  state: ChildState,
  messages: { partition: Int32Array; offset: Float64Array; count: number },
): Promise<KnownRow | undefined> {
  const ranges = new Map<number, OffsetRange>()
  for (const { partition, rereadUntil } of parts.settings.positions) {
    if ((state.positions.get(partition) ?? Infinity) >= rereadUntil) continue
    for (let i = 0; i < messages.count; i += 1) {
      if (messages.partition[i] !== partition || messages.offset[i] >= rereadUntil) continue
      const range = ranges.get(partition) ?? { partition, from: messages.offset[i], until: 0 }
      range.until = messages.offset[i] + 1
      ranges.set(partition, range)
    }
  }
  if (ranges.size === 0) return undefined
  const { files } = await parts.filesFrom(Math.min(...[...ranges.values()].map((range) => range.from)))
  const ids = await parts.engine.readRowIds(files, parts.settings.topicId, [...ranges.values()])
  return (partition, offset, ordinal) => ids.has(`${partition}:${offset}:${ordinal}`)
}

function alive(state: ChildState, identifier: MessageIdentifier): ToSupervisor {
  const { rss, heapUsed } = process.memoryUsage()
  return {
    type: 'alive',
    rssBytes: rss,
    heapBytes: heapUsed,
    ends: [...state.ends],
    positions: [...state.positions],
    windowBytes: identifier.windowBytes(),
    windowMessages: identifier.windowMessages(),
  }
}

/** The last message of a child that fails with a known error. */
export function failedMessage(error: unknown): ToSupervisor {
  if (error instanceof HeadraceError)
    return { type: 'failed', code: error.code, params: error.params, message: error.message }
  return { type: 'failed', code: 'internal', params: { reason: reasonOf(error) }, message: reasonOf(error) }
}
