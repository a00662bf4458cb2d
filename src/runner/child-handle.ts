/**
 * One child process as the supervisor sees it: what it said, whether it lives, and the batch it has ready.
 */
import { ERRORS, HeadraceError, failure, type ErrorCode } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { ChildSettings, Prepared, Step, ToChild, ToSupervisor } from './protocol.ts'

/** The process behind a child; main/ forks a real one. */
export interface ChildProcess {
  send(message: ToChild): void
  kill(): void
  onMessage(handler: (message: ToSupervisor) => void): void
  /** Called once, with a text for people: `exit code 1`, `signal SIGKILL`. */
  onEnd(handler: (reason: string) => void): void
}

export interface ChildHandle {
  readonly ended: boolean
  readonly endReason: string
  readonly failed: HeadraceError | undefined
  readonly pending: boolean
  /** It said that nothing is left, and has nothing to commit. */
  readonly idle: boolean
  readonly prepared: Prepared | undefined
  readonly drift: string[]
  /** It has begun to read: what it dies of since may be a message. */
  readonly begun: boolean
  /** It was killed because it said nothing. */
  readonly hung: boolean
  livedMs(): number
  /** What it said last that it was about to do. */
  readonly step: Step | undefined
  /** It was asked to end: whatever it was in the middle of then is no death. */
  readonly retired: boolean
  /** Asks for the batch; resolves when it is there, or the child has ended or takes too long. */
  cut(): Promise<void>
  confirm(version: number): void
  /** Lets the child end; the supervisor will start another in its place. Nothing it read is lost. */
  retire(): void
  stop(): Promise<void>
}

export interface HandleOptions {
  settings: ChildSettings
  onAlive(message: Extract<ToSupervisor, { type: 'alive' }>): void
  onTrouble(message: Extract<ToSupervisor, { type: 'trouble' }>): void
  /** Nothing is left for it to read: of its goal, at the moment, or within the bound that it was given. */
  onAllRead(bound: boolean): void
  nowMs: () => number
}

export function createChildHandle(child: ChildProcess, options: HandleOptions): ChildHandle {
  const bornMs = options.nowMs()
  const deadlineMs = options.settings.careful ? LIMITS.childStepDeadlineMs : LIMITS.childDeadlineMs
  const state = {
    ended: false,
    endReason: '',
    failed: undefined as HeadraceError | undefined,
    pending: false,
    idle: false,
    prepared: undefined as Prepared | undefined,
    drift: [] as string[],
    retired: false,
    begun: false,
    hung: false,
    step: undefined as Step | undefined,
    wake: (): void => undefined,
    lastWordMs: options.nowMs(),
  }
  const watch = setInterval(() => {
    if (options.nowMs() - state.lastWordMs < deadlineMs) return
    state.hung = true
    state.endReason = `said nothing for ${deadlineMs / 1000} s`
    child.kill()
  }, LIMITS.childHeartbeatMs)
  child.onEnd((reason) => {
    clearInterval(watch)
    state.ended = true
    state.endReason ||= reason
    state.wake()
  })
  child.onMessage((message) => {
    state.lastWordMs = options.nowMs()
    if (message.type === 'alive') options.onAlive(message)
    else if (message.type === 'trouble') options.onTrouble(message)
    else if (message.type === 'all-read') options.onAllRead(message.bound === true)
    else if (message.type === 'pending') Object.assign(state, { pending: true, idle: false })
    else if (message.type === 'idle') {
      state.idle = true
      options.onAllRead(false)
    } else if (message.type === 'prepared') state.prepared = message.batch
    else if (message.type === 'ready') state.begun = true
    else if (message.type === 'step') state.step = message.step
    else if (message.type === 'drift') state.drift = message.paths
    else if (message.type === 'failed') state.failed = errorFrom(message)
    state.wake()
  })
  child.send({ type: 'start', settings: options.settings })
  return {
    get ended() {
      return state.ended && state.prepared === undefined
    },
    get endReason() {
      return state.endReason
    },
    get failed() {
      return state.failed
    },
    get pending() {
      return state.pending && state.prepared === undefined
    },
    get idle() {
      return state.idle && state.prepared === undefined && !state.pending
    },
    get prepared() {
      return state.prepared
    },
    get drift() {
      return state.drift
    },
    get begun() {
      return state.begun
    },
    get hung() {
      return state.hung
    },
    livedMs: () => options.nowMs() - bornMs,
    get step() {
      return state.step
    },
    get retired() {
      return state.retired
    },
    cut: () => cut(child, state),
    confirm(version) {
      state.prepared = undefined
      if (!state.ended) child.send({ type: 'committed', version })
    },
    retire() {
      state.retired = true
      child.send({ type: 'stop' })
      // What it is in the middle of may never end, and its heart would beat on: nobody would take its place.
      setTimeout(() => child.kill(), LIMITS.childDeadlineMs).unref()
    },
    stop: () => stop(child, state, watch),
  }
}

interface Waiting {
  ended: boolean
  pending: boolean
  prepared: Prepared | undefined
  wake: () => void
}

async function cut(child: ChildProcess, state: Waiting): Promise<void> {
  if (state.prepared !== undefined || state.ended) return
  // What the child says from here on is about the batch after this one: it reads on while its files are
  // written.
  state.pending = false
  child.send({ type: 'cut' })
  while (state.prepared === undefined && !state.ended) {
    await new Promise<void>((resolve) => {
      state.wake = resolve
    })
  }
}

const STOP_MS = 5_000

async function stop(child: ChildProcess, state: Waiting, watch: NodeJS.Timeout): Promise<void> {
  clearInterval(watch)
  if (state.ended) return
  child.send({ type: 'stop' })
  const timer = setTimeout(() => child.kill(), STOP_MS)
  while (!state.ended) {
    await new Promise<void>((resolve) => {
      state.wake = resolve
    })
  }
  clearTimeout(timer)
}

function errorFrom(message: Extract<ToSupervisor, { type: 'failed' }>): HeadraceError {
  const code: ErrorCode = message.code in ERRORS ? message.code : 'internal'
  return failure(code, message.params)
}
