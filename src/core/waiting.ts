/** Waiting: one pause, one way to retry, one way to wait for a condition. */
import { HeadraceError, type ErrorCode } from './errors.ts'

export interface Sleeper {
  wake: () => void
}

export interface PauseOptions {
  /** Ends the pause early. */
  signal?: AbortSignal | undefined
  /** Gets a `wake` that ends the pause early. */
  sleeper?: Sleeper
  /** Default true. With false, a process that has nothing else to do ends during the pause. */
  keepsProcess?: boolean
}

/** Resolves after the given time, or earlier through its signal or sleeper. It never rejects. */
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
  /** Whether a retry may succeed. If it returns false, the error is thrown. */
  mayPass(error: unknown): boolean
  /** Default: unlimited. */
  attempts?: number
  /** No attempt starts later than this after the first. */
  withinMs?: number
  /** The pause before the second attempt. It doubles before each later one. Default 0. */
  firstPauseMs?: number
  /** Default: the first pause, so it does not grow. */
  longestPauseMs?: number
  /** An abort ends the pause. One more attempt follows, and its error is thrown. */
  signal?: AbortSignal | undefined
  /** Called before each pause. */
  onFailure?(error: unknown): void
}

/** Repeats an action until it succeeds or its policy gives up. Throws the error of the last attempt. */
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

/** Pauses that grow. Returns false at once if the next pause would end too late. */
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

/** Checks a condition repeatedly. Returns false if it did not become true in time. */
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

/** Whether an error of the table says that a retry may succeed. */
export const isTransient = (error: unknown): error is HeadraceError =>
  error instanceof HeadraceError && error.errorClass === 'transient'

export const STORAGE_PAUSE_MS = 2_000

/** Errors after which storage may accept the same write later. */
export const STORAGE_WAITS: readonly ErrorCode[] = ['storage_full', 'store_unreachable']

/** A full disk or unavailable storage loses nothing: the action is retried until it succeeds. */
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
