/**
 * The child of a stream job whose engine reads the topic itself. It chooses ranges and finds duplicates, lets
 * the engine make the files, and reports them like every child; the supervisor commits. It is disposable:
 * work that it has not reported is repeated.
 */
import { HeadraceError } from '../core/errors.ts'
import type { CommittedFiles, OffsetRange, StageEngine } from '../core/engine.ts'
import { failpoint } from '../core/failpoint.ts'
import { LIMITS } from '../core/limits.ts'
import type { RangeEngine, Verdict } from '../core/range-engine.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { fitWindow } from '../planning/dedup-window.ts'
import { createIdentifier, type MessageIdentifier } from './message-ids.ts'
import type { ChildSettings, Prepared, ToChild, ToSupervisor } from './protocol.ts'
import { pause, type Sleeper } from '../core/waiting.ts'
import { rebuildWindow } from './window-rebuild.ts'

export interface RangeChildParts {
  settings: ChildSettings
  dataset: Dataset
  engine: RangeEngine
  /** Reads identities of committed rows. */
  identities: Pick<StageEngine, 'readMessageIds' | 'readRowIds'>
  /** Committed files (local paths) that may hold rows of the topic from an offset on. */
  filesFrom(leastOffset: number): Promise<CommittedFiles>
  /**
   * The present ends of the partitions. Throws errors such as topic_recreated or offsets_expired, and retries
   * transient ones.
   */
  ends(next: ReadonlyMap<number, number>): Promise<Map<number, number>>
  /** Most messages of a batch. */
  batchMessages: number
  nowMs: () => number
  send(message: ToSupervisor): void
  onMessage(handler: (message: ToChild) => void): void
}

interface State extends Sleeper {
  positions: Map<number, number>
  ends: Map<number, number>
  cut: boolean
  stopping: boolean
  /** A batch with durable files that waits for a request. */
  ready: Prepared | undefined
  /** Reported, but the commit is not confirmed yet. */
  reported: boolean
}

const POLL_MS = 250

export async function runRangeChild(parts: RangeChildParts): Promise<void> {
  const { settings, dataset } = parts
  const capacity =
    dataset.messageId.from === 'none'
      ? 0
      : fitWindow(dataset.dedup.window, settings.positions.length, LIMITS.dedupWindowBytes)
  const identifier = createIdentifier(dataset, capacity)
  await rebuildWindow({ ...parts, ...settings, capacity }, identifier)
  const state: State = {
    positions: new Map(settings.positions.map((position) => [position.partition, position.next])),
    ends: new Map(),
    cut: false,
    stopping: false,
    ready: undefined,
    reported: false,
    wake: () => undefined,
  }
  parts.onMessage((message) => {
    if (message.type === 'cut') state.cut = true
    else if (message.type === 'stop') state.stopping = true
    else if (message.type === 'committed') state.reported = false
    state.wake()
  })
  const heartbeat = setInterval(() => parts.send(alive(state, identifier)), LIMITS.childHeartbeatMs)
  parts.send({ type: 'ready' })
  try {
    await loop(parts, state, identifier, capacity > 0)
  } finally {
    clearInterval(heartbeat)
    await parts.engine.close()
  }
}

async function loop(
  parts: RangeChildParts,
  state: State,
  identifier: MessageIdentifier,
  dedups: boolean,
): Promise<void> {
  const goal = new Map(parts.settings.goal)
  let announced = false
  let said = goal.size === 0
  while (!state.stopping) {
    state.ends = await parts.ends(state.positions)
    const ranges = nextRanges(parts, state)
    const waiting = ranges.reduce((sum, range) => sum + range.until - range.from, 0)
    if (waiting > 0 && !announced) {
      announced = true
      parts.send({ type: 'pending', rows: waiting })
    }
    if (state.ready === undefined && waiting > 0 && isDue(parts, state, waiting, goal)) {
      const made = await makeBatch(parts, identifier, dedups, ranges)
      if (Array.isArray(made)) return parts.send({ type: 'drift', paths: made })
      state.ready = made
      for (const range of ranges) state.positions.set(range.partition, range.until)
    }
    if (!said && [...goal].every(([partition, end]) => (state.positions.get(partition) ?? 0) >= end)) {
      said = true
      parts.send({ type: 'all-read' })
    }
    if (state.cut && !state.reported) {
      const batch = state.ready ?? { ranges: [], adds: [], counts: NO_COUNTS, newestMs: 0 }
      Object.assign(state, { cut: false, ready: undefined, reported: batch.ranges.length > 0 })
      announced = false
      parts.send({ type: 'prepared', batch })
    } else if (state.ready !== undefined || waiting === 0) await pause(POLL_MS, { sleeper: state })
    else await pause(20, { sleeper: state })
  }
}

