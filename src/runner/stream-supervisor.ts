/**
 * The supervisor of a stream job: starts children, commits for all of them once per interval (group commit),
 * and replaces the ones that die. It alone commits; the table's marks decide whether it may.
 */
import type { HeadraceError } from '../core/errors.ts'
import { isFileRead, sourceMark } from '../core/marks.ts'
import { emptyCounts, type Counts, type StreamSummary } from '../core/results.ts'
import { commitBatches } from './group-commit.ts'
import { createChildHandle, type ChildHandle } from './child-handle.ts'
import { folderOf, lagOf, placeNext, positionText, positionsOf, waitingIn } from './positions.ts'
import type { ChildSettings, Prepared } from './protocol.ts'
import {
  afterDeath,
  afterDrift,
  afterProgress,
  createRecovery,
  forget,
  type Recovery,
  type Verdict,
} from './recovery.ts'
import type { SupervisorOptions } from './supervisor-options.ts'
import { pause } from '../core/waiting.ts'

const PARTITION_CHECK_MS = 10_000

/**
 * Runs until the signal aborts (then it ends after a commit), until it has caught up if requested, or until
 * an error that a retry cannot cure.
 */
export async function superviseStream(options: SupervisorOptions): Promise<StreamSummary> {
  const state = createState(options)
  state.goal = options.untilCaughtUp ? await options.ends() : undefined
  let nextPartitionCheck = options.nowMs() + PARTITION_CHECK_MS
  try {
    while (state.goal === undefined || !isCaughtUp(options, state)) {
      await keepChildren(options, state)
      const stopping = options.signal.aborted
      await waitForWork(options, state, stopping)
      await commitRound(options, state)
      if (state.fatal !== undefined) throw state.fatal
      if (stopping || (options.untilCaughtUp && isCaughtUp(options, state))) break
      if (options.nowMs() > nextPartitionCheck) {
        await adoptPartitions(options, state)
        nextPartitionCheck = options.nowMs() + PARTITION_CHECK_MS
      }
    }
    return { counts: state.total, commits: state.commits, version: options.table.snapshot.version }
  } finally {
    await Promise.all(state.slots.map((slot) => slot.child?.stop()))
  }
}

/** The partitions of one child, and what is known of them from the deaths of children. */
interface Slot {
  partitions: number[]
  /** The partitions among them that the child reads. */
  reading: number[]
  child: ChildHandle | undefined
  recovery: Recovery
}

interface State {
  slots: Slot[]
  total: Counts
  commits: number
  fatal: HeadraceError | undefined
  /** Ends of the partitions at the start of a job that stops when it has caught up. */
  goal: Map<number, number> | undefined
  /**
   * A child of a job that stops when caught up has read everything: commit now instead of at the end of the
   * interval.
   */
  hurry: boolean
  wake: () => void
}

function createState(options: SupervisorOptions): State {
  const count = Math.max(1, Math.min(options.children, options.partitions.length))
  const slots = Array.from({ length: count }, (_, i): Slot => ({
    partitions: options.partitions.filter((_, at) => at % count === i),
    reading: [],
    child: undefined,
    recovery: createRecovery(),
  }))
  return {
    slots,
    total: emptyCounts(),
    commits: 0,
    fatal: undefined,
    goal: undefined,
    hurry: false,
    wake: () => undefined,
  }
}

async function keepChildren(options: SupervisorOptions, state: State): Promise<void> {
  for (const slot of state.slots) {
    if (slot.child !== undefined && !slot.child.ended) continue
    if (slot.child !== undefined) await afterEnd(options, state, slot)
    if (state.fatal !== undefined) return
    await options.table.refresh()
    slot.reading = cautiousPartitions(options, slot, await endsNow(options, slot))
    slot.child = createChildHandle(options.spawn(), {
      settings: settingsOf(options, state, slot),
      onAlive(message) {
        const lag = lagOf(message)
        options.observer.alive({ ...message, lag })
        if (slot.recovery.caution.batchMessages === 1 && [...lag.values()].every((left) => left === 0))
          void moveOn(options, slot)
      },
      onTrouble: (message) => options.observer.trouble(message),
      onAllRead(bound) {
        if (!options.untilCaughtUp && !bound) return
        state.hurry = true
        state.wake()
      },
      nowMs: options.nowMs,
    })
  }
}

function settingsOf(options: SupervisorOptions, state: State, slot: Slot): ChildSettings {
  const { caution, poison, refused, careful, slice, share } = slot.recovery
  const goal =
    state.goal === undefined
      ? []
      : slot.partitions.map((partition): [number, number] => [partition, state.goal?.get(partition) ?? 0])
  return {
    ...options.childSettings,
    positions: positionsOf(options, slot.reading),
    goal,
    batchMessages: caution.batchMessages,
    poison,
    refused,
    careful,
    slice,
    share,
  }
}

/**
 * With one message per batch, only one partition is read at a time, so there is no doubt whose message killed
 * the child. It stays at this partition until the limit grows, because each change costs the start of a
 * child. A partition without messages is skipped, because it would delay the others.
 */
function cautiousPartitions(
  options: SupervisorOptions,
  slot: Slot,
  ends: Map<number, number> | undefined,
): number[] {
  if (slot.recovery.caution.batchMessages !== 1) return slot.partitions
  const inTurn = waitingIn(
    options,
    slot.partitions.map((_, i) => slot.partitions[(slot.recovery.caution.turn + i) % slot.partitions.length]),
    ends,
  )
  return [(inTurn.find(({ waiting }) => waiting > 0) ?? inTurn[0]).partition]
}

