/** One child process, as the supervisor sees it: its messages, whether it lives, and its prepared batch. */
import { ERRORS, HeadraceError, failure, type ErrorCode } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { ChildSettings, Prepared, Step, ToChild, ToSupervisor } from './protocol.ts'

/** The process behind a child. main/ forks a real one. */
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
  /** It reported that nothing is left, and has nothing to commit. */
  readonly idle: boolean
  readonly prepared: Prepared | undefined
  readonly drift: string[]
  /** It has started to read: a message may be the cause of a later death. */
  readonly begun: boolean
  /** It was killed because it sent nothing. */
  readonly hung: boolean
  livedMs(): number
  /** The last step that it announced. */
  readonly step: Step | undefined
  /** It was asked to end. Its end no longer counts as a death. */
  readonly retired: boolean
  /** Requests the batch. Resolves when the batch is there, or when the child has ended or takes too long. */
  cut(): Promise<void>
  confirm(version: number): void
  /** Lets the child end; the supervisor will start another. No row is lost. */
  retire(): void
  stop(): Promise<void>
}

export interface HandleOptions {
  settings: ChildSettings
  onAlive(message: Extract<ToSupervisor, { type: 'alive' }>): void
  onTrouble(message: Extract<ToSupervisor, { type: 'trouble' }>): void
  /** Nothing is left to read: of its goal, at the moment, or within its limit. */
  onAllRead(bound: boolean): void
  nowMs: () => number
}

export function createChildHandle(child: ChildProcess, options: HandleOptions): ChildHandle {
  return new WatchedChild(child, options)
}

const STOP_MS = 5_000

class WatchedChild implements ChildHandle {
  endReason = ''
  failed: HeadraceError | undefined
  prepared: Prepared | undefined
  drift: string[] = []
  retired = false
  begun = false
  hung = false
  step: Step | undefined
  readonly #child: ChildProcess
  readonly #options: HandleOptions
  readonly #bornMs: number
  readonly #watch: NodeJS.Timeout
  #hasEnded = false
  #hasRows = false
  #isIdle = false
  #lastWordMs: number
  #wake: () => void = () => undefined

  constructor(child: ChildProcess, options: HandleOptions) {
    this.#child = child
    this.#options = options
    this.#bornMs = this.#lastWordMs = options.nowMs()
    this.#watch = setInterval(() => this.#killWhenSilent(), LIMITS.childHeartbeatMs)
    child.onEnd((reason) => {
      clearInterval(this.#watch)
      this.#hasEnded = true
      this.endReason ||= reason
      this.#wake()
    })
    child.onMessage((message) => {
      this.#lastWordMs = options.nowMs()
      this.#hear(message)
      this.#wake()
    })
    child.send({ type: 'start', settings: options.settings })
  }

  get ended(): boolean {
    return this.#hasEnded && this.prepared === undefined
  }

  get pending(): boolean {
    return this.#hasRows && this.prepared === undefined
  }

  get idle(): boolean {
    return this.#isIdle && this.prepared === undefined && !this.#hasRows
  }

  livedMs(): number {
    return this.#options.nowMs() - this.#bornMs
  }

  async cut(): Promise<void> {
    if (this.prepared !== undefined || this.#hasEnded) return
    // From here on, the messages of the child concern the next batch: it reads on while its files are
    // written.
    this.#hasRows = false
    this.#child.send({ type: 'cut' })
    while (this.prepared === undefined && !this.#hasEnded) await this.#nextWord()
  }

  confirm(version: number): void {
    this.prepared = undefined
    if (!this.#hasEnded) this.#child.send({ type: 'committed', version })
  }

  retire(): void {
    this.retired = true
    this.#child.send({ type: 'stop' })
    // Its present work may never end while its heartbeat continues; then nothing would replace it.
    setTimeout(() => this.#child.kill(), LIMITS.childDeadlineMs).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#watch)
    if (this.#hasEnded) return
    this.#child.send({ type: 'stop' })
    const timer = setTimeout(() => this.#child.kill(), STOP_MS)
    while (!this.#hasEnded) await this.#nextWord()
    clearTimeout(timer)
  }

  #hear(message: ToSupervisor): void {
    switch (message.type) {
      case 'alive':
        return this.#options.onAlive(message)
      case 'trouble':
        return this.#options.onTrouble(message)
      case 'all-read':
        return this.#options.onAllRead(message.bound === true)
      case 'idle':
        this.#isIdle = true
        return this.#options.onAllRead(false)
      case 'pending':
        this.#hasRows = true
        this.#isIdle = false
        return
      case 'prepared':
        return void (this.prepared = message.batch)
      case 'ready':
        return void (this.begun = true)
      case 'step':
        return void (this.step = message.step)
      case 'drift':
        return void (this.drift = message.paths)
      case 'failed':
        return void (this.failed = errorFrom(message))
    }
  }

  /** Resolves when the child sends something, or ends. */
  #nextWord(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #killWhenSilent(): void {
    const { settings, nowMs } = this.#options
    const deadlineMs = settings.careful ? LIMITS.childStepDeadlineMs : LIMITS.childDeadlineMs
    if (nowMs() - this.#lastWordMs < deadlineMs) return
    this.hung = true
    this.endReason = `said nothing for ${deadlineMs / 1000} s`
    this.#child.kill()
  }
}

function errorFrom(message: Extract<ToSupervisor, { type: 'failed' }>): HeadraceError {
  const code: ErrorCode = message.code in ERRORS ? message.code : 'internal'
  return failure(code, message.params)
}