const NO_COUNTS = {
  read: 0,
  accepted: 0,
  duplicate: 0,
  quarantined: 0,
  notes: 0,
  messages: 0,
  bytes: 0,
  byReason: {},
}

/**
 * A batch costs the engine half a second, whatever its size. It starts on request, when it is full, or when
 * nothing else will come.
 */
function isDue(parts: RangeChildParts, state: State, waiting: number, goal: Map<number, number>): boolean {
  return state.cut || waiting >= parts.batchMessages || goal.size > 0 || parts.settings.batchMessages > 0
}

/** The next messages of each Kafka partition, in proportion to those that wait. */
function nextRanges(parts: RangeChildParts, state: State): OffsetRange[] {
  const lag = [...state.positions]
    .map(([partition, next]) => ({
      partition,
      next,
      left: Math.max(0, (state.ends.get(partition) ?? next) - next),
    }))
    .filter((backlog) => backlog.left > 0)
  const total = lag.reduce((sum, backlog) => sum + backlog.left, 0)
  const share = Math.min(1, parts.batchMessages / total)
  const most = parts.settings.batchMessages || Infinity
  return lag.map(({ partition, next, left }) => ({
    partition,
    from: next,
    until: next + Math.min(most, Math.ceil(left * share)),
  }))
}

/** Makes the files of a batch durable, or returns the paths that drift wants to add as columns. */
async function makeBatch(
  parts: RangeChildParts,
  identifier: MessageIdentifier,
  dedups: boolean,
  ranges: OffsetRange[],
): Promise<Prepared | string[]> {
  const { settings } = parts
  const started = parts.nowMs()
  const verdicts = await judge(parts, identifier, dedups, ranges)
  const made = await parts.engine.decode({
    ranges,
    verdicts,
    poison: settings.poison,
    ingestMs: parts.nowMs(),
  })
  if (made.discovered.length > 0) return [...new Set(made.discovered)]
  failpoint('batch.prepared')
  return {
    ranges: ranges.map(({ partition, from, until }) => ({ partition, start: from, next: until })),
    adds: made.files,
    counts: made.counts,
    newestMs: made.newestMs,
    work: { engine: 'spark', ms: parts.nowMs() - started, cores: made.tasks },
  }
}

/**
 * The verdict of the window on the messages of the ranges and, where they were read before, which of their
 * rows RAW has.
 */
async function judge(
  parts: RangeChildParts,
  identifier: MessageIdentifier,
  dedups: boolean,
  ranges: OffsetRange[],
): Promise<Verdict[]> {
  const verdicts = new Map<string, Verdict>()
  const verdictOf = (partition: number, offset: number): Verdict => {
    const at = `${partition}:${offset}`
    let verdict = verdicts.get(at)
    if (verdict === undefined) verdicts.set(at, (verdict = { partition, offset, sighting: 'new', known: [] }))
    return verdict
  }
  if (dedups)
    await parts.engine.readHeads(ranges, ({ partition, offset, high, low, content }) => {
      const sighting = identifier.seeHash(partition, high, low, content)
      if (sighting !== 'new') verdictOf(partition, offset).sighting = sighting
    })
  const reread = new Map(
    parts.settings.positions.map((position) => [position.partition, position.rereadUntil]),
  )
  const again = ranges
    .map((range) => ({ ...range, until: Math.min(range.until, reread.get(range.partition) ?? 0) }))
    .filter((range) => range.from < range.until)
  if (again.length > 0) {
    const { files } = await parts.filesFrom(Math.min(...again.map((range) => range.from)))
    for (const id of await parts.identities.readRowIds(files, parts.settings.topicId, again)) {
      const [partition, offset, ordinal] = id.split(':').map(Number)
      verdictOf(partition, offset).known.push(ordinal)
    }
  }
  return [...verdicts.values()]
}

function alive(state: State, identifier: MessageIdentifier): ToSupervisor {
  return {
    type: 'alive',
    rssBytes: process.memoryUsage.rss(),
    heapBytes: process.memoryUsage().heapUsed,
    ends: [...state.ends],
    positions: [...state.positions],
    windowBytes: identifier.windowBytes(),
    windowMessages: identifier.windowMessages(),
  }
}

/**
 * True for an error after which the child ends without a report, so that the supervisor narrows the range.
 */
export function isSilent(error: unknown): boolean {
  return error instanceof HeadraceError && error.code === 'decoder_crashed'
}