async function endsNow(options: SupervisorOptions, slot: Slot): Promise<Map<number, number> | undefined> {
  return slot.recovery.caution.batchMessages === 1 ? options.ends().catch(() => undefined) : undefined
}

/** Moves from a partition that has become quiet to one that has messages. */
async function moveOn(options: SupervisorOptions, slot: Slot): Promise<void> {
  const { child } = slot
  const ends = await endsNow(options, slot)
  if (ends === undefined || slot.child !== child || child?.pending || child?.prepared !== undefined) return
  if (waitingIn(options, slot.reading, ends).some(({ waiting }) => waiting > 0)) return
  if (cautiousPartitions(options, slot, ends)[0] !== slot.reading[0]) child?.retire()
}

/** Decides what follows an unexpected end of a child. */
async function afterEnd(options: SupervisorOptions, state: State, slot: Slot): Promise<void> {
  const child = slot.child as ChildHandle
  const { recovery } = slot
  if (child.drift.length > 0)
    return act(
      options,
      state,
      afterDrift(recovery, options.job, child.drift, await options.evolve(child.drift)),
    )
  if (child.retired || options.signal.aborted) return
  const { failed, endReason, begun, step, hung } = child
  const positions = waitingIn(options, slot.reading, await options.ends().catch(() => undefined))
  const waiting = Math.max(...positions.map((position) => position.waiting))
  if (waiting <= 0 && child.livedMs() > LONG_LIFE_MS) recovery.deaths = 0
  const verdict = afterDeath(recovery, {
    job: options.job,
    reason: endReason,
    failed,
    hung,
    begun,
    step,
    remote: options.childSettings.spark !== undefined,
    waiting,
    next: placeNext(options, positions[0]),
    position: positionText(options, positions),
  })
  if (verdict.stop === undefined || verdict.stop !== failed)
    options.observer.childDied({ reason: failed?.message ?? endReason, deaths: recovery.deaths })
  await act(options, state, verdict)
}

/** A child without waiting messages that lived this long does not count in a chain of deaths. */
const LONG_LIFE_MS = 300_000

async function act(options: SupervisorOptions, state: State, verdict: Verdict): Promise<void> {
  if (verdict.stop !== undefined) state.fatal = verdict.stop
  else if (verdict.pauseMs > 0) await pause(verdict.pauseMs, { signal: options.signal })
}

/** Waits one interval (or until a stop), then requests the batches of the children that have rows. */
async function waitForWork(options: SupervisorOptions, state: State, stopping: boolean): Promise<void> {
  const wait = stopping
    ? 0
    : Math.max(
        0,
        state.nextCutMs === undefined ? options.commitIntervalMs : state.nextCutMs - options.nowMs(),
      )
  if (wait > 0 && !state.hurry && !state.slots.some((slot) => slot.child?.ended))
    await pause(wait, { signal: options.signal, sleeper: state })
  state.hurry = false
  state.nextCutMs = options.nowMs() + options.commitIntervalMs
  const asked = state.slots
    .map((slot) => slot.child)
    .filter((child) => child !== undefined && !child.ended && (child.pending || stopping))
  await Promise.all(asked.map((child) => child?.cut()))
}

interface State {
  nextCutMs?: number
}

async function commitRound(options: SupervisorOptions, state: State): Promise<void> {
  const ready = state.slots.filter((slot) => slot.child?.prepared !== undefined)
  if (ready.length === 0) return
  const batches = ready.map((slot) => slot.child?.prepared as Prepared)
  const version = await commitBatches(options, batches, state)
  const { marks } = options.table.snapshot
  for (const [i, slot] of ready.entries()) {
    slot.child?.confirm(version)
    if (batches[i].ranges.length === 0) continue
    forget(slot.recovery, ({ partition, offset, name }) =>
      name === undefined
        ? offset < (marks.get(sourceMark(options.topicId, partition)) ?? 0)
        : isFileRead(marks, folderOf(options.childSettings.dataset), name),
    )
    if (afterProgress(slot.recovery, batches[i].counts.accepted)) slot.child?.retire()
    else if (slot.recovery.caution.batchMessages === 1) void moveOn(options, slot)
  }
}

function isCaughtUp(options: SupervisorOptions, state: State): boolean {
  return state.goal === undefined
    ? state.slots.every((slot) => slot.child?.idle === true)
    : reached(options, state, state.goal)
}

function reached(options: SupervisorOptions, state: State, goal: Map<number, number>): boolean {
  const { marks } = options.table.snapshot
  const owned = state.slots.flatMap((slot) => slot.partitions)
  return owned.every((partition) => {
    const end = goal.get(partition) ?? 0
    const next = marks.get(sourceMark(options.topicId, partition)) ?? options.firstOffsets.get(partition) ?? 0
    return next >= end
  })
}

/**
 * New partitions start from their beginning, whatever the declaration says of a first start: they are younger
 * than it.
 */
async function adoptPartitions(options: SupervisorOptions, state: State): Promise<void> {
  const owned = new Set(state.slots.flatMap((slot) => slot.partitions))
  const found = await options.partitionsNow().catch((): number[] => [])
  for (const partition of found.filter((candidate) => !owned.has(candidate))) {
    options.firstOffsets.set(partition, 0)
    const slot = state.slots.toSorted((a, b) => a.partitions.length - b.partitions.length)[0]
    slot.partitions.push(partition)
    slot.child?.retire()
  }
}
