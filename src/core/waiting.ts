/** Waiting: one pause, one way to try again, one way to wait until something is so. */
import { HeadraceError, type ErrorCode } from './errors.ts'

export interface Sleeper {
  wake: () => void
}

export interface PauseOptions {
  /** Ends the pause early. */
  signal?: AbortSignal | undefined
  /** Gets a `wake` that ends the pause early. */
  sleeper?: Sleeper
  /** Default true; false: a process that has nothing else to do ends meanwhile. */
  keepsProcess?: boolean
}

/** Resolves after so long, or earlier by its signal or sleeper. It never rejects. */
export function pause(
  ms: number,
  { signal, sleeper, keepsProcess = true }: PauseOptions = {},
): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    if (!keepsProcess) timer.unref()
    signal?.addEventListener('abort', done, { once: true })
    if (sleeper !== undefined) sleeper.wake = done
    function done(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
  })
}

export interface RetryPolicy {
  /** Whether the same action may succeed later; an error that it refuses is thrown. */
  mayPass(error: unknown): boolean
  /** Default: any number of them. */
  attempts?: number
  /** No attempt begins later than so long after the first. */
  withinMs?: number
  /** Before the second attempt, twice as long before each later one; default 0. */
  firstPauseMs?: number
  /** Default: the first pause, so that it does not grow. */
  longestPauseMs?: number
  /** An abort ends the pause; one more attempt is made, and its error thrown. */
  signal?: AbortSignal | undefined
  /** Before each pause. */
  onFailure?(error: unknown): void
}

/** Does something until it succeeds, or until its policy gives up; throws the error of the last attempt. */
export async function retry<T>(action: () => Promise<T>, policy: RetryPolicy): Promise<T> {
  const { attempts = Infinity, signal } = policy
  const rest = backoff(policy)
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action()
    } catch (error) {
      if (attempt >= attempts || signal?.aborted || !policy.mayPass(error)) throw error
      policy.onFailure?.(error)
      if (!(await rest())) throw error
    }
  }
}

export type Pauses = Pick<RetryPolicy, 'withinMs' | 'firstPauseMs' | 'longestPauseMs' | 'signal'>

/** Pauses that grow; false, at once, when the next one would end too late. */
export function backoff(policy: Pauses): () => Promise<boolean> {
  const { withinMs = Infinity, firstPauseMs = 0, longestPauseMs = firstPauseMs, signal } = policy
  const endMs = performance.now() + withinMs
  let nextMs = firstPauseMs
  return async () => {
    if (performance.now() + nextMs > endMs) return false
    if (nextMs > 0) await pause(nextMs, { signal })
    nextMs = Math.min(nextMs * 2, longestPauseMs)
    return true
  }
}

/** Looks again and again; false when it was not so in time. */
export async function waitUntil(
  isSo: () => boolean | Promise<boolean>,
  { everyMs, withinMs = Infinity }: { everyMs: number; withinMs?: number },
): Promise<boolean> {
  for (const endMs = performance.now() + withinMs; ; await pause(everyMs)) {
    if (await isSo()) return true
    if (performance.now() >= endMs) return false
  }
}

/** Whether an error of the table has this code. */
export const hasCode = (error: unknown, ...codes: readonly ErrorCode[]): error is HeadraceError =>
  error instanceof HeadraceError && codes.includes(error.code)

/** Whether an error of the table says that the same action may succeed later. */
export const isTransient = (error: unknown): error is HeadraceError =>
  error instanceof HeadraceError && error.errorClass === 'transient'

export const STORAGE_PAUSE_MS = 2_000

/** Errors after which storage may take the same thing later. */
export const STORAGE_WAITS: readonly ErrorCode[] = ['storage_full', 'store_unreachable']

/** A full disk, or storage that is away, loses nothing: the same action is tried again until it succeeds. */
export async function whenStorageAllows<T>(
  action: () => Promise<T>,
  signal: AbortSignal,
  onTrouble: (error: HeadraceError) => void,
): Promise<T> {
  return retry(action, {
    mayPass: (error) => hasCode(error, ...STORAGE_WAITS),
    firstPauseMs: STORAGE_PAUSE_MS,
    signal,
    onFailure: (error) => onTrouble(error as HeadraceError),
  })
}
